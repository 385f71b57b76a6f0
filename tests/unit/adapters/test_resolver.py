"""The resolver against a real name server (Knot) on loopback: kinds of answers, TCP, dead servers, one query for many, the cache."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import zegel
from support import samples
from support.knot import knot
from zegel import Question, Rcode, RRType
from zegel.adapters import answers

LONG = "x" * 250
RECORD = samples.rsa().record
ZONE = f"""\
$ORIGIN example.org.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 1
@ NS ns
@ MX 10 mx
@ MX 20 MX2.example.NET.
ns A 127.0.0.1
mx A 192.0.2.1
mx AAAA 2001:db8::1
txt TXT "v=DKIM1; k=rsa; " "p=abc"
two TXT "one"
two TXT "two"
bytes TXT "\\255\\000;"
short 1 TXT "gone in a second"
kb TXT {" ".join(f'"{LONG}"' for _ in range(4))}
huge TXT {" ".join(f'"{LONG}"' for _ in range(16))}
alias CNAME txt
alias2 CNAME alias
outside CNAME nothing.example.net.
dangling CNAME nothing
deep.ent TXT "below an empty non-terminal"
*.wild TXT "from a wildcard"
rsa._domainkey TXT {" ".join(f'"{RECORD[i : i + 250]}"' for i in range(0, len(RECORD), 250))}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with knot(tmp_path_factory.mktemp("knot"), {"example.org": ZONE, "broken.example": None}) as address:
        yield address


