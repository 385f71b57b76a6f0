"""House rules for added fields and ``l=``, the walk through ``h=``, and several signatures over one body."""

from __future__ import annotations

import base64
import hashlib

import pytest

import zegel
from support import samples
from zegel.dkim.canonical import FIELD_FORMS
from zegel.grammar.message import Field


def judge(message: bytes, **options: object) -> list[zegel.DkimResult]:
    return zegel.verify(message, resolver=samples.zone(), now=samples.NOW, **options)  # type: ignore[arg-type]


def by_hand(message: bytes, names: list[bytes], extra: str = "", part: bytes | None = None) -> bytes:
    """A simple/simple signature written without the rooms under test but for the key: the field, CRLF included."""
    head, _, body = message.partition(b"\r\n\r\n")
    bh = base64.b64encode(hashlib.sha256(body if part is None else part).digest()).decode()
    value = f" v=1; a=ed25519-sha256; d=example.org; s=ed; h={b':'.join(names).decode()}; {extra}bh={bh}; b=".encode()
    lines = head.split(b"\r\n")
    data = b""
    for name in names:
        for index in range(len(lines) - 1, -1, -1):
            if lines[index].lower().startswith(name.lower() + b":"):
                data += lines.pop(index) + b"\r\n"
                break
    data += FIELD_FORMS["simple"](Field(b"DKIM-Signature", value))
    return b"DKIM-Signature:" + value + base64.b64encode(samples.ed25519().sign(data)) + b"\r\n"


BODY = b"one\r\ntwo\r\n"
PLAIN = samples.SIMPLE_HEADER + b"\r\n" + BODY


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (0, "policy:body_partly_signed"),
        (5, "policy:body_partly_signed"),
        (9, "policy:body_partly_signed"),
        (10, "pass"),
        (11, "fail:body_changed"),
    ],
)
def test_length(length: int, words: str) -> None:
    """A house rule for RFC 6376 8.2: l= that leaves part of the body unsigned is policy; l= over the whole is nothing to object to."""
    message = by_hand(PLAIN, [b"from"], f"l={length}; ", BODY[:length]) + PLAIN
    (result,) = judge(message)
    assert f"{result.status}:{result.reason}".replace("pass:verified", "pass") == words


def test_length_and_text_added_at_the_end() -> None:
    message = by_hand(PLAIN, [b"from"], f"l={len(BODY)}; ") + PLAIN
    (result,) = judge(message + b"<html>spoof</html>\r\n")
    assert (str(result.status), str(result.reason)) == ("policy", "body_partly_signed")
    assert str(judge(message.replace(b"two", b"six"))[0].reason) == "body_changed"
    # Empty lines at the end are no part of the canonical body.
    assert str(judge(message + b"\r\n\r\n")[0].status) == "pass"


def test_length_of_an_empty_body() -> None:
    message = samples.SIMPLE_HEADER + b"\r\n"
    (result,) = judge(by_hand(message, [b"from"], "l=0; ", b"") + message)
    assert str(result.reason) == "body_partly_signed", "simple makes one CRLF of an empty body, and l=0 does not cover it"


def test_a_broken_signature_is_fail_whatever_its_length() -> None:
    message = (by_hand(PLAIN, [b"from"], "l=5; ", BODY[:5]) + PLAIN).replace(b"Joe", b"Jon")
    assert str(judge(message)[0].reason) == "signature_mismatch"


SINGLE = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "Content-Anything"]


@pytest.mark.parametrize("name", SINGLE)
def test_an_added_field(name: str) -> None:
    """A house rule for RFC 6376 8.15: no second instance of what RFC 5322 3.6 lets stand once, beside a signature over the first."""
    line = f"{name}: x\r\n".encode()
    base = samples.SIMPLE_HEADER if name.lower().encode() in samples.SIMPLE_HEADER.lower() else samples.SIMPLE_HEADER + line
    message = base + b"\r\n" + BODY
    names = [b"from"] if name == "From" else [b"from", name.encode()]
    signed = by_hand(message, names) + message
    assert str(judge(signed)[0].status) == "pass"
    (result,) = judge(line + signed)
    assert (str(result.status), str(result.reason), result.detail) == ("policy", "field_added", name.lower())
    # Below the others it takes the place of the signed one.
    below = signed.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n", 1)
    assert str(judge(below)[0].status) != "pass"


