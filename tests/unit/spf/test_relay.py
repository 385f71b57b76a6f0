"""Which client SPF looks at behind a relay of ours: the fields of four mail servers, and the words of strangers in them."""

from __future__ import annotations

import pytest

from zegel.spf.client import Network
from zegel.spf.relay import OutsideClient, first_outside, read_received
from zegel.spf.result import SpfCause, SpfReason

POSTFIX = b"""from mail.example.org (host.example.org [192.0.2.1])\r
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r
\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r
\t(No client certificate requested)\r
\tby mx.example.net (Postfix) with ESMTPS id 4TgQxY2zK1z9sWd\r
\tfor <suzie@example.net>; Sat, 21 Nov 2026 09:12:44 +0100 (CET)"""
_SENDMAIL = b"by mx.example.net (8.17.1/8.17.1) with ESMTPS id x\r\n\t(version=TLSv1.3 cipher=X bits=256); date"
_EXIM = b"by mx.example.net with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.97)\r\n\tid 1; date"
_EXCHANGE = b"by EX1.example.net (10.0.0.1) with\r\n Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.20.7.10; date"
GOOD = {
    POSTFIX: ("192.0.2.1", "mail.example.org"),
    b" from mail.example.org (unknown [IPv6:2001:db8::1]) by mx (Postfix) with ESMTP id 1; date": ("2001:db8::1", "mail.example.org"),
    b"from [10.1.2.3] (unknown [192.0.2.1]) by mx.example.net (Postfix) with SMTP id 1; date": ("192.0.2.1", "[10.1.2.3]"),
    b"from mail.example.org ([192.0.2.1])\r\n\t" + _SENDMAIL: ("192.0.2.1", "mail.example.org"),
    b"from a.example (b.example [192.0.2.1] (may be forged))\r\n\t(authenticated bits=0)\r\n\t" + _SENDMAIL: ("192.0.2.1", "a.example"),
    b"from b.example ([192.0.2.1] helo=a.example)\r\n\t" + _EXIM: ("192.0.2.1", "a.example"),
    b"from b.example ([192.0.2.1])\r\n\t" + _EXIM: ("192.0.2.1", "b.example"),
    b"from b.example ([2001:db8::1]:42311 helo=[10.0.0.1])\r\n\t" + _EXIM: ("2001:db8::1", "[10.0.0.1]"),
    b"from [192.0.2.1] (helo=a.example)\r\n\t" + _EXIM: ("192.0.2.1", "a.example"),
    b"from [192.0.2.1] (port=4711 helo=a)\r\n\t" + _EXIM: ("192.0.2.1", "a"),
    b"from A.example (192.0.2.1) " + _EXCHANGE: ("192.0.2.1", "A.example"),
    b"from a.example (2001:db8::1) " + _EXCHANGE: ("2001:db8::1", "a.example"),
}
BAD = [
    b"",
    b"by mx.example.net (Postfix, from userid 1000) id 1; d",
    b"from mail.example.org by mx with ESMTP; d",
    b"from mail.example.org (192.0.2) by mx; d",
    b"from mail.example.org (host [192.0.2.256]) by mx; d",
    b"from mail.example.org (host [192.0.2.1])",
    b"from unknown (HELO mail.example.org) (192.0.2.1) by mx with SMTP; d",
    b"from mail.example.org (host [192.0.2.1] [192.0.2.2]) by mx; d",
    b"from mail.example.org (host [192.0.2.9]) (real.example [192.0.2.1]) by mx; d",
    b"from mail.example.org (host [192.0.2.9]) (192.0.2.1) by mx; d",
    b"from mail.example.org (host [192.0.2.9]) (2001:db8::1) by mx; d",
    # A HELO name that looks like the whole of it.
    b"from a (b [192.0.2.9]) by c (real.example [192.0.2.1])\r\n\tby mx (Postfix) with SMTP id 1; d",
    b"from a (192.0.2.9) BY c (192.0.2.1) by mx (10.0.0.1) with Microsoft SMTP Server id 15; d",
    b"from [192.0.2.9] (helo=a) by b; c ([192.0.2.1])\r\n\tby mx (Exim 4.97) id 1; d",
    b"from host ([192.0.2.1] helo=a b) by mx (Exim 4.97) id 1; d",
    "from mail.example.org (hôst [192.0.2.1]) by mx; d".encode(),
    b"from " + b"a" * 3000 + b" (host [192.0.2.1]) by mx; d",
    b"from a (b [192.0.2.1])" + b" (x)" * 5 + b" by mx; d",
    b"from a (b [fe80::1%eth0]) by mx; d",
    b"from a (b [::ffff:1.2.3.4.5]) by mx; d",
]
OURS = [Network.parse("10.0.0.0/8"), Network.parse("2001:db8:ffff::/48")]


@pytest.mark.parametrize("value", GOOD)
def test_the_fields_of_real_servers(value: bytes) -> None:
    assert read_received(value) == GOOD[value]


@pytest.mark.parametrize("value", BAD)
def test_what_is_not_wholly_clear_is_not_read(value: bytes) -> None:
    assert read_received(value) is None


def hop(ip: str, name: str = "relay.example.net") -> bytes:
    return f"from {name} ({name} [{ip}]) by mx.example.net (Postfix) with ESMTP id 1; d".encode()


def test_a_stranger_is_looked_at_itself_whatever_it_writes() -> None:
    assert first_outside("192.0.2.1", "mail", [hop("198.51.100.1")], OURS) == ("192.0.2.1", "mail")
    assert first_outside("unknown", "mail", [hop("198.51.100.1")], OURS) == ("unknown", "mail")


def test_the_first_host_outside_counts() -> None:
    # RFC 7208 2.5
    outside = hop("192.0.2.1", "mail.example.org")
    forged = hop("198.51.100.1")
    assert first_outside("10.0.0.1", "mx2", [outside, forged], OURS) == OutsideClient("192.0.2.1", "mail.example.org")
    assert first_outside("2001:db8:ffff::1", "mx2", [hop("10.0.0.2"), hop("IPv6:2001:db8:ffff::2"), outside, forged], OURS) == (
        "192.0.2.1",
        "mail.example.org",
    )
    assert first_outside("::ffff:10.0.0.1", "mx2", [outside], OURS) == ("192.0.2.1", "mail.example.org")


@pytest.mark.parametrize("received", [[], [hop("10.0.0.2")], [hop("10.0.0.2")] * 10 + [hop("192.0.2.1")], [BAD[1], hop("192.0.2.1")]])
def test_without_a_clear_answer_it_is_skipped_with_a_reason(received: list[bytes]) -> None:
    cause = first_outside("10.0.0.1", "mx2", received, OURS)
    assert isinstance(cause, SpfCause)
    assert cause.reason is SpfReason.BEHIND_RELAY
    assert cause.detail
    assert cause.reason.status == "none"
