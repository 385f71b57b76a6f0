"""Reads UCL, the language of rspamd's configuration, as far as the files about signing use it.

Read are: comments, sections (also named ones), ``key = value`` with ``=``, ``:`` or a space, arrays, strings in quotes, bare words, texts
after ``<<WORD``, ``.include`` and ``.priority``. Refused by name are the other macros and what breaks off. A value stays the text that is
written, but for ``true`` and ``false`` and their like. A key that is there twice is a list, as in UCL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from zegel.moving.model import UnreadableError
from zegel.words import N_

Value = Any  # a str, a bool, a list of values, or a dict of them
Include = Callable[[str, dict[str, str]], "dict[str, Value] | None"]
_MAX_DEPTH = 20
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SPACE = re.compile(r"(?:\s+|\#[^\n]*)+")
_HERE = re.compile(r"<<([A-Z]+)\n(.*?)\n\1(?=\s|;|\Z)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_KEY = re.compile(r"[^\s\"'{}\[\]=:;,#]+")
_BARE = re.compile(r"[^\s;,\[\]{}#\"']+(?:[ \t]+[^\s;,\[\]{}#\"']+)*")
_MACRO = re.compile(r"\.(\w+)(?:\s*\(([^)]*)\))?\s*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def parse(text: str, where: str, include: Include | None = None) -> dict[str, Value]:
    """Read a file named ``where``. ``include`` gives what a path leads to, or None for what is passed over. Raises UnreadableError."""
    return _Parser(text, where, include).whole()


def merge(lower: dict[str, Value], higher: dict[str, Value]) -> dict[str, Value]:
    """Both, where ``higher`` counts: sections are merged, all else is replaced."""
    merged = dict(lower)
    for key, value in higher.items():
        former = merged.get(key)
        merged[key] = merge(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
    return merged


class _Parser:
    def __init__(self, text: str, where: str, include: Include | None) -> None:
        self._text, self._where, self._include = text, where, include
        self._at = 0
        self._higher: list[tuple[int, dict[str, Value]]] = []

    def whole(self) -> dict[str, Value]:
        self._blank()
        braces = self._text.startswith("{", self._at)
        self._at += braces
        found = self._section("}" if braces else "", 0)
        self._blank()
        if self._at < len(self._text):
            raise self._broken()
        return found

    def _section(self, end: str, depth: int) -> dict[str, Value]:
        if depth > _MAX_DEPTH:
            raise self._broken()
        found: dict[str, Value] = {}
        above: list[tuple[int, dict[str, Value]]] = []
        while True:
            self._blank(";,")
            if self._at >= len(self._text):
                if end:
                    raise self._broken()
                break
            if end and self._text[self._at] == end:
                self._at += 1
                break
            if self._text[self._at] == ".":
                above += self._macro()
                continue
            self._pair(found, depth)
        # Of what is included, a higher priority counts more; what is written here has 0.
        for priority, section in sorted(above, key=lambda item: item[0]):
            found = merge(found, section) if priority > 0 else merge(section, found)
        return found

    def _pair(self, found: dict[str, Value], depth: int) -> None:
        names = [self._key()]
        self._blank()
        if self._text[self._at : self._at + 1] in ("=", ":"):
            self._at += 1
            self._blank()
        else:
            # Names before a brace are sections one in the other: domain "example.be" { ... }.
            while (match := re.compile(r'"[^"\n]*"\s*(?=[{"])|[\w.-]+\s*(?=\{)').match(self._text, self._at)) is not None:
                names.append(match[0].strip().strip('"'))
                self._at = match.end()
        value = self._value(depth + len(names))
        for name in reversed(names[1:]):
            value = {name: value}
        _add(found, names[0], value)

    def _key(self) -> str:
        text = self._quoted()
        if text is not None:
            return text
        match = _KEY.match(self._text, self._at)
        if match is None:
            raise self._broken()
        self._at = match.end()
        return match[0]

    def _value(self, depth: int) -> Value:
        if depth > _MAX_DEPTH:
            raise self._broken()
        start = self._text[self._at : self._at + 1]
        if start == "{":
            self._at += 1
            return self._section("}", depth)
        if start == "[":
            self._at += 1
            return self._array(depth)
        text = self._quoted()
        if text is not None:
            return text
        if (here := _HERE.match(self._text, self._at)) is not None:
            self._at = here.end()
            return here[2]
        match = _BARE.match(self._text, self._at)
        if match is None:
            raise self._broken()
        self._at = match.end()
        return _BOOLEANS.get(match[0].lower(), match[0])

    def _array(self, depth: int) -> list[Value]:
        found: list[Value] = []
        while True:
            self._blank(";,")
            if self._text.startswith("]", self._at):
                self._at += 1
                return found
            found.append(self._value(depth + 1))

    def _quoted(self) -> str | None:
        if (match := _QUOTED.match(self._text, self._at)) is not None:
            self._at = match.end()
            return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1], flags=re.DOTALL)
        if (match := _SINGLE.match(self._text, self._at)) is not None:
            self._at = match.end()
            return match[1].replace("\\'", "'")
        return None

    def _macro(self) -> list[tuple[int, dict[str, Value]]]:
        match = _MACRO.match(self._text, self._at)
        if match is None:
            raise self._broken()
        parameters = dict(part.strip().partition("=")[::2] for part in (match[2] or "").split(",") if part.strip())
        line, self._at = self._line(), match.end()
        path = self._value(_MAX_DEPTH)
        if match[1] == "priority":
            return []
        if match[1] not in ("include", "try_include") or not isinstance(path, str):
            sentence = N_("{at}: .{macro} is not read here; write what it stands for into the file, or import the keys: zegel import pem")
            raise UnreadableError(sentence, at=f"{self._where}:{line}", macro=match[1])
        included = self._include(path, parameters) if self._include is not None else None
        priority = parameters.get("priority", "0")
        return [] if included is None else [(int(priority) if priority.isdecimal() else 0, included)]

    def _blank(self, also: str = "") -> None:
        """Go past white space, comments, and the signs that part things."""
        while self._at < len(self._text):
            if (match := _SPACE.match(self._text, self._at)) is not None:
                self._at = match.end()
            elif self._text.startswith("/*", self._at):
                self._comment()
            elif self._text[self._at] in also and also:
                self._at += 1
            else:
                return

    def _comment(self) -> None:
        """Go past a comment; they may be one in the other."""
        depth = 0
        for match in re.compile(r"/\*|\*/").finditer(self._text, self._at):
            depth += 1 if match[0] == "/*" else -1
            if not depth:
                self._at = match.end()
                return
        raise self._broken()

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _broken(self) -> UnreadableError:
        seen = self._text[self._at : self._at + 20].partition("\n")[0]
        sentence = N_("{at}: this cannot be read: '{seen}'; look if a brace, quote or semicolon is missing before it")
        return UnreadableError(sentence, at=f"{self._where}:{self._line()}", seen=seen)


def _add(found: dict[str, Value], name: str, value: Value) -> None:
    if name not in found:
        found[name] = value
        return
    former = found[name]
    if isinstance(former, list):
        # One list for all: a copy each time would make many keys dear.
        former.append(value)
    else:
        found[name] = [former, value]
