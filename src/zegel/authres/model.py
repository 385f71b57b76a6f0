"""The Authentication-Results field as a value, and its text. RFC 8601 2.2.

Every value that came from a stranger is checked or quoted before it is written: a quote or a semicolon in ``d=`` must not become a result
of its own (STANDARDS 3.2, A4 and A5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 2045 5.1 token, or an address of tokens (RFC 8601 2.2, pvalue), less what a careless reader takes for a delimiter.
_PVALUE = re.compile(r"[A-Za-z0-9!#$&*+\-.^_`{|}~]*@?[A-Za-z0-9!#$&*+\-.^_`{|}~]+", re.ASCII)
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_MAX_VALUE = 255
_LINE = 76


@dataclass(frozen=True, slots=True)
class Property:
    """``ptype.name=value``, for example ``header.d=example.com``."""

    ptype: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What one method found: ``method=result``, a reason in words, and the properties it looked at."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """The whole field: who says it, and the results. No results is written as "none"."""

    authserv_id: str
    results: tuple[MethodResult, ...] = ()

    def format(self) -> bytes:
        """The value of the field, folded, with its leading space. Raises ValueError for a method or result that is no keyword."""
        parts = [f" {_value(self.authserv_id)}"]
        if not self.results:
            parts.append("; none")
        for result in self.results:
            parts.extend(_format_result(result))
        text, column = "", len("Authentication-Results:")
        for part in parts:
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
    for word in (result.method, result.result):
        if not _KEYWORD.fullmatch(word):
            raise ValueError(f"not a keyword: {word!r}")
    parts = [f"; {result.method}={result.result}"]
    if result.reason:
        parts.append(f" reason={_quoted(result.reason)}")
    parts.extend(f" {item.ptype}.{item.name}={_value(item.value)}" for item in result.properties if item.value)
    return parts


def _value(value: str) -> str:
    """A value as it is when that is safe, otherwise as a quoted string."""
    return value if len(value) <= _MAX_VALUE and _PVALUE.fullmatch(value) else _quoted(value)


def _quoted(value: str) -> str:
    """A quoted string: printable characters only, of bounded length. RFC 5322 3.2.4."""
    kept = "".join(char if char.isprintable() else "?" for char in value[:_MAX_VALUE])
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'
