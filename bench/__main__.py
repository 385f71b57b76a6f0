"""All benchmarks in one run: ``python -m bench`` writes ``docs/benchmarks.md``, with ``--short`` in minutes; ``--quick`` prints."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench import authenticate, dkim, dns, machine, memory, page, peers, postfix, relay, spf

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


class Extent(NamedTuple):
    """How much is measured: seconds for a group of figures, and rounds of them."""

    cases: list[postfix.Case]
    rounds: int
    run: float  # of one milter in one round
    bare: float
    libraries: tuple[int, float]
    verdict: float
    spf: float
    dns_rounds: int
    relay: tuple[int, int]  # messages, and rounds
    messages: int  # through the daemon whose memory is looked at


FULL = Extent(postfix.CASES, 5, 1.0, 3.0, (3, 0.7), 10.0, 2.0, 15, (5000, 3), 200_000)
SHORT = Extent(postfix.SHORT, 2, 0.7, 0.5, (1, 0.3), 5.0, 0.5, 5, (2000, 2), 20_000)
QUICK = Extent(postfix.QUICK, 2, 0.7, 0.5, (1, 0.3), 2.0, 0.3, 3, (500, 1), 4_000)


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
    parser.add_argument("--short", action="store_true", help="short rounds of the main cases; writes the page")
    parser.add_argument("--rounds", type=int, help="rounds of each case of Postfix (5, or 2 of a short or quick run)")
    given = parser.parse_args()
    extent = QUICK if given.quick else SHORT if given.short else FULL
    if given.rounds:
        extent = extent._replace(rounds=given.rounds)
    text = page.write(measure(extent, Progress())._replace(short=given.short))
    if given.quick:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.relative_to(PAGE.parent.parent)} is written")


def measure(extent: Extent, tell: Progress) -> page.Run:
    """All figures."""
    load = machine.load()
    peers.runner()  # what is missing is told before half an hour has passed
    tell("Signing and verifying over the bare cost")
    bare = dkim.measure(extent.bare)
    rounds, seconds = extent.libraries
    libraries = peers.compare(rounds=rounds, seconds=seconds, tell=tell)
    tell("The whole verdict, SPF, DNS")
    verdict, evaluations, questions = authenticate.measure(extent.verdict), spf.measure(extent.spf), dns.measure(extent.dns_rounds)
    mail = postfix.measure(extent.cases, rounds=extent.rounds, seconds=extent.run, tell=tell)
    relayed = relay.measure(*extent.relay, tell)
    held = memory.measure(extent.messages, tell)
    tell("done\n")
    return page.Run(bare, libraries, verdict, evaluations, questions, mail, relayed, held, extent.rounds, load)


if __name__ == "__main__":
    main()
