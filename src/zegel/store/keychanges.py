"""How a key goes from one state to the next: each change whole, noted in the audit log, and only on what was looked at.

The daemon decides on rows that it read before it asked DNS, and two daemons may do so at once: :func:`apply` changes a key only where its
row is still as it was then, and what belongs together only together. What a person orders is read and changed in one transaction.
A private half is destroyed when its key is removed, unless it is still to be published (``keep_private``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, update

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, keys, schema, slots
from zegel.store.errors import StoreError
from zegel.store.keys import KeyState, StoredKey, Succession
from zegel.store.transaction import Transaction, count_change
from zegel.words import N_

DAY = 86_400
WEEK = 7 * DAY
"""Seconds that a record stays after its key has signed last, at the least: queues give up after five days (RFC 5321 4.5.4.1)."""

# What the life of a key changes; the rest of a row stays for good.
_LIFE = (
    "state", "succession", "served", "visible", "activated", "retired", "keep_until", "revoked", "removed", "misses", "missing", "looked",
    "serving", "servers", "trouble", "wait", "ttl", "alias_ttl",
)  # fmt: skip
_TOLD = ("state", "succession", "activated", "retired", "keep_until", "revoked", "removed")


@dataclass(frozen=True, slots=True)
class Change:
    """A key as it was looked at and as it is to be; ``action`` is the audit log's word, empty where only a look is kept."""

    before: StoredKey
    after: StoredKey
    action: str = ""


class OutdatedError(Exception):
    """A key is not as it was looked at any more: somebody else changed it. Nothing is to be changed; look again."""


def apply(tx: Transaction, changes: Sequence[Change], *, now: int, keep_private: bool = False) -> None:
    """Make all changes. Raises :class:`OutdatedError`, and then the transaction must not be kept."""
    # Who stops signing first: the database itself allows one active key of a type.
    for change in sorted(changes, key=lambda change: change.before.state is not KeyState.ACTIVE):
        _one(tx, change, now)
        if change.after.state is KeyState.REMOVED and change.before.state is not KeyState.REMOVED:
            if not keep_private:
                destroy_private(tx, change.after, now=now)
            slots.give_back(tx, change.after.number, free=now + (change.after.ttl or DAY) + (change.after.alias_ttl or DAY))
    if any(change.action for change in changes):
        count_change(tx)


def _one(tx: Transaction, change: Change, now: int) -> None:
    before, after, table = change.before, change.after, schema.keys
    if before == after:
        return
    same = [table.c[name].is_not_distinct_from(_plain(getattr(before, name))) for name in _LIFE]
    values = {name: _plain(getattr(after, name)) for name in _LIFE if getattr(after, name) != getattr(before, name)}
    done = tx.connection.execute(update(table).where(table.c.id == before.number, *same).values(**values))
    if done.rowcount != 1:
        raise OutdatedError(before.name)
    if change.action:
        _note(tx, change.action, before, after, now)


def activate(tx: Transaction, domain: Domain, selector: str, *, now: int, keep: int = WEEK) -> StoredKey | None:
    """Let a key sign at a person's word, and retire the domain's active key of the same type, which is returned.

    ``keep`` is how many seconds the former's record stays at the least. Raises StoreError for an unknown key, and for one that was revoked.
    """
    key = keys.get(tx, domain, selector)
    if key.state is KeyState.ACTIVE:
        return None
    if key.state in (KeyState.REVOKED, KeyState.REMOVED):
        sentence = N_("the key {selector} of {domain} is revoked, and never signs again; make a new one: zegel key rotate {domain}")
        raise StoreError(sentence, selector=key.selector, domain=domain)
    others = keys.siblings(tx, key)
    former = next((other for other in others if other.state is KeyState.ACTIVE), None)
    changes = [] if former is None else [Change(former, retired(former, now=now, keep=keep), "key.retire")]
    # Who says what signs now has also said what does not take its place by itself.
    waiting = [other for other in others if other.succession and other.state in (KeyState.PENDING, KeyState.VISIBLE)]
    changes += [Change(other, replace(other, succession=Succession.NONE), "key.unplan") for other in waiting]
    apply(tx, [*changes, Change(key, activated(key, now=now), "key.activate")], now=now)
    return None if former is None else keys.numbered(tx, former.number)


def activated(key: StoredKey, *, now: int) -> StoredKey:
    """The key as one that signs from now on."""
    cleared: dict[str, Any] = {"retired": None, "keep_until": None, "misses": 0, "missing": None, "succession": Succession.NONE}
    return replace(key, state=KeyState.ACTIVE, activated=now, **cleared)


