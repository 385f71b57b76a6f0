"""All benchmarks in one run: ``python -m bench`` writes ``docs/benchmarks.md``, ``python -m bench --quick`` prints the tables."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench import dkim, machine, memory, page, peers, postfix

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


class Progress:
    """One line of progress, written over itself on a terminal."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        text = f"{minutes:3d}:{seconds:02d}  {line}"
        print(f"\r\033[K{text}" if sys.stderr.isatty() else text, end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds of few cases; prints, and leaves the page as it is")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case of Postfix (default 5)")
    given = parser.parse_args()
    quick, tell = given.quick, Progress()
    rounds = 2 if quick else given.rounds
    load = machine.load()
    peers.runner()  # what is missing is told before half an hour has passed
    tell("Signing and verifying over the bare cost")
    bare = dkim.measure(0.5 if quick else 3.0)
    libraries = peers.compare(rounds=1 if quick else 3, seconds=0.3 if quick else 0.7, tell=tell)
    mail = postfix.measure(postfix.QUICK if quick else postfix.CASES, rounds=rounds, seconds=0.7 if quick else 1.0, tell=tell)
    held = memory.measure(4_000 if quick else 200_000, tell)
    tell("done\n")
    text = page.write(page.Run(bare, libraries, mail, held, rounds, load))
    if quick:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.relative_to(PAGE.parent.parent)} is written")


if __name__ == "__main__":
    main()
