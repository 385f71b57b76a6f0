"""What the detail of a result says in words, found again by its form, so that it can be told in another language.

A result and its story keep a detail as one text: most are tags, names and numbers, which are the same in every language. What has words in
it is a sentence that is marked where it is written, or has one of the forms below. A text that has none of them is told as it stands. A
stranger's words may fill a place of a form, and decide nothing but that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zegel.words import N_, Sentence

_FORMS = (
    # of a signature, a seal and their keys
    N_("after the first {count}"),
    N_("lines: {count}"),
    N_("over {count} octets"),
    N_("{count} octets"),
    N_("{count} fields"),
    N_("{count} bits"),
    N_("longer than a DNS name can be"),
    N_("{tag}, the body has {count} octets"),
    N_("{tag} of {count} octets"),
    # of a list of tags
    N_("no tag name: {name}"),
    N_("tag {name} twice"),
    N_("{tag} is no list of words"),
    # of who may not sign
    N_("login {login}"),
    N_("network client {address}"),
)
_AT = N_("{term} at {domain}")
_PLACE = re.compile(r"\\\{(\w+)\\\}")


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(_PLACE.sub(lambda place: f"(?P<{place[1]}>{r'[0-9]+' if place[1] == 'count' else '[^;]+?'})", re.escape(form)))


_PATTERNS = [(form, _pattern(form)) for form in _FORMS]


def said(detail: str) -> Sentence:
    """A detail as a sentence, to be translated."""
    for form, pattern in _PATTERNS:
        found = pattern.fullmatch(detail)
        if found:
            return Sentence(form, **found.groupdict())
    field, colon, rest = detail.partition(": ")
    if colon:
        return Sentence("{field}: {rest}", field=field, rest=said(rest))
    # A brace would be taken for a place to fill in, and no sentence that stands alone has one.
    return Sentence("{detail}", detail=detail) if "{" in detail or "}" in detail else Sentence(detail)


def way(path: str) -> Sentence:
    """The way through the records of SPF (``SpfCause.place``), to be translated. No term has white space in it (RFC 7208 4.6.1)."""
    return joined(", ", (_step(step) for step in path.split(", ")))


def _step(step: str) -> Sentence:
    term, at, domain = step.partition(" at ")
    return Sentence(_AT, term=term, domain=domain) if at else Sentence("{domain}", domain=step)


def joined(between: str, parts: Iterator[Sentence]) -> Sentence:
    """Sentences one after the other, as one."""
    named = {f"part{number}": part for number, part in enumerate(parts)}
    return Sentence(between.join(f"{{{name}}}" for name in named), **named)
