"""The resolver before a name server that is slow, dead or lying: one answer each, a counted number of packets, never an exception."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
import uvloop

import zegel
from support.lyingdns import PLAYS, Lying, Play, lying_dns, octets, reply
from support.servers import wait_for
from support.work import lines
from zegel import Answer, Question, Rcode, RRType
from zegel.adapters import wire

TRUE = (b"v=DKIM1; p=true",)
NOERROR, NXDOMAIN, SERVFAIL, TIMEOUT = Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.SERVFAIL, Rcode.TIMEOUT

# What the server does: the rcode, the records, and the packets and connections that two tries cost.
TABLE: dict[str, tuple[Rcode, tuple[bytes | str, ...], int, int]] = {
    "true": (NOERROR, TRUE, 1, 0),
    "silent": (TIMEOUT, (), 2, 0),
    "slow": (NOERROR, TRUE, 1, 0),
    "late": (TIMEOUT, (), 2, 0),
    # RFC 5452 9.1: ID, question, and both addresses; RFC 5452 9.2: from a port that is not ours there is nothing to take.
    "wrong-id": (TIMEOUT, (), 2, 0),
    "wrong-port": (TIMEOUT, (), 2, 0),
    "wrong-question": (TIMEOUT, (), 2, 0),
    "no-reply": (TIMEOUT, (), 2, 0),
    # RFC 5452 9.3
    "guesses": (NOERROR, TRUE, 1, 1),
    # RFC 2181 9: what did not fit is no answer; RFC 1035 4.2.2
    "cut": (NOERROR, TRUE, 1, 1),
    "cut-closed": (SERVFAIL, (), 2, 2),
    "cut-silent": (TIMEOUT, (), 2, 2),
    "cut-drip": (TIMEOUT, (), 2, 2),
    "cut-short": (SERVFAIL, (), 2, 2),
    "cut-again": (SERVFAIL, (), 2, 2),
    "cut-other": (SERVFAIL, (), 2, 2),
    "big": (NOERROR, (b"x" * 255 * 250,), 1, 1),
    "many": (NOERROR, tuple(b"%04d" % number for number in range(2000)), 1, 1),
    "many-mx": (SERVFAIL, (), 2, 2),  # asked for as MX below; this is a reply about something else
    "loop": (SERVFAIL, (), 2, 0),
    "self-loop": (SERVFAIL, (), 2, 0),
    "chain": (SERVFAIL, (), 2, 0),
    "alias": (NOERROR, TRUE, 1, 0),
    "negative-ttl": (NOERROR, TRUE, 1, 0),
    "alias-gone": (NXDOMAIN, (), 1, 0),
    "gone": (NXDOMAIN, (), 1, 0),
    "gone-with-records": (SERVFAIL, (), 2, 0),
    "nothing": (NOERROR, (), 1, 0),
    "no-soa": (NOERROR, (), 1, 0),
    # RFC 2308 2.2.1: name servers without an SOA are a referral
    "lame": (SERVFAIL, (), 2, 0),
    "poison": (NOERROR, TRUE, 1, 0),
    "other-name": (SERVFAIL, (), 2, 0),
    "other-type": (SERVFAIL, (), 2, 0),
    "servfail": (SERVFAIL, (), 2, 0),
    "refused": (SERVFAIL, (), 2, 0),
    "notimp": (SERVFAIL, (), 2, 0),
    "formerr": (SERVFAIL, (), 4, 0),
    # RFC 6891 7: FORMERR may be about EDNS (RFC 6891 6.1); an RCODE has four bits here and eight in the OPT record, RFC 6891 6.1.3
    "no-edns": (NOERROR, TRUE, 2, 0),
    "badvers": (SERVFAIL, (), 2, 0),
    "garbage": (TIMEOUT, (), 2, 0),
    "garbage-inside": (SERVFAIL, (), 2, 0),
    "ends-early": (SERVFAIL, (), 2, 0),
    # RFC 1035 4.1.4
    "pointer-loop": (SERVFAIL, (), 2, 0),
    "pointer-forward": (SERVFAIL, (), 2, 0),
    "pointer-rdata": (SERVFAIL, (), 2, 0),
    "string-too-long": (SERVFAIL, (), 2, 0),
    "label-type": (SERVFAIL, (), 2, 0),
    "octets": (NOERROR, (b"", b"\xfe" * 255, b"\0;\xffa"), 1, 0),
}


@pytest.fixture(scope="module")
def lying() -> Iterator[Lying]:
    with lying_dns() as server:
        yield server


def test_every_play_is_in_the_table() -> None:
    assert TABLE.keys() == PLAYS.keys()


@pytest.mark.parametrize("what", TABLE)
def test_what_a_lie_comes_to(lying: Lying, what: str) -> None:
    """Never a false "no", never a record of another, and never more than the tries allow: RFC 1034 5.3.1 and RFC 1035 4.1."""
    rcode, records, packets, connections = TABLE[what]
    before = len(os.listdir("/proc/self/fd"))
    lying.packets.clear()
    lying.connections.clear()

    async def run() -> tuple[zegel.Answer, int]:
        resolver = zegel.Resolver([lying.address], timeout=0.45 if rcode is TIMEOUT else 10, tries=2)
        answer = await resolver.resolve(Question(f"{what}.example", RRType.TXT))
        kept = resolver.cached(Question(f"{what}.example", RRType.TXT))
        assert kept == (answer if answer.temporary or answer.ttl else None), "trouble is kept too: RFC 9520 3.2"
        return answer, resolver.asked

    answer, asked = asyncio.run(run())
    assert (answer.rcode, answer.records) == (rcode, records)
    assert answer.temporary is (rcode in (SERVFAIL, TIMEOUT))
    wait_for(lambda: lying.packets[what] >= packets and lying.connections[what] >= connections, what="the server has read what came")
    assert (lying.packets[what], lying.connections[what]) == (packets, connections)
    assert asked == (2 if answer.temporary else 1)
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before, what="no socket to be left open, here or at the server")


@pytest.mark.parametrize("what", ["true", "silent", "cut", "cut-closed", "cut-silent", "guesses", "garbage"])
def test_the_same_in_the_loop_of_the_daemon(lying: Lying, what: str) -> None:
    question, rcode = Question(f"{what}.example", RRType.TXT), TABLE[what][0]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        resolver = zegel.Resolver([lying.address], timeout=0.45 if rcode is TIMEOUT else 10, tries=2)
        answer = runner.run(resolver.resolve(question))
    assert (answer.rcode, answer.records) == (rcode, TABLE[what][1])


@pytest.mark.parametrize(
    ("what", "ttl"), [("true", 60), ("alias", 30), ("gone", 120), ("nothing", 120), ("no-soa", 60), ("negative-ttl", 0)]
)
def test_how_long_it_holds(lying: Lying, what: str, ttl: int) -> None:
    """The least TTL of the chain (RFC 2181 8: of a negative one nothing is kept); for "no" the SOA's last field: RFC 2308 5."""
    assert asyncio.run(zegel.Resolver([lying.address]).resolve(Question(f"{what}.example", RRType.TXT))).ttl == ttl


