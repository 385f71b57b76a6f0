"""The way of a message as its header tells it: read with care, bounded, and never believed. RFC 5321 4.4."""

from __future__ import annotations

import pytest

from support.testmail import MAIL, levels, one, report, signed
from zegel.check.item import Level
from zegel.check.message import path, traces
from zegel.check.message.path import MAX_HOPS, Envelope, envelope, hops, is_public
from zegel.dkim.header import Header

POSTFIX = (
    b"Received: from mail.example.be (mail.example.be [203.0.113.5])\r\n\t(using TLSv1.3 with cipher X (256/256 bits))\r\n"
    b"\tby mx.example.com (Postfix) with ESMTPS id 4A for <x@example.com>;\r\n\tTue, 22 Sep 2026 14:13:20 +0200 (CEST)\r\n"
)
INSIDE = b"Received: by localhost (Postfix, from userid 33) id 4B; Tue, 22 Sep 2026 14:13:19 +0200\r\n"
PRIVATE = b"Received: from app (app [10.0.0.7]) by mail.example.be (Postfix) with ESMTP id 4C; Tue, 22 Sep 2026 14:13:19 +0200\r\n"
RETURN = b"Return-Path: <bounce@example.be>\r\n"


def header(*fields: bytes) -> Header:
    return Header(b"".join(fields).removesuffix(b"\r\n"))


def test_a_hop_of_postfix() -> None:
    (hop,) = hops(header(POSTFIX))
    assert (hop.taker, hop.protocol, hop.tls, hop.time) == ("mx.example.com", "ESMTPS", True, 1790079200.0)
    assert "203.0.113.5" in hop.sender
    assert str(hop).endswith("> mx.example.com (ESMTPS)")


def test_the_client_is_the_first_one_outside() -> None:
    found = envelope(header(RETURN, PRIVATE, POSTFIX, INSIDE))
    assert found == Envelope("203.0.113.5", "mail.example.be", "bounce@example.be", 1)


@pytest.mark.parametrize("field", [INSIDE, PRIVATE, b"Received: from a (b [1.2.3.4]) by c by d; x\r\n", b"Received: \xff\r\n"])
def test_no_client_is_made_up(field: bytes) -> None:
    assert envelope(header(field)).ip == ""
    items = path.items(hops(header(field)), envelope(header(field)))
    assert items[0].level is Level.NOT_TESTED


@pytest.mark.parametrize(
    ("value", "address"),
    [(b" <>", ""), (b" <a@example.be>", "a@example.be"), (b" a, b", ""), (b" <a@example.be>, <b@example.be>", "")],
)
def test_return_path(value: bytes, address: str) -> None:
    assert envelope(header(b"Return-Path:" + value + b"\r\n", POSTFIX)).mail_from == address


def test_two_return_paths_say_nothing() -> None:
    assert envelope(header(RETURN, RETURN.replace(b"bounce", b"other"))).mail_from == ""


def test_tls_is_told_by_the_hop_that_counts() -> None:
    found = hops(header(POSTFIX))
    assert [item.level for item in path.items(found, envelope(header(POSTFIX)))] == [Level.INFO, Level.PASS]
    plain = POSTFIX.replace(b"\t(using TLSv1.3 with cipher X (256/256 bits))\r\n", b"").replace(b"ESMTPS", b"ESMTP")
    assert path.items(hops(header(plain)), envelope(header(plain)))[1].level is Level.WARN


def test_a_hostile_chain_is_bounded() -> None:
    many = header(*[POSTFIX] * 500)
    found = hops(many)
    assert len(found) == MAX_HOPS
    long = header(b"Received: from " + b"(" * 100_000 + b" by " + b"x" * 100_000 + b";" + b"9" * 100_000 + b"\r\n")
    (hop,) = hops(long)
    assert max(map(len, (hop.sender, hop.taker))) <= 120
    assert hop.time is None
    item = path.items(hops(header(b"Received: from \x1b[31m\xe2\x80\xae (x [192.0.2.1]) by \x07; x\r\n")), Envelope())[0]
    assert all(text.isprintable() for text in item.seen)


@pytest.mark.parametrize(
    ("date", "time"),
    [
        (b"Tue, 22 Sep 2026 14:13:20 +9999", None),
        (b"1 Jan 99999999999 00:00:00", None),
        (b"", None),
        (b"Mon, 1 Jan 0001 00:00:00 +2359", 978_220_860.0),  # read as the two digits of RFC 5322 4.3
        (b"Tue, 22 Sep 2026 14:13:20 +0200", 1_790_079_200.0),
    ],
)
def test_dates_and_what_is_none(date: bytes, time: float | None) -> None:
    (hop,) = hops(header(b"Received: from a by b; " + date + b"\r\n"))
    assert hop.time == time


@pytest.mark.parametrize(
    ("ip", "public"), [("192.0.2.1", True), ("2001:db8::1", True), ("10.1.2.3", False), ("::1", False), ("fc00::1", False)]
)
def test_public(ip: str, public: bool) -> None:
    assert is_public(ip) is public


def test_traces_of_what_made_it() -> None:
    fields = b"X-PHP-Originating-Script: 33:contact.php\r\nX-Mailer: PHPMailer 6.9\r\nX-Drupal-Mail: contact\r\nX-Other: no\r\n"
    found = report(signed(fields + MAIL))
    assert one(found, "message.software").seen == (
        "X-PHP-Originating-Script: 33:contact.php (PHP mail())",
        "X-Mailer: PHPMailer 6.9",
        "X-Drupal-Mail: contact (Drupal)",
    )
    assert levels(found)["message.php_script"] is Level.INFO


def test_traces_are_bounded_and_printable() -> None:
    found = traces.traces(header(*[b"X-Mailer: \x1b[2J" + b"a" * 5000 + b"\r\n"] * 100))
    assert len(found) == 12
    assert all(len(line) < 160 and line.isprintable() for line in found)
