"""The resolver through a real one that validates, unbound, over zones that Knot signs: the AD bit, a bogus zone, TCP, dead servers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

import zegel
from support import samples
from support.knot import knot
from support.servers import wait_for
from support.unbound import unbound
from zegel import Question, Rcode, RRType

RECORD = samples.rsa().record
LONG = "x" * 250
ZONE = f"""\
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
@ TXT "v=spf1 -all"
ns A 127.0.0.1
alias CNAME txt
txt TXT "here"
huge TXT {" ".join(f'"{LONG}"' for _ in range(40))}
rsa._domainkey TXT {" ".join(f'"{RECORD[i : i + 250]}"' for i in range(0, len(RECORD), 250))}
"""
SIGNED, PLAIN, BOGUS, HALF, DEAD = "signed.test", "plain.test", "bogus.test", "half.test", "dead.test"


@dataclass
class Names:
    """Knot, and unbound before it."""

    knot: str
    unbound: str

    def ask(self, name: str, rrtype: RRType = RRType.TXT, *, trust_ad: bool = True) -> zegel.Answer:
        return asyncio.run(zegel.Resolver([self.unbound], trust_ad=trust_ad, timeout=5).resolve(Question(name, rrtype)))


def anchor(address: str, zone: str) -> str:
    """The DNSKEY record of a zone with its key-signing key, once Knot has signed it."""
    host, port = address.split(":")

    def keys() -> list[str]:
        reply = dns.query.tcp(dns.message.make_query(zone, "DNSKEY"), host, port=int(port), timeout=5)
        found = [record.to_text() for rrset in reply.answer if rrset.rdtype == dns.rdatatype.DNSKEY for record in rrset]
        return [f"{zone}. 300 IN DNSKEY {text}" for text in found if text.startswith("257 ")]

    wait_for(lambda: bool(keys()), what=f"{zone} to be signed")
    return keys()[0]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Names]:
    folder = tmp_path_factory.mktemp("names")
    (folder / "knot").mkdir()
    zones: dict[str, str | None] = {zone: f"$ORIGIN {zone}.\n{ZONE}" for zone in (SIGNED, PLAIN, BOGUS, HALF)}
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        knot(folder / "knot", zones, signed=(SIGNED, BOGUS, HALF)) as server,
    ):
        silent.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{silent.getsockname()[1]}"
        # The key of one zone is no key of another: whatever BOGUS says is not signed by what is trusted.
        anchors = [anchor(server, SIGNED), anchor(server, HALF), anchor(server, SIGNED).replace(SIGNED, BOGUS)]
        stubs = {SIGNED: [server], PLAIN: [server], BOGUS: [server], HALF: [dead, server], DEAD: [dead]}
        with unbound(folder, stubs, anchors) as resolver:
            yield Names(server, resolver)


@pytest.mark.parametrize(
    ("name", "rcode", "records"),
    [
        (f"txt.{SIGNED}", Rcode.NOERROR, (b"here",)),
        (f"alias.{SIGNED}", Rcode.NOERROR, (b"here",)),
        (f"none.{SIGNED}", Rcode.NXDOMAIN, ()),
        (f"ns.{SIGNED}", Rcode.NOERROR, ()),
    ],
)
def test_what_is_signed_is_authentic(names: Names, name: str, rcode: Rcode, records: tuple[bytes, ...]) -> None:
    """RFC 6840 5.7: the AD bit is asked for. "No" is signed as well."""
    answer = names.ask(name)
    assert (answer.rcode, answer.records, answer.authentic) == (rcode, records, True)


def test_authentic_only_when_trusted_and_signed(names: Names) -> None:
    assert names.ask(f"txt.{SIGNED}", trust_ad=False).authentic is False
    plain = names.ask(f"txt.{PLAIN}")
    assert (plain.records, plain.authentic) == ((b"here",), False)


def test_the_bit_is_believed_from_a_loopback_resolver_only(names: Names) -> None:
    """RFC 4035 4.9.3: on any other way somebody could have set it. One such server among them is enough."""
    mixed = zegel.Resolver([names.unbound, "192.0.2.1"], trust_ad=True, timeout=5)
    answer = asyncio.run(mixed.resolve(Question(f"txt.{SIGNED}", RRType.TXT)))
    assert (answer.records, answer.authentic) == ((b"here",), False)


def test_a_bogus_zone_is_trouble(names: Names) -> None:
    """Its records are there, and not believed: temporary, since nobody said that there are none."""
    answer = names.ask(f"txt.{BOGUS}")
    assert (answer.rcode, answer.records, answer.temporary) == (Rcode.SERVFAIL, (), True)
    direct = asyncio.run(zegel.Resolver([names.knot]).resolve(Question(f"txt.{BOGUS}", RRType.TXT)))
    assert direct.records == (b"here",)


@pytest.mark.parametrize("trust_ad", [True, False])
def test_what_does_not_fit_comes_over_tcp(names: Names, trust_ad: bool) -> None:
    """RFC 7766 5."""
    host, port = names.unbound.split(":")
    over_udp = dns.query.udp(dns.message.make_query(f"huge.{SIGNED}", "TXT", use_edns=0, payload=1232), host, port=int(port), timeout=5)
    assert "TC" in dns.flags.to_text(over_udp.flags)
    answer = names.ask(f"huge.{SIGNED}", trust_ad=trust_ad)
    assert (answer.rcode, answer.records, answer.authentic) == (Rcode.NOERROR, (LONG.encode() * 40,), trust_ad)


def test_one_dead_server_of_two(names: Names) -> None:
    """It is for the resolver to ask the other; ours waits."""
    answer = names.ask(f"txt.{HALF}")
    assert (answer.records, answer.authentic) == ((b"here",), True)


def test_a_dead_zone_beside_a_message_that_is_signed(names: Names) -> None:
    """Two signatures, one of a domain whose server is dead: temperror for that one, a pass for the other."""
    alive, dead = (zegel.Key(domain, "rsa", samples.rsa().private_key) for domain in (SIGNED, DEAD))
    message = zegel.sign(samples.MESSAGE, [alive, dead], now=samples.NOW) + samples.MESSAGE
    resolver = zegel.Resolver([names.unbound], timeout=5.0, tries=1)
    results = zegel.verify(message, resolver=resolver, now=samples.NOW)
    assert sorted((result.domain, str(result.status)) for result in results) == [(DEAD, "temperror"), (SIGNED, "pass")]
