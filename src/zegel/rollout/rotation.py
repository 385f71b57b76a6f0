"""Begins a rotation: makes the next key of a domain, or takes the one that is there already, and says what is to become of it.

The rest happens by itself: the record is published or waited for, and once it is visible everywhere the key takes over (``rollout.life``).
In an emergency the former key is revoked at that moment, or at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zegel.dkim.crypto import Key, KeyKind
from zegel.grammar.domain import Domain
from zegel.store import keychanges, keys, selectors, slots
from zegel.store.database import Store
from zegel.store.keys import KeyState, StoredKey, Succession
from zegel.store.transaction import Transaction

_WAITS = (KeyState.PENDING, KeyState.VISIBLE)


class Way(StrEnum):
    """Where the next key comes from."""

    MADE = "made"
    SPARE = "spare"
    UNDER_WAY = "under_way"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was begun: the key that is to take over, the one that signs until then, and the one that was revoked at once."""

    way: Way
    key: StoredKey
    former: StoredKey | None
    revoked: StoredKey | None = None


def kinds(store: Store, domain: Domain, fallback: str) -> list[str]:
    """Return the algorithms that a domain signs with now, one for each key type, or ``fallback`` when it does not. Raises StoreError."""
    with store.reading() as tx:
        found = [key.algorithm for key in keys.all(tx, domain) if key.state is KeyState.ACTIVE]
    return sorted(found, reverse=True) or [fallback]


def rotate(
    store: Store, domain: Domain, algorithm: str, *, now: int, succession: Succession = Succession.PLANNED, revoke_now: bool = False
) -> Rotation:
    """Begin a rotation of the domain's key of this algorithm's type. Raises StoreError, and then nothing was begun.

    A key that is to take over already is taken; in an emergency also a spare one that is visible. Else one is made, in a free slot when the
    domain has slots. With ``revoke_now`` the former is revoked in the same transaction, and until the next is visible nothing is signed.
    """
    with store.writing() as tx:
        slots.settle(tx, now=now)
    with store.reading() as tx:
        known = _next(tx, domain, algorithm, succession)
    key = None if known else _generate(algorithm)  # outside of the transaction, as it takes long
    with store.writing() as tx:
        former = _active(tx, domain, selectors.key_type(algorithm))
        known = _next(tx, domain, algorithm, succession)
        if known is not None:
            way = Way.UNDER_WAY if known.succession else Way.SPARE
            wanted = Succession.EMERGENCY if Succession.EMERGENCY in (known.succession, succession) else Succession.PLANNED
            chosen = keychanges.plan(tx, known, wanted, now=now) if known.succession is not wanted else known
        else:
            way, chosen = Way.MADE, _add(tx, domain, algorithm, key or _generate(algorithm), succession, now)
        revoked = None
        if revoke_now and former is not None:
            revoked, former = keychanges.revoke(tx, domain, former.selector, now=now), None
    return Rotation(way, chosen, former, revoked)


def make(store: Store, domain: Domain, algorithm: str, *, now: int) -> StoredKey:
    """Make a key that waits for a person, in a free slot when the domain has slots. Raises StoreError."""
    key = _generate(algorithm)  # outside of the transaction, as it takes long
    with store.writing() as tx:
        return _add(tx, domain, algorithm, key, Succession.NONE, now)


def is_under_way(tx: Transaction, domain: Domain, key_type: str) -> bool:
    """Tell whether a key of this type is to take over already."""
    return any(key.succession and key.state in _WAITS for key in keys.all(tx, domain) if key.key_type == key_type)


def _next(tx: Transaction, domain: Domain, algorithm: str, succession: Succession) -> StoredKey | None:
    """The key that is there to take over: one that is planned already, or in an emergency the newest that is visible."""
    kind = selectors.key_type(algorithm)
    waiting = [key for key in keys.all(tx, domain) if key.key_type == kind and key.state in _WAITS]
    visible = [key for key in waiting if key.state is KeyState.VISIBLE]
    if succession is Succession.EMERGENCY and visible:
        return visible[-1]  # goes before what has to be waited for
    return next((key for key in reversed(waiting) if key.succession), None)


def _active(tx: Transaction, domain: Domain, key_type: str) -> StoredKey | None:
    return next((key for key in keys.all(tx, domain) if key.key_type == key_type and key.state is KeyState.ACTIVE), None)


def _generate(algorithm: str) -> Key:
    # Its name is of no matter to the key itself; the store gives it one.
    return Key.generate("example.invalid", "new", _kind(algorithm))


def _kind(algorithm: str) -> KeyKind:
    """Longer RSA keys may be moved in; those that are made here are of 2,048 bits, which every receiver takes (RFC 8301 3.2)."""
    return "ed25519" if algorithm == "ed25519" else "rsa2048"


def _add(tx: Transaction, domain: Domain, algorithm: str, key: Key, succession: Succession, now: int) -> StoredKey:
    if not isinstance(key.private_key, bytes):
        raise TypeError("a key that was generated is PEM in bytes")
    kind = _kind(algorithm)
    slot = slots.take(tx, domain, selectors.key_type(kind), now=now)
    selector = slot.name if slot else selectors.propose(kind, now)
    return keys.add(tx, domain, selector, kind, key.private_key, key.public, now=now, slot=slot, succession=succession)
