"""Sealing: what is written, that it holds, and that nothing is sealed as better than it is."""

from __future__ import annotations

import re

import pytest

import zegel
from support import arc, samples
from support.arc import seal_message
from zegel.arc.result import ArcReason, ArcResult
from zegel.arc.seal import Sealing, SealStyle
from zegel.authres.model import AuthenticationResults, MethodResult
from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.header import Header
from zegel.grammar.message import split_fields, split_message

NONE = ArcResult(ArcReason.NO_CHAIN)
A, B = arc.key("a.example"), arc.key("b.example")
ZONE = arc.zone("a.example", "b.example")


def seal(
    message: bytes, chain: ArcResult | None = None, *, results: AuthenticationResults | None = None, style: SealStyle | None = None
) -> bytes:
    return seal_message(message, B, results or arc.said(), chain or arc.verify(message, ZONE), style=style, now=samples.NOW)


def tags(made: bytes, name: str) -> dict[str, str]:
    (value,) = [field.value.decode() for field in split_fields(made)[0] if field.name.decode() == name]
    return dict(item.strip().partition("=")[::2] for item in re.sub(r"\s+", "", value).split(";"))


def test_a_set_as_it_is_written() -> None:
    """RFC 8617 4.2 and 5.1: "All ARC header fields in an ARC Set share the same instance tag value"."""
    made = seal_message(samples.MESSAGE, samples.rsa(), arc.said(), NONE, now=samples.NOW)
    fields, malformed = split_fields(made)
    assert malformed == 0
    assert [field.name for field in fields] == [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]
    assert fields[2].value == b" i=1; lists.example.net;\r\n arc=none;\r\n dmarc=pass header.from=example.org"
    assert fields[0].value.startswith(b" i=1; a=rsa-sha256; t=%d; cv=none;\r\n d=example.org; s=rsa;\r\n b=" % samples.NOW)
    assert fields[1].value.startswith(
        b" i=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=example.org; s=rsa; t=%d;\r\n h=from:from:to:to:" % samples.NOW
    )
    assert all(len(line) <= 78 for line in made.split(b"\r\n"))
    assert "v" not in tags(made, "ARC-Message-Signature")
    assert set(tags(made, "ARC-Seal")) == {"i", "a", "t", "cv", "d", "s", "b"}  # RFC 8617 4.1.3: the only supported tags


def test_signatures_of_others_are_signed_too() -> None:
    """RFC 8617 4.1.2: "SHOULD include any DKIM-Signature header fields already present", and never Authentication-Results or ARC.

    RFC 8617 9.1: a set does not grow with the signatures that a stranger put there.
    """
    signed = zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW) + samples.MESSAGE
    message = b"Authentication-Results: x; none\r\n" + arc.sealed(signed, "a.example")
    names = tags(seal(message), "ARC-Message-Signature")["h"].split(":")
    assert names.count("dkim-signature") == 1
    assert not [name for name in names if name.startswith("arc-") or name == "authentication-results"]
    many = b"DKIM-Signature: x\r\n" * 1000 + samples.MESSAGE
    assert tags(seal(many), "ARC-Message-Signature")["h"].split(":").count("dkim-signature") == 20


def test_a_message_signature_signs_what_dkim_signs() -> None:
    """RFC 8617 9.5: against replays "the same signing scope guidance"; a field that is added in front of it breaks both."""
    dkim = tags(zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW), "DKIM-Signature")["h"]
    assert tags(seal(samples.MESSAGE), "ARC-Message-Signature")["h"] == dkim
    for field in (b"Subject: pay this\r\n", b"To: somebody.else@example.com\r\n", b"From: bank@bank.example\r\n"):
        assert str(arc.verify(field + arc.sealed(samples.MESSAGE, "a.example"), ZONE).reason) == "message_mismatch"


def test_a_failed_chain_is_sealed_as_failed_and_never_again() -> None:
    """RFC 8617 4.4: the status stands "in the "cv" tag and as part of the [...] AAR"; RFC 8617 5.1.3: a broken chain does not go on."""
    broken = arc.sealed(samples.MESSAGE, "a.example").replace(b"this is", b"that is")
    chain = arc.verify(broken, ZONE)
    assert str(chain.status) == "fail"
    made = seal(broken, chain)
    assert tags(made, "ARC-Seal")["cv"] == "fail"
    assert b"\r\n arc=fail;" in made
    assert b"\r\n arc=pass" not in made
    after = arc.verify(made + broken, ZONE)
    assert str(after.reason) == "failed_before"
    assert seal(made + broken, after) == b""


@pytest.mark.parametrize("rcode", [zegel.Rcode.SERVFAIL, zegel.Rcode.TIMEOUT])
def test_dns_trouble_breaks_a_chain_for_good(rcode: zegel.Rcode) -> None:
    """RFC 8617 5.2.1: "All errors, including DNS failures, become unrecoverable and are considered permanent"."""
    message = arc.sealed(samples.MESSAGE, "a.example")
    chain = arc.verify(message, zegel.Zone.from_dict({("arc._domainkey.a.example", "TXT"): rcode}))
    made = seal(message, chain)
    assert tags(made, "ARC-Seal")["cv"] == "fail"
    assert str(arc.verify(made + message, ZONE).reason) == "failed_before"


