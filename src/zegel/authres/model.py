"""The Authentication-Results field as a value, and its text. RFC 8601 2.2.

Every value that came from a stranger is checked or quoted before it is written: a quote or a semicolon in ``d=`` must not become a result
of its own (STANDARDS 3.2, A4 and A5), not even for a reader that splits at semicolons or drops comments before it looks at quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 2045 5.1 token, or an address of tokens (RFC 8601 2.2, pvalue), less what a careless reader takes for a delimiter.
_PVALUE = re.compile(r"[A-Za-z0-9!#$&*+\-.^_`{|}~]*@?[A-Za-z0-9!#$&*+\-.^_`{|}~]+", re.ASCII)
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_MAX_VALUE = 255
_LINE = 76
# In a reason these are written as something alike; in a value, where nothing is alike, as "?".
_ALIKE = str.maketrans('";()\\', "',[]/")
_DANGEROUS = str.maketrans(dict.fromkeys('";()\\', "?"))


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
    for word in (result.method, result.result):
        if not _KEYWORD.fullmatch(word):
            raise ValueError(f"not a keyword: {word!r}")
    parts = [f"; {result.method}={result.result}"]
    if result.reason:
        parts.append(f" reason={_quoted(result.reason.translate(_ALIKE))}")
    parts.extend(f" {item.ptype}.{item.name}={_value(item.value)}" for item in result.properties if item.value)
    return parts


def _value(value: str) -> str:
    """A value as it is when that is safe, otherwise as a quoted string."""
    return value if len(value) <= _MAX_VALUE and _PVALUE.fullmatch(value) else _quoted(value.translate(_DANGEROUS))


def _quoted(value: str) -> str:
    """A quoted string of bounded length: printable ASCII only, since not every hop takes UTF-8 in a header. RFC 5322 3.2.4."""
    kept = "".join(char if " " <= char <= "~" else "?" for char in value[:_MAX_VALUE])
    return f'"{kept.strip()}"'
