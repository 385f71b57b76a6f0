"""The two canonical forms of header fields and bodies, "simple" and "relaxed". RFC 6376 3.4.

Bodies come in chunks of any size and go out through ``write`` (mostly a hash's ``update``) in one pass and constant memory: what may
still turn out to be an empty line at the end is a count, never bytes kept. Whole chunks go through ``bytes.replace`` and ``in``; there is
no regular expression over a body, since it costs ten times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from zegel.grammar.message import Field

_CRLF = b"\r\n"
_MANY = 4096
_EMPTY_LINES = _CRLF * _MANY


def simple_field(field: Field) -> bytes:
    """The field as it is, without its final CRLF. RFC 6376 3.4.1."""
    return field.raw


def relaxed_field(field: Field) -> bytes:
    """Lower-case name, unfolded value, white space reduced, without final CRLF. RFC 6376 3.4.2.

    A bare CR or LF, a vertical tab or a form feed is no white space in RFC 5322, and stands.
    """
    value = field.value.replace(_CRLF, b"")
    if b"\t" in value:
        value = value.replace(b"\t", b" ")
    if value.rfind(b"  ") >= 0:
        value = one_space(value)
    return field.key + b":" + value.strip(b" ")


FIELD_FORMS: dict[str, Callable[[Field], bytes]] = {"simple": simple_field, "relaxed": relaxed_field}


class BodyForm(Protocol):
    """A body canonicalization at work: feed all chunks in order, then finish once."""

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""

    def finish(self) -> None:
        """Take the end of the body: what was held back is written."""


class _Lines:
    """Holds back the empty lines at the end: both forms ignore them. RFC 6376 3.4.3 and 3.4.4."""

    __slots__ = ("_empty", "_write", "open", "written")

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._empty = 0  # empty lines seen after the last one that was written
        self.open = False  # the last line that was written has no CRLF yet
        self.written = False

    def lines(self, data: bytes) -> None:
        """Write ``data`` but for the empty lines that it ends with. A CR that may be half a CRLF must not be at its end."""
        if data[-2:] == _CRLF and data[-4:-2] not in (_CRLF, b""):  # the usual end: one line's own
            self.write(data)
            self.open = False
            return
        cut = len(data.rstrip(_CRLF))
        if data.count(_CRLF, cut) * 2 != len(data) - cut:
            cut = len(data)  # a bare CR or LF is among them: step back over whole CRLFs only
            while data.endswith(_CRLF, 0, cut):
                cut -= 2
        ends = (len(data) - cut) // 2
        if cut:
            self.write(data[:cut])
            self.open = True
        if ends and self.open:
            self._write(_CRLF)
            self.open = False
            ends -= 1
        self._empty += ends

    def write(self, data: bytes) -> None:
        """Write what is no empty line at the end, behind the lines that were held back."""
        while self._empty >= _MANY:
            self._write(_EMPTY_LINES)
            self._empty -= _MANY
        if self._empty:
            self._write(_CRLF * self._empty)
            self._empty = 0
        self._write(data)
        self.written = True

    def close(self, *, always: bool) -> None:
        """End the last line; ``always`` makes a line of nothing at all."""
        if self.open or (always and not self.written):
            self._write(_CRLF)


class SimpleBody:
    """Everything as it is, but one CRLF at the end whatever was there. RFC 6376 3.4.3."""

    __slots__ = ("_lines", "_tail")

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._lines = _Lines(write)
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        data = self._tail + chunk if self._tail else chunk
        self._tail = b""
        if data.endswith(b"\r"):
            data, self._tail = data[:-1], b"\r"
        self._lines.lines(data)

    def finish(self) -> None:
        """Take the end of the body. An empty body is one CRLF here."""
        if self._tail:
            self._lines.write(self._tail)
            self._lines.open = True
        self._lines.close(always=True)


class RelaxedBody:
    """White space at line ends ignored, elsewhere reduced to one space; an empty body is nothing at all. RFC 6376 3.4.4."""

    __slots__ = ("_lines", "_tail")

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._lines = _Lines(write)
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        data = self._tail + chunk if self._tail else chunk
        if b"\t" in data:
            data = data.replace(b"\t", b" ")
        # Most bodies need neither; rfind() takes half the time of "in".
        if data.rfind(b"  ") >= 0:
            data = one_space(data)
        if data.rfind(b" \r\n") >= 0:
            data = data.replace(b" \r\n", _CRLF)
        self._tail = b""
        if data.endswith((b" ", b"\r")):  # what they mean depends on the next octet
            cut = len(data) - (2 if data.endswith(b" \r") else 1)
            data, self._tail = data[:cut], data[cut:]
        self._lines.lines(data)

    def finish(self) -> None:
        """Take the end of the body: a line without CRLF gets one, unless nothing is left of it."""
        if self._tail.endswith(b"\r"):
            self._lines.write(self._tail)
            self._lines.open = True
        self._lines.close(always=False)


def one_space(data: bytes) -> bytes:
    """Reduce each run of spaces to one. Long runs go first, so that a run of any length costs a handful of passes."""
    for width in (256, 16) if len(data) > _MANY else ():
        run = b" " * width
        while run in data:
            data = data.replace(run, b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


BODY_FORMS: dict[str, Callable[[Callable[[bytes], object]], BodyForm]] = {"simple": SimpleBody, "relaxed": RelaxedBody}
