"""Splitting messages: what is a field, what is none, and which octets stand."""

from __future__ import annotations

import pytest

from zegel.grammar.message import Field, Message, is_well_formed_name, join, named, split_fields, split_message


def split(message: bytes) -> Message:
    return split_message(message, header_bytes=4096)


def test_octets_stand() -> None:
    """RFC 5322 2.1 and 2.2: fields, an empty line, the body; and not an octet of them is another one afterwards."""
    header = b"From: a\r\nX:\r\nFolded: a\r\n\tb\r\n  c\r\nOdd \t: d \r\n8: \xff\x00\x0b"
    fields = split(header + b"\r\n\r\nbody\nbare\r").fields
    assert fields == [
        Field(b"From", b" a"),
        Field(b"X", b""),
        Field(b"Folded", b" a\r\n\tb\r\n  c"),
        Field(b"Odd \t", b" d "),
        Field(b"8", b" \xff\x00\x0b"),
    ]
    assert [field.key for field in fields] == [b"from", b"x", b"folded", b"odd", b"8"]
    assert join(fields, b"body\nbare\r") == header + b"\r\n\r\nbody\nbare\r"
    assert split(header + b"\r\n\r\nbody\nbare\r").body == b"body\nbare\r"


@pytest.mark.parametrize(
    ("message", "fields", "body"),
    [
        (b"", 0, b""),
        (b"\r\n", 0, b""),
        (b"\r\nbody", 0, b"body"),
        (b"\r\n\r\nbody", 0, b"\r\nbody"),
        (b"A: b", 1, b""),
        (b"A: b\r\n", 1, b""),
        (b"A: b\r\n\r\n", 1, b""),
        (b"A: b\r\n\r\n\r\n", 1, b"\r\n"),
        (b"A: b\r\nC: d\r\n\r\nE: f\r\n\r\n", 2, b"E: f\r\n\r\n"),
    ],
)
def test_edges(message: bytes, fields: int, body: bytes) -> None:
    result = split(message)
    assert (len(result.fields), result.body, result.oversized) == (fields, body, False)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # RFC 6376 3.8: "DKIM's design is predicated on valid input". An mbox line belongs to the store, not to the message: what reads
        # mbox takes it off.
        (b"From joe@example.org Sat Nov 21 09:12:42 2026", 1),
        (b"no field", 1),
        (b"nofield", 1),
        (b": no name", 1),
        (b"two words: x", 1),
        (b"Fr\x00om: x", 1),
        (b"Fr\xc3\xb6m: x", 1),
        (b"Subject: a\nFrom: b@example.org", 2),
        (b"Subject: a\rFrom: b@example.org", 2),
        (b"Subject: a\r", 2),
        (b"\nFrom: b@example.org", 1),
    ],
)
def test_lines_that_are_no_field(line: bytes, fields: int) -> None:
    """RFC 5322 2.2, and RFC 5322 3.6.8 for names."""
    for header in (line + b"\r\nA: b", b"A: b\r\n" + line + b"\r\n\tfolded"):
        found, malformed = split_fields(header)
        assert (len(found), malformed) == (fields, 1)


def test_a_first_line_that_is_folded() -> None:
    assert split_fields(b" A: b\r\nC: d") == ([Field(b"C", b" d")], 1)


def test_a_field_whose_name_is_from_and_a_space() -> None:
    """RFC 5322 4.5 lets white space stand before the colon: this is a From field, no mbox line."""
    assert split_fields(b"From : a@example.org") == ([Field(b"From ", b" a@example.org")], 0)


def test_lf_line_ends_are_made_crlf_only_when_there_is_no_crlf() -> None:
    result = split(b"A: b\nC: d\n e\n\nbody\n")
    assert result == Message(b"A: b\r\nC: d\r\n e", b"body\r\n", normalized=True)
    assert result.fields == [Field(b"A", b" b"), Field(b"C", b" d\r\n e")]
    assert split(b"A: b\r\n\r\nbody\n").normalized is False
    assert split(b"A: b\r\n\r\nbody\n").body == b"body\n"
    assert split(b"A: b").normalized is False


def test_names() -> None:
    assert is_well_formed_name(b"X-Any;thing!")
    for name in (b"", b"a b", b"a:", b"\xe9", b"a\x7f", b"a\t"):
        assert not is_well_formed_name(name)
    fields = [Field(b"A", b"1"), Field(b"b", b"2"), Field(b"a ", b"3")]
    assert [field.value for field in named(fields, b"a")] == [b"1", b"3"]
