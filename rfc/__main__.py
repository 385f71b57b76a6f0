"""``python -m rfc``: check the index; ``--write``: write the page; ``--done NUMBER``: mark what has landed of an RFC."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rfc.check import faults, mark_done
from rfc.citations import scan
from rfc.index import read
from rfc.page import render

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run one of the three. Exit status 0: all is well; 1: there are faults, one line each on standard error."""
    parser = argparse.ArgumentParser(prog="python -m rfc", description="The RFC index: check it, or write the page made from it.")
    parser.add_argument("--write", action="store_true", help="write docs/standards.md")
    parser.add_argument(
        "--done", type=int, metavar="NUMBER", help="mark done what was for later of this RFC, and is now cited in code and tests"
    )
    options = parser.parse_args(arguments)
    index, page = root / "rfc" / "index.toml", root / "docs" / "standards.md"
    text, citations = index.read_text(encoding="utf-8"), scan(root)
    if options.done:
        text = mark_done(text, read(text)[0], citations, options.done)
        index.write_text(text, encoding="utf-8")
    standards, wrong = read(text)
    wrong = [f"rfc/index.toml: {fault}" for fault in wrong] + faults(standards, citations)
    made = render(standards, citations)
    if options.write:
        page.write_text(made, encoding="utf-8")
    elif not page.exists() or page.read_text(encoding="utf-8") != made:
        wrong.append("docs/standards.md is not what the index and the citations give: run make standards")
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
