"""The reader of From: what it reads can be written and read again, lists are the sum of their parts. RFC 5322 3.4."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuzz import seeds
from zegel.grammar.address import AddressError, Mailbox, mailboxes
from zegel.grammar.domain import Domain

WORDS = (
    *(b"@", b"<", b">", b"a@example.org", b", ", b'"', b"\\", b"(", b")", b"=?utf-8?q?a?=", b"\r\n ", b"\xc3\xa9", b"xn--", b"[192.0.2.1]"),
    *(b":", b";", b".", b"\xe2\x80\xa8", b"\xc2\xa0", b"J. Doe <j@example.org>", b'"a b"@example.org', b"\xef\xbc\xa0", b"\xe3\x80\x82"),
)
_PLAIN = re.compile(rb"[a-z0-9]+(?:\.[a-z0-9]+)*@[a-z0-9]{1,60}(?:\.[a-z0-9]{1,60}){1,2}")
_REST = b"z@z.example"


def starts() -> Iterator[bytes]:
    yield from seeds.fields(b"from", b"to", b"cc", b"sender", b"reply-to")
    yield from (text.encode("utf-8", "surrogateescape") for text in seeds.strings("attacks/spoofing.json") if "@" in text)
    yield b' "Joe \\"Q\\" (x)" (comment (nested)) <"a b"@example.org>, j.o.e@m\xc3\xbcnchen.example'


def fuzz(data: bytes) -> None:
    found = read(data)
    if found is None:
        assert not _PLAIN.fullmatch(data), "a plain address is refused"
        return
    assert 1 <= len(found) <= 100
    for mailbox in found:
        one(mailbox)
    if len(data) < 16_000 and len(found) < 100:
        rest = read(_REST) or []
        assert read(data + b"," + _REST) == found + rest
        assert read(_REST + b"," + data) == rest + found
        assert read(b"(x) " + data + b" (y(z))\t") == found
    if b"\r\n" not in data:
        assert read(data.replace(b" ", b"\r\n ")) == read(data), "a fold is the space that it stands before"


def read(value: bytes) -> list[Mailbox] | None:
    try:
        return mailboxes(value)
    except AddressError as error:
        assert str(error)
        return None


def one(mailbox: Mailbox) -> None:
    assert mailbox.domain == Domain.parse(mailbox.domain)
    assert mailbox.domain.isascii()
    assert mailbox.local_part.isprintable()
    assert mailbox.address.isprintable()
    assert mailbox.address.endswith(f"@{mailbox.domain}")
    assert read(mailbox.address.encode()) == [Mailbox("", mailbox.local_part, mailbox.domain)]
    assert read(f"<{mailbox.address}>".encode()) == [Mailbox("", mailbox.local_part, mailbox.domain)]
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", mailbox.display_name)