def test_a_chain_is_sealed_as_nothing_that_it_is_not() -> None:
    good = arc.sealed(samples.MESSAGE, "a.example")
    passed, failed = arc.verify(good, ZONE), arc.verify(good.replace(b"hello", b"hallo"), ZONE)
    other = arc.verify(arc.sealed(samples.MESSAGE, "b.example"), ZONE)
    for message, chain in (
        (samples.MESSAGE, passed),
        (samples.MESSAGE, failed),
        (good, NONE),
        (good, other),
        (good + b"", passed._replace(instances=())),
        (b"ARC-Seal: i=2; cv=pass\r\n" + good, passed),
        (re.sub(rb"\bi=1;", b"i=2;", good), passed),
    ):
        with pytest.raises(ValueError, match="not the one that was validated"):
            seal(message, chain)


def test_results_say_of_the_chain_what_the_chain_says() -> None:
    good = arc.sealed(samples.MESSAGE, "a.example")
    claimed = AuthenticationResults("x.example", (MethodResult("arc", "pass"),))
    assert seal(good, results=claimed).count(b"arc=pass") == 1
    for message in (samples.MESSAGE, good.replace(b"hello", b"hallo")):
        with pytest.raises(ValueError, match="arc=pass, the chain says"):
            seal(message, results=claimed)
    both = AuthenticationResults("x.example", (MethodResult("arc", "pass"), MethodResult("arc", "fail")))
    with pytest.raises(ValueError, match="arc=fail"):
        seal(good, results=both)


def test_results_on_the_message_are_never_sealed() -> None:
    """Anybody may have written these; only what the caller found counts."""
    forged = b"Authentication-Results: lists.example.net; dmarc=pass header.from=bank.example\r\n" + samples.MESSAGE
    made = seal(forged, results=arc.said("fail"))
    assert b"dmarc=fail header.from=example.org" in made
    assert b"bank.example" not in made


def test_values_of_strangers_do_not_break_the_set() -> None:
    evil = MethodResult("spf", "fail", 'x"; dmarc=pass (\r\nARC-Seal: i=9')
    made = seal(samples.MESSAGE, results=AuthenticationResults('a"; dmarc=pass', (evil,)))
    result = arc.verify(made + samples.MESSAGE, ZONE)
    assert result.status == "pass"
    assert result.instances[0].results is not None
    assert [(word.method, word.result) for word in result.instances[0].results.results] == [("arc", "none"), ("spf", "fail")]


def test_fifty_sets_and_no_more() -> None:
    message = samples.MESSAGE
    for _ in range(50):
        message = seal(message) + message
    result = arc.verify(message, ZONE)
    assert (str(result.status), len(result.instances)) == ("pass", 50)
    assert seal(message, result) == b""
    assert str(arc.verify(message, ZONE, limits=zegel.Limits(arc_sets=49)).reason) == "too_many_sets"
    assert str(arc.verify(message, ZONE, limits=zegel.Limits(arc_sets=1000)).status) == "pass"


def test_the_body_in_chunks_or_shared() -> None:
    whole = seal(samples.MESSAGE)
    split = split_message(samples.MESSAGE, header_bytes=65536)
    bodies = BodyHashes()
    alone = Sealing(Header(split.header), B, arc.said(), NONE, SealStyle(), now=samples.NOW)
    sharing = Sealing(Header(split.header), B, arc.said(), NONE, SealStyle(), now=samples.NOW, bodies=bodies)
    assert alone.instance == 1
    for place in range(len(split.body)):
        alone.feed(split.body[place : place + 1])
        bodies.feed(split.body[place : place + 1])
    bodies.finish()
    for sealing in (alone, sharing):
        assert b"".join(field.raw + b"\r\n" for field in sealing.finish()) == whole


@pytest.mark.parametrize(
    "style",
    [
        {"canonicalization": "strict"},
        {"headers": ("subject",)},
        {"headers": ("from", "a b")},
        {"headers": ("from", "Authentication-Results")},
        {"headers": ("from", "ARC-Authentication-Results")},
        {"headers": ("from", "arc-seal")},
    ],
)
def test_styles_that_the_rfc_forbids(style: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        SealStyle(**style)  # type: ignore[arg-type]


def test_messages_that_cannot_be_sealed() -> None:
    for message in (b"Subject: x\r\n\r\n", b"no field\r\n" + samples.MESSAGE):
        with pytest.raises(ValueError):
            seal(message, NONE)


def test_sealing_is_no_name_of_the_front_door() -> None:
    assert not [name for name in zegel.__all__ if "seal" in name]
