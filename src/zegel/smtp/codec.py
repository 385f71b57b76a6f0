"""The two streams of an SMTP client: command lines, and the data of a message; and our reply lines. RFC 5321 2.3.8, 4.1.1.4, 4.5.2.

CRLF is the only line end, and CRLF.CRLF the only end of a message. Servers that took a LF or a CR for a line end there let strangers
smuggle a second message into the first. A lone CR or LF inside a message is counted, for who decides; it never ends anything.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final

LINE_CAP: Final = 2048
"""The longest command line taken, with its CRLF: RFC 5321 4.5.3.1.4 asks for 512, parameters and AUTH for more (RFC 4616 2: 255 octets)."""

CRLF: Final = b"\r\n"
_END: Final = b"\r\n.\r\n"
_STUFFED: Final = b"\r\n."
_ANY_END = re.compile(rb"\r\n|\r|\n")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_MAX_REPLY_LINES: Final = 5
_REPLY_LINE: Final = 400  # characters of text; RFC 5321 4.5.3.1.5: 512 octets with code and CRLF


class LineError(Exception):
    """A line that is none: ``long`` for one beyond the cap, else one that does not end in CRLF, or holds a CR of its own."""

    def __init__(self, *, long: bool) -> None:
        super().__init__("a line is too long" if long else "a line does not end in CRLF")
        self.long = long


class Lines:
    """Cuts a stream into command lines, with the memory of one line, however small the pieces come."""

    __slots__ = ("_buffer", "_skipping", "_start", "_tried")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0  # where the next line begins
        self._tried = 0  # up to where there is no line end
        self._skipping = False  # inside a line that is too long

    @property
    def waiting(self) -> int:
        """How many octets are stored, behind the last line taken."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes) -> None:
        """Store more octets of the stream."""
        if self._start:
            del self._buffer[: self._start]
            self._tried -= self._start
            self._start = 0
        self._buffer += data

    def take(self) -> bytes | None:
        """Give the next line without its CRLF, or None when it is not whole yet. Raises :class:`LineError` once for each that is none."""
        end = self._buffer.find(b"\n", max(self._tried, self._start))
        if end < 0:
            self._tried = len(self._buffer)
            if not self._skipping and self.waiting < LINE_CAP:
                return None
            # The rest of it is thrown away as it comes, up to its end.
            told, self._skipping = self._skipping, True
            self._start = len(self._buffer)
            if told:
                return None
            raise LineError(long=True)
        start, self._start, self._tried = self._start, end + 1, end + 1
        if self._skipping:
            self._skipping = False
            return self.take()
        if end + 1 - start > LINE_CAP:
            raise LineError(long=True)
        line = bytes(self._buffer[start:end])
        if line[-1:] != b"\r" or line.count(b"\r") != 1:
            raise LineError(long=False)
        return line[:-1]

    def rest(self) -> bytes:
        """Take out all that is stored: what follows the command DATA, or is to be thrown away."""
        rest = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = self._tried = 0
        return rest


class DataStream:
    """The octets between DATA and CRLF.CRLF, unstuffed (RFC 5321 4.5.2), in constant memory: at most four octets are held back.

    ``bare`` counts the CR and LF that stood alone. With ``mend`` they become CRLF, in the message only: what ends it is CRLF.CRLF all the
    same. A period that began a line for the client and not for us stays.
    """

    __slots__ = ("_begun", "_held", "_mend", "bare", "ended", "rest")

    def __init__(self, *, mend: bool = False) -> None:
        self._held = CRLF  # the line end of the command DATA itself: a first line of a single period ends an empty message
        self._begun = False
        self._mend = mend
        self.bare = 0
        self.ended = False
        self.rest = b""  # what came behind the end

    def feed(self, data: bytes) -> bytes:
        """Take more octets, and give those of the message that are certain. After the end, ``rest`` has what is left."""
        held = self._held + data
        end = held.find(_END)
        if end >= 0:
            self.ended, self.rest, self._held = True, held[end + len(_END) :], b""
            return self._unstuffed(held[: end + len(CRLF)])
        # What may yet be the end, or a stuffed period, or half a line end.
        keep = next((size for size in range(len(_END) - 1, 0, -1) if held.endswith(_END[:size])), 0)
        self._held = held[len(held) - keep :]
        return self._unstuffed(held[: len(held) - keep])

    def _unstuffed(self, piece: bytes) -> bytes:
        if not piece:
            return piece
        ends = piece.count(CRLF)
        bare = piece.count(b"\r") + piece.count(b"\n") - 2 * ends
        self.bare += bare
        if _STUFFED in piece:
            piece = piece.replace(_STUFFED, CRLF)
        if not self._begun:
            self._begun = True
            piece = piece[len(CRLF) :]
        return _ANY_END.sub(CRLF, piece) if bare and self._mend else piece


def reply(code: str, enhanced: str, text: str) -> bytes:
    """Format a reply: ASCII, in as many lines as it takes, each with both codes. RFC 5321 4.2, RFC 2034 4. ``enhanced`` "" writes none."""
    shown = _UNPRINTABLE.sub("?", text) or "-"
    lines = textwrap.wrap(shown, _REPLY_LINE)[:_MAX_REPLY_LINES] if len(shown) > _REPLY_LINE else [shown]
    head = f"{enhanced} " if enhanced else ""
    return "".join(f"{code}{' ' if line is lines[-1] else '-'}{head}{line}\r\n" for line in lines).encode("ascii")