def test_two_thousand_mx_records(lying: Lying) -> None:
    answer = asyncio.run(zegel.Resolver([lying.address], timeout=5).resolve(Question("many-mx.example", RRType.MX)))
    assert answer.rcode is NOERROR
    assert len(answer.records) == 2000
    assert answer.records[7] == f"1 m0007.{'a.' * 90}example"


@pytest.mark.parametrize(
    ("rrtype", "data", "text"),
    [
        (RRType.A, "192.0.2.1", "192.0.2.1"),
        (RRType.AAAA, "2001:DB8:0:0:0::1", "2001:db8::1"),
        (RRType.AAAA, "::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        (RRType.MX, "10 Mx.Example.ORG.", "10 mx.example.org"),
        (RRType.MX, "0 .", "0 "),
        (RRType.PTR, r"a\.b\200\"\;.Example.", r"a\046b\200\034\059.example"),
        (RRType.NS, "ns.example.", "ns.example"),
        (RRType.CNAME, "other.example.", "other.example"),
        (RRType.SOA, "ns.example. Host.example. 1 3600 600 86400 120", "ns.example host.example 1 3600 600 86400 120"),
    ],
)
def test_the_text_of_records(rrtype: RRType, data: str, text: str) -> None:
    """RFC 1035 3.3, in lower case; two names that differ never look alike."""
    with lying_dns(here=lambda query: Play([octets(reply(query, f"{{q}} 60 {rrtype} {data}"))])) as server:
        answer = asyncio.run(zegel.Resolver([server.address]).resolve(Question("here.example", rrtype)))
    assert answer == zegel.Answer(NOERROR, (text,), 60)


@pytest.mark.parametrize("name", ["a..b", ".", "x" * 64 + ".example", ".".join(["x" * 60] * 5), "é.example"])
def test_what_dns_has_no_name_for_does_not_exist(lying: Lying, name: str) -> None:
    """RFC 1035 3.1: labels of 63 octets, names of 255."""
    lying.packets.clear()
    answer = asyncio.run(zegel.Resolver([lying.address]).resolve(Question(name, RRType.TXT)))
    assert answer.rcode is NXDOMAIN
    assert not lying.packets


def steps(packet: bytes, question: Question) -> int:
    """The lines of Python that reading a reply takes."""
    answers: list[Answer] = []
    counted = lines(lambda: answers.append(wire.read(packet, question)))
    assert answers[0].rcode in (NOERROR, SERVFAIL)
    return counted


def test_the_fields_before_the_data() -> None:
    """RFC 1035 3.2.1: a record of another class is none of ours, and one that ends after the message is none at all."""
    head = wire._HEADER.pack(1, 0x8180, 1, 1, 0, 0) + b"\1q\0\0\x10\0\1\xc0\x0c"
    question = Question("q", RRType.TXT)
    assert wire.read(head + wire._FIXED.pack(16, 1, 60, 2) + b"\1x", question).records == (b"x",)
    assert wire.read(head + wire._FIXED.pack(16, 3, 60, 2) + b"\1x", question).rcode is SERVFAIL
    assert wire.read(head + wire._FIXED.pack(16, 1, 60, 3) + b"\1x", question).rcode is SERVFAIL


def pointers(count: int) -> bytes:
    """PTR records, each with a pointer into the middle of one long name: what a reader without a memory follows again and again."""
    packet = bytearray(wire._HEADER.pack(1, 0x8180, 1, count, 0, 0) + b"\1q\0\0\x0c\0\1")
    long = b"\1a" * 100 + b"\0"
    start = len(packet) + 12
    for number in range(count):
        data = long if number == 0 else bytes((0xC0 | (start + number % 90 * 2) >> 8, (start + number % 90 * 2) & 255))
        packet += b"\xc0\x0c" + wire._FIXED.pack(12, 1, 60, len(data)) + data
    return bytes(packet)


def chain_of_pointers(count: int) -> bytes:
    """Records whose owners are pointers to pointers to pointers."""
    packet = bytearray(wire._HEADER.pack(1, 0x8180, 1, count, 0, 0) + b"\1q\0\0\x10\0\1")
    target = 12
    for _ in range(count):
        at = len(packet)
        packet += bytes((0xC0 | target >> 8, target & 255)) + wire._FIXED.pack(16, 1, 60, 1) + b"\0"
        target = at
    return bytes(packet)


@pytest.mark.parametrize("made", [pointers, chain_of_pointers])
def test_the_work_of_a_reply_grows_with_its_octets(made: object) -> None:
    assert callable(made)
    rrtype = RRType.PTR if made is pointers else RRType.TXT
    one, two = (steps(made(count), Question("q", rrtype)) for count in (500, 1000))
    assert two <= 2.5 * one
    assert one < 500 * 120, "a label is read once"
