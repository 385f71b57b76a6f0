"""What the check of a domain costs: a thousand domains over a real name server (Knot) on loopback. ``python -m bench.checks``.

Every domain has mail servers, SPF with an include, a key, DMARC with a destination of reports outside, MTA-STS, TLS-RPT and names for its
addresses, so that each question that the check knows is asked and answered.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from support.knot import knot
from zegel.adapters import pump
from zegel.adapters.resolver import Resolver
from zegel.check.dkim import Selector
from zegel.check.report import Options
from zegel.check.run import check_many
from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain

SECONDS = 30.0
"""What a thousand domains may take."""

_HEAD = "$ORIGIN test.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
_SHARED = """\
_spf.mail TXT "v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:1::/48 -all"
reports MX 10 mx.reports
mx.reports A 192.0.2.99
*._report._dmarc.reports TXT "v=DMARC1;"
"""
_DOMAIN = """\
{name} MX 10 mx.{name}
{name} MX 20 mx2.{name}
{name} TXT "v=spf1 mx a:mx.{name} include:_spf.mail.test ip4:10.{high}.{low}.3 -all"
mx.{name} A 10.{high}.{low}.1
mx2.{name} A 10.{high}.{low}.2
z1._domainkey.{name} TXT "v=DKIM1; k=rsa; " "p={key}"
_dmarc.{name} TXT "v=DMARC1; p=reject; rua=mailto:{name}@reports.test"
_mta-sts.{name} TXT "v=STSv1; id=1"
_smtp._tls.{name} TXT "v=TLSRPTv1; rua=mailto:tls@reports.test"
"""


class Figure(NamedTuple):
    """Seconds by the clock and of our processor time, questions sent, items, and domains with something wrong."""

    domains: int
    seconds: float
    processor: float
    asked: int
    items: int
    failed: int


def zones(count: int) -> dict[str, str | None]:
    """The text of the zone with the domains, and of the one with the names of their addresses."""
    key = Key.generate("d.test", "z1").public
    domains, reverse = [_HEAD, _SHARED], ["$ORIGIN in-addr.arpa.\n$TTL 300\n@ SOA ns.test. h.test. 1 3600 600 86400 60\n@ NS ns.test.\n"]
    for number in range(count):
        high, low = divmod(number, 256)
        domains.append(_DOMAIN.format(name=f"d{number}", high=high, low=low, key=key))
        for last, host in enumerate(("mx", "mx2", "mx"), 1):
            reverse.append(f"{last}.{low}.{high}.10 PTR {host}.d{number}.test.\n")
    return {"test": "".join(domains), "in-addr.arpa": "".join(reverse)}


async def measure(address: str, count: int) -> Figure:
    """Check the domains ``d0.test`` and up."""
    resolver = Resolver([address])
    names = [Domain.parse(f"d{number}.test") for number in range(count)]
    options = Options(selectors=(Selector("z1"),))
    started, worked = time.perf_counter(), time.process_time()
    reports = [report async for report in check_many(names, resolver, lambda _: options)]
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    return Figure(
        count, seconds, processor, resolver.asked, sum(len(report.items) for report in reports), sum(report.failed() for report in reports)
    )


def main() -> int:
    """Print the figure; exit status 1 when it took longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--domains", type=int, default=1000)
    count = parser.parse_args().domains
    with tempfile.TemporaryDirectory() as folder, knot(Path(folder), zones(count)) as address:
        found = pump.run(measure(address, count))
    print(
        f"{found.domains} domains: {found.seconds:.1f} s, {found.asked} questions, {found.items} items, {found.failed} with something wrong"
    )
    return int(found.seconds > SECONDS * count / 1000)


if __name__ == "__main__":
    sys.exit(main())
