"""The stages of a validation: what is asked, what the body costs, how far back signatures hold, and who answers for what."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable

import pytest

import zegel
from support import arc, samples
from support.arc import seal_message
from zegel.arc.seal import SealStyle
from zegel.arc.signature import ArcFieldError, chain_value, parse_message_signature, read_instance, read_tags
from zegel.arc.trust import override
from zegel.arc.verify import Verification, verify_message
from zegel.ask import Question, rehearse
from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.canonical import BODY_FORMS, BodyForm, relaxed_field
from zegel.dkim.header import Header
from zegel.grammar.domain import Domain
from zegel.grammar.message import Field, join, split_message

DOMAINS = ("a.example", "b.example", "c.example")
ZONE = arc.zone(*DOMAINS)
THREE = arc.sealed(samples.MESSAGE, *DOMAINS)
LIMITS = zegel.Limits()


def names(questions: list[Question]) -> list[str]:
    return [question.name.removesuffix(".example").removeprefix("arc._domainkey.") for question in questions]


def test_all_questions_leave_at_once_those_that_decide_first() -> None:
    dialogue = verify_message(THREE, now=samples.NOW, limits=LIMITS)
    request = next(dialogue)
    assert isinstance(request, tuple)
    assert names(list(request)) == ["c", "b", "a"]
    with pytest.raises(StopIteration) as stop:
        dialogue.send(tuple(ZONE.answer(question) for question in request))
    assert stop.value.value.status == "pass"


def test_a_broken_structure_asks_nothing() -> None:
    for message in (samples.MESSAGE, THREE.replace(b"cv=pass", b"cv=fail", 1), THREE.replace(b"i=2;", b"i=9;", 1)):
        asked: list[Question] = []
        rehearse(verify_message(message, now=samples.NOW, limits=LIMITS), ZONE.answer, asked)
        assert asked == []


def test_a_message_signature_of_another_domain_is_asked_for_last() -> None:
    """Older message signatures are optional (RFC 8617 5.2, 5): with few questions left it is they that starve."""
    message = arc.sealed(samples.MESSAGE, *DOMAINS)
    text = message.replace(b" d=a.example; s=arc; t=%d;\r\n h=" % (samples.NOW + 1), b" d=x.example; s=arc; t=1;\r\n h=")
    asked: list[Question] = []
    result = rehearse(verify_message(text, now=samples.NOW, limits=LIMITS), ZONE.answer, asked)
    assert names(asked) == ["c", "b", "a", "x"]
    assert str(result.reason) == "seal_mismatch"


def test_oldest_pass() -> None:
    """RFC 8617 5.2, 5: the lowest that still verifies, or 0 for all."""
    assert arc.verify(THREE, ZONE).oldest_pass == 0
    footer = b"-- \r\nthe list\r\n"
    once = arc.sealed(samples.MESSAGE, "a.example", "b.example") + footer
    chain = arc.verify(arc.sealed(samples.MESSAGE, "a.example", "b.example"), ZONE)
    fields = seal_message(once, arc.key("c.example"), arc.said(), chain, now=samples.NOW)
    result = arc.verify(fields + once, ZONE)
    assert (str(result.status), result.oldest_pass) == ("pass", 3)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_body_in_chunks(size: int) -> None:
    split = split_message(THREE, header_bytes=LIMITS.header_bytes)
    verification = Verification(Header(split.header), now=samples.NOW, limits=LIMITS)
    assert verification.needs_body
    rehearse(verification.look_up(), ZONE.answer)
    for start in range(0, len(split.body), size):
        verification.feed(split.body[start : start + size])
    assert verification.finish().status == "pass"


def test_one_body_for_all_who_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that several share goes through each form once, and into each hash once."""
    written: list[int] = []
    relaxed = BODY_FORMS["relaxed"]

    def counted(write: Callable[[bytes], object]) -> BodyForm:
        def counting(data: bytes) -> None:
            written.append(len(data))
            write(data)

        return relaxed(counting)

    monkeypatch.setitem(BODY_FORMS, "relaxed", counted)
    split = split_message(THREE, header_bytes=LIMITS.header_bytes)
    shared = BodyHashes()
    checks = [Verification(Header(split.header), now=samples.NOW, limits=LIMITS, bodies=shared) for _ in range(3)]
    for check in checks:
        rehearse(check.look_up(), ZONE.answer)
    dkim = shared.want("relaxed", None)
    shared.feed(split.body)
    shared.finish()
    assert dkim.digest() == hashlib.sha256(split.body).digest()
    assert [check.finish().status for check in checks] == ["pass"] * 3
    assert sum(written) == len(split.body)


