"""Whatever a test mail holds, there is a report on it, a page that is well-formed, a text, and an answer that is one message."""

from __future__ import annotations

import email
import email.policy
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from support import samples
from support.testmail import MAIL, dns, report, signature, signed
from support.wellformed import WellFormed
from zegel.check.language import translator
from zegel.check.letter import letter
from zegel.check.message.changed import change
from zegel.check.message.examine import MessageReport
from zegel.check.page import page
from zegel.check.profiles.known import PROFILES, of_message
from zegel.check.reply import Thread, reply
from zegel.check.sheet import of_message as sheet_of
from zegel.dkim.header import Header
from zegel.grammar.address import mailboxes
from zegel.grammar.message import CRLF, split_message

ZONE = dns()
(OURS,) = mailboxes(b"check@example.be")
(JOE,) = mailboxes(b"joe@example.org")
NAMES = st.sampled_from(
    [
        b"Received", b"Return-Path", b"List-Unsubscribe", b"List-Unsubscribe-Post", b"List-Id", b"X-Mailer", b"X-PHP-Originating-Script",
        b"DKIM-Signature", b"ARC-Seal", b"From", b"Subject", b"Message-ID", b"References", b"Date", b"Content-Transfer-Encoding", b"X",
    ]
)  # fmt: skip
PIECES = st.sampled_from(
    [
        b"from ", b" by ", b" with ESMTPS ", b"[192.0.2.1]", b"(", b")", b"<", b">", b"https://x", b"=?utf-8?b?", b"?=", b";", b",",
        b"\r\n ",
        b"v=1; ", b"a=rsa-sha256; ", b"d=example.org; ", b"s=ed; ", b"h=from; ", b"b=AA==; ", b"bh=AA==; ", b"l=1; ", b"\x00", b"\xff",
        b"{x}",
        b"{0.__class__}", b"<script>", b"&", b'"', b"\xe2\x80\xae", b"One-Click", b"a" * 400,
    ]
)  # fmt: skip
VALUES = st.lists(st.one_of(PIECES, st.binary(max_size=12)), max_size=12).map(b"".join)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=10).map(
    lambda pairs: b"".join(name + b": " + value + b"\r\n" for name, value in pairs)
)
BODIES = st.one_of(
    st.binary(max_size=400), st.lists(st.sampled_from([b"--x\r\n", b"\r\n", b"From x\r\n", b".\r\n", b"=3D"]), max_size=30).map(b"".join)
)


def told(message: bytes) -> MessageReport:
    found = report(message, ZONE)
    assert found.items
    assert len(found.items) < 200
    sheet = sheet_of(found, of_message(found, PROFILES.values()))
    for language in ("en", "nl"):
        WellFormed(page([sheet], language=language, translate=translator(language), now=samples.NOW, version="1"))
    text = letter(sheet, translate=translator("en"))
    assert all(char.isprintable() or char == "\n" for char in text)
    return found


@settings(max_examples=150)
@given(FIELDS, BODIES, st.booleans())
def test_a_report_on_anything(fields: bytes, body: bytes, sign: bool) -> None:
    head, _, _rest = MAIL.partition(b"\r\n\r\n")
    message = head + b"\r\n\r\n" + body
    message = fields + (signed(message) if sign else message)
    found = told(message)
    split = split_message(message, header_bytes=100_000)
    octets = reply(found, Thread.of(Header(split.header)), OURS, JOE, language="en", token="t", version="1")
    parsed = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert parsed.defects == []
    assert parsed["To"] == "joe@example.org"
    assert [name for name in parsed if name.lower() in ("bcc", "cc", "reply-to", "sender")] == []
    assert octets.isascii()


@settings(max_examples=150)
@given(st.binary(max_size=2000))
def test_a_report_on_bytes(message: bytes) -> None:
    told(message)


LINES = st.lists(st.sampled_from([b"--x", b"", b"From x", b".", b"a", b"b  c", b"footer"]), max_size=12).map(
    lambda lines: b"".join(line + CRLF for line in lines)
)


@settings(max_examples=400)
@given(LINES, LINES)
def test_what_is_told_of_a_change_is_true(body: bytes, other: bytes) -> None:
    """The lines that were signed are there, in their order, and at the end that the change says."""
    head = MAIL.partition(b"\r\n\r\n")[0]
    found = change(other, signature(signed(head + b"\r\n\r\n" + body)), b"")
    before, after = canonical(body), canonical(other)
    match found.id if found is not None else "":
        case "appended":
            assert after[: len(before)] == before
        case "prepended":
            assert after[len(after) - len(before) :] == before
        case "inserted":
            left = iter(after)
            assert all(line in left for line in before)
        case "empty":
            assert before == []
        case "":
            assert before == after or after[: len(before)] != before


def canonical(body: bytes) -> list[bytes]:
    """The lines in relaxed form, without the empty ones at the end. RFC 6376 3.4.4."""
    lines = [re.sub(rb" +", b" ", line).rstrip() for line in body.split(CRLF)]
    while lines and not lines[-1]:
        lines.pop()
    return lines
