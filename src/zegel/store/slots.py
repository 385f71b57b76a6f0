"""Delegation slots: names below ``_domainkey`` of a customer's domain whose CNAMEs point into a zone of ours, handed out once.

``z1._domainkey.customer.be CNAME z1.customer-be.dkim.agency.be``: a key lives in a slot, its record is published at the target, and later
rotations touch our own zone only. A slot is used again when no cache can hold anything of its last key any more: the TTLs of CNAME and TXT
after that key's last revoked state.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from sqlalchemy import Row, Select, func, insert, or_, select, update

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, schema, selectors
from zegel.store.errors import StoreError
from zegel.store.transaction import Transaction
from zegel.words import N_

USUAL = {"rsa": 3, "ed25519": 2}
"""How many slots of each key type: one signs, one retires, and with a third there is one to spare in an emergency."""

_MOST = 9
_MAX_LABEL, _MAX_NAME = 63, 253
_LONGEST = 14 * 86_400  # two TTLs of a week, the most that caches keep (RFC 8767 4)
_LETTER = {"rsa": "z", "ed25519": "e"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot: ``name`` is the selector, ``target`` where its CNAME points, ``free`` when it may be used again (None: never used yet).

    ``used_by`` is the state of the key that lives in it, empty when none does. Times are seconds since the epoch.
    """

    number: int
    domain: Domain
    name: str
    target: str
    key_type: str
    free: int | None
    created: int
    used_by: str = ""

    @property
    def alias(self) -> str:
        """The full name of the CNAME, in the customer's zone."""
        return f"{self.name}._domainkey.{self.domain}"

    def is_free(self, now: int) -> bool:
        """Tell whether a new key may live in it."""
        return not self.used_by and (self.free is None or self.free <= now)


def add(tx: Transaction, domain: Domain, zone: Domain, key_type: str, count: int, *, now: int) -> list[Slot]:
    """Add slots until the domain has ``count`` of this key type, and return the new ones. Raises StoreError."""
    if key_type not in USUAL or not 0 <= count <= _MOST:
        raise StoreError(N_("a domain has at most {most} delegation slots for each kind of key"), most=_MOST)
    domain_id, organisation_id = domains.row_ids(tx, domain)
    if zone.within(domain):
        raise StoreError(N_("{zone} is within {domain} itself; name a zone of your own that you may change"), zone=zone, domain=domain)
    have = [slot for slot in all(tx, domain) if slot.key_type == key_type]
    if any(not slot.target.endswith(f".{zone}") for slot in have):
        raise StoreError(N_("the slots of {domain} point into another zone already: {target}"), domain=domain, target=have[0].target)
    taken = _taken(tx, domain_id)
    made = []
    for _ in range(count - len(have)):
        name = next(f"{_LETTER[key_type]}{number}" for number in range(1, 1000) if f"{_LETTER[key_type]}{number}" not in taken)
        taken.add(name)
        selectors.parse(name, domain)
        target = _target(tx, name, domain, zone)
        row = {"organisation_id": organisation_id, "domain_id": domain_id, "name": name, "target": target, "key_type": key_type}
        tx.connection.execute(insert(schema.slots).values(row | {"created": now}))
        audit.note(tx, "slot.add", f"{name}._domainkey.{domain}", now=now, after={"target": target, "type": key_type}, of=organisation_id)
        made.append(name)
    return [slot for slot in all(tx, domain) if slot.name in made]


def all(tx: Transaction, domain: Domain | None = None) -> list[Slot]:
    """Return the slots, of one domain when named, by domain and name. Raises StoreError for an unknown domain."""
    query = _rows()
    if domain is not None:
        domains.row_ids(tx, domain)
        query = query.where(schema.domains.c.name == domain)
    rows = tx.connection.execute(query.order_by(schema.domains.c.name, schema.slots.c.id)).all()
    return [_slot(row) for row in rows]