@pytest.fixture
def dead() -> Iterator[str]:
    """An address where a socket takes questions and nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def ask(resolver: zegel.Resolver, name: str, rrtype: RRType = RRType.TXT) -> zegel.Answer:
    return asyncio.run(resolver.resolve(Question(name, rrtype)))


@pytest.mark.parametrize(
    ("name", "rrtype", "records"),
    [
        # RFC 7208 3.3: strings of one record are joined "without adding spaces".
        ("txt.example.org", RRType.TXT, {b"v=DKIM1; k=rsa; p=abc"}),
        ("TXT.Example.ORG", RRType.TXT, {b"v=DKIM1; k=rsa; p=abc"}),
        ("two.example.org", RRType.TXT, {b"one", b"two"}),
        ("bytes.example.org", RRType.TXT, {b"\xff\x00;"}),
        ("kb.example.org", RRType.TXT, {LONG.encode() * 4}),
        ("huge.example.org", RRType.TXT, {LONG.encode() * 16}),
        ("alias.example.org", RRType.TXT, {b"v=DKIM1; k=rsa; p=abc"}),
        ("alias2.example.org", RRType.TXT, {b"v=DKIM1; k=rsa; p=abc"}),
        ("any.wild.example.org", RRType.TXT, {b"from a wildcard"}),
        ("example.org", RRType.MX, {"10 mx.example.org", "20 mx2.example.net"}),
        ("mx.example.org", RRType.A, {"192.0.2.1"}),
        ("mx.example.org", RRType.AAAA, {"2001:db8::1"}),
    ],
)
def test_records(server: str, name: str, rrtype: RRType, records: set[bytes | str]) -> None:
    """What is too long for one packet comes over TCP: RFC 7766 5."""
    answer = ask(zegel.Resolver([server]), name, rrtype)
    assert (answer.rcode, set(answer.records), answer.ttl) == (Rcode.NOERROR, records, 300)
    assert answer.authentic is False


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        ("none.example.org", Rcode.NXDOMAIN),
        ("mx.example.org", Rcode.NOERROR),
        ("ent.example.org", Rcode.NOERROR),
        ("dangling.example.org", Rcode.NXDOMAIN),
        ("broken.example", Rcode.SERVFAIL),
        ("elsewhere.example", Rcode.SERVFAIL),  # REFUSED: this server does not know, nobody said "no"
        ("outside.example.org", Rcode.NOERROR),  # the rest of the chain is not this server's
    ],
)
def test_no_records(server: str, name: str, rcode: Rcode) -> None:
    answer = ask(zegel.Resolver([server], tries=1), name)
    assert (answer.rcode, answer.records) == (rcode, ())
    assert answer.temporary is (rcode is Rcode.SERVFAIL)


def test_a_dead_server_is_a_time_out(dead: str) -> None:
    resolver = zegel.Resolver([dead], timeout=0.1, tries=2)
    assert ask(resolver, "txt.example.org").rcode is Rcode.TIMEOUT
    assert resolver.asked == 2


def test_a_closed_port_is_trouble_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    assert ask(zegel.Resolver([f"127.0.0.1:{port}"], timeout=0.2, tries=1), "txt.example.org").temporary


def test_fail_over_to_the_second_server(dead: str, server: str) -> None:
    resolver = zegel.Resolver([dead, server], timeout=1.0)
    assert ask(resolver, "txt.example.org").rcode is Rcode.NOERROR
    assert resolver.asked == 2
    broken = zegel.Resolver([dead, server], timeout=1.0, tries=1)
    assert ask(broken, "broken.example").rcode is Rcode.SERVFAIL


def test_many_callers_one_query(server: str) -> None:
    async def run(resolver: zegel.Resolver) -> set[zegel.Answer]:
        question = Question("txt.example.org", RRType.TXT)
        return set(await asyncio.gather(*(resolver.resolve(question) for _ in range(50))))

    resolver = zegel.Resolver([server])
    assert len(asyncio.run(run(resolver))) == 1
    assert resolver.asked == 1


def test_one_caller_that_gives_up_leaves_the_others_their_answer(server: str, dead: str) -> None:
    async def run(resolver: zegel.Resolver) -> zegel.Answer:
        question = Question("txt.example.org", RRType.TXT)
        waiting = asyncio.create_task(resolver.resolve(question))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await resolver.resolve(question)
        return await waiting

    resolver = zegel.Resolver([dead, server], timeout=1.0)
    assert asyncio.run(run(resolver)).rcode is Rcode.NOERROR


def test_the_cache_holds_for_the_ttl(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(answers, "time", SimpleNamespace(monotonic=lambda: now))

    async def run(resolver: zegel.Resolver) -> None:
        positive, lasting, negative = (Question(f"{name}.example.org", RRType.TXT) for name in ("short", "txt", "none"))
        for _ in range(3):
            for question in (positive, lasting, negative):
                await resolver.resolve(question)
        assert resolver.asked == 3
        nonlocal now
        now += 1.1
        # The short one has its TTL from the record, the negative one from the SOA's last field (RFC 2308 5).
        for question in (positive, lasting, negative):
            await resolver.resolve(question)
        assert resolver.asked == 5

    asyncio.run(run(zegel.Resolver([server])))


def test_the_front_door_asks_real_dns(server: str) -> None:
    message = zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW) + samples.MESSAGE
    (result,) = zegel.verify(message, resolver=zegel.Resolver([server]), now=samples.NOW)
    assert str(result.status) == "pass"
    (result,) = zegel.verify(message.replace(b"s=rsa", b"s=other"), resolver=zegel.Resolver([server]), now=samples.NOW)
    assert str(result.reason) == "key_not_found"


def test_the_budget_in_seconds(dead: str) -> None:
    message = zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW) + samples.MESSAGE
    slow = zegel.Resolver([dead], timeout=30)
    (result,) = zegel.verify(message, resolver=slow, now=samples.NOW, limits=zegel.Limits(dns_seconds=0.1))
    assert (str(result.status), str(result.reason)) == ("temperror", "key_unavailable")


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0", "[::1", "::1:53:x", "[127.0.0.1", "127.0.0.1:70000"]
)
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="no address of a name server"):
        zegel.Resolver([text])


def test_addresses() -> None:
    resolver = zegel.Resolver(["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "[2001:db8::1]"])
    expected = [("192.0.2.1", 53), ("192.0.2.1", 5353), ("2001:db8::1", 53), ("2001:db8::1", 5353), ("2001:db8::1", 53)]
    assert [server.address for server in resolver._servers] == expected
    with pytest.raises(ValueError, match="no name server"):
        zegel.Resolver([])


def test_the_ad_bit_is_believed_from_loopback_only() -> None:
    assert zegel.Resolver(["127.0.0.1"], trust_ad=True).trusts_ad is True
    assert zegel.Resolver(["127.0.0.1", "192.0.2.1"], trust_ad=True).trusts_ad is False
    assert zegel.Resolver(["127.0.0.1"]).trusts_ad is False
