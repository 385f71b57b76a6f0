"""What a server answers: its code, its enhanced code and its text, read strictly and bounded. RFC 5321 4.2, RFC 3463, RFC 2034.

Whoever answers is a stranger to the client as any sender is to a server: what is no reply is told apart from a refusal, and a reply that
does not end is cut off.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# RFC 5321 4.5.3.1.5 allows 512 octets in a line; real servers write longer ones, and many of them.
MAX_LINE = 2048
MAX_REPLY = 16_384
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?: |$)", re.ASCII)


class MalformedError(ValueError):
    """What came is no reply."""


class Answer(NamedTuple):
    """One reply. ``enhanced`` is empty where the server gave none, or one of another class than its code; ``lines`` are without either."""

    code: int
    enhanced: str
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Done."""
        return self.code // 100 == 2

    @property
    def refused(self) -> bool:
        """Not done, for now or for good."""
        return self.code >= 400

    @property
    def final(self) -> bool:
        """Refused for good."""
        return self.code >= 500

    @property
    def text(self) -> str:
        """All of it in one line, as people read it."""
        return " ".join(filter(None, (str(self.code), self.enhanced, *(line.strip() for line in self.lines))))


class Answers:
    """Gathers octets into replies. RFC 5321 4.2.1."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._code = b""
        self._size = 0

    def feed(self, data: bytes) -> list[Answer]:
        """Take octets; the replies that they complete. Raises :class:`MalformedError`, and then there is no going on."""
        self._buffer += data
        found = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            answer = self._line(line)
            if answer is not None:
                found.append(answer)
        if len(self._buffer) > MAX_LINE:
            raise MalformedError("a line of the reply does not end")
        return found

    @property
    def pending(self) -> bool:
        """Whether a part of a reply has come."""
        return bool(self._buffer or self._lines)

    def _line(self, line: bytes) -> Answer | None:
        found = _LINE.fullmatch(line)
        if found is None or len(line) > MAX_LINE:
            raise MalformedError("what the server says is no reply")
        code, more, text = found[1], found[2], found[3] or b""
        # RFC 5321 4.2.1: each line of a reply has the same code.
        if self._lines and code != self._code:
            raise MalformedError("the lines of a reply have different codes")
        self._code = code
        self._size += len(line)
        if self._size > MAX_REPLY:
            raise MalformedError("the reply does not end")
        self._lines.append(text)
        if more == b"-":
            return None
        lines, self._lines, self._size = self._lines, [], 0
        return _answer(int(code), [line.decode("utf-8", "replace") for line in lines])


def _answer(code: int, lines: list[str]) -> Answer:
    """The enhanced code stands in every line, or in the first; one of another class contradicts the code and is text (RFC 2034 4)."""
    enhanced = ""
    first = _ENHANCED.match(lines[0])
    if first is not None and first[1] == str(code)[0]:
        enhanced = first[0].strip()
        lines = [line.removeprefix(enhanced).lstrip(" ") if line.startswith(enhanced) else line for line in lines]
    return Answer(code, enhanced, tuple(lines))


def extensions(hello: Answer) -> dict[str, str]:
    """What a server offers in its answer to EHLO: the keywords in upper case, with their parameters. RFC 5321 4.1.1.1."""
    offered: dict[str, str] = {}
    for line in hello.lines[1:]:
        # AUTH=LOGIN is how servers older than RFC 2554 wrote it.
        keyword, _, parameters = line.replace("=", " ", 1).strip().partition(" ")
        offered.setdefault(keyword.upper(), parameters.strip())
    return offered
