"""The keys: public halves to publish, private halves sealed, and where each of them is in its life.

A key is ``pending`` until its record is served everywhere, then ``visible``; ``active`` while it signs, ``retiring`` while mail that it
signed is on its way, ``revoked`` when its record says so, ``removed`` when the record is gone. A domain has at most one active key of each
type (RSA, Ed25519). Keys are made elsewhere; this room gets PEM and base64 and looks inside neither. How a key goes from one state to the
next is told in :mod:`zegel.store.keychanges`; when, in ``rollout``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, func, insert, select

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, schema, selectors
from zegel.store.errors import StoreError
from zegel.store.near import near
from zegel.store.slots import Slot
from zegel.store.transaction import Transaction, count_change
from zegel.words import N_

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
# RSA of 4,096 bits takes 736 characters public and 3,272 bytes private.
_MAX_PUBLIC = 4096
_MAX_PRIVATE = 16384


class KeyState(StrEnum):
    """Where a key is in its life."""

    PENDING = "pending"
    VISIBLE = "visible"
    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    REMOVED = "removed"


class Succession(StrEnum):
    """What becomes of a key once it is visible: it waits for a person, takes over, or takes over and the former is revoked."""

    NONE = ""
    PLANNED = "planned"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key without its private half. ``public`` is the ``p=`` text; times are seconds since the epoch (see the table for each).

    ``slot`` is the full name that its delegation slot points to, empty without one. ``wait`` and the TTLs are in seconds.
    """

    domain: Domain
    organisation: str
    selector: str
    algorithm: str
    key_type: str
    public: str
    state: KeyState
    created: int
    activated: int | None = None
    retired: int | None = None
    number: int = 0
    slot: str = ""
    succession: Succession = Succession.NONE
    served: int | None = None
    visible: int | None = None
    keep_until: int | None = None
    revoked: int | None = None
    removed: int | None = None
    misses: int = 0
    missing: int | None = None
    looked: int | None = None
    serving: int = 0
    servers: int = 0
    trouble: str = ""
    wait: int = 0
    ttl: int = 0
    alias_ttl: int = 0
    has_private: bool = True

    @property
    def name(self) -> str:
        """The DNS name under which receivers ask for its record. RFC 6376 3.6.2.1."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record_name(self) -> str:
        """The DNS name at which its record is published: the slot's target, or its own."""
        return self.slot or self.name

    @property
    def withdrawn(self) -> bool:
        """Whether it is to have no record any more: it is removed, or was revoked for so long that the record may go."""
        return self.state is KeyState.REMOVED or self.removed is not None


def add(
    tx: Transaction,
    domain: Domain,
    selector: str,
    algorithm: str,
    private_pem: bytes,
    public: str,
    *,
    now: int,
    force: bool = False,
    slot: Slot | None = None,
    succession: Succession = Succession.NONE,
) -> StoredKey:
    """Add a new key, its private half sealed; ``slot`` is one taken by ``slots.take``, whose name the selector is then.

    Raises StoreError for a selector that is taken or (see ``force``) well known.
    """
    kind = selectors.key_type(algorithm)
    selector = selectors.parse(selector, domain, force=force or slot is not None)
    if not 0 < len(private_pem) <= _MAX_PRIVATE or len(public) > _MAX_PUBLIC or not _BASE64.fullmatch(public):
        raise StoreError(N_("this is no key: the private half must be PEM and the public half base64, without spaces"))
    domain_id, organisation_id = domains.row_ids(tx, domain)
    _refuse_taken(tx, domain, domain_id, selector, slot)
    values = {
        "organisation_id": organisation_id,
        "domain_id": domain_id,
        "selector": selector,
        "algorithm": algorithm,
        "key_type": kind,
        "public": public,
        "private": tx.vault.seal(private_pem, _binding(organisation_id, domain, selector, algorithm)),
        "slot_id": None if slot is None else slot.number,
        "state": KeyState.PENDING.value,
        "succession": succession.value,
        "created": now,
        "trouble": "",
        **dict.fromkeys(("misses", "serving", "servers", "wait", "ttl", "alias_ttl"), 0),
    }
    tx.connection.execute(insert(schema.keys).values(values))
    count_change(tx)
    added = get(tx, domain, selector)
    after = {"state": added.state.value, "algorithm": algorithm, "public": public, "slot": added.slot, "succession": succession.value}
    audit.note(tx, "key.add", added.name, now=now, after=after, of=organisation_id)
    return added


def _refuse_taken(tx: Transaction, domain: Domain, domain_id: int, selector: str, slot: Slot | None) -> None:
    """Raise StoreError when the selector has a key, or is another service's. A slot has one after the other (``slots.take`` knows when)."""
    known = tx.connection.execute(_where(domain, selector)).all()
    if known and (slot is None or any(row.state != KeyState.REMOVED for row in known)):
        raise StoreError(N_("{domain} has a key with selector {selector} already; take another name"), domain=domain, selector=selector)
    if slot is None:
        place = select(schema.slots.c.id).where(schema.slots.c.domain_id == domain_id, schema.slots.c.name == selector)
        if tx.connection.execute(place).first() is not None:
            sentence = N_("{selector} is a delegation slot of {domain}; its keys are made by: zegel key rotate {domain}")
            raise StoreError(sentence, domain=domain, selector=selector)
    table = schema.selectors
    foreign = select(table.c.service).where(table.c.domain_id == domain_id, table.c.selector == selector)
    service = tx.connection.execute(foreign).scalar()
    if service is not None:
        sentence = N_("{selector} is the selector of {service} for {domain}; take another name")
        raise StoreError(sentence, domain=domain, selector=selector, service=service)


