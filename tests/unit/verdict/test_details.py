"""Nothing of a story stays English in another language: told in a made-up one, only names, numbers and the words of the RFCs are left."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import zegel
from support import arc, inbound, samples
from support.inbound import BAD, GOOD, judge, signed, site
from zegel.grammar.address import AddressFault
from zegel.limits import Limits
from zegel.verdict import details
from zegel.verdict.explain import sentence
from zegel.verdict.unsigned import UnsignedReason, unsigned
from zegel.words import Sentence

# Words of the protocols and of our own configuration, which no language translates.
_PROTOCOLS = "HELO MAIL FROM From DKIM ARC DMARC SPF TXT MX PTR AAAA NOERROR NXDOMAIN SERVFAIL TIMEOUT AMS AAR AS DNS UTF"
_RESULTS = "pass fail none neutral softfail temperror permerror policy reject quarantine observe"
SAME = {*_PROTOCOLS.split(), *_RESULTS.split(), "mode"}  # the last in the comment of an override, which a report has as it is


@cache
def marked() -> frozenset[str]:
    """All sentences that are marked in the source."""
    found = set()
    for path in Path(zegel.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("N_", "_") and node.args:
                text = node.args[0]
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    found.add(text.value)
    return frozenset(found)


def foreign(text: str) -> str:
    """A marked sentence in a language of one letter, its ``{names}`` kept; what is not marked stays as it is."""
    if text not in marked():
        return text
    return "".join(part if part.startswith("{") else re.sub(r"[A-Za-z]", "ж", part) for part in re.split(r"(\{\w+\})", text))


def english(said: Sentence) -> list[str]:
    """The words that are left in English: what is no tag, no number, no name of DNS and none of the protocols' own words."""
    words = (word.strip("()[];:,'\"<>") for word in said.told(foreign).split())
    return [word for word in words if re.fullmatch(r"[A-Za-z][a-z'-]+|[A-Z]{2,}", word) and word not in SAME]


def test_the_language_of_the_test_shows_what_is_not_marked() -> None:
    assert english(Sentence("nobody marked {this}", this="p=none")) == ["nobody", "marked"]
    assert english(details.said("nobody knows this form")) == ["nobody", "knows", "this", "form"]
    assert foreign("no p=") == "жж ж="


def tagged(old: bytes, new: bytes) -> bytes:
    """The signed message with another text in the first place where ``old`` stands."""
    assert old in signed(), old
    return signed().replace(old, new, 1)


SIGNATURES = {
    "fold": tagged(b"d=example.org", b"d=exam\x01ple.org"),
    "twice": tagged(b"v=1", b"v=1; v=1"),
    "no name": tagged(b"v=1", b"v=1; 9x=1"),
    "version": tagged(b"v=1", b"v=2"),
    "algorithm": tagged(b"a=ed25519-sha256", b"a=rsa-md5"),
    "hash": tagged(b"a=ed25519-sha256", b"a=rsa-sha1"),
    "other key": tagged(b"a=ed25519-sha256", b"a=rsa-sha256"),
    "form": tagged(b"c=relaxed/relaxed", b"c=loose"),
    "selector": tagged(b"s=ed", b"s=" + b"e" * 63 + b"." + b"d" * 200),
    "no key": tagged(b"s=ed", b"s=nokey"),
    "no record": tagged(b"s=ed", b"s=empty"),
    "query": tagged(b"v=1", b"v=1; q=http"),
    "identity": tagged(b"v=1", b"v=1; i=@other.example"),
    "expired": tagged(b"v=1", b"v=1; x=1790000001").replace(b"t=1790000000", b"t=1690000000"),
    "length": tagged(b"v=1", b"v=1; l=100000"),
    "part": tagged(b"v=1", b"v=1; l=0"),
    "no field": b"no field at all\r\n" + signed(),
    "many": b"DKIM-Signature: v=1; a=x\r\n" * 12 + signed(),
    "missing": b"DKIM-Signature: v=1\r\n" + signed(),
    "not UTF-8": b"DKIM-Signature: v=1; d=\xff\r\n" + signed(),
    "body": inbound.changed(),
    "field": b"Subject: another\r\n" + signed(),
}
KEYS = [
    "v=DKIM2; p=AAAA", "v=DKIM1", "v=DKIM1; p=", "v=DKIM1; p=!!", "v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=dsa; p=AAAA", "p=A; p=B", "9=x",
    "v=DKIM1; k=ed25519; s=tlsrpt; p=%s", "v=DKIM1; k=ed25519; h=sha1; p=%s", "v=DKIM1; k=ed25519; t=y; p=%s", "x" * 20_000,
    "v=DKIM1; h=a::b; p=AAAA", "v=DKIM1; s=a b; p=AAAA", "v=DKIM1; p=\x01",
]  # fmt: skip
RECORDS = [
    "v=spf1 m_o", "v=spf1 ip4:1.2.3 -all", "v=spf1 ip4:1.2.3.4/99 -all", "v=spf1 a:%{x}.example.org -all", "v=spf1 a:% -all",
    "v=spf1 a:%", "v=spf1 a:%{d0}.example.org", "v=spf1 a:example -all", "v=spf1 include:nothing.example -all",
    "v=spf1 redirect=none.example",
    "v=spf1 redirect=a.example redirect=b.example", "v=spf1 " + "a " * 11, "v=spf1 a:n1.example a:n2.example a:n3.example -all",
    "v=spf1 ?all", "v=spf1 ~all", "v=spf1", "v=spf1 " + "x" * 20_000, "v=spf1 a:slow.example -all", "v=spf1 mx:many.example -all",
    "v=spf1 include:_spf.example.org -all", "v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all", "v=spf1\xff", "v=spf1 p\x01",
]  # fmt: skip
MORE = {
    ("empty._domainkey.example.org", "A"): ["192.0.2.9"],
    ("_spf.example.org", "TXT"): ["v=spf1 ip4:198.51.100.0/24 ?all"],
    ("slow.example", "A"): zegel.Rcode.TIMEOUT,
    ("many.example", "MX"): [f"10 m{number}.example" for number in range(12)],
    (arc.key("lists.example.net").name, "TXT"): [arc.key("lists.example.net").record],
}


