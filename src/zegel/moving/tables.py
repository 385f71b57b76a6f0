"""OpenDKIM's SigningTable with its KeyTable: who is signed for, as which domain, with which key. opendkim.conf(5).

rspamd reads the same two tables. What is asked here: does Zegel sign the same? It signs as From's own domain, or as one above it that signs
for names below; so a signature as any other domain has no equal, and neither has a key for whatever name comes along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zegel.grammar.domain import Domain
from zegel.moving.dataset import DataSet, Entry, absolute
from zegel.moving.model import NO_NAME, ONE_FOR_ALL, Files, Found, Signer, Source, Weight
from zegel.moving.pattern import Pattern, Shape, read
from zegel.words import N_

_ANY = "%"  # stands for From's domain


@dataclass(frozen=True, slots=True)
class _Key:
    """A line of the KeyTable, its domain and key still with their ``%``."""

    domain: str
    selector: str
    key: str
    at: str


class _Known:
    """The KeyTable by its names, and those that are domains by the domain and by all that is above it: for ``%`` in many lines."""

    def __init__(self, keys: dict[str, _Key]) -> None:
        self.by_name = keys
        self._all: list[tuple[Pattern, _Key]] = []
        self._same: dict[Domain, list[tuple[Pattern, _Key]]] = {}
        self._below: dict[Domain, list[tuple[Pattern, _Key]]] = {}
        for name, key in keys.items():
            exact = read(name, wildcards=False)
            if exact.domain is None or exact.shape is not Shape.DOMAIN:
                continue
            self._all.append((exact, key))
            self._same.setdefault(exact.domain, []).append((exact, key))
            for above in (exact.domain, *exact.domain.parents):
                self._below.setdefault(above, []).append((exact, key))

    def of(self, pattern: Pattern) -> list[tuple[Pattern, _Key]]:
        """The keys that are named like a domain of the pattern, in their order."""
        if pattern.domain is None:
            return self._all
        return (self._below if pattern.shape is Shape.BELOW else self._same).get(pattern.domain, [])


@dataclass(frozen=True, slots=True)
class Layout:
    """How the tables are read: whether all matches count, where relative paths start, and the selector where a line has none."""

    multiple: bool = False
    base: str = "/"
    selector: str = ""


def signers(found: Found, signing: DataSet, keys: DataSet, files: Files, layout: Layout) -> None:
    """Add to ``found`` what the tables say. A line that is wrong is a remark; the work is linear in the lines."""
    known = _Known(_keys(found, keys, layout))
    met: dict[str, Entry] = {}
    for entry in signing.entries:
        pattern = read(entry.key, wildcards=signing.patterns)
        if pattern.shape in (Shape.NOBODY, Shape.ODD):
            _odd(found, entry, pattern)
            continue
        if not _counts(found, entry, pattern, met, ordered=signing.patterns, multiple=layout.multiple):
            continue
        name, _, identity = entry.value.partition(":")
        if identity:
            sentence = N_("signatures say i={identity} there; Zegel writes no i=, which means the same to a receiver that looks at d=")
            found.remark(Weight.NOTE, entry.at, entry.key, sentence, identity=identity)
        for one, key in _chosen(found, entry, pattern, name.strip(), known):
            found.signers.extend(_signers(found, entry, one, key, files, layout))


def _keys(found: Found, keys: DataSet, layout: Layout) -> dict[str, _Key]:
    known: dict[str, _Key] = {}
    for entry in keys.entries:
        parts = entry.value.split(":", 2)
        if len(parts) == 2 and layout.selector:
            parts.insert(1, layout.selector)
        if len(parts) != 3 or not all(parts):
            found.remark(Weight.BROKEN, entry.at, entry.key, N_("a line of the KeyTable is: NAME DOMAIN:SELECTOR:FILE"))
            continue
        key = _Key(parts[0].strip(), parts[1].strip(), parts[2].strip(), entry.at)
        former = known.setdefault(entry.key, key)
        if former is not key:
            same = (former.domain, former.selector, former.key) == (key.domain, key.selector, key.key)
            sentence = N_("the name {name} is in the KeyTable twice, first at {first}") if same else _TWICE
            found.remark(Weight.NOTE if same else Weight.BROKEN, entry.at, entry.key, sentence, name=entry.key, first=former.at)
    return known


_TWICE = N_("the name {name} is in the KeyTable twice and means another key each time, first at {first}; take out one of the two")


def _odd(found: Found, entry: Entry, pattern: Pattern) -> None:
    if pattern.shape is Shape.NOBODY:
        sentence = N_("the pattern {pattern} matches no address as it is written here, so nothing is signed by it today either")
        found.remark(Weight.NOTE, entry.at, entry.key, sentence, pattern=entry.key)
    else:
        sentence = N_("there is no such pattern in Zegel; name the domains or addresses that {pattern} stands for: zegel import pem")
        found.remark(Weight.UNEQUAL, entry.at, entry.key, sentence, pattern=entry.key)


def _counts(found: Found, entry: Entry, pattern: Pattern, met: dict[str, Entry], *, ordered: bool, multiple: bool) -> bool:
    """Tell if the entry is ever used: not when the same one, or in a table of patterns a wider one, comes before it."""
    names = [pattern.sender or "*"] if not ordered else list(pattern.wider())
    first = None if multiple else next((met[name] for name in names if name in met), None)
    met.setdefault(names[0], entry)
    if first is None:
        return True
    if first.value == entry.value:
        found.remark(Weight.NOTE, entry.at, entry.key, N_("it says again what {first} says"), first=first.at)
    elif ordered and first.key != entry.key:
        sentence = N_("it is never reached: {first} comes before it and matches as well")
        found.remark(Weight.NOTE, entry.at, entry.key, sentence, first=first.at)
    else:
        sentence = N_("{pattern} is in the SigningTable twice with another key, first at {first}; take out one of the two")
        found.remark(Weight.BROKEN, entry.at, entry.key, sentence, pattern=entry.key, first=first.at)
    return False


def _chosen(found: Found, entry: Entry, pattern: Pattern, name: str, known: _Known) -> Iterator[tuple[Pattern, _Key]]:
    """The key that an entry names; for ``%`` the key named like From's domain, which for a wide pattern is each that is a domain."""
    if name != _ANY:
        if name in known.by_name:
            yield pattern, known.by_name[name]
        else:
            found.remark(Weight.BROKEN, entry.at, entry.key, N_("the KeyTable has no key named {name}"), name=name or entry.key)
        return
    for exact, key in known.of(pattern):
        yield (pattern if pattern.shape is Shape.ADDRESS else exact), key