def all(tx: Transaction, domain: Domain | None = None) -> list[StoredKey]:
    """Return the keys, of one domain when named, by domain and then oldest first. Raises StoreError for an unknown domain."""
    query = _rows()
    if domain is not None:
        domains.row_ids(tx, domain)
        query = query.where(schema.domains.c.name == domain)
    query = query.order_by(schema.domains.c.name, schema.keys.c.created, schema.keys.c.id)
    return [_key(row) for row in tx.connection.execute(query)]


def get(tx: Transaction, domain: Domain, selector: str) -> StoredKey:
    """Return one key: of several that had the selector over time (in a slot) the one that has it now. Raises StoreError for none."""
    return _key(one(tx, domain, selector))


def numbered(tx: Transaction, number: int) -> StoredKey:
    """Return the key of a row number. Raises StoreError when it is gone."""
    row = tx.connection.execute(_rows().where(schema.keys.c.id == number)).one_or_none()
    if row is None:
        raise StoreError(N_("the key is not in the store any more"))
    return _key(row)


def siblings(tx: Transaction, key: StoredKey) -> list[StoredKey]:
    """Return the other keys of the same domain and type, oldest first."""
    query = _rows().where(schema.domains.c.name == key.domain, schema.keys.c.key_type == key.key_type, schema.keys.c.id != key.number)
    return [_key(row) for row in tx.connection.execute(query.order_by(schema.keys.c.created, schema.keys.c.id))]


def private_pem(tx: Transaction, domain: Domain, selector: str) -> bytes:
    """Return the private half of a key, opened. Raises StoreError when there is none or it does not open."""
    return _opened(tx, one(tx, domain, selector))


def private_of(tx: Transaction, key: StoredKey) -> bytes:
    """Return the private half of this very key, also where a later one has its selector. Raises StoreError."""
    return _opened(tx, tx.connection.execute(_rows().where(schema.keys.c.id == key.number)).one())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An active key with its private half, which is kept out of the representation."""

    domain: Domain
    organisation: str
    selector: str
    algorithm: str
    private_pem: bytes

    def __repr__(self) -> str:
        return f"<SigningKey {self.selector}._domainkey.{self.domain} {self.algorithm}>"


def active(tx: Transaction) -> list[SigningKey]:
    """Return the keys that sign, opened, by domain and type. Raises StoreError when one of them does not open."""
    query = _rows().where(schema.keys.c.state == KeyState.ACTIVE.value).order_by(schema.domains.c.name, schema.keys.c.key_type.desc())
    rows = tx.connection.execute(query).all()
    return [SigningKey(Domain(row.domain), row.organisation, row.selector, row.algorithm, _opened(tx, row)) for row in rows]


def one(tx: Transaction, domain: Domain, selector: str) -> Row[Any]:
    """Return the row of a key, for the rooms that change it. Raises StoreError when there is none."""
    rows = tx.connection.execute(_where(domain, selector.lower().removesuffix("."))).all()
    if not rows:
        raise _unknown(tx, domain, selector)
    # A slot's newest that is not removed, else its newest.
    return max(rows, key=lambda row: (row.state != KeyState.REMOVED, row.created, row.id))


def _unknown(tx: Transaction, domain: Domain, selector: str) -> StoreError:
    domain_id, _organisation_id = domains.row_ids(tx, domain)
    if meant := near(tx, schema.keys.c.selector, selector, schema.keys.c.domain_id == domain_id):
        sentence = N_("{domain} has no key with selector {selector}; did you mean {meant}? See: zegel key list {domain}")
        return StoreError(sentence, domain=domain, selector=selector, meant=meant)
    return StoreError(N_("{domain} has no key with selector {selector}; see: zegel key list {domain}"), domain=domain, selector=selector)


def _rows() -> Select[Any]:
    keys, of, by, slots = schema.keys, schema.domains, schema.organisations, schema.slots
    tables = keys.join(of, keys.c.domain_id == of.c.id).join(by, keys.c.organisation_id == by.c.id)
    tables = tables.outerjoin(slots, keys.c.slot_id == slots.c.id)
    names = (of.c.name.label("domain"), by.c.name.label("organisation"), slots.c.target.label("slot"))
    return select(keys, *names, (func.length(keys.c.private) > 0).label("has_private")).select_from(tables)


def _where(domain: Domain, selector: str) -> Select[Any]:
    return _rows().where(schema.domains.c.name == domain, schema.keys.c.selector == selector)


def _opened(tx: Transaction, row: Row[Any]) -> bytes:
    if not row.private:
        sentence = N_("the private half of the key {selector} of {domain} was destroyed when its record had gone")
        raise StoreError(sentence, selector=row.selector, domain=row.domain)
    try:
        return tx.vault.open(row.private, _binding(row.organisation_id, row.domain, row.selector, row.algorithm))
    except ValueError as error:
        sentence = N_("the private key {selector} of {domain} does not open ({detail}); unpack a backup, or make a new key")
        raise StoreError(sentence, selector=row.selector, domain=row.domain, detail=error) from None


def _binding(organisation_id: int, domain: str, selector: str, algorithm: str) -> tuple[str, ...]:
    return ("private key", str(organisation_id), domain, selector, algorithm)


_AS_THEY_ARE = (
    "organisation", "selector", "algorithm", "key_type", "public", "created", "activated", "retired", "served", "visible", "keep_until",
    "revoked", "removed", "misses", "missing", "looked", "serving", "servers", "trouble", "wait", "ttl", "alias_ttl",
)  # fmt: skip


def _key(row: Row[Any]) -> StoredKey:
    return StoredKey(
        domain=Domain(row.domain),
        state=KeyState(row.state),
        number=row.id,
        slot=row.slot or "",
        succession=Succession(row.succession),
        has_private=bool(row.has_private),
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
    )
