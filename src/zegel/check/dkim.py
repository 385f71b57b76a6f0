"""What is right and wrong with a domain's DKIM keys: those of the selectors that are known. RFC 6376 3.6.1 and 3.6.2.

DNS tells nobody which selectors there are, so a key that is found nowhere proves nothing: selectors are given, known (our own keys, and
those noted for other services), learned from recorded messages, or guessed when asked to. What a verifier says of a signature is
:mod:`zegel.dkim`'s to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from zegel.ask import Answer, Dialogue, Rcode, RRType, ask, side_by_side
from zegel.check.dkimpoints import DkimPoint
from zegel.check.item import Item, Level, txt
from zegel.dkim import keyrecord
from zegel.dkim.crypto import PublicKey
from zegel.dkim.keyrecord import KeyRecord, KeyRecordError
from zegel.dkim.result import DkimReason
from zegel.grammar import taglist
from zegel.grammar.domain import Domain
from zegel.rollout.records import Record
from zegel.words import N_, Sentence

MAX_SELECTORS = 100
_ADVISED_BITS = 2048  # RFC 8301 3.2
_MAX_NAME = 253


class Source(StrEnum):
    """How a selector came to be known."""

    GIVEN = "given"
    KEY = "key"
    FOREIGN = "foreign"
    LEARNED = "learned"
    GUESSED = "guessed"


class Selector(NamedTuple):
    """A selector, and how it came to be known."""

    name: str
    source: Source = Source.GIVEN


class KeyFacts(NamedTuple):
    """What DNS has for one selector: its TXT records, and where an alias leads that ends in nothing."""

    selector: Selector
    name: str
    answer: Answer
    alias: str = ""

    @property
    def texts(self) -> list[bytes]:
        """The TXT records."""
        return [text for text in self.answer.records if isinstance(text, bytes)]

    @property
    def sound(self) -> PublicKey | None:
        """The key, when verifiers can use it; None for what they cannot."""
        record = _read(self.texts[0]) if len(self.texts) == 1 else None
        if not isinstance(record, KeyRecord) or _unusable(record):
            return None
        return record.key


class DkimFacts(NamedTuple):
    """What DNS has: the name above all keys, a wildcard below it, and the keys."""

    above: Answer
    wildcard: Answer
    keys: tuple[KeyFacts, ...]

    @property
    def sound(self) -> tuple[PublicKey, ...]:
        """The keys that verifiers can use."""
        return tuple(key for facts in self.keys if (key := facts.sound) is not None)

    @property
    def all_revoked(self) -> bool:
        """True when every selector answers that its key is revoked, as a parked domain should. RFC 6376 3.6.1."""
        texts = [text for text in self.wildcard.records if isinstance(text, bytes)]
        read = _read(texts[0]) if len(texts) == 1 else None
        return isinstance(read, KeyRecordError) and read.reason is DkimReason.KEY_REVOKED


def look(domain: Domain, selectors: Iterable[Selector]) -> Dialogue[DkimFacts]:
    """Ask for the keys of these selectors, each once, the first hundred of them."""
    first: dict[str, Selector] = {}
    for selector in selectors:
        first.setdefault(selector.name, selector)
    wanted = [selector for selector in first.values() if len(_name(selector, domain)) <= _MAX_NAME][:MAX_SELECTORS]
    keys = yield from side_by_side([_key(domain, selector) for selector in wanted])
    above, wildcard = yield from side_by_side([ask(f"_domainkey.{domain}", RRType.TXT), ask(f"*._domainkey.{domain}", RRType.TXT)])
    return DkimFacts(above, wildcard, keys)


def _name(selector: Selector, domain: Domain) -> str:
    return f"{selector.name}._domainkey.{domain}"


def _key(domain: Domain, selector: Selector) -> Dialogue[KeyFacts]:
    name, alias = _name(selector, domain), ""
    answer = yield from ask(name, RRType.TXT)
    if not answer.records and not answer.temporary and selector.source is not Source.GUESSED:
        aliases = yield from ask(name, RRType.CNAME)
        alias = str(aliases.records[0]) if aliases.records else ""
    return KeyFacts(selector, name, answer, alias)


def judge(domain: Domain, facts: DkimFacts, *, sends: bool) -> Iterator[Item]:
    """Judge what was seen. ``sends``: the domain sends mail, or may."""
    # A guess that hits nothing, or only what the wildcard says of every name, is no selector of the domain.
    everywhere = list(facts.wildcard.records)
    keys = [key for key in facts.keys if key.selector.source is not Source.GUESSED or (key.texts and key.texts != everywhere)]
    yield from _above(domain, facts, keys, sends=sends)
    yield from _selectors(domain, facts, keys)
    for key in keys:
        yield from _judge_key(key)
    sound = facts.sound
    if sound and all(key.type != "rsa" for key in sound):
        yield DkimPoint.ALGORITHM.item(Level.WARN, N_("there is no RSA key beside the Ed25519 key"))


def _above(domain: Domain, facts: DkimFacts, keys: list[KeyFacts], *, sends: bool) -> Iterator[Item]:
    """Whether the name above the keys exists: RFC 8020 2, and what internet.nl asks, which knows no selector."""
    point, name, found = DkimPoint.ABOVE, f"_domainkey.{domain}", any(key.texts for key in keys)
    if facts.above.temporary:
        yield point.untested(name, facts.above)
    elif facts.above.rcode is not Rcode.NXDOMAIN:
        yield point.item(Level.PASS, N_("{name} exists, so there may be keys below it"), name=name)
    elif found:
        finding = N_("DNS says that {name} does not exist, and yet there are keys below it: its servers answer wrongly")
        yield point.item(Level.WARN, finding, name=name)
    elif sends:
        step = Sentence(N_("Make a key, publish its record, and let it sign: zegel key new {domain}"), domain=domain)
        yield point.item(Level.FAIL, N_("{name} does not exist: the domain has no DKIM keys at all"), step=step, name=name)


_LOOKED_AT = {
    Source.GIVEN: N_("selectors as given: {names}"),
    Source.KEY: N_("selectors of our own keys: {names}"),
    Source.FOREIGN: N_("selectors noted for other services: {names}"),
    Source.LEARNED: N_("selectors seen in messages: {names}"),
    Source.GUESSED: N_("selectors that were guessed: {names}"),
}


def _selectors(domain: Domain, facts: DkimFacts, keys: list[KeyFacts]) -> Iterator[Item]:
    for source, finding in _LOOKED_AT.items():
        names = [key.selector.name for key in keys if key.selector.source is source]
        if names:
            yield DkimPoint.SELECTORS.item(Level.INFO, finding, names=", ".join(names)[:500], source=str(source), count=len(names))
    if keys:
        return
    step = Sentence(
        N_("Give one: zegel check {domain} --selector NAME. It stands behind s= in the DKIM-Signature field of any mail that was sent."),
        domain=domain,
    )
    if facts.keys:
        finding = N_("none of {count} well-known selectors is there; that says nothing of others")
        yield DkimPoint.SELECTORS.item(Level.NOT_TESTED, finding, step=step, count=len(facts.keys))
    else:
        yield DkimPoint.SELECTORS.item(Level.NOT_TESTED, N_("no selector of this domain is known here"), step=step, count=0)


def _judge_key(key: KeyFacts) -> Iterator[Item]:
    """The items of one selector."""
    point = DkimPoint.KEY
    values: dict[str, Any] = {"selector": key.selector.name, "source": str(key.selector.source)}
    if key.answer.temporary:
        yield point.untested(key.name, key.answer)
        return
    if key.alias and not key.texts:
        finding = N_("{selector}: its alias leads to {alias}, where there is no key")
        step = Sentence(N_("Ask whoever gave you the alias, or take it out: who gets that name can sign as this domain."))
        yield point.item(Level.FAIL, finding, step=step, alias=key.alias[:253], **values)
        return
    if not key.texts:
        step = Sentence(N_("Publish its key there; where nothing signs with it any more, strike the selector from what you know."))
        yield point.item(Level.FAIL, N_("{selector}: {name} has no key"), step=step, name=key.name, **values)
        return
    if len(key.texts) > 1:
        finding = N_("{selector}: {name} has {count} TXT records, and a verifier may take any of them")
        step = Sentence(N_("Keep the one of the key that signs."))
        yield point.item(Level.FAIL, finding, seen=key.texts, step=step, name=key.name, count=len(key.texts), **values)
        return
    read = _read(key.texts[0])
    if isinstance(read, KeyRecordError):
        yield _no_key(key, read, values)
        return
    yield _size(key, read.key, values)
    yield from _restrictions(key, read, values)


def _no_key(key: KeyFacts, error: KeyRecordError, values: dict[str, Any]) -> Item:
    """A record that gives no key."""
    detail = error.detail[:100]
    match error.reason:
        case DkimReason.KEY_REVOKED:
            finding = N_("{selector}: the key is revoked, as its empty p= says")
            return DkimPoint.REVOKED.item(Level.INFO, finding, seen=key.texts, **values)
        case DkimReason.KEY_TOO_SHORT:
            finding = N_("{selector}: an RSA key of {bits} bits, which no receiver may take")
            return DkimPoint.BITS.item(Level.FAIL, finding, seen=key.texts, step=_renew(), bits=error.key_bits or 0, **values)
        case DkimReason.KEY_TOO_LONG:
            finding = N_("{selector}: an RSA key of {bits} bits, longer than receivers have to take")
            return DkimPoint.BITS.item(Level.FAIL, finding, seen=key.texts, step=_renew(), bits=error.key_bits or 0, **values)
        case _:
            finding = N_("{selector}: {told} ({detail})")
            told = Sentence(error.reason.sentence)
            return DkimPoint.SYNTAX.item(
                Level.FAIL, finding, seen=key.texts, mend=_mended(key), told=told, detail=detail, reason=error.reason.id, **values
            )


def _size(key: KeyFacts, public: PublicKey, values: dict[str, Any]) -> Item:
    point, sizes = DkimPoint.BITS, {"bits": public.bits, "type": public.type, **values}
    if public.type == "ed25519":
        return point.item(Level.PASS, N_("{selector}: an Ed25519 key"), seen=key.texts, **sizes)
    if public.bits < _ADVISED_BITS:
        return point.item(Level.WARN, N_("{selector}: an RSA key of {bits} bits; 2048 are advised"), seen=key.texts, step=_renew(), **sizes)
    if public.bits > 4096:  # RFC 8301 3.2
        finding = N_("{selector}: an RSA key of {bits} bits; receivers need not take over 4096")
        return point.item(Level.WARN, finding, seen=key.texts, **sizes)
    return point.item(Level.PASS, N_("{selector}: an RSA key of {bits} bits"), seen=key.texts, **sizes)


def _restrictions(key: KeyFacts, record: KeyRecord, values: dict[str, Any]) -> Iterator[Item]:
    """What the record says besides the key. RFC 6376 3.6.1."""
    mend = _mended(key)
    tags = taglist.parse(key.texts[0])
    if record.testing:
        finding = N_("{selector}: t=y says that the domain only tests DKIM")
        yield DkimPoint.TESTING.item(Level.WARN, finding, mend=mend, **values)
    if record.hashes is not None and "sha256" not in record.hashes:
        finding = N_("{selector}: h= does not allow sha256, the one hash there is")
        yield DkimPoint.HASH.item(Level.FAIL, finding, mend=mend, **values)
    if record.services is not None and not record.services & {"*", "email"}:
        yield DkimPoint.SERVICE.item(Level.FAIL, N_("{selector}: s= does not allow e-mail"), mend=mend, **values)
    if "v" not in tags:
        yield DkimPoint.VERSION.item(Level.WARN, N_("{selector}: the record does not begin with v=DKIM1"), mend=mend, **values)
    if "g" in tags:
        yield DkimPoint.GRANULARITY.item(Level.WARN, N_("{selector}: g= is a tag of the former DKIM"), mend=mend, **values)


def _unusable(record: KeyRecord) -> bool:
    """True for a key that no signature of ours could use."""
    no_hash = record.hashes is not None and "sha256" not in record.hashes
    return no_hash or (record.services is not None and not record.services & {"*", "email"})


def _mended(key: KeyFacts) -> tuple[Record, ...]:
    """The same key in a record without restrictions; nothing where the key itself cannot be read."""
    text = key.texts[0]
    try:
        tags = taglist.parse(text)
        record = taglist.format_tags({"v": "DKIM1", "k": tags.get("k", "rsa"), "p": taglist.without_space(tags["p"])})
        keyrecord.parse(record.encode("ascii"))
    except (ValueError, KeyError):
        return ()
    return () if record.encode() == text else (txt(key.name, record),)


def _read(text: bytes) -> KeyRecord | KeyRecordError:
    try:
        return keyrecord.parse(text)
    except KeyRecordError as error:
        return error


def _renew() -> Sentence:
    return Sentence(N_("Make a new key under a new selector, and let the old one go when nothing is signed with it any more."))
