"""The trace of a message that is handed in. RFC 5321 4.4."""

from __future__ import annotations

import pytest

from zegel.check.message.path import hops as read
from zegel.dkim.header import Header
from zegel.submission.trace import Origin, hops, received

NOW = 1_790_079_200.9


def field(origin: Origin | None, queue_id: str = "07ABC") -> bytes:
    before, after = received(origin, by="mail.example.be", now=NOW)
    return before + queue_id.encode() + after


def test_what_came_over_smtp() -> None:
    """RFC 5321 4.4: the name in EHLO and the address of the connection; RFC 3848: ESMTPSA is below TLS and after a login."""
    assert field(Origin("portal.example.be", "192.0.2.80", "ESMTPSA")) == (
        b"Received: from portal.example.be ([192.0.2.80])\r\n\tby mail.example.be (Zegel) with ESMTPSA id 07ABC;\r\n"
        b"\tTue, 22 Sep 2026 12:13:20 +0000\r\n"
    )


def test_what_a_program_of_this_host_handed_in() -> None:
    assert field(None) == b"Received: by mail.example.be (Zegel) id 07ABC;\r\n\tTue, 22 Sep 2026 12:13:20 +0000\r\n"


@pytest.mark.parametrize(
    ("helo", "address", "told"),
    [
        ("localhost", "127.0.0.1", "localhost ([127.0.0.1])"),
        ("WEB_1.Example.BE", "192.0.2.1", "web_1.example.be ([192.0.2.1])"),
        ("web", "2001:db8::1", "web ([IPv6:2001:db8::1])"),
        ("web", "fe80::1%eth0", "web ([IPv6:fe80::1])"),
        ("[192.0.2.9]", "192.0.2.1", "[192.0.2.1] ([192.0.2.1])"),
        ("x);Subject:evil(", "192.0.2.1", "[192.0.2.1] ([192.0.2.1])"),
        ("b\N{LATIN SMALL LETTER E WITH ACUTE}", "192.0.2.1", "xn--b-bga ([192.0.2.1])"),
        ("", "192.0.2.1", "[192.0.2.1] ([192.0.2.1])"),
        ("web", "", "web"),
        ("x y", "", "unknown"),
    ],
)
def test_the_clients_own_words_are_a_name_or_are_left_out(helo: str, address: str, told: str) -> None:
    """RFC 5321 4.1.3: an address stands in brackets, and IPv6 says what it is."""
    made = field(Origin(helo, address, "ESMTP"))
    assert made.split(b"\r\n")[0].decode("ascii") == f"Received: from {told}"


def test_our_own_reader_understands_it() -> None:
    (hop,) = read(Header(field(Origin("portal.example.be", "192.0.2.80", "ESMTPSA")) + b"From: a@example.be"))
    assert (hop.taker, hop.protocol, hop.tls, hop.time) == ("mail.example.be", "ESMTPSA", True, 1_790_079_200.0)
    assert hop.sender == "portal.example.be ([192.0.2.80])"


@pytest.mark.parametrize(
    ("message", "count"),
    [
        (b"From: a@b\r\n\r\nReceived: x\r\n", 0),
        (b"Received: x\r\nRECEIVED :y\r\nX-Received: z\r\nFrom: a@b\r\n Received: folded\r\n\r\nx\r\n", 2),
        (b"Received: x\r\nReceived: y\r\n", 2),
        (b"", 0),
    ],
)
def test_the_hops_are_counted_in_the_header_alone(message: bytes, count: int) -> None:
    assert hops(message) == count
