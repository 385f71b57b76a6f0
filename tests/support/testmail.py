"""Test mails of example.org, examined over a small DNS, in few words."""

from __future__ import annotations

from typing import Any

import zegel
from support import inbound, samples
from zegel.adapters.zone import Zone
from zegel.ask import rehearse
from zegel.check.item import Item, Level
from zegel.check.message.examine import MessageReport, examine
from zegel.check.message.path import Envelope
from zegel.dkim.header import Header
from zegel.dkim.signature import Signature, parse
from zegel.grammar.message import split_message

PTR = {("1.2.0.192.in-addr.arpa", "PTR"): ["mx.example.org"], ("mx.example.org", "A"): ["192.0.2.1"]}
MAIL = (
    b"From: Joe <joe@example.org>\r\nTo: check@example.com\r\nSubject: hello\r\nDate: Tue, 22 Sep 2026 14:13:20 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nGood day,\r\n\r\nthis is the body.\r\n"
)


def dns(policy: str | None = "v=DMARC1; p=reject", **more: Any) -> Zone:
    return inbound.zone(policy, {**PTR, **more.get("records", {})})


def signed(message: bytes = MAIL, key: zegel.Key | None = None, **options: Any) -> bytes:
    return zegel.sign(message, key or samples.ed25519(), now=samples.NOW, **options) + message


def signature(message: bytes) -> Signature:
    """The first signature of a message."""
    header = Header(split_message(message, header_bytes=100_000).header)
    return parse(header.values("dkim-signature")[0])


def report(message: bytes, zone: Zone | None = None, *, ip: str = inbound.GOOD, whole: bool = True, **session: Any) -> MessageReport:
    zone = zone or dns()
    verdict = inbound.judge(message, zone, ip=ip, **session)
    split = split_message(message, header_bytes=100_000)
    header = None if split.oversized else Header(split.header)
    client = Envelope(ip, verdict.evidence.helo, verdict.evidence.mail_from)
    return rehearse(examine(header, split.body, verdict, client, whole=whole), zone.answer)


def levels(found: MessageReport) -> dict[str, Level]:
    """The level of each id; of several the first."""
    out: dict[str, Level] = {}
    for item in found.items:
        out.setdefault(item.id, item.level)
    return out


def one(found: MessageReport, id: str) -> Item:
    (item,) = [item for item in found.items if item.id == id]
    return item
