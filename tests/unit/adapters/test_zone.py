"""The offline zone answers as DNS would: NODATA, NXDOMAIN, empty non-terminals, wildcards, aliases; from text and from a dict."""

from __future__ import annotations

import asyncio

import pytest

import zegel
from zegel import Question, Rcode, RRType, Zone

TEXT = """\
$ORIGIN example.org.
$TTL 600
@       IN SOA ns.example.org. hostmaster.example.org. ( 1 3600 600 86400 60 )
        IN NS  ns
        IN MX  10 mx.example.net.
Mx      300 IN A 192.0.2.1
mx      AAAA 2001:db8::1
txt     IN TXT "v=DKIM1; " "p=" ( "abc"
               "def" )
two     TXT one
two     TXT two
alias   CNAME txt
chain   CNAME alias
away    CNAME txt.example.net.
loop    CNAME loop
lost    CNAME nowhere
deep.ent TXT "x"
*.wild  TXT "wild"
a.wild  A 192.0.2.2
*.cwild CNAME txt
comment TXT v=DKIM1; p=cut
$ORIGIN example.net.
txt     IN TXT "over there"
"""


def ask(zone: Zone, name: str, rrtype: RRType = RRType.TXT) -> tuple[Rcode, set[bytes | str]]:
    answer = zone.answer(Question(name, rrtype))
    assert asyncio.run(zone.resolve(Question(name, rrtype))) == answer
    return answer.rcode, set(answer.records)


CASES: list[tuple[str, RRType, Rcode, set[bytes | str]]] = [
    ("txt.example.org", RRType.TXT, Rcode.NOERROR, {b"v=DKIM1; p=abcdef"}),
    ("TXT.example.ORG.", RRType.TXT, Rcode.NOERROR, {b"v=DKIM1; p=abcdef"}),
    ("two.example.org", RRType.TXT, Rcode.NOERROR, {b"one", b"two"}),
    ("example.org", RRType.MX, Rcode.NOERROR, {"10 mx.example.net"}),
    ("mx.example.org", RRType.A, Rcode.NOERROR, {"192.0.2.1"}),
    ("mx.example.org", RRType.AAAA, Rcode.NOERROR, {"2001:db8::1"}),
    ("mx.example.org", RRType.TXT, Rcode.NOERROR, set()),
    ("none.example.org", RRType.TXT, Rcode.NXDOMAIN, set()),
    ("x.none.example.org", RRType.TXT, Rcode.NXDOMAIN, set()),
    ("elsewhere", RRType.TXT, Rcode.NXDOMAIN, set()),
    ("ent.example.org", RRType.TXT, Rcode.NOERROR, set()),
    ("org", RRType.TXT, Rcode.NOERROR, set()),
    ("alias.example.org", RRType.TXT, Rcode.NOERROR, {b"v=DKIM1; p=abcdef"}),
    ("chain.example.org", RRType.TXT, Rcode.NOERROR, {b"v=DKIM1; p=abcdef"}),
    ("away.example.org", RRType.TXT, Rcode.NOERROR, {b"over there"}),
    ("alias.example.org", RRType.CNAME, Rcode.NOERROR, {"txt.example.org"}),
    ("alias.example.org", RRType.A, Rcode.NOERROR, set()),
    ("lost.example.org", RRType.TXT, Rcode.NXDOMAIN, set()),
    ("loop.example.org", RRType.TXT, Rcode.SERVFAIL, set()),
    ("any.wild.example.org", RRType.TXT, Rcode.NOERROR, {b"wild"}),
    ("b.any.wild.example.org", RRType.TXT, Rcode.NOERROR, {b"wild"}),
    ("any.wild.example.org", RRType.A, Rcode.NOERROR, set()),
    ("a.wild.example.org", RRType.TXT, Rcode.NOERROR, set()),  # the name is there, so no wildcard (RFC 4592 2.2.1)
    ("b.a.wild.example.org", RRType.TXT, Rcode.NXDOMAIN, set()),  # its closest encloser has no wildcard (RFC 4592 3.3.1)
    ("any.cwild.example.org", RRType.TXT, Rcode.NOERROR, {b"v=DKIM1; p=abcdef"}),
    ("comment.example.org", RRType.TXT, Rcode.NOERROR, {b"v=DKIM1"}),
]


