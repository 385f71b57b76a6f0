"""Holds what was found against the store: which domains and keys come along, which are there already, and what stands in the way.

Each key file is read and loaded once, as loading takes 36 ms, however many domains name it. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from zegel.grammar.domain import Domain
from zegel.moving import pem
from zegel.moving.model import Files, Found, Remark, Signer, Source, UnreadableError, Weight
from zegel.moving.pem import Loaded
from zegel.store.domains import OwnDomain
from zegel.store.keys import KeyState, StoredKey
from zegel.words import N_, Sentence


class Fate(StrEnum):
    """What becomes of a key: ``new`` comes along, ``there`` is in the store already, ``spare`` is not needed, ``broken`` cannot come."""

    NEW = "new"
    THERE = "there"
    SPARE = "spare"
    BROKEN = "broken"


@dataclass(slots=True)
class Move:
    """One key of one domain: for which ``senders`` it signs, and its fate with the reason for it (None: nothing is to be said).

    ``signs`` is False for a key that comes along and is not to sign.
    """

    domain: Domain
    selector: str
    source: Source
    at: str
    senders: list[str]
    below: bool = False
    loaded: Loaded | None = None
    fate: Fate = Fate.NEW
    signs: bool = True
    why: Sentence | None = None


@dataclass(slots=True)
class Plan:
    """What is to be done: ``domains`` to add, ``widened`` those that come to sign for names below, ``moves`` in their order."""

    found: Found
    moves: list[Move] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
    widened: list[Domain] = field(default_factory=list)

    @property
    def new(self) -> list[Move]:
        """The keys that come along."""
        return [move for move in self.moves if move.fate is Fate.NEW]

    @property
    def below(self) -> set[Domain]:
        """The domains whose keys sign for names below them."""
        return {move.domain for move in self.moves if move.below and move.fate in (Fate.NEW, Fate.THERE)}

    @property
    def senders(self) -> tuple[str, ...]:
        """Everybody who is signed for here then, each once."""
        signing = (move for move in self.moves if move.fate in (Fate.NEW, Fate.THERE))
        return tuple(dict.fromkeys(sender for move in signing for sender in move.senders))

    @property
    def broken(self) -> list[Remark]:
        """What stands in the way: each has to be mended, or passed over by the user's own word."""
        keys = [Remark(Weight.BROKEN, m.at, f"{m.selector} {m.domain}", m.why) for m in self.moves if m.fate is Fate.BROKEN and m.why]
        return [remark for remark in self.found.remarks if remark.weight is Weight.BROKEN] + keys

    def parts(self, size: int) -> Iterator[Plan]:
        """What is to be done, so many domains at a time; none of them is cut in two."""
        changed = list(dict.fromkeys([*self.domains, *self.widened, *(move.domain for move in self.new)]))
        for start in range(0, len(changed), size):
            mine = set(changed[start : start + size])
            domains, widened = ([name for name in names if name in mine] for names in (self.domains, self.widened))
            yield Plan(self.found, [move for move in self.moves if move.domain in mine], domains, widened)

    @property
    def changes(self) -> bool:
        """Whether anything in the store would become different."""
        return bool(self.new or self.widened)


Keys = Mapping[Source, Loaded | UnreadableError]


def load(found: Found, files: Files) -> Keys:
    """Read and load every key that is named, each once."""
    sources = {signer.source: signer.at for signer in found.signers}
    return {source: _loaded(source, files, at) for source, at in sources.items()}


def make(found: Found, loaded: Keys, owned: Iterable[OwnDomain], stored: Iterable[StoredKey]) -> Plan:
    """Plan the move of what was found into a store with these domains and keys."""
    plan = Plan(found, _moves(found))
    _fill(plan.moves, loaded, found.key_type)
    ours = {domain.name: domain for domain in owned}
    keys: dict[str, list[StoredKey]] = {}
    for key in stored:
        keys.setdefault(key.domain, []).append(key)
    chosen: dict[tuple[str, str], Move] = {}
    # Of several keys of one kind the one for most senders signs: that for a domain before one for single addresses.
    for move in sorted(plan.moves, key=_narrow):
        move.signs = found.signs
        _judge(move, keys.get(move.domain, ()), chosen)
        if move.fate is Fate.SPARE and found.single:
            move.fate, move.signs = Fate.NEW, False
    _overtaken(plan)
    wide = plan.below
    plan.domains = list(dict.fromkeys(move.domain for move in plan.new if move.domain not in ours))
    plan.widened = sorted(name for name in wide if name in ours and not ours[name].sign_subdomains)
    return plan


