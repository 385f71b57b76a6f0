"""Messages and keys that several tests share. Keys are made once a run."""

from __future__ import annotations

from functools import cache

import zegel

NOW = 1_790_000_000

HEADER = (
    b"Received: from a.example (a.example [192.0.2.1])\r\n"
    b"\tby b.example (Postfix) with ESMTP id 4Tg;\r\n\tSat, 21 Nov 2026 09:12:44 +0100\r\n"
    b"From: Joe <joe@example.org>\r\n"
    b"To: Suzie <suzie@example.com>,\r\n \tBert  <bert@example.com>\r\n"
    b"Subject: two  spaces,\ta tab   and a trailing blank \r\n"
    b"Date: Sat, 21 Nov 2026 09:12:42 +0100\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)
SIMPLE_HEADER = (
    b"From: Joe <joe@example.org>\r\nTo: Suzie <suzie@example.com>\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 09:12:42 +0100\r\n"
)
MESSAGE = SIMPLE_HEADER + b"\r\nHello,\r\n\r\nthis is the body.\r\n"


@cache
def rsa() -> zegel.Key:
    """An RSA-2048 key of example.org."""
    return zegel.Key.generate("example.org", "rsa", "rsa2048")


@cache
def ed25519() -> zegel.Key:
    """An Ed25519 key of example.org."""
    return zegel.Key.generate("example.org", "ed", "ed25519")


@cache
def zone() -> zegel.Zone:
    """Both keys, published."""
    return zegel.Zone.from_dict({(key.name, "TXT"): [key.record] for key in (rsa(), ed25519())})


def with_key(zone: str) -> str:
    """The text of a zone, with the record of the Ed25519 key."""
    key = ed25519()
    return f'{zone}{key.name}. TXT "{key.record}"\n'
