"""Notifications, read by the standard library's parser."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage, Message
from typing import Any

import pytest

from zegel.grammar.message import split_fields
from zegel.submission.dsn import Notice, Trouble, delayed, failed
from zegel.submission.transfer import is_7bit

ORIGINAL = (
    b"From: noreply@example.be\r\nTo: jan@example.org\r\nSubject: =?utf-8?q?Bevestiging_caf=C3=A9?=\r\nMessage-ID: <1@example.be>\r\n"
    b"\r\nthe secret text\r\n"
)
NOTICE = Notice(
    sender="noreply@example.be",
    contact="webmaster@example.be",
    host="mx.example.be",
    site="portal",
    queue_id="k3f9",
    arrived=1_795_000_000,
    original=ORIGINAL,
    now=1_795_003_600,
    unique="abc123",
)
TROUBLE = Trouble("jan@example.org", "5.1.1", "550 5.1.1 <jan@example.org>: no such user", "mx.example.org", 1_795_003_000)


def read(data: bytes) -> EmailMessage:
    assert is_7bit(data)
    assert split_fields(data.partition(b"\r\n\r\n")[0])[1] == 0
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    # The parser takes all of message/* for messages, encoded or not.
    assert not [part for part in message.walk() if part.defects and b"global-headers" not in data]
    return message


def groups(status: Any) -> list[Message]:
    """The blocks of message/delivery-status."""
    found = status.get_payload()
    assert isinstance(found, list)
    return found


def test_a_failure_says_to_people_and_programs_what_happened() -> None:
    message = read(failed(NOTICE, [TROUBLE]))
    assert message["from"] == "Zegel <noreply@example.be>"
    assert message["to"] == "webmaster@example.be"
    assert message["auto-submitted"] == "auto-replied"
    assert message["in-reply-to"] == "<1@example.be>"
    assert message["message-id"] == "<abc123@example.be>"
    assert message["subject"] == "A message of portal was not delivered"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    text, status, header = message.iter_parts()
    shown = text.get_content()
    for expected in ("portal", "jan@example.org", "no such user", "mx.example.org", "Bevestiging café", "k3f9", "What to do"):
        assert expected in shown
    assert [line for line in shown.splitlines() if len(line) > 78] == []
    about, recipient = groups(status)
    assert about["reporting-mta"] == "dns; mx.example.be"
    assert recipient["final-recipient"] == "rfc822; jan@example.org"
    assert (recipient["action"], recipient["status"], recipient["remote-mta"]) == ("failed", "5.1.1", "dns; mx.example.org")
    assert recipient["diagnostic-code"].replace("\n", "") == "smtp; 550 5.1.1 <jan@example.org>: no such user"
    assert recipient["will-retry-until"] is None
    assert header.get_content_type() == "text/rfc822-headers"
    assert b"secret" not in failed(NOTICE, [TROUBLE])


def test_a_delay_says_until_when_it_is_tried() -> None:
    message = read(delayed(NOTICE, [replace(TROUBLE, status="4.4.1", reply="", server="")], until=1_795_332_800))
    text, status, _ = message.iter_parts()
    assert message["subject"] == "A message of portal is delayed"
    assert "nothing, mostly" in text.get_content()
    recipient = groups(status)[1]
    assert (recipient["action"], recipient["status"]) == ("delayed", "4.4.1")
    assert recipient["will-retry-until"] == "Sun, 22 Nov 2026 07:33:20 +0000"
    assert recipient["diagnostic-code"] is None


def test_it_speaks_the_language_of_its_reader() -> None:
    message = read(failed(NOTICE, [TROUBLE], translate=lambda text: f"é{text}"))
    assert message["subject"] == "éA message of portal was not delivered"
    text = next(message.iter_parts())
    assert text.get_content().startswith("éA message that portal sent")


def test_a_header_with_other_letters_and_an_address_with_them() -> None:
    original = "From: é@example.be\r\nSubject: café\r\n\r\nbody".encode()
    message = read(failed(replace(NOTICE, original=original), [replace(TROUBLE, recipient="é@example.org")]))
    _, status, header = message.iter_parts()
    assert header.get_content_type() == "message/global-headers"
    assert groups(status)[1]["final-recipient"] == "utf-8; \\x{E9}@example.org"


def test_what_a_stranger_said_cannot_add_a_line_or_fill_the_report() -> None:
    evil = Trouble("a@b.example", "9", "550 no\r\nAction: delivered\r\n\r\n--zegel-abc123--\r\n\x00é" + "x" * 5000, "mx\r\nX: y", 1)
    message = read(failed(NOTICE, [evil] * 500))
    parts = list(message.iter_parts())
    assert len(parts) == 3
    found = groups(parts[1])
    assert len(found) == 101
    assert all((group["action"], group["status"]) == ("failed", "5.0.0") for group in found[1:])
    assert len(failed(NOTICE, [evil] * 500)) < 200_000


def test_a_hostile_original_is_bounded_and_stays_within_its_part() -> None:
    original = b"Subject: a\r\n" + b"X: " + b"y" * 2000 + b"\r\n" + b"--zegel-abc123--\r\nY: b\r\n" * 9 + b"Z: z\r\n" * 200_000 + b"\r\n"
    data = failed(replace(NOTICE, original=original), [TROUBLE])
    parts = list(read(data).iter_parts())
    assert len(parts) == 3
    assert len(data) < 80_000
    assert "Z: z" in parts[2].get_payload()
    assert "zegel" not in parts[2].get_payload()


def test_it_is_about_somebody() -> None:
    with pytest.raises(ValueError, match="one recipient"):
        failed(NOTICE, [])
