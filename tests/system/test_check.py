"""The check over real servers: Knot with signed zones and unbound in front for DNSSEC and DANE, and many domains at once.

RFC 7672 2.1 and 3.1, RFC 4035 4.9.3; records as they come by RFC 4034 5.1 and RFC 6698 2.1.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest
from bench import checks as bench

import zegel
from support import checks
from support.knot import knot
from support.servers import wait_for
from support.unbound import unbound
from zegel.check.dkim import Selector
from zegel.check.report import Options, Report
from zegel.check.run import check_many, check_one
from zegel.grammar.domain import Domain

ZONE = f"""\
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
@ MX 10 mx
mx A 192.0.2.1
_25._tcp.mx TLSA 3 1 1 {"ab" * 32}
@ TXT "v=spf1 mx -all"
@ TYPE99 \\# 12 0b763d7370663120 2d616c6c
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:a@signed.test"
"""


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An unbound that validates a signed zone, and one that is not signed."""
    with knot(tmp_path_factory.mktemp("knot"), {"signed.test": ZONE, "plain.test": ZONE}, signed={"signed.test"}) as server:
        host, port = server.split(":")

        def anchors() -> list[str]:
            reply = dns.query.tcp(dns.message.make_query("signed.test", "DNSKEY"), host, port=int(port), timeout=5)
            found = [record.to_text() for rrset in reply.answer if rrset.rdtype == dns.rdatatype.DNSKEY for record in rrset]
            return [f"signed.test. 300 IN DNSKEY {text}" for text in found if text.startswith("257 ")]

        wait_for(lambda: bool(anchors()), what="signed.test to be signed")
        with unbound(tmp_path_factory.mktemp("unbound"), {"signed.test": [server], "plain.test": [server]}, anchors()) as address:
            yield address


def run(address: str, name: str, *, trusted: bool = True) -> Report:
    async def work() -> Report:
        resolver = zegel.Resolver([address], trust_ad=trusted, timeout=5)
        return await check_one(Domain.parse(name), resolver, Options(trusted=resolver.trusts_ad))

    return asyncio.run(work())


def test_dnssec_and_dane_by_a_resolver_that_validates(resolver: str) -> None:
    signed, plain = checks.levels(run(resolver, "signed.test")), checks.levels(run(resolver, "plain.test"))
    assert {"pass transport.dnssec", "pass transport.tlsa"} <= set(signed)
    assert {"warn transport.dnssec", "warn transport.tlsa"} <= set(plain)
    unknown = checks.levels(run(resolver, "signed.test", trusted=False))
    assert {"not_tested transport.dnssec", "not_tested transport.tlsa"} <= set(unknown)


def test_records_of_the_old_type_and_tlsa_are_read_from_the_wire(resolver: str) -> None:
    found = run(resolver, "signed.test")
    assert checks.one(found, "spf.leftover").seen == ("v=spf1 -all",)
    assert checks.one(found, "transport.tlsa").seen == ("3 1 1 " + "ab" * 32,)


def test_many_domains_come_in_order_and_cost_what_they_must(tmp_path: Path) -> None:
    """Twice the domains, twice the questions: no more. The seconds that a thousand may take are measured by ``python -m bench.checks``."""
    with knot(tmp_path, bench.zones(120)) as address:
        few, many = (asyncio.run(bench.measure(address, count)) for count in (60, 120))
        assert (few.failed, many.failed) == (0, 0)
        assert few.asked <= 60 * 33
        assert many.asked <= 2.1 * few.asked

        async def names() -> list[str]:
            resolver = zegel.Resolver([address])
            wanted = [Domain.parse(f"d{number}.test") for number in range(119, -1, -1)]
            options = Options(selectors=(Selector("z1"),))
            return [report.domain async for report in check_many(wanted, resolver, lambda _: options) if report.proof.answer == "yes"]

        assert asyncio.run(names()) == [f"d{number}.test" for number in range(119, -1, -1)]


def test_the_command_connects_when_it_is_told_to(resolver: str, tmp_path: Path) -> None:
    (tmp_path / "zegel.toml").write_text(f'[dns]\nnameservers = ["{resolver}"]\n')

    def said(*options: str) -> str:
        command = [sys.executable, "-m", "zegel.cli.main", "--data", str(tmp_path), "check", "plain.test", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return " ".join(done.stdout.split())

    assert "no mail server is connected to Have the mail servers connected to: zegel check --connect" in said()
    # The address is one of documentation: nobody is there, and nobody is tried.
    assert "mx.plain.test cannot be connected to from here: it has no address outside local networks" in said("--connect")
