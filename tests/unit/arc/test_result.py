"""Every reason of an ARC result, reached by a real message through the front door; and the table from reason to status."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import zegel
from support import arc, samples
from zegel.arc.result import ArcReason, ArcStatus
from zegel.arc.seal import SealStyle

ZONE = arc.zone("a.example", "b.example")
ONE = arc.sealed(samples.MESSAGE, "a.example")
TWO = arc.sealed(samples.MESSAGE, "a.example", "b.example")
Made = tuple[bytes, zegel.Zone]


def without(name: bytes, message: bytes = TWO, instance: int = 2) -> bytes:
    """The message without one ARC field."""
    return re.sub(rb"(?m)^%s: i=%d;.*\r\n(?:[ \t].*\r\n)*" % (name, instance), b"", message)


def changed(before: bytes, after: bytes, message: bytes = TWO) -> Made:
    assert before in message
    return message.replace(before, after), ZONE


def tag(name: bytes, before: bytes, after: bytes, message: bytes = ONE) -> Made:
    """A change within one field only."""
    start = message.index(name)
    assert message.index(before, start) < start + 900
    return message[:start] + message[start:].replace(before, after, 1), ZONE


def recorded(value: str | zegel.Rcode) -> Made:
    return ONE, zegel.Zone.from_dict({("arc._domainkey.a.example", "TXT"): value if isinstance(value, zegel.Rcode) else [value]})


AS, AMS, AAR = b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"
TABLE: dict[ArcReason, Callable[[], Made]] = {
    ArcReason.NO_CHAIN: lambda: (samples.MESSAGE, ZONE),
    ArcReason.VERIFIED: lambda: (TWO, ZONE),
    ArcReason.TOO_MANY_SETS: lambda: (AS + b": i=1\r\n" + (AAR + b": i=1; x; none\r\n") * 150 + samples.MESSAGE, ZONE),
    ArcReason.FAILED_BEFORE: lambda: (arc.sealed(ONE.replace(b"this is", b"that is"), "b.example", resolver=ZONE), ZONE),
    ArcReason.INSTANCE_SYNTAX: lambda: changed(AAR + b": i=2;", AAR + b": i=51;"),
    ArcReason.FIELD_MISSING: lambda: (without(AMS), ZONE),
    ArcReason.FIELD_REPEATED: lambda: (AAR + b": i=1; x; none\r\n" + TWO, ZONE),
    ArcReason.INSTANCE_GAP: lambda: (without(AS, without(AMS, without(AAR, TWO, 1), 1), 1), ZONE),
    ArcReason.CHAIN_VALUE: lambda: changed(b"cv=pass", b"cv=none"),
    ArcReason.TAG_LIST_SYNTAX: lambda: tag(AS, b"i=1;", b"i=1; s=x;"),
    ArcReason.TAG_MISSING: lambda: tag(AS, b" d=a.example;", b""),
    ArcReason.TAG_SYNTAX: lambda: tag(AMS, b" d=a.example;", b" d=example;"),
    ArcReason.ALGORITHM_UNKNOWN: lambda: tag(AS, b"ed25519-sha256", b"rsa-sha1"),
    ArcReason.SEAL_NAMES_FIELDS: lambda: tag(AS, b"cv=none;", b"cv=none; h=from;"),
    ArcReason.FROM_NOT_SIGNED: lambda: tag(AMS, b"h=from:from:", b"h=frim:from-x:"),
    ArcReason.SEAL_SIGNED: lambda: tag(AMS, b"h=from:", b"h=from:arc-seal:"),
    ArcReason.EXPIRED: lambda: tag(AMS, b"c=relaxed", b"x=%d; c=relaxed" % (samples.NOW - 1), without_t(ONE)),
    ArcReason.BODY_CHANGED: lambda: changed(b"this is", b"that is"),
    ArcReason.MESSAGE_MISMATCH: lambda: changed(b"Subject: hello", b"Subject: hallo"),
    ArcReason.SEAL_MISMATCH: lambda: changed(b"dmarc=pass", b"dmarc=none"),
    ArcReason.KEY_NOT_FOUND: lambda: (ONE, zegel.Zone.from_dict({("x.example", "TXT"): ["x"]})),
    ArcReason.KEY_UNAVAILABLE: lambda: recorded(zegel.Rcode.SERVFAIL),
    ArcReason.KEY_UNUSABLE: lambda: recorded("v=DKIM1; k=ed25519; p="),
    ArcReason.HEADER_MALFORMED: lambda: (b"no field\r\n" + ONE, ZONE),
    ArcReason.HEADER_TOO_LARGE: lambda: (b"X: " + b"y" * 300_000 + b"\r\n" + ONE, ZONE),
}


def without_t(message: bytes) -> bytes:
    return re.sub(rb" t=\d+;", b"", message)


@pytest.mark.parametrize("reason", list(ArcReason), ids=lambda reason: reason.id)
def test_every_reason_is_reached(reason: ArcReason) -> None:
    message, zone = TABLE[reason]()
    result = arc.verify(message, zone)
    assert result.reason is reason, result
    assert result.status is reason.status
    assert (result.oldest_pass is None) == (result.status != "pass")
    assert reason.sentence in result.explanation


def test_the_table_of_statuses() -> None:
    """RFC 8617 4.4, and 5.2.1: "All errors, including DNS failures, become unrecoverable and are considered permanent"."""
    assert {str(reason): str(reason.status) for reason in ArcReason if reason.status is not ArcStatus.FAIL} == {
        "no_chain": "none",
        "verified": "pass",
    }
    assert len({reason.id for reason in ArcReason}) == len(ArcReason) == len(TABLE)
    assert all(re.fullmatch(r"RFC \d+ \d+(\.\d+)*", reason.section) for reason in ArcReason)
    assert ArcReason("verified") is ArcReason.VERIFIED  # type: ignore[call-arg]


def test_a_failed_chain_still_tells_its_sets() -> None:
    message, zone = TABLE[ArcReason.SEAL_MISMATCH]()
    result = arc.verify(message, zone)
    assert [(item.instance, item.domain, item.selector) for item in result.instances] == [(1, "a.example", "arc"), (2, "b.example", "arc")]
    assert result.detail == "AS 2: b="


def test_line_ends_of_a_file() -> None:
    result = arc.verify(TWO.replace(b"\r\n", b"\n"), ZONE)
    assert (result.status, result.normalized) == ("pass", True)
    assert not arc.verify(TWO, ZONE).normalized
    with pytest.raises(TypeError):
        zegel.verify_arc("text")  # type: ignore[arg-type]


def test_what_a_set_tells() -> None:
    message = arc.sealed(samples.MESSAGE, "a.example", results={1: arc.said("fail")}, style=SealStyle(headers=("From", "Subject")))
    (item,) = arc.verify(message, ZONE).instances
    assert item[:6] == (1, "a.example", "arc", "ed25519-sha256", "none", samples.NOW + 1)
    assert (item.message_domain, item.message_selector, item.signed_fields) == ("a.example", "arc", ("from", "subject"))
    assert item.results is not None
    assert [(word.method, word.result) for word in item.results.results] == [("arc", "none"), ("dmarc", "fail")]
