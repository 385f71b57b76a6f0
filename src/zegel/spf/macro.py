"""Macro strings: parse and expand. RFC 7208 7.

A string is parsed once, with the record that holds it, and expanded for each message. It asks nothing of DNS: whoever expands gives the
values, ``%{p}`` among them. What an expansion can cost is bounded by who parses (the length of a record) and by who gives values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from zegel.words import N_

_LETTERS = frozenset("slodipvh")
_EXPLAIN_LETTERS = _LETTERS | frozenset("crt")  # RFC 7208 7.2: c, r and t are allowed only in "exp" text
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
_MACRO = re.compile(r"\{([a-z])([0-9]*)(r?)([.\-+,/_=]*)\}", re.IGNORECASE | re.ASCII)
_VISIBLE = re.compile(r"[!-~]*")
_VISIBLE_OR_SPACE = re.compile(r"[ -~]*")
# The grammar's two alternatives say: letters, digits and hyphens, none of these at an end, and not digits only. So it costs one pass.
_TOPLABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
# Labels with any character that a name of DNS can be asked with here; a backslash would escape the next.
_FULL_NAME = re.compile(r"(?:[ -\-/-\[\]-~]{1,63}\.)+[ -\-/-\[\]-~]{1,63}")
_MAX_NAME = 253
_MANY = 9999


class MacroError(ValueError):
    """A string that the grammar does not allow; the text says what was met."""


class Macro(NamedTuple):
    """One ``%{...}``. ``keep`` is the number of right-hand parts, 0 for all; ``escape`` is True for a capital letter."""

    letter: str
    keep: int
    reverse: bool
    delimiters: str
    escape: bool

    def apply(self, value: str) -> str:
        """Transform the value of the letter. RFC 7208 7.3."""
        _, keep, reverse, delimiters, escape = self
        if keep or reverse or delimiters:
            if delimiters:
                for other in delimiters[1:]:
                    value = value.replace(other, delimiters[0])
                parts = value.split(delimiters[0])
            else:
                parts = value.split(".")
            if reverse:
                parts.reverse()
            value = ".".join(parts[-keep:])
        # RFC 3986 2.3: quote() leaves exactly the unreserved set alone.
        return quote(value.encode("utf-8", "surrogatepass"), safe="") if escape else value

    def __str__(self) -> str:
        letter = self.letter.upper() if self.escape else self.letter
        return f"%{{{letter}{self.keep or ''}{'r' if self.reverse else ''}{self.delimiters}}}"


Part = str | Macro


class MacroString(NamedTuple):
    """A parsed string: literal text (escapes resolved) and macros, in order; and the letters of those, lower case."""

    parts: tuple[Part, ...]
    letters: frozenset[str]

    def expand(self, value: Callable[[str, str], str], domain: str) -> str:
        """Fill in; ``value`` gives the value of a letter, in a record of that domain."""
        return "".join([part if isinstance(part, str) else part.apply(value(part.letter, domain)) for part in self.parts])

    def __str__(self) -> str:
        literals = {"%": "%%", " ": "%_"}
        return "".join(str(part) if isinstance(part, Macro) else "".join(literals.get(char, char) for char in part) for part in self.parts)


class DomainSpec(NamedTuple):
    """A domain-spec: the macro string, and the <target-name> where no macro has to be filled in (None when one has).

    "" is a target-name that is no name of DNS.
    """

    string: MacroString
    name: str | None


def parse_macro_string(text: str) -> MacroString:
    """Read a macro-string (RFC 7208 7.1). Raises :class:`MacroError`."""
    return _string(_parse(text, _EXPLAIN_LETTERS, _VISIBLE)[0])


@lru_cache(maxsize=512)
def parse_explanation(text: str) -> MacroString:
    """Read an explain-string: spaces too, and the letters c, r and t. Raises :class:`MacroError`."""
    return _string(_parse(text, _EXPLAIN_LETTERS, _VISIBLE_OR_SPACE)[0])


def parse_domain_spec(text: str) -> DomainSpec:
    """Read a domain-spec: it ends in a macro, or in a dot and a top label. RFC 7208 7.1. Raises :class:`MacroError`."""
    parts, tail = _parse(text, _LETTERS, _VISIBLE)
    if tail or not parts:
        _, dot, top = tail.removesuffix(".").rpartition(".")
        if not dot or not _TOPLABEL.fullmatch(top) or top.isdigit():
            raise MacroError(N_("a domain must end in a dot and a top-level name, or in a macro"))
    string = _string(parts)
    return DomainSpec(string, None if string.letters else target_name("".join(map(str, parts))) or "")


def target_name(text: str) -> str | None:
    """The name to ask DNS for, lower case and without the final dot; None when an expansion is no full name. RFC 7208 4.8 and 7.3.

    The sender wrote what was expanded (RFC 7208 11.5.3): a name with a control, a backslash or a letter beyond ASCII is not asked for.
    """
    if not text.isascii():  # before lower(): the Kelvin sign would become a k
        return None
    name = text.removesuffix(".").lower()
    if len(name) > _MAX_NAME:
        # RFC 7208 7.3: the left side goes, label by label with its dot, until the rest fits
        cut = name.find(".", len(name) - _MAX_NAME - 1)
        name = name[cut + 1 :] if cut >= 0 else ""
    return name if _FULL_NAME.fullmatch(name) else None


def _parse(text: str, letters: frozenset[str], literal: re.Pattern[str]) -> tuple[tuple[Part, ...], str]:
    """The parts, and the literal text behind the last macro-expand (``%%``, ``%_`` and ``%-`` are such too)."""
    head, *rest = text.split("%")
    parts: list[Part] = []
    pending = [_literal(head, literal)]
    tail, escaped = head, False
    for piece in rest:
        if escaped:  # the second sign of "%%"
            pending.append(_literal(piece, literal))
            tail, escaped = piece, False
        elif not piece:
            pending.append("%")
            tail, escaped = "", True
        elif piece[0] in "_-":
            pending += [_ESCAPES[piece[0]], _literal(piece[1:], literal)]
            tail = piece[1:]
        else:
            macro, tail = _macro(piece, letters)
            _add(parts, pending)
            parts.append(macro)
            pending = [_literal(tail, literal)]
    # A last piece that is empty stands for a sign with nothing behind it.
    if rest and escaped:
        raise MacroError(N_("a percent sign has nothing behind it"))
    _add(parts, pending)
    return tuple(parts), tail


def _string(parts: tuple[Part, ...]) -> MacroString:
    return MacroString(parts, frozenset(part.letter for part in parts if isinstance(part, Macro)))


def _add(parts: list[Part], pending: list[str]) -> None:
    text = "".join(pending)
    if text:
        parts.append(text)


def _literal(text: str, allowed: re.Pattern[str]) -> str:
    if not allowed.fullmatch(text):
        raise MacroError(N_("it has a character that is not allowed"))
    return text


def _macro(piece: str, letters: frozenset[str]) -> tuple[Macro, str]:
    """What stands behind one ``%``: the macro, and the rest."""
    found = _MACRO.match(piece)
    if not found:
        raise MacroError(N_("a percent sign is followed by no macro"))
    letter, digits, reverse, delimiters = found.groups()
    if letter.lower() not in letters:
        raise MacroError(N_("a macro letter that is not allowed here"))
    significant = digits.lstrip("0")
    if digits and not significant:
        raise MacroError(N_("a macro keeps 0 parts"))
    keep = 0 if not digits else int(significant) if len(significant) < 5 else _MANY
    return Macro(letter.lower(), keep, bool(reverse), "".join(dict.fromkeys(delimiters)), letter.isupper()), piece[found.end() :]
