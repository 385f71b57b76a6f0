"""The whole verdict on one message on warm DNS: time, and the ratio to verifying its DKIM signature alone.

``python -m bench.authenticate``. DNS is a table in memory. All variants run interleaved in one process, and the best of many rounds counts,
so that the ratios hold on a busy machine; they are seconds of a clock that ticks on while others run.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from collections.abc import Callable
from typing import NamedTuple

import zegel
from bench.dkim import NOW, best, message
from zegel.ask import rehearse
from zegel.limits import Limits
from zegel.verdict.authenticate import authenticate_message
from zegel.verdict.edits import Claims, outcome
from zegel.verdict.evidence import Evidence
from zegel.verdict.policy import Site

SIZE = 10_000
IP, HELO, SENDER = "192.0.2.77", "client7.example.org", "bounce+17384@example.org"
NETWORKS = " ".join(f"ip4:198.51.{number}.0/24" for number in range(30))


class Row(NamedTuple):
    """One line of the table: what is done, and its seconds."""

    name: str
    seconds: float


def zone(*keys: zegel.Key) -> zegel.Zone:
    """What a well-kept domain publishes: keys, an SPF record with an include, a policy."""
    return zegel.Zone.from_dict(
        {
            **{(key.name, "TXT"): [key.record] for key in keys},
            ("example.org", "TXT"): ["v=spf1 include:_spf.example.net ip4:192.0.2.0/24 -all"],
            ("_spf.example.net", "TXT"): [f"v=spf1 {NETWORKS} ~all"],
            (HELO, "TXT"): ["v=spf1 a -all"],
            (HELO, "A"): [IP],
            ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@example.org"],
        }
    )


def works() -> dict[str, Callable[[], object]]:
    """What is measured, by name; each is checked once for what it comes to."""
    rsa, ed25519 = (zegel.Key.generate("example.org", kind, kind) for kind in ("rsa2048", "ed25519"))
    text, _ = message(SIZE)
    signed = zegel.sign(text, rsa, now=NOW) + text
    twice = zegel.sign(text, [rsa, ed25519], now=NOW) + text
    dns, site, limits = zone(rsa, ed25519), Site(), Limits()
    evidence = Evidence(IP, HELO, SENDER, (), "mx.example.com", NOW)

    def verdict(mail: bytes) -> zegel.Verdict:
        return rehearse(authenticate_message(mail, evidence, site, limits), dns.answer)

    if verdict(signed).dmarc.reason.id != "spf_and_dkim_aligned":
        raise RuntimeError(f"the message does not pass: {verdict(signed).story}")
    return {
        "DKIM alone": lambda: zegel.verify(signed, resolver=dns, now=NOW),
        "SPF alone, both identities": lambda: zegel.check_spf(ip=IP, helo=HELO, mail_from=SENDER, resolver=dns, now=NOW),
        "all, one RSA signature": lambda: verdict(signed),
        "all, with header edits and reply": lambda: outcome(verdict(signed), Claims()),
        "all, with its story": lambda: verdict(signed).story,
        "all, RSA and Ed25519 signatures": lambda: verdict(twice),
        "all, unsigned": lambda: verdict(text),
    }


def measure(seconds: float) -> list[Row]:
    """All rows of the table; ``seconds`` is spent on all of them together."""
    named = works()
    return [Row(name, time) for name, time in zip(named, best(list(named.values()), seconds), strict=True)]


def lines(rows: list[Row]) -> list[str]:
    """The figures as a table of Markdown; the first row is what the others are compared with."""
    out = ["| | µs | over DKIM alone |", "|---|---:|---:|"]
    return out + [f"| {row.name} | {row.seconds * 1e6:.0f} | {row.seconds / rows[0].seconds:.2f} |" for row in rows]


def profile(calls: int = 2000) -> None:
    """Print where the time goes."""
    work = works()["all, one RSA signature"]
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        work()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="time for all rows (default 10)")
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    given = parser.parse_args()
    if given.profile:
        profile()
        return
    print("\n".join(lines(measure(given.seconds))))


if __name__ == "__main__":
    main()