def test_an_added_field_that_was_oversigned_fails() -> None:
    message = by_hand(PLAIN, [b"from", b"subject", b"subject"]) + PLAIN
    assert str(judge(message)[0].status) == "pass"
    assert str(judge(b"Subject: spoof\r\n" + message)[0].reason) == "signature_mismatch"


def test_fields_that_may_come_more_often_or_are_not_signed() -> None:
    message = by_hand(PLAIN, [b"from"]) + PLAIN
    assert str(judge(b"Received: x\r\nReceived: y\r\nSubject: unsigned\r\nX-A: 1\r\nX-A: 2\r\n" + message)[0].status) == "pass"
    twice = samples.SIMPLE_HEADER + b"Subject: two\r\n\r\n" + BODY
    assert str(judge(by_hand(twice, [b"from", b"subject", b"subject"]) + twice)[0].status) == "pass"


def test_the_field_never_signs_itself() -> None:
    """RFC 6376 3.5: h= "MUST NOT include the DKIM-Signature header field that is being created or verified but may include others"."""
    below = by_hand(PLAIN, [b"from"]) + PLAIN
    above = by_hand(below, [b"from", b"dkim-signature", b"dkim-signature"]) + below
    assert [str(result.status) for result in judge(above)] == ["pass", "pass"]
    assert [str(result.status) for result in judge(above.replace(b"s=ed; h=from; ", b"s=ed; h=from ; "))] == ["fail", "fail"]


def test_a_repeated_name_takes_the_next_instance_up() -> None:
    message = b"X-A: top\r\nX-A: middle\r\nX-A: bottom\r\n" + PLAIN
    signed = by_hand(message, [b"from", b"x-a", b"x-a"]) + message
    assert str(judge(signed)[0].status) == "pass"
    assert str(judge(signed.replace(b"top", b"roof"))[0].status) == "pass"
    assert str(judge(signed.replace(b"middle", b"centre"))[0].status) == "fail"
    assert str(judge(signed.replace(b"bottom", b"cellar"))[0].status) == "fail"


def test_equal_body_hashes_are_shared() -> None:
    from zegel.dkim.header import Header
    from zegel.dkim.verify import Verification
    from zegel.grammar.message import split_message

    several = b"".join(
        by_hand(PLAIN, [b"from"], extra, part) for extra, part in (("", None), ("c=simple/simple; ", None), ("l=3; ", BODY[:3]))
    )
    split = split_message(several + PLAIN, header_bytes=65536)
    verification = Verification(Header(split.header), now=samples.NOW, limits=zegel.Limits())
    assert len(verification._bodies._wanted) == 2


def test_names_in_dns_are_asked_once() -> None:
    class Counting(zegel.Zone):
        asked: list[str]

        def answer(self, question: zegel.Question) -> zegel.Answer:
            self.asked.append(question.name)
            return super().answer(question)

    zone = Counting.from_dict({(samples.ed25519().name, "TXT"): [samples.ed25519().record]})
    zone.asked = []
    message = by_hand(PLAIN, [b"from"]) * 3 + PLAIN
    assert len(zegel.verify(message, resolver=zone, now=samples.NOW)) == 3
    assert zone.asked == [samples.ed25519().name]


def test_internationalised_mail() -> None:
    """RFC 8616 5: U-labels and UTF-8 in the field; the key is asked for with A-labels."""
    key = zegel.Key("bücher.example", "straße", samples.ed25519().private_key)
    zone = zegel.Zone.from_dict({(key.name, "TXT"): [key.record]})
    message = "From: Jörg <jörg@bücher.example>\r\nSubject: Grüße\r\n\r\nHallo\r\n".encode()
    field = zegel.sign(message, key, identity="jörg@post.bücher.example", now=samples.NOW)
    assert b"d=xn--bcher-kva.example" in field
    (result,) = zegel.verify(field + message, resolver=zone, now=samples.NOW)
    assert (str(result.status), result.identity) == ("pass", "jörg@post.xn--bcher-kva.example")
    assert result.domain is not None
    assert result.domain.unicode == "bücher.example"
