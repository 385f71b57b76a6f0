"""``python -m docs.writers [--check]``: write the pages, or tell which are behind (exit status 1)."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.writers import checks, manual, reference

DOCS = Path(__file__).parent.parent


def pages() -> dict[Path, str]:
    """Every written page and its text."""
    return {
        DOCS / "man" / "zegel.1": manual.command(),
        DOCS / "man" / "zegel.toml.5": manual.configuration(),
        DOCS / "reference" / "checks.md": checks.page(),
        DOCS / "reference" / "command-line.md": reference.command_line(),
        DOCS / "reference" / "configuration.md": reference.configuration(),
        DOCS / "reference" / "log.md": reference.log(),
        DOCS / "reference" / "metrics.md": reference.metrics(),
        DOCS / "reference" / "reasons.md": reference.reasons(),
    }


def main(arguments: list[str]) -> int:
    """Write or check; the exit status."""
    behind = [(path, text) for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path, text in behind:
        print(path.relative_to(DOCS.parent))
        if arguments != ["--check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(bool(behind) and arguments == ["--check"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