@pytest.mark.parametrize(("name", "rrtype", "rcode", "records"), CASES)
def test_text(name: str, rrtype: RRType, rcode: Rcode, records: set[bytes | str]) -> None:
    """A master file (RFC 1035 5), asked: aliases are followed (RFC 1034 3.6.2), wildcards stand in (RFC 4592 3.3.1)."""
    assert ask(Zone.parse(TEXT), name, rrtype) == (rcode, records)


def test_ttl() -> None:
    """RFC 2181 5 and 5.2: no record twice, and one TTL for all."""
    least = Zone.parse("a 300 TXT x\na 60 TXT y\na 300 TXT x").answer(Question("a", RRType.TXT))
    assert (least.ttl, least.records) == (60, (b"x", b"y"))
    assert Zone.parse(TEXT).answer(Question("mx.example.org", RRType.A)).ttl == 300
    assert Zone.parse(TEXT).answer(Question("txt.example.org", RRType.TXT)).ttl == 600


@pytest.mark.parametrize(
    "text", ["example.org. TXT", "example.org. IN NOSUCH x", '"', "example.org. A 300.1.1.1", "$INCLUDE /etc/hostname"]
)
def test_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match="no zone file"):
        Zone.parse(text)


def test_an_empty_zone() -> None:
    assert ask(Zone.parse(""), "example.org") == (Rcode.NXDOMAIN, set())
    assert ask(Zone.from_dict({}), "example.org") == (Rcode.NXDOMAIN, set())


DICT = Zone.from_dict(
    {
        ("Example.com.", "txt"): ["v=spf1 -all", b"\xff", ("v=DKIM1; ", "p=", b"abc")],
        ("example.com", "MX"): ["10 mx.example.com"],
        ("empty.example.com", "TXT"): [],
        ("slow.example", "TXT"): Rcode.TIMEOUT,
        ("dead.example", "*"): Rcode.SERVFAIL,
        ("gone.example", "*"): Rcode.NXDOMAIN,
        ("all.example", "*"): ["text"],
        ("*.w.example", "TXT"): ["w"],
        ("é.example", "TXT"): ["é"],
        ("dead-alias.example", "CNAME"): ["dead.example"],
    }
)


@pytest.mark.parametrize(
    ("name", "rrtype", "rcode", "records"),
    [
        ("example.com", RRType.TXT, Rcode.NOERROR, {b"v=spf1 -all", b"\xff", b"v=DKIM1; p=abc"}),
        ("example.com", RRType.MX, Rcode.NOERROR, {"10 mx.example.com"}),
        ("example.com", RRType.A, Rcode.NOERROR, set()),
        ("empty.example.com", RRType.TXT, Rcode.NOERROR, set()),
        ("nope.example.com", RRType.TXT, Rcode.NXDOMAIN, set()),
        ("slow.example", RRType.TXT, Rcode.TIMEOUT, set()),
        ("slow.example", RRType.MX, Rcode.NOERROR, set()),
        ("dead.example", RRType.TXT, Rcode.SERVFAIL, set()),
        ("dead.example", RRType.A, Rcode.SERVFAIL, set()),
        ("dead-alias.example", RRType.A, Rcode.SERVFAIL, set()),
        ("gone.example", RRType.A, Rcode.NXDOMAIN, set()),
        ("all.example", RRType.TXT, Rcode.NOERROR, {b"text"}),
        ("x.y.w.example", RRType.TXT, Rcode.NOERROR, {b"w"}),
    ],
)
def test_dict(name: str, rrtype: RRType, rcode: Rcode, records: set[bytes | str]) -> None:
    assert ask(DICT, name, rrtype) == (rcode, records)


@pytest.mark.parametrize("value", ["v=spf1 -all", b"v=spf1 -all"])
def test_records_are_a_list(value: str | bytes) -> None:
    with pytest.raises(TypeError, match="must be a list"):
        Zone.from_dict({("example.com", "TXT"): value})  # type: ignore[dict-item]


def test_the_kinds_of_trouble() -> None:
    assert [zegel.Answer(rcode).temporary for rcode in (Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.SERVFAIL, Rcode.TIMEOUT)] == [
        False,
        False,
        True,
        True,
    ]
