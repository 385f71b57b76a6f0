"""The letters of a structured header field: comments, tokens, quoted strings. RFC 5322 3.2, RFC 2045 5.1, with UTF-8 by RFC 6532 3.

A cursor over the text of one unfolded field value. It goes forward only, every step costs what it reads, and nesting is a count, not a
recursion: a stranger's thousand brackets cost a thousand steps. It knows no header field.
"""

from __future__ import annotations

import re

# Comments within comments, how deep and how many: RFC 5322 3.2.2 has no bound, and nobody writes three.
MAX_NESTING = 50
MAX_NESTED = 100
# RFC 2045 5.1: any CHAR except SPACE, CTLs and tspecials.
TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")
DIGITS = re.compile(r"[0-9]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPACE = re.compile(r"(?:[ \t]++|\((?:[^()\\]++|\\.)*+\))++")  # white space, and comments without comments in them
_COMMENT = re.compile(r"(?:[^()\\]++|\\.)++")  # what stands between brackets, quoted pairs included
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"')
_PAIR = re.compile(r"\\(.)")


class FieldSyntaxError(ValueError):
    """The text breaks the grammar; the message says where and how."""


def unfold(text: str) -> str:
    """A field value on one line: each CRLF before white space goes (RFC 5322 2.2.3), as does a final one.

    Text without any CRLF is taken as one with LF line ends. Raises :class:`FieldSyntaxError` for a control, and for a line end that is no
    fold.
    """
    if "\r\n" not in text:
        text = text.replace("\n", "\r\n")
    lines = text.removesuffix("\r\n").split("\r\n")
    if not all(line.startswith((" ", "\t")) for line in lines[1:]):
        raise FieldSyntaxError("a line end that is no fold")
    line = "".join(lines)
    if _CONTROL.search(line):
        raise FieldSyntaxError("a control character")
    return line


class Cursor:
    """A position in a text. ``take`` and ``quoted`` give None, and stay, where there is no such thing."""

    __slots__ = ("_nested", "at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._nested = 0

    @property
    def next(self) -> str:
        """The next character, or "" at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """The longest match of the pattern from here."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def accept(self, char: str) -> bool:
        """Go past one character if it is that one."""
        if self.text.startswith(char, self.at):
            self.at += 1
            return True
        return False

    def expect(self, char: str) -> None:
        """Go past one character, which must be that one."""
        if not self.accept(char):
            raise self.fault(f'"{char}" is missing')

    def cfws(self) -> bool:
        """Go past white space and comments (CFWS); tell if there was any. RFC 5322 3.2.2."""
        start, depth = self.at, 0
        while True:
            if self.take(_COMMENT if depth else _SPACE) is not None:
                continue
            if self.accept("("):
                depth += 1
                self._nested += 1
                if depth > MAX_NESTING or self._nested > MAX_NESTED:
                    raise self.fault("comments in comments in comments")
            elif depth and self.accept(")"):
                depth -= 1
            else:
                break
        if depth:
            raise self.fault("a comment that does not end")
        return self.at > start

    def quoted(self) -> str | None:
        """A quoted string without its quotes and backslashes. RFC 5322 3.2.4."""
        found = _QUOTED.match(self.text, self.at)
        if found is None:
            if self.next == '"':
                raise self.fault("a quoted string that does not end")
            return None
        self.at = found.end()
        return _PAIR.sub(r"\1", found[1]) if "\\" in found[1] else found[1]

    def fault(self, what: str) -> FieldSyntaxError:
        """The exception for what is wrong here."""
        return FieldSyntaxError(f"{what} at {self.text[self.at : self.at + 20]!r}")