def assert_translated(verdict: zegel.Verdict) -> None:
    for item in verdict.story:
        assert english(sentence(item)) == [], (item, str(sentence(item)))


@pytest.mark.parametrize("name", SIGNATURES)
def test_of_signatures(name: str) -> None:
    dns = inbound.zone(more=MORE)
    verdict = judge(SIGNATURES[name], dns)
    assert [one.status for one in verdict.dkim] != ["pass"]
    assert_translated(verdict)
    # A seal says the same of its message signature.
    assert_translated(judge(arc.sealed(signed(), "lists.example.net", resolver=dns).replace(b"this is", b"that was"), dns))


@pytest.mark.parametrize("record", KEYS)
def test_of_key_records(record: str) -> None:
    key = samples.ed25519()
    text = record.replace("%s", key.record.partition("p=")[2])
    verdict = judge(signed(), inbound.zone(more={**MORE, (key.name, "TXT"): [text]}))
    assert verdict.dkim[0].status != "pass" or verdict.dkim[0].testing
    assert_translated(verdict)


@pytest.mark.parametrize("record", RECORDS)
def test_of_spf(record: str) -> None:
    dns = inbound.zone(more={**MORE, ("example.org", "TXT"): [record.encode("latin-1")]})
    for ip in (GOOD, BAD, "192.0.2.77", "2001:db8::1", "192.0.2"):
        assert_translated(judge(samples.MESSAGE, dns, ip=ip))


def test_of_bounds_and_modes() -> None:
    long = b"X: " + b"a" * 2000 + b"\r\n" + signed()
    assert_translated(judge(long, limits=Limits(header_bytes=1024)))
    assert_translated(judge(signed(), limits=Limits(questions=1)))
    for mode in ("observe", "quarantine", "reject"):
        assert_translated(judge(samples.MESSAGE, ip=BAD, settings=site(mode)))
        assert_translated(
            judge(samples.MESSAGE, inbound.zone("v=DMARC1; p=reject; t=y"), ip=BAD, settings=site(mode, own=("example.org",)))
        )


VALUES: dict[UnsignedReason, dict[str, str | int]] = {
    UnsignedReason.REINJECTED: {"daemon": "127.0.0.1:10025"},
    UnsignedReason.FROM_COUNT: {"count": 2},
    UnsignedReason.FROM_SYNTAX: {"error": AddressFault.GROUP.id},
    UnsignedReason.NOT_ALLOWED: {"who": "login jan@example.be", "author": "info@example.org"},
    UnsignedReason.NO_KEY: {"domain": "example.org"},
    UnsignedReason.HEADER_TOO_LARGE: {"limit": 65_536},
}


@pytest.mark.parametrize("reason", UnsignedReason)
def test_of_what_is_not_signed(reason: UnsignedReason) -> None:
    """In the log in English, from the story in any language; both are the same sentence."""
    told = unsigned(reason, **VALUES.get(reason, {}))
    assert str(told.told).startswith("not signed: ")
    assert str(sentence(told.item)) == str(told.told)
    assert english(sentence(told.item)) == []


def test_a_stranger_fills_a_place_and_nothing_else() -> None:
    for text in ("{0}", "{reason}", "{", "}", "over {x} octets", "tag {name} twice", "a: {b}", "login {login}", ""):
        assert str(details.said(text)) == text
        assert str(details.way(text)) == text
