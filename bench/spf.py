"""SPF evaluations per second on warm DNS, beside pyspf.

``python -m bench.spf``. Both run in one process, interleaved, and the best of many calls counts, so that the ratios hold on a busy machine.
DNS is a table in memory for both: ours behind an offline zone, pyspf's behind its own hook, ``spf.DNSLookup``. First one identity, MAIL
FROM; then both of a message: one call of ``check_spf``, two of pyspf, which checks one a call.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import spf
import zegel
from bench.dkim import best
from zegel.ask import rehearse
from zegel.spf.client import Client
from zegel.spf.evaluate import check_identity
from zegel.spf.result import SpfIdentity
from zegel.spf.session import Session, mail_from_sender

NOW = 1_790_000_000
HELO = "mx1.provider.example"
NETWORKS = " ".join(f"ip4:198.51.{number}.0/24" for number in range(30))
DNS: dict[tuple[str, str], list[Any]] = {
    ("list.example", "TXT"): ["v=spf1 ip4:203.0.113.0/24 ip4:192.0.2.0/28 ip6:2001:db8:1::/48 -all"],
    ("hosts.example", "TXT"): ["v=spf1 a mx a:web.hosts.example -all"],
    ("hosts.example", "A"): ["203.0.113.10"],
    ("hosts.example", "MX"): ["10 mx1.hosts.example", "20 mx2.hosts.example"],
    ("mx1.hosts.example", "A"): ["203.0.113.11"],
    ("mx2.hosts.example", "A"): ["203.0.113.12"],
    ("web.hosts.example", "A"): ["192.0.2.9"],
    ("office.example", "TXT"): ["v=spf1 include:_spf.provider.example include:_spf.letters.example ~all"],
    ("_spf.letters.example", "TXT"): [f"v=spf1 {NETWORKS} ~all"],
    ("_spf.provider.example", "TXT"): ["v=spf1 include:_a.provider.example include:_b.provider.example ~all"],
    ("_a.provider.example", "TXT"): [f"v=spf1 {NETWORKS} ~all"],
    ("_b.provider.example", "TXT"): ["v=spf1 ip6:2001:db8:2::/48 ip4:192.0.2.0/24 ~all"],
    ("user.example", "TXT"): ["v=spf1 exists:%{ir}.%{v}.%{l1r-}._spf.%{d2} -all"],
    ("9.2.0.192.in-addr.joe._spf.user.example", "A"): ["127.0.0.2"],
    ("refused.example", "TXT"): ["v=spf1 mx -all exp=why.refused.example"],
    ("refused.example", "MX"): ["10 mx1.hosts.example"],
    ("why.refused.example", "TXT"): ["%{i} may not send for %{d}"],
    (HELO, "TXT"): ["v=spf1 a -all"],
    (HELO, "A"): ["192.0.2.9"],
}
SENDERS = {
    "a list of networks": "joe@list.example",
    "a and mx": "joe@hosts.example",
    "three includes, 64 networks": "joe@office.example",
    "exists with macros": "joe@user.example",
    "fail with its explanation": "joe@refused.example",
}
IP = "192.0.2.9"


class Row(NamedTuple):
    """One line of the table: the seconds for one identity and for both, ours and pyspf's."""

    name: str
    ours: float
    theirs: float
    ours_both: float
    theirs_both: float


def pyspf_table() -> dict[tuple[str, str], list[tuple[tuple[str, str], Any]]]:
    """The same DNS as pyspf's hook gives it: pairs of (name, type) and data."""
    table = {}
    for (name, kind), values in DNS.items():
        data: list[Any] = list(values)
        if kind == "TXT":
            data = [(value.encode(),) for value in values]
        elif kind == "MX":
            data = [(int(value.split()[0]), value.split()[1]) for value in values]
        table[name, kind] = [((name, kind), value) for value in data]
    return table


def measure(seconds: float) -> list[Row]:
    """All rows of the table; ``seconds`` is spent on each."""
    table = pyspf_table()
    spf.DNSLookup = lambda name, kind, *_ignored: table.get((name, kind), [])
    zone = zegel.Zone.from_dict(DNS)
    rows = []
    for name, mail_from in SENDERS.items():

        def ours(mail_from: str = mail_from) -> zegel.SpfResult:
            session = Session(Client.parse(IP), HELO, now=NOW)
            return rehearse(check_identity(session, mail_from_sender(mail_from, HELO), SpfIdentity.MAIL_FROM), zone.answer)

        def theirs(mail_from: str = mail_from) -> str:
            return str(spf.query(i=IP, s=mail_from, h=HELO, strict=True).check()[0])

        def front(mail_from: str = mail_from) -> zegel.SpfCheck:
            return zegel.check_spf(ip=IP, helo=HELO, mail_from=mail_from, resolver=zone, now=NOW)

        def theirs_both(mail_from: str = mail_from) -> str:
            spf.query(i=IP, s="postmaster@" + HELO, h=HELO, strict=True).check()
            return theirs(mail_from)

        if not ours().status == theirs() == front().mail_from.status:
            raise RuntimeError(f"{mail_from}: {ours().cause}, and pyspf says {theirs()}")
        runs: list[Callable[[], object]] = [ours, theirs, front, theirs_both]
        rows.append(Row(name, *best(runs, seconds)))
    return rows


def lines(rows: list[Row]) -> list[str]:
    """Evaluations per second as a table of Markdown."""
    # The last line is one message of each kind: seconds are added, not ratios.
    total = Row("all, one of each", *(sum(column) / len(rows) for column in zip(*(row[1:] for row in rows), strict=True)))
    out = ["| | Zegel, one identity | pyspf | ratio | Zegel, both | pyspf | ratio |", "|---" + "|---:" * 6 + "|"]
    for row in (*rows, total):
        one = f"{1 / row.ours:,.0f} | {1 / row.theirs:,.0f} | {row.theirs / row.ours:.1f}"
        both = f"{1 / row.ours_both:,.0f} | {1 / row.theirs_both:,.0f} | {row.theirs_both / row.ours_both:.1f}"
        out.append(f"| {row.name} | {one} | {both} |")
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each row (default 2)")
    print("\n".join(lines(measure(parser.parse_args().seconds))))


if __name__ == "__main__":
    main()
