"""The SPF record that a domain should have instead: what it has, without what is wrong with it. RFC 7208 4.6.1.

It lets in nobody who is not let in now, unless a text that no receiver reads names them. What cannot be read is left out and said; what is
too much to be asked for is for the owner to choose, and is left in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from zegel.ask import Answer
from zegel.check.item import txt
from zegel.check.spftree import Node, Trouble
from zegel.grammar.domain import Domain
from zegel.rollout.records import Record
from zegel.spf import record as spf_record
from zegel.spf.record import Directive, Mechanism, SpfRecordError
from zegel.spf.result import SpfReason
from zegel.words import N_, Sentence

_NEARLY = re.compile(rb"\W{0,8}v\W{0,3}=\W{0,3}spf1\b", re.IGNORECASE)
_MAX_TEXTS = 5
_STRENGTH = (SpfReason.NOT_PERMITTED, SpfReason.PROBABLY_NOT)
_DEAD = frozenset((Trouble.GONE, Trouble.EMPTY, Trouble.UNREADABLE, Trouble.LOOP, Trouble.MALFORMED))


class Mended(NamedTuple):
    """The record that would mend it, none when the one that is there needs no other; and what to do besides."""

    records: tuple[Record, ...] = ()
    step: Sentence | None = None


def mended(domain: Domain, tree: Node, answer: Answer, *, receives: bool) -> Mended:
    """The record to publish in place of all those that are there. ``receives``: the domain has mail servers."""
    if answer.temporary:
        return Mended()
    near = [text for text in answer.records if isinstance(text, bytes) and text not in tree.records and _NEARLY.match(text)]
    texts = [*tree.records, *near][:_MAX_TEXTS]
    if not texts:
        if not receives:
            return Mended((txt(domain, "v=spf1 -all"),), Sentence(N_("If the domain sends mail, name its servers in front of -all.")))
        step = Sentence(N_("Name the other servers and services that send for it in front of ~all."))
        return Mended((txt(domain, "v=spf1 mx ~all"),), step)
    dead = {term.text for term in tree.terms if term.trouble in _DEAD}
    kept, left_out, end = _terms(texts, dead)
    text = " ".join(["v=spf1", *kept, *([end] if end else [])])
    if [text.encode()] == texts:
        return Mended()
    words = ", ".join(left_out)[:200]
    advice = Sentence(N_("Left out, as it cannot be read: {terms}. Write it again as it was meant."), terms=words) if left_out else None
    return Mended((txt(domain, text),), advice)


def _terms(texts: Iterable[bytes], dead: set[str]) -> tuple[list[str], list[str], str]:
    """The terms that stay, those that cannot be read, and the end: the softest that is there of ``-all`` and ``~all``, or a redirect."""
    kept: dict[str, None] = {}
    left_out: list[str] = []
    ends: list[SpfReason] = []
    redirect = ""
    for text in texts:
        for term in text.decode("ascii", "replace").strip("\"' \t").replace('"', " ").split()[1:]:
            read = spf_record.read(b"v=spf1 " + term.encode("ascii", "replace"))
            if not term.isascii() or isinstance(read, SpfRecordError):
                left_out.append(term)
            elif read.redirect is not None:
                redirect = "" if term in dead else term
            elif read.directives and read.directives[0].mechanism is Mechanism.ALL:
                ends.append(read.directives[0].reason)
            elif not read.unknown and term not in dead and not _is_ptr(read.directives):
                kept[term] = None
    if redirect and not ends:
        return list(kept), left_out, redirect
    strict = bool(ends) and all(end is _STRENGTH[0] for end in ends)
    # exp= may stand anywhere, but people read it last.
    terms = sorted(kept, key=lambda term: term.lower().startswith("exp="))
    last = [term for term in terms if term.lower().startswith("exp=")]
    return terms[: len(terms) - len(last)], left_out, " ".join(["-all" if strict else "~all", *last])


def _is_ptr(directives: tuple[Directive, ...]) -> bool:
    return bool(directives) and directives[0].mechanism is Mechanism.PTR