def _signers(found: Found, entry: Entry, pattern: Pattern, key: _Key, files: Files, layout: Layout) -> Iterator[Signer]:
    """The signatures of one entry that Zegel makes too."""
    if key.domain == _ANY and pattern.shape in (Shape.ALL, Shape.BELOW):
        yield from _by_file(found, entry, pattern, key, files, layout)
        return
    try:
        domain = pattern.domain if key.domain == _ANY else Domain.parse(key.domain)
        selector = str(Domain.parse(key.selector))
    except ValueError:
        found.remark(Weight.BROKEN, key.at, key.domain, NO_NAME, domain=key.domain, selector=key.selector)
        return
    assert domain is not None
    if pattern.domain is not None and not pattern.domain.within(domain):
        sentence = N_(
            "mail from {sender} is signed as {domain} there. Zegel signs as From's own domain or one above it, as DMARC wants; "
            "give the domain a key of its own: zegel domain add {own}"
        )
        found.remark(Weight.UNEQUAL, entry.at, entry.key, sentence, sender=pattern.sender, domain=domain, own=pattern.domain)
        return
    senders: tuple[str, ...] = (pattern.sender,)
    if pattern.shape is Shape.ALL:
        sentence = N_("every From is signed as {domain} there, and here only {domain} and the names below it; DMARC counts no others")
        found.remark(Weight.UNEQUAL, entry.at, entry.key, sentence, domain=domain)
        senders = (str(domain), f".{domain}")
    text = key.key.replace(_ANY, pattern.domain or domain) if _is_path(key.key) else key.key
    yield Signer(senders, domain, selector, _source(text, layout.base), entry.at)


def _by_file(found: Found, entry: Entry, pattern: Pattern, key: _Key, files: Files, layout: Layout) -> Iterator[Signer]:
    """A key for each name that comes along: the names are those for which there is a file."""
    if not _is_path(key.key) or _ANY not in key.key:
        found.remark(Weight.UNEQUAL, entry.at, entry.key, ONE_FOR_ALL)
        return
    for domain, path in templated(absolute(key.key, layout.base), _ANY, files):
        if pattern.domain is None or (domain != pattern.domain and domain.within(pattern.domain)):
            yield Signer((str(domain),), domain, key.selector, Source(path), entry.at)


def templated(path: str, mark: str, files: Files) -> Iterator[tuple[Domain, str]]:
    """The domains for which a path with ``mark`` in place of the domain leads to something, by name. Raises UnreadableError."""
    parts = path.split("/")
    place = next(number for number, part in enumerate(parts) if mark in part)
    before, _, after = parts[place].partition(mark)
    matching = re.compile(f"{re.escape(before)}(.+?){re.escape(after.partition(mark)[0])}" + (".*" if mark in after else ""))
    for name in files.names("/".join(parts[:place]) or "/"):
        if (match := matching.fullmatch(name)) is None or parts[place].replace(mark, match[1]) != name:
            continue
        try:
            domain = Domain.parse(match[1])
        except ValueError:
            continue
        whole = path.replace(mark, match[1])
        folder, _, last = whole.rpartition("/")
        if place == len(parts) - 1 or last in files.names(folder):
            yield domain, whole


def _is_path(key: str) -> bool:
    return key.startswith(("/", "./", "../"))


def _source(key: str, base: str) -> Source:
    return Source(path=absolute(key, base)) if _is_path(key) else Source(text=key.encode())
