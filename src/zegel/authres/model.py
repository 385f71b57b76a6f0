"""The Authentication-Results field as a value, and its text. RFC 8601 2.2.

Every value that came from a stranger is checked or quoted before it is written: a quote or a semicolon in ``d=`` must not become a result
of its own ("Composition Kills", USENIX Security 2020), not even for a reader that splits at semicolons or drops comments before it looks
at quotes. What is written reads back, strictly, as it was written. :mod:`zegel.authres.parse` makes the same values from text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

VERSION = 1  # of this field's syntax, and of every method: RFC 8601 2.2 and 6.2
# RFC 8601 2.3; "dns" was registered by RFC 8904.
PTYPES = frozenset(("body", "dns", "header", "policy", "smtp"))
# RFC 5321 4.1.2, Keyword
KEYWORD = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]", re.ASCII)
# RFC 2045 5.1 token, less what a careless reader takes for a delimiter.
_TOKEN = re.compile(r"[A-Za-z0-9!#$&*+\-.^_`{|}~]+", re.ASCII)
# RFC 8601 2.2, pvalue: [[local-part] "@"] domain-name, of the same letters.
_ATOM = r"[A-Za-z0-9!#$&*+\-^_`{|}~]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?:{_ATOM}(?:\.{_ATOM})*)?@{_LABEL}(?:\.{_LABEL})+", re.ASCII)
_MAX_VALUE = 255
_MAX_SIGNATURE = 684  # header.b must be unique (RFC 6008 4): all of b= by RSA with 4096 bits, and short enough for a line
_LINE = 76
# In a reason these are written as something alike; in a value, where nothing is alike, as "?".
_ALIKE = dict(zip(map(ord, '";()\\'), "',[]/", strict=True))
_DANGEROUS = dict.fromkeys(_ALIKE, "?")


class Property(NamedTuple):
    """``ptype.property=value``, for example ``header.d=example.com``."""

    ptype: str
    property: str
    value: str


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What one method found: ``method=result``, a reason in words, the properties it looked at, and the version of the method."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[Property, ...] = ()
    version: int = VERSION

    def value(self, ptype: str, name: str) -> str | None:
        """The value of the first property of that name, or None."""
        return next((item.value for item in self.properties if item.ptype == ptype and item.property == name), None)


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """The whole field: who says it, the results, and the version of the syntax. No results is written as "none"."""

    authserv_id: str
    results: tuple[MethodResult, ...] = ()
    version: int = VERSION

    def format(self) -> bytes:
        """The value of the field, folded, with its leading space. Raises ValueError for a method, result or property that is no keyword."""
        if self.version != VERSION:
            raise ValueError(f"only version {VERSION} can be written, not {self.version}")
        parts = [f" {_token(_clean(self.authserv_id, _DANGEROUS))}"]
        if not self.results:
            parts.append("; none")
        for result in self.results:
            parts.extend(_format_result(result))
        # The id stays on the first line, which would hold white space alone without it.
        text = parts[0]
        column = len("Authentication-Results:") + len(text)
        for part in parts[1:]:
            if part.startswith(";"):
                text += ";"
                part = part[1:]
                column = _LINE + 1  # each result on a line of its own
            if column + len(part) > _LINE:
                text += "\r\n"
                column = 0
            text += part
            column += len(part)
        return text.encode()


def _format_result(result: MethodResult) -> list[str]:
    if result.version < 0:
        raise ValueError(f"not a version: {result.version}")
    version = "" if result.version == VERSION else f"/{result.version}"
    parts = [f"; {_keyword(result.method)}{version}={_keyword(result.result)}"]
    reason = _clean(result.reason, _ALIKE) if result.reason else ""
    if reason:
        parts.append(f' reason="{reason}"')
    for ptype, name, value in result.properties:
        limit = _MAX_SIGNATURE if (ptype, name) == ("header", "b") else _MAX_VALUE
        parts.append(f" {_keyword(ptype)}.{_keyword(name)}={_pvalue(value, limit)}")
    return parts


@lru_cache(maxsize=256)
def _keyword(word: str) -> str:
    """The word as it is. Raises ValueError when it is no keyword; those are not remembered."""
    if KEYWORD.fullmatch(word) is None:
        raise ValueError(f"not a keyword: {word!r}")
    return word


def _clean(value: str, letters: Mapping[int, str], limit: int = _MAX_VALUE) -> str:
    """Bounded, and printable ASCII only, since not every hop takes UTF-8 in a header. Cleaning what is clean changes nothing."""
    kept = value[:limit].translate(letters)
    if not (kept.isascii() and kept.isprintable()):
        kept = "".join(char if " " <= char <= "~" else "?" for char in kept)
    return kept.strip()


def _token(value: str) -> str:
    """A clean value as it is where that is safe, otherwise as a quoted string. RFC 5322 3.2.4."""
    return value if _TOKEN.fullmatch(value) else f'"{value}"'


def _pvalue(value: str, limit: int) -> str:
    """A value in at most ``limit`` characters. A token, as most are, has nothing to be cleaned or quoted."""
    if len(value) <= limit and _TOKEN.fullmatch(value):
        return value
    value = _clean(value, _DANGEROUS, limit)
    return value if "@" in value and _ADDRESS.fullmatch(value) else _token(value)
