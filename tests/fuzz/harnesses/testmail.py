"""The report on a test mail: never an exception, bounded, a page that is well-formed, an answer that is one message, no claim unproven.

An input is a message. DNS has nothing for it, as most of what is shown comes from the message itself.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
from collections.abc import Iterator

from fuzz import seeds
from support.wellformed import WellFormed
from zegel.adapters.zone import Zone
from zegel.ask import rehearse
from zegel.check.language import translator
from zegel.check.letter import letter
from zegel.check.message.changed import MAX_WORK, Work, change
from zegel.check.message.examine import examine
from zegel.check.message.path import envelope
from zegel.check.page import page
from zegel.check.profiles.known import PROFILES, of_message
from zegel.check.reply import Thread, reply
from zegel.check.sheet import of_message as sheet_of
from zegel.dkim.header import Header
from zegel.dkim.signature import SignatureError, parse
from zegel.grammar.address import mailboxes
from zegel.grammar.message import split_message
from zegel.limits import Limits
from zegel.verdict.authenticate import authenticate_message
from zegel.verdict.evidence import Evidence
from zegel.verdict.policy import Site

NOW = 1_528_637_999
WORDS = (
    *(b"\r\nReceived: from a (b [192.0.2.1]) by c with ESMTPS; ", b"\r\nReturn-Path: <a@b.example>", b"\r\nFrom: a@b.example", b"\r\n\r\n"),
    *(b"\r\nList-Unsubscribe: <https://a.example>", b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click", b"\r\nX-Mailer: "),
    *(b"\r\nDKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; ", b"bh=", b"; b=AA==", b"\r\nSubject: =?utf-8?q?", b"?="),
    *(b"<script>", b"{x}", b"&quot;", b"\xe2\x80\xae", b"\x1b[2J", b"\r\n--b\r\n", b"\r\n-- \r\n", b"\r\n>From ", b"=3D", b"\r\n.."),
)
_LIMITS = Limits(header_bytes=4096, questions=40, signatures=5)
_DNS = Zone.from_dict({})
(_OURS,) = mailboxes(b"check@example.be")
_MOST_ITEMS = 120


def starts() -> Iterator[bytes]:
    yield from seeds.messages()
    yield b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n"


def fuzz(data: bytes) -> None:
    split = split_message(data, header_bytes=_LIMITS.header_bytes)
    header = None if split.oversized else Header(split.header)
    client = envelope(header or Header(b""))
    evidence = Evidence(client.ip, client.helo, client.mail_from, now=NOW)
    verdict = rehearse(authenticate_message(data, evidence, Site(), _LIMITS), _DNS.answer)
    report = rehearse(examine(header, split.body, verdict, client), _DNS.answer)
    assert 1 <= len(report.items) <= _MOST_ITEMS
    sheet = sheet_of(report, of_message(report, PROFILES.values()))
    WellFormed(page([sheet], language="en", translate=translator("en"), now=0, version="1"))
    assert all(char.isprintable() or char == "\n" for char in letter(sheet, translate=translator("en")))
    octets = reply(report, Thread.of(header or Header(b"")), _OURS, _OURS, language="en", token="t", version="1")
    assert octets.isascii()
    assert not email.message_from_bytes(octets, policy=email.policy.SMTP).defects
    if header is not None:
        honest(header, split.body)


def honest(header: Header, body: bytes) -> None:
    """A signature over what nobody could have signed is explained by nothing, within the bound of the work."""
    for value in header.values("dkim-signature")[:2]:
        try:
            signature = parse(value)
        except SignatureError:
            continue
        work = Work()
        unknown = signature._replace(body_hash=hashlib.sha256(b"of none of these\0").digest())
        assert change(body, unknown, b"quoted-printable", work) is None
        assert work.done <= MAX_WORK