def test_it_is_finished_after_its_look_up() -> None:
    split = split_message(THREE, header_bytes=LIMITS.header_bytes)
    verification = Verification(Header(split.header), now=samples.NOW, limits=LIMITS)
    verification.feed(split.body)
    with pytest.raises(RuntimeError):
        verification.finish()


@pytest.mark.parametrize("canonicalization", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("key", [samples.rsa, samples.ed25519])
def test_both_algorithms_in_all_forms(canonicalization: str, key: object) -> None:
    made: zegel.Key = key()  # type: ignore[operator]
    style = SealStyle(canonicalization)
    message = arc.sealed(samples.HEADER + b"\r\n a \t b \r\n\r\n", "example.org", style=style, keys={1: made}, resolver=samples.zone())
    result = arc.verify(message, samples.zone())
    assert (str(result.status), result.instances[0].algorithm) == ("pass", made.algorithm)


@pytest.mark.parametrize("front", [b"i=1;", b" i = 1 ;", b" (a (b) c) i (x) = (;) 1 (i=2; b=) ;", b"\r\n\ti\r\n =\r\n 1;"])
def test_the_instance_stands_in_front_with_comments(front: bytes) -> None:
    """RFC 8617 3.9: instance = [CFWS] "i" [CFWS] "=" [CFWS] position."""
    assert read_instance(front + b" rest; b=x") == (1, " rest; b=x")
    assert read_tags(front + b" a=x; b=y") == (1, {"a": "x", "b": "y"})


@pytest.mark.parametrize(
    "front",
    [b"", b"1;", b"i=;", b"i=0;", b"i=51;", b"i=100;", b"i=001;", b"I=1;", b"i=1 x;", b"i=-1;", b"(i=1;", b"\xc2\xb9=1;", b"i=\xd9\xa1;"],
)
def test_what_is_no_instance(front: bytes) -> None:
    """RFC 8617 4.2.1: "Instance tag values can range from 1-50 (inclusive)"."""
    assert read_instance(front) is None
    with pytest.raises(ArcFieldError):
        read_tags(front)


def test_v_is_ignored_and_a_comment_may_stand_before_cv() -> None:
    """RFC 8617 4.1.2: "if seen, a version tag MUST be ignored"; 3.9: seal-cv-tag has [CFWS] before the status."""
    tags = {"a": "rsa-sha256", "b": "AAAA", "bh": "AAAA", "d": "a.example", "s": "x", "h": "from"}
    assert parse_message_signature({"v": "7", **tags}) == parse_message_signature(tags)
    assert [chain_value({"cv": text}) for text in ("(x) pass", "PASS", "pas", "(", "")] == ["pass", "pass", None, None, None]


def test_what_is_left_open_is_told() -> None:
    """House rules of DKIM, which a status of ARC has no word for: the chain passes, and nobody relies on it."""
    once = arc.sealed(samples.MESSAGE, "a.example", style=SealStyle(headers=("from", "subject")))
    assert arc.verify(once, ZONE).open == ""
    twice = arc.verify(b"Subject: other\r\n" + once, ZONE)
    assert (str(twice.status), twice.open) == ("pass", "subject")


@pytest.mark.parametrize(
    "record", ["v=DKIM1; p=", "v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=ed25519; s=tlsrpt; p={}", "v=DKIM1; k=ed25519; h=sha1; p={}"]
)
def test_a_key_record_that_cannot_be_used(record: str) -> None:
    zone = zegel.Zone.from_dict({("arc._domainkey.a.example", "TXT"): [record.format(samples.ed25519().public)]})
    result = arc.verify(arc.sealed(samples.MESSAGE, "a.example"), zone)
    assert str(result.reason) == "key_unusable"
    assert result.detail.startswith("AMS 1: arc._domainkey.a.example: key_")


def test_of_several_key_records_one_is_enough() -> None:
    stranger = zegel.Key.generate("a.example", "arc", "ed25519").record
    own = arc.key("a.example").record
    for records, wanted in (
        ([stranger, own], "verified"),
        ([stranger, "v=DKIM1; p="], "message_mismatch"),
        (["x", stranger], "message_mismatch"),
    ):
        zone = zegel.Zone.from_dict({("arc._domainkey.a.example", "TXT"): list[str | bytes](records)})
        assert str(arc.verify(arc.sealed(samples.MESSAGE, "a.example"), zone).reason) == wanted


def test_internationalised_names() -> None:
    """RFC 8617 4.1.4: "the d= and s= tags can contain U-labels", and "The AAR header allows UTF-8"."""
    once = arc.sealed(samples.MESSAGE, "a.example", results={1: arc.said(domain=Domain("example.com"))})
    named = once.replace(b" d=a.example; s=arc;", " d=exämple.org; s=clé;".encode())
    named = named.replace(b"from=example.com", "from=bücher.example".encode())
    zone = zegel.Zone.from_dict({("xn--cl-cja._domainkey.xn--exmple-cua.org", "TXT"): [arc.key("a.example").record]})
    result = arc.verify(hand_sealed(named, 1), zone)
    (item,) = result.instances
    assert (str(result.status), item.domain, item.message_domain) == ("pass", "xn--exmple-cua.org", "xn--exmple-cua.org"), result
    assert (item.domain.unicode, item.selector) == ("exämple.org", "xn--cl-cja")
    made = override(result, {Domain.parse("exämple.org")}, Domain.parse("bücher.example"))
    assert made is not None
    assert made.result.value("header", "from") == "bücher.example"


def test_the_async_front_door() -> None:
    result = asyncio.run(zegel.aio.verify_arc(THREE, resolver=ZONE, now=samples.NOW))
    assert result == arc.verify(THREE, ZONE)


FAULTS = [(b" h=from:from:", b" h=frim:frim:"), (b"c=relaxed/relaxed", b"c=nowsp"), (b" d=a.example; s=arc; t", b" d=a; s=arc; t")]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_older_message_signature_breaks_nothing(fault: tuple[bytes, bytes]) -> None:
    """RFC 8617 5.2, 5A: an older AMS that fails "does not affect the validity", whatever is the matter with it."""
    first = hand_sealed(arc.sealed(samples.MESSAGE, "a.example"), 1, fault)
    assert arc.verify(first, ZONE).detail.startswith("AMS 1")
    honest = arc.sealed(samples.MESSAGE, "b.example")
    second = hand_sealed(honest.replace(b" i=1;", b" i=2;").replace(b"cv=none", b"cv=pass")[: -len(samples.MESSAGE)] + first, 2)
    result = arc.verify(second, ZONE)
    assert (str(result.status), result.oldest_pass) == ("pass", 2), result
    assert (result.instances[0].domain, result.instances[1].message_domain) == ("a.example", "b.example")


def hand_sealed(message: bytes, count: int, fault: tuple[bytes, bytes] = (b"", b"")) -> bytes:
    """The message with the signatures of its newest set made anew, after a fault was put into its message signature. RFC 8617 5.1.1."""
    split = split_message(message, header_bytes=65536)
    seal, signed, *rest = split.fields
    key = arc.key("a.example" if count == 1 else "b.example")
    signed = unsigned(signed._replace(value=signed.value.replace(*fault)))
    names = read_tags(signed.value + b"x")[1]["h"].replace("\r\n", "").replace(" ", "").split(":")
    header = Header(b"\r\n".join(field.raw for field in rest))
    data = b"\r\n".join([*header.lines("relaxed", header.layout.picked(tuple(names))), relaxed_field(signed)])
    signed = signed._replace(value=signed.value + base64.b64encode(key.sign(data)))
    before = [(rest[3], rest[2], rest[1])] if count == 2 else []
    bare = unsigned(seal)
    seal = bare._replace(value=bare.value + base64.b64encode(key.sign(arc.seal_data(*before, (rest[0], signed, bare)))))
    return join([seal, signed, *rest], split.body)


def unsigned(field: Field) -> Field:
    return field._replace(value=field.value[: field.value.index(b"\r\n b=") + len(b"\r\n b=")])
