"""What a verifier says of a message: for each selector its results in the words of RFC 8601 2.7.1, however the verifier says it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from support.proof import values

Answers = dict[str, list[str]]
_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED = re.compile(r'"[^"]*"')


def gather(pairs: Iterable[tuple[str, str]]) -> Answers:
    """Pairs of selector and result."""
    found: Answers = {}
    for selector, result in pairs:
        found.setdefault(selector, []).append(result)
    return found


def authentication_results(message: bytes, authserv_id: str) -> Answers:
    """The DKIM results of the topmost Authentication-Results field of that name. A result without ``header.s`` stands under ""."""
    for value in values(message, "Authentication-Results"):
        # Comments and reasons are free text, which may hold the delimiters.
        name, _, rest = _QUOTED.sub("", _COMMENT.sub("", value)).partition(";")
        if name.strip() == authserv_id:
            return gather(_dkim(part) for part in rest.split(";") if part.strip().startswith("dkim="))
    return {}


def _dkim(part: str) -> tuple[str, str]:
    words = dict(word.partition("=")[::2] for word in part.split())
    return words.get("header.s", ""), words["dkim"]


class Refused(Exception):
    """A peer says that it cannot sign like this; its words."""
