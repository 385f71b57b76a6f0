"""The message splitter and the canonical forms: against slow references, in one piece and in many. RFC 5322 2.1, RFC 6376 3.4."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz import reference, seeds
from fuzz.dice import Dice
from zegel.dkim.canonical import BODY_FORMS, FIELD_FORMS
from zegel.dkim.header import Header
from zegel.grammar.message import Field, join, split_fields, split_message

WORDS = (
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\n\t",
    b" \r\n",
    b"\t\r\n",
    b": ",
    b"  ",
    b"\r",
    b"\n",
    b"\0",
    b"From:",
    b"\r\n\r\n\r\n",
    b" " * 20,
)
_WIDE = 1 << 30
_NARROW = 1024


def starts() -> Iterator[bytes]:
    yield from (b"\x00" * 8 + message for message in seeds.messages())
    yield b"\x03\x00\x10\x00\x20\x00\x30\x00A : b \r\n\tc\r\n\r\n x \t y \r\n \r\n\r\n"


def fuzz(data: bytes) -> None:
    dice, message = Dice(data[:8]), data[8:]
    split = split_message(message, header_bytes=_WIDE)
    fields, body, bad = reference.split(message)
    assert [tuple(field) for field in split.fields] == fields
    assert (split.body, split_fields(split.header)[1], split.oversized) == (body, bad, False)
    if not bad and fields and not split.normalized and b"\r\n\r\n" in message:
        assert join(split.fields, split.body) == message
    bound(message)
    for form in ("simple", "relaxed"):
        header(form, split.fields, split.header, bad)
        text(form, split.body, dice)


def bound(message: bytes) -> None:
    """With a bound on the header, a message is read as without it, or not at all."""
    narrow = split_message(message, header_bytes=_NARROW)
    if not narrow.oversized:
        assert narrow == split_message(message, header_bytes=_WIDE)
    else:
        assert narrow.fields == []
        assert reference.CRLF * 2 not in message[:_NARROW]


def header(form: str, fields: list[Field], block: bytes, bad: int) -> None:
    expected = [reference.field(form, *field)[:-2] for field in fields]
    assert [FIELD_FORMS[form](field) for field in fields] == expected
    for _ in range(2):  # the second time the names have been seen before
        whole = Header(block)
        assert whole.malformed == bad
        assert list(whole.layout.keys) == [field.key.decode("latin-1") for field in fields]
        if not bad:
            assert whole.lines(form, range(len(fields))) == expected
    for line in expected:
        again = Field(*line.split(b":", 1))
        assert FIELD_FORMS[form](again) == line, "a canonical form is its own canonical form"


def text(form: str, body: bytes, dice: Dice) -> None:
    expected = reference.body(form, body)
    pieces = dice.cut(body, 4)
    for chunks in ([body], pieces, *([[body[at : at + 1] for at in range(len(body))]] if len(body) < 200 else [])):
        out: list[bytes] = []
        writer = BODY_FORMS[form](out.append)
        for chunk in chunks:
            writer.feed(chunk)
        writer.finish()
        assert b"".join(out) == expected, (form, chunks)
    assert reference.body(form, expected) == expected
