"""Senders that look like us, or like a partner that we listed, and are not: a mark with its reason, never a verdict by itself.

DMARC says nothing of them: their own names may well pass (RFC 9989 2.2, RFC 9989 11.4). Each kind asks for evidence that chance rarely
gives, less of it for long names than for short ones; the suites' real messages are the measure. A listed name, and all below it, is never a
look-alike. One check is a few dozen look-ups in tables that are made once, however many names are listed and whatever the sender wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, Self

from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import printable
from zegel.reason import Reason
from zegel.verdict.bait import BAIT, LEGAL_FORMS, STRONG_BAIT
from zegel.verdict.own import Names
from zegel.verdict.skeleton import label_skeleton, seen_label, skeleton, substitutions
from zegel.words import N_, Sentence

_SHORT = 6  # a name of fewer letters is too easily another's: one edit is no evidence
_LONG = 8  # of so many letters it is told even when both one letter and the top level are others
_SHORTEST_ELSEWHERE = 4  # names of three letters are taken under every top level
_SHORTEST_JOINED = 4  # to be told when a word is joined to it without a hyphen
_MAX_PARTS = 32  # words of a label and of a display name that are looked at
_MAX_DISPLAY = 200
_MAX_NAMED = 10
_REMEMBERED = 4096  # senders
_WORD = re.compile(r"[^\W_]+")
_DOMAIN_IN_TEXT = re.compile(r"(?:[\w.+-]{1,64}(@))?((?:[\w-]{1,63}\.){1,8}[\w-]{2,63})")


class LookAlikeKind(Reason):
    """In what a sender looks like us: ``id``, ``section`` and a sentence with ``{seen}``, ``{ours}`` and, in some, ``{word}``."""

    IDN = ("idn", "RFC 9989 2.2", N_("{seen} ({word}) looks like {ours}: it has letters of another alphabet, or with accents"))
    CONFUSABLE = ("confusable", "RFC 9989 2.2", N_("{seen} looks like {ours}, written with other letters of the same look"))
    ONE_EDIT = ("one_edit", "RFC 9989 2.2", N_("{seen} differs from {ours} by one character"))
    SWAPPED_TLD = ("swapped_tld", "RFC 9989 2.2", N_("{seen} is the name of {ours} under another top level"))
    ADDED_WORD = ("added_word", "RFC 9989 2.2", N_('{seen} is the name of {ours} with "{word}" added'))
    SUBDOMAIN = ("subdomain", "RFC 9989 2.2", N_("{seen} has {ours} in front of another domain, {word}"))
    DISPLAY_ADDRESS = (
        "display_address",
        "RFC 9989 11.4",
        N_("the name that people are shown holds an address of {ours}, {word}; the mail is from {seen}"),
    )
    DISPLAY_DOMAIN = (
        "display_domain",
        "RFC 9989 11.4",
        N_("the name that people are shown holds {ours}, as {word}; the mail is from {seen}"),
    )
    DISPLAY_NAME = (
        "display_name",
        "RFC 9989 11.4",
        N_('the name that people are shown, "{word}", is that of {ours}; the mail is from {seen}'),
    )


class LookAlike(NamedTuple):
    """One likeness: its kind, the listed name (a partner's when ``partner``), the domain seen, and what gave it away, safe to print."""

    kind: LookAlikeKind
    ours: Domain
    seen: Domain
    word: str = ""
    partner: bool = False

    @property
    def told(self) -> Sentence:
        """The finding as a sentence with its values."""
        return Sentence(self.kind.sentence, seen=self.seen, ours=self.ours, word=self.word)


class _Listed(NamedTuple):
    """A listed name, by its Organizational Domain: ``name`` was registered under ``suffix``, is seen as ``shown`` and looks ``alike``."""

    ours: Domain
    partner: bool
    organization: Domain
    name: str
    suffix: str
    shown: str
    alike: str

    @classmethod
    def of(cls, ours: Domain, organization: Domain, *, partner: bool) -> Self:
        name, _, suffix = organization.partition(".")
        return cls(ours, partner, organization, name, suffix, seen_label(name), label_skeleton(name))

    @property
    def is_short(self) -> bool:
        return len(self.shown) < _SHORT

    @property
    def is_word(self) -> bool:
        """Whether it is a word that anybody uses."""
        return self.alike in BAIT

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffix as it is put into a name in place of a word: ``be``, ``co.uk`` as ``couk`` or ``uk``."""
        return skeleton(self.suffix.replace(".", "")), skeleton(self.suffix.rpartition(".")[2])

    def found(self, kind: LookAlikeKind, seen: Domain, word: str = "") -> LookAlike:
        return LookAlike(kind, self.ours, seen, printable(word), self.partner)


class LookAlikes:
    """The listed names, made ready once.

    ``organizational`` gives the Organizational Domain (:func:`zegel.dmarc.psl.organizational_domain`: a sender's name is told apart from
    what it is registered under without asking DNS). ``names`` are names of organisations as people write them, by a listed domain; one of
    several words counts wherever it stands. Raises ValueError for a name of a domain that is not listed.
    """

    def __init__(
        self,
        ours: Iterable[Domain],
        partners: Iterable[Domain] = (),
        *,
        organizational: Callable[[Domain], Domain],
        names: Mapping[Domain, Iterable[str]] | None = None,
    ) -> None:
        self._organizational = organizational
        self._by_domain = lru_cache(_REMEMBERED)(self._judge)
        self._listed: dict[Domain, _Listed] = {}
        for partner, domains in ((False, ours), (True, partners)):
            for domain in domains:
                self._listed.setdefault(domain, _Listed.of(domain, organizational(domain), partner=partner))
        self._never = Names(self._listed)
        self._organizations = {listed.organization for listed in self._listed.values()}
        self._by_name: dict[str, list[_Listed]] = {}
        self._by_deletion: dict[str, list[_Listed]] = {}
        self._by_whole: dict[str, _Listed] = {}
        self._by_hyphens: dict[str, _Listed] = {}
        self._by_title: dict[str, _Listed] = {}
        self._by_phrase: dict[tuple[str, ...], _Listed] = {}
        for listed in self._listed.values():
            self._index(listed)
        for domain, titles in (names or {}).items():
            if domain not in self._listed:
                raise ValueError(f"names are given for {domain}, which is not listed")
            for words in map(_title, titles):
                self._by_title.setdefault("".join(words), self._listed[domain])
                self._by_phrase.setdefault(tuple(words), self._listed[domain])
        self._by_title.pop("", None)
        self._phrase_lengths = sorted({len(words) for words in self._by_phrase if len(words) > 1})
        self._widths = range(1, 1 + max((listed.name.count("-") for listed in self._listed.values()), default=0) + 1)
        self._depths = sorted({whole.count(".") + 1 for whole in self._by_whole})

    def _index(self, listed: _Listed) -> None:
        whole = ".".join(map(label_skeleton, listed.organization.labels))
        self._by_whole.setdefault(whole, listed)
        self._by_hyphens.setdefault(whole.replace(".", "-"), listed)
        self._by_name.setdefault(listed.alike, []).append(listed)
        if listed.is_short:
            return
        if not listed.is_word:
            self._by_title.setdefault("".join(_WORD.findall(listed.alike)), listed)
        for shorter in {listed.alike, *_deletions(listed.alike)}:
            self._by_deletion.setdefault(shorter, []).append(listed)

    def find(self, seen: Domain, display_name: str = "") -> tuple[LookAlike, ...]:
        """What the domain of an author looks like, and what the name beside it does: at most one finding for each.

        ``display_name`` is decoded (:func:`zegel.grammar.encodedword.shown`).
        """
        if self._never.holding(seen) is not None:
            return ()
        by_domain = self._by_domain(seen)
        by_display = self._by_display(seen, display_name[:_MAX_DISPLAY]) if display_name else None
        return tuple(found for found in (by_domain, by_display) if found is not None)

    def _judge(self, seen: Domain) -> LookAlike | None:
        organization = self._organizational(seen)
        if organization in self._organizations:
            return None
        name, _, suffix = organization.partition(".")
        alike = label_skeleton(name)
        return (
            self._same_look(seen, name, suffix, alike)
            or self._one_edit(seen, suffix, alike)
            or self._added_word(seen, name, alike)
            or self._in_front(seen, organization)
        )

    def _same_look(self, seen: Domain, name: str, suffix: str, alike: str) -> LookAlike | None:
        """The same picture: under the same suffix by other letters, or the very name under another."""
        for listed in sorted(self._by_name.get(alike, ()), key=lambda listed: listed.suffix != suffix):
            if name == listed.name:
                if len(listed.shown) >= _SHORTEST_ELSEWHERE and not listed.is_word:
                    return listed.found(LookAlikeKind.SWAPPED_TLD, seen)
            elif not (shown := seen_label(name)).isascii():
                return listed.found(LookAlikeKind.IDN, seen, shown)
            elif not listed.is_short or substitutions(shown, listed.shown) > 1:
                return listed.found(LookAlikeKind.CONFUSABLE, seen)
        return None

    def _one_edit(self, seen: Domain, suffix: str, alike: str) -> LookAlike | None:
        """A letter more, less or other, or two swapped. Both sides without one letter meet in the index; the distance is then counted."""
        for key in (alike, *_deletions(alike)):
            for listed in self._by_deletion.get(key, ()):
                same = listed.suffix == suffix
                if (same or len(listed.shown) >= _LONG) and is_one_edit(alike, listed.alike):
                    return listed.found(LookAlikeKind.ONE_EDIT, seen)
        return None

    def _added_word(self, seen: Domain, name: str, alike: str) -> LookAlike | None:
        """The name and another word: any word after a hyphen for a long name, else one that baits or is the suffix of the real name."""
        words = seen_label(name).split("-")[:_MAX_PARTS]
        parts = [skeleton(word) for word in words]
        for width in self._widths:
            for start in range(len(parts) - width + 1):
                for listed in self._specific("-".join(parts[start : start + width])):
                    rest = [at for at in (*range(start), *range(start + width, len(parts))) if parts[at]]
                    told = [at for at in rest if parts[at] in BAIT or parts[at] in listed.suffixes]
                    if told or (rest and not listed.is_short):
                        return listed.found(LookAlikeKind.ADDED_WORD, seen, words[(told or rest)[0]])
        for cut in range(1, len(alike)):
            for part, word in ((alike[:cut], alike[cut:]), (alike[cut:], alike[:cut])):
                for listed in self._specific(part):
                    joined = word in STRONG_BAIT or (word in listed.suffixes and not listed.is_short)
                    if joined and len(listed.shown) >= _SHORTEST_JOINED:
                        return listed.found(LookAlikeKind.ADDED_WORD, seen, BAIT.get(word, word))
        return None

    def _specific(self, name: str) -> Iterable[_Listed]:
        """Who is listed by a name that looks like this, unless it is a word that anybody uses."""
        return [listed for listed in self._by_name.get(name, ()) if not listed.is_word]

    def _in_front(self, seen: Domain, organization: Domain) -> LookAlike | None:
        """Our whole name in the labels before another's: ``example.be.attacker.example``, or ``example-be.attacker.example``."""
        labels = [label_skeleton(label) for label in seen.labels]
        before = len(labels) - len(organization.labels)
        for start in range(before):
            spans = (self._by_whole.get(".".join(labels[start : start + depth])) for depth in self._depths)
            listed = self._by_hyphens.get(labels[start]) or next(filter(None, spans), None)
            if listed is not None:
                return listed.found(LookAlikeKind.SUBDOMAIN, seen, organization)
        return None

    def _by_display(self, seen: Domain, display_name: str) -> LookAlike | None:
        """A name beside the address that shows us: an address or domain of ours, or our name and nothing but words that anybody adds."""
        for match in islice(_DOMAIN_IN_TEXT.finditer(display_name), _MAX_NAMED):
            labels = skeleton(match[2]).split(".")
            for depth in self._depths:
                listed = self._by_whole.get(".".join(labels[-depth:]))
                if listed is not None and not seen.within(listed.organization):
                    kind = LookAlikeKind.DISPLAY_ADDRESS if match[1] else LookAlikeKind.DISPLAY_DOMAIN
                    return listed.found(kind, seen, match[0])
        listed = self._titled(display_name)
        if listed is None or seen.within(listed.organization):
            return None
        return listed.found(LookAlikeKind.DISPLAY_NAME, seen, display_name)

    def _titled(self, text: str) -> _Listed | None:
        """The organisation whose name a text is, but for words that anybody adds; or whose name of several words it has."""
        words = _title(text)
        found = self._by_title.get("".join(words)) or self._by_title.get("".join(word for word in words if word not in BAIT))
        spans = (tuple(words[at : at + length]) for length in self._phrase_lengths for at in range(len(words) - length + 1))
        return found or next((self._by_phrase[span] for span in spans if span in self._by_phrase), None)


def is_one_edit(one: str, other: str) -> bool:
    """Tell if one letter inserted, deleted or substituted, or two neighbours swapped, make the one the other."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or one == other:
        return False
    at = next((place for place, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return swapped or short[at + 1 :] == long[at + 1 :]


def _deletions(text: str) -> Iterator[str]:
    return (text[:place] + text[place + 1 :] for place in range(len(text)))


def _title(text: str) -> list[str]:
    """The words of an organisation's name, as skeletons, without its legal form."""
    return [word for word in _WORD.findall(skeleton(text))[:_MAX_PARTS] if word not in LEGAL_FORMS]