def _moves(found: Found) -> list[Move]:
    """One for each key of a domain; a selector that means two keys is broken."""
    moves: dict[tuple[str, str], Move] = {}
    for signer in found.signers:
        move = moves.setdefault((signer.domain, signer.selector), _move(signer))
        move.senders += [sender for sender in signer.senders if sender not in move.senders[:100]]
        move.below = move.below or signer.below
        if move.source != signer.source:
            move.fate = Fate.BROKEN
            move.why = Sentence(N_("the selector means another key at {other}; leave one of the two"), other=signer.at)
    return list(moves.values())


def _move(signer: Signer) -> Move:
    return Move(signer.domain, signer.selector, signer.source, signer.at, [])


def _fill(moves: list[Move], loaded: Keys, key_type: str | None) -> None:
    for move in moves:
        if move.fate is Fate.BROKEN:
            continue
        if len(move.domain.labels) < 2:
            _break(move, Sentence(N_("{domain} has one part only, and a domain that signs has two at least"), domain=move.domain))
            continue
        got = loaded[move.source]
        if isinstance(got, UnreadableError):
            _break(move, Sentence("{error}", error=got))
        elif key_type is not None and got.key_type != key_type:
            sentence = N_("the key is {kind}, and signatures are to be {wanted} there, so that it signs nothing; see SignatureAlgorithm")
            _break(move, Sentence(sentence, kind=got.key_type, wanted=key_type))
        else:
            move.loaded = got


def _loaded(source: Source, files: Files, at: str) -> Loaded | UnreadableError:
    try:
        return pem.load(files.secret(source.path) if source.path else source.text, source.path or at)
    except UnreadableError as error:
        return error


def _break(move: Move, why: Sentence) -> None:
    move.fate, move.why = Fate.BROKEN, why


def _narrow(move: Move) -> bool:
    return all("@" in sender for sender in move.senders)


def _judge(move: Move, stored: Iterable[StoredKey], chosen: dict[tuple[str, str], Move]) -> None:
    if move.loaded is None:
        return
    for key in stored:
        if key.selector == move.selector and key.public != move.loaded.public:
            sentence = N_("the store has another key {selector} of {domain}; which one is in DNS? Make a new one: zegel key new {domain}")
            _break(move, Sentence(sentence, selector=key.selector, domain=key.domain))
            return
        if key.selector == move.selector and key.state in (KeyState.REVOKED, KeyState.REMOVED):
            _break(move, Sentence(N_("this key was revoked in the store; make a new one: zegel key new {domain}"), domain=key.domain))
            return
        if key.selector == move.selector:
            move.fate = Fate.THERE
            if key.state is not KeyState.ACTIVE:
                sentence = N_("it is in the store, {state}; to let it sign: zegel key activate {domain} {selector}")
                move.why = Sentence(sentence, state=key.state.value, domain=key.domain, selector=key.selector)
            chosen.setdefault((move.domain, key.key_type), move)
            return
    signing = next((key for key in stored if key.state is KeyState.ACTIVE and key.key_type == move.loaded.key_type), None)
    former = chosen.setdefault((move.domain, move.loaded.key_type), move)
    other = signing.selector if signing is not None else former.selector
    if signing is not None or former is not move:
        sentence = N_("{domain} signs with one key of each kind, and that is {other}; leave the record of this one for 7 days")
        move.fate, move.why = Fate.SPARE, Sentence(sentence, domain=move.domain, other=other)


def _overtaken(plan: Plan) -> None:
    """Tell of names that sign as a domain above them there, and here with a key of their own."""
    own = {move.domain for move in plan.moves if move.fate in (Fate.NEW, Fate.THERE)}
    for move in plan.moves:
        for sender in move.senders:
            name = sender.rpartition("@")[2]
            if name != move.domain and name in own:
                sentence = N_("{name} is signed as {domain} there. Here it signs with its own key, as it has one")
                plan.found.remark(Weight.UNEQUAL, move.at, sender, sentence, name=name, domain=move.domain)