def retired(key: StoredKey, *, now: int, keep: int) -> StoredKey:
    """The key as one that does not sign any more, its record staying for ``keep`` seconds at the least."""
    cleared: dict[str, Any] = {"misses": 0, "missing": None, "succession": Succession.NONE}
    return replace(key, state=KeyState.RETIRING, retired=now, keep_until=now + keep, **cleared)


def revoked(key: StoredKey, *, now: int) -> StoredKey:
    """The key as one whose record is to say that it is revoked (RFC 6376 3.6.1: an empty p=)."""
    cleared: dict[str, Any] = {"misses": 0, "missing": None, "succession": Succession.NONE, "served": None}
    return replace(key, state=KeyState.REVOKED, revoked=now, retired=key.retired or now, **cleared)


def retire(tx: Transaction, domain: Domain, selector: str, *, now: int, keep: int = WEEK) -> StoredKey:
    """Let an active key sign no more. Raises StoreError when it is not active."""
    key = keys.get(tx, domain, selector)
    if key.state is not KeyState.ACTIVE:
        raise _not_so(key)
    apply(tx, [Change(key, retired(key, now=now, keep=keep), "key.retire")], now=now)
    return keys.numbered(tx, key.number)


def revoke(tx: Transaction, domain: Domain, selector: str, *, now: int) -> StoredKey:
    """Revoke a key for good, whatever its state. Raises StoreError when it is revoked already."""
    key = keys.get(tx, domain, selector)
    if key.state in (KeyState.REVOKED, KeyState.REMOVED):
        raise _not_so(key)
    apply(tx, [Change(key, revoked(key, now=now), "key.revoke")], now=now)
    return keys.numbered(tx, key.number)


def remove(tx: Transaction, domain: Domain, selector: str, *, now: int) -> StoredKey:
    """Take a key out that was revoked, or never signed; its private half is destroyed. Raises StoreError for any other."""
    key = keys.get(tx, domain, selector)
    unused = key.state in (KeyState.PENDING, KeyState.VISIBLE) and key.activated is None
    if not unused and key.state is not KeyState.REVOKED:
        raise _not_so(key)
    after = replace(key, state=KeyState.REMOVED, removed=now, succession=Succession.NONE)
    apply(tx, [Change(key, after, "key.remove")], now=now)
    return keys.numbered(tx, key.number)


def plan(tx: Transaction, key: StoredKey, succession: Succession, *, now: int) -> StoredKey:
    """Say what becomes of a key that waits, once it is visible."""
    apply(tx, [Change(key, replace(key, succession=succession), "key.plan")], now=now)
    return keys.numbered(tx, key.number)


def destroy_private(tx: Transaction, key: StoredKey, *, now: int, action: str = "key.destroy") -> None:
    """Overwrite the private half of a removed key. Raises :class:`OutdatedError` when it is not removed, or was destroyed already."""
    table = schema.keys
    gone = (table.c.id == key.number, table.c.state == KeyState.REMOVED.value, func.length(table.c.private) > 0)
    # The store overwrites what is deleted where it stood (secure_delete); older pages of the journal go at its next checkpoint.
    if tx.connection.execute(update(table).where(*gone).values(private=b"")).rowcount != 1:
        raise OutdatedError(key.name)
    _domain_id, organisation_id = domains.row_ids(tx, key.domain)
    audit.note(tx, action, key.name, now=now, of=organisation_id)


def _note(tx: Transaction, action: str, before: StoredKey, after: StoredKey, now: int) -> None:
    _domain_id, organisation_id = domains.row_ids(tx, before.domain)
    names = [name for name in _TOLD if getattr(before, name) != getattr(after, name)]
    was, will = ({name: _plain(getattr(key, name)) for name in names} for key in (before, after))
    audit.note(tx, action, before.name, now=now, before=was, after=will, of=organisation_id)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, (KeyState, Succession)) else value


def _not_so(key: StoredKey) -> StoreError:
    waits_again = key.state in (KeyState.PENDING, KeyState.VISIBLE) and key.activated is not None  # it was left as its record was gone
    sentence = {
        KeyState.PENDING: N_("the key {selector} of {domain} does not sign yet; take it out instead: zegel key remove {domain} {selector}"),
        KeyState.VISIBLE: N_("the key {selector} of {domain} does not sign yet; take it out instead: zegel key remove {domain} {selector}"),
        KeyState.ACTIVE: N_("the key {selector} of {domain} signs; let another take its place first: zegel key rotate {domain}"),
        KeyState.RETIRING: N_("mail that {selector} of {domain} signed is on its way; to revoke it all the same: zegel key revoke"),
        KeyState.REVOKED: N_("the key {selector} of {domain} is revoked already"),
        KeyState.REMOVED: N_("the key {selector} of {domain} is removed already"),
    }[KeyState.RETIRING if waits_again else key.state]
    return StoreError(sentence, selector=key.selector, domain=key.domain)