def take(tx: Transaction, domain: Domain, key_type: str, *, now: int) -> Slot | None:
    """Return a free slot for a new key, the one longest unused; None when the domain has no slots of this type at all.

    Raises StoreError when it has, and none is free: it says when the next one will be.
    """
    found = [slot for slot in all(tx, domain) if slot.key_type == key_type]
    if not found:
        return None
    free = [slot for slot in found if slot.is_free(now)]
    if free:
        return min(free, key=lambda slot: (slot.free or 0, slot.number))
    times = [slot.free for slot in found if not slot.used_by and slot.free is not None]
    if times:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(min(times)))
        raise StoreError(N_("no slot of {domain} is free for {kind}; the next one is on {when}"), domain=domain, kind=key_type, when=when)
    states = ", ".join(f"{slot.name}: {slot.used_by}" for slot in found)
    sentence = N_("no slot of {domain} is free for {kind} ({states}); revoke a key that retires, or add one: zegel slot add {domain}")
    raise StoreError(sentence, domain=domain, kind=key_type, states=states)


def settle(tx: Transaction, *, now: int) -> None:
    """Bring nearer what is further ahead than any cache keeps: a clock that went wrong wrote it."""
    free = schema.slots.c.free
    tx.connection.execute(update(schema.slots).where(free > now + _LONGEST).values(free=now + _LONGEST))


def give_back(tx: Transaction, key_number: int, *, free: int) -> None:
    """Note from when on the slot of a removed key, if it has one, may be used again."""
    own = select(schema.keys.c.slot_id).where(schema.keys.c.id == key_number, schema.keys.c.slot_id.is_not(None)).scalar_subquery()
    table = schema.slots
    later = or_(table.c.free.is_(None), table.c.free < free)
    tx.connection.execute(update(table).where(table.c.id == own, later).values(free=free))


def _rows() -> Select[tuple[int, str, str, str, int | None, int, str, str | None]]:
    table, keys = schema.slots, schema.keys
    # At most one key of a slot is not removed.
    state = select(func.max(keys.c.state)).where(keys.c.slot_id == table.c.id, keys.c.state != "removed").scalar_subquery()
    columns = (table.c.id, table.c.name, table.c.target, table.c.key_type, table.c.free, table.c.created)
    return select(*columns, schema.domains.c.name.label("domain"), state.label("used_by")).join_from(table, schema.domains)


def _slot(row: Row[tuple[int, str, str, str, int | None, int, str, str | None]]) -> Slot:
    return Slot(row.id, Domain(row.domain), row.name, row.target, row.key_type, row.free, row.created, row.used_by or "")


def _taken(tx: Transaction, domain_id: int) -> set[str]:
    """The selectors that the domain has had: of keys, slots and other services."""
    tables = ((schema.keys, schema.keys.c.selector), (schema.slots, schema.slots.c.name), (schema.selectors, schema.selectors.c.selector))
    return {
        name for table, column in tables for name in tx.connection.execute(select(column).where(table.c.domain_id == domain_id)).scalars()
    }


def _target(tx: Transaction, name: str, domain: Domain, zone: Domain) -> str:
    """The name in our zone: the domain with hyphens for its dots, told apart where that is too long or another domain's already."""
    label = domain.replace(".", "-")
    if label[2:4] == "--":
        label = f"d-{label}"  # RFC 5890 2.3.1: hyphens there are for A-labels, and this is none
    told_apart = f"{label[: _MAX_LABEL - 9].rstrip('-')}-{hashlib.sha256(domain.encode()).hexdigest()[:8]}"
    for proposed in (label, told_apart):
        target = f"{name}.{proposed}.{zone}"
        known = tx.connection.execute(select(schema.slots.c.id).where(schema.slots.c.target == target)).first()
        if len(proposed) <= _MAX_LABEL and known is None:
            break
    else:
        raise StoreError(N_("the name {target} is another domain's slot already"), target=target)
    if len(target) > _MAX_NAME:
        raise StoreError(N_("{target} is too long for a DNS name; name a zone that is shorter"), target=target)
    return target
