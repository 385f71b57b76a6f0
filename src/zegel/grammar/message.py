"""A message as its header fields and its body, byte for byte. RFC 5322 2.1 and 2.2.

The standard library's parser decodes and refolds; signatures need the bytes. This room splits and nothing more: it decodes nothing, mends
nothing, and counts what is not a field so that a verifier can refuse to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

CRLF = b"\r\n"
_LINE_END = re.compile(rb"\r\n(?![ \t])")  # one that is no fold
_FTEXT = bytes(set(range(33, 127)) - set(b":"))  # RFC 5322 3.6.8


class Field(NamedTuple):
    """One header field: ``name`` as written (perhaps with white space before the colon), ``value`` all after the colon, folds included."""

    name: bytes
    value: bytes

    @property
    def raw(self) -> bytes:
        """The bytes of the field, without the CRLF that ends it."""
        return self.name + b":" + self.value

    @property
    def key(self) -> bytes:
        """The name to compare by: lower case, without white space before the colon."""
        return self.name.rstrip(b" \t").lower()


class Message(NamedTuple):
    """A split message. ``header`` has no final CRLF; ``oversized`` means that it was not read at all, and is empty."""

    header: bytes
    body: bytes
    normalized: bool = False
    oversized: bool = False

    @property
    def fields(self) -> list[Field]:
        """The header fields. Made anew at each call."""
        return split_fields(self.header)[0]


def split_message(message: bytes | bytearray | memoryview, *, header_bytes: int) -> Message:
    """Split a message at its first empty line. Raises TypeError for what is not bytes.

    A message without any CRLF is taken as one with LF line ends and normalised, since that is what files on disk hold; otherwise the bytes
    stand. A header of more than ``header_bytes`` octets is not read: the result is ``oversized``.
    """
    if not isinstance(message, bytes):
        if not isinstance(message, (bytearray, memoryview)):
            raise TypeError(f"message must be bytes, not {type(message).__name__}")
        message = bytes(message)
    normalized = False
    end = message.find(b"\r\n\r\n", 0, header_bytes + 4)
    if end < 0 and CRLF not in message and b"\n" in message:
        message = message.replace(b"\n", CRLF)
        normalized = True
        end = message.find(b"\r\n\r\n", 0, header_bytes + 4)
    if message.startswith(CRLF):
        return Message(b"", message[2:], normalized)
    if end >= 0:
        return Message(message[:end], message[end + 4 :], normalized)
    if len(message) > header_bytes:
        return Message(b"", b"", normalized, oversized=True)
    return Message(message.removesuffix(CRLF), b"", normalized)


def split_lines(header: bytes) -> list[bytes]:
    """Split a header block (with or without its final CRLF) at the line ends that are no fold."""
    return _LINE_END.split(header.removesuffix(CRLF))


def split_fields(header: bytes) -> tuple[list[Field], int]:
    """Split a header block (with or without its final CRLF) into fields; also count the lines that are no field. RFC 5322 2.2.

    A line without a field name before a colon is none (an mbox "From " line is one of these), nor is one with a bare CR or LF: a reader
    that takes these for line ends would show other fields than were checked.
    """
    lines = split_lines(header)
    if not lines[0]:
        return [], 0
    parts = [line.partition(b":") for line in lines]
    fields = [Field(name, value) for name, colon, value in parts if colon and is_well_formed_name(name.rstrip(b" \t"))]
    malformed = len(parts) - len(fields)
    if len(header) - len(header.translate(None, CRLF)) != 2 * header.count(CRLF):
        malformed += sum(b"\r" in (line := field.raw.replace(CRLF, b"")) or b"\n" in line for field in fields)
    return fields, malformed


def is_well_formed_name(name: bytes) -> bool:
    """Tell if ``name`` is an RFC 5322 3.6.8 field name: printable ASCII without colon or space."""
    return bool(name) and not name.translate(None, _FTEXT)


def named(fields: Iterable[Field], name: bytes) -> list[Field]:
    """The fields of that name (lower case), in header order."""
    return [field for field in fields if field.key == name]


def join(fields: Sequence[Field], body: bytes) -> bytes:
    """Put a message together again: the inverse of :func:`split_message` for a well-formed message with a body."""
    return b"".join(field.raw + CRLF for field in fields) + CRLF + body
