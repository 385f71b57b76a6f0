"""The keys: public halves to publish, private halves sealed, and which of them sign.

A key is ``pending`` until it is activated, ``active`` while it signs, ``retiring`` afterwards; it can be activated again. A domain
has at most one active key of each type (RSA, Ed25519). Keys are made elsewhere; this room gets PEM and base64 and looks inside neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from zegel.grammar.domain import Domain
from zegel.store import domains, schema, selectors
from zegel.store.errors import StoreError
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


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key without its private half. ``public`` is the ``p=`` text; times are seconds since the epoch."""

    domain: Domain
    organisation: str
    selector: str
    algorithm: str
    key_type: str
    public: str
    state: KeyState
    created: int
    activated: int | None
    retired: int | None


def add(
    tx: Transaction, domain: Domain, selector: str, algorithm: str, private_pem: bytes, public: str, *, now: int, force: bool = False
) -> StoredKey:
    """Add a new key, its private half sealed. Raises StoreError for a selector that is taken or (see ``force``) well known."""
    kind = selectors.key_type(algorithm)
    selector = selectors.parse(selector, domain, force=force)
    if not 0 < len(private_pem) <= _MAX_PRIVATE or len(public) > _MAX_PUBLIC or not _BASE64.fullmatch(public):
        raise StoreError(N_("this is no key: the private half must be PEM and the public half base64, without spaces"))
    domain_id, organisation_id = domains.row_ids(tx, domain)
    if tx.connection.execute(_where(domain, selector)).one_or_none() is not None:
        raise StoreError(N_("{domain} has a key with selector {selector} already; take another name"), domain=domain, selector=selector)
    sealed = tx.vault.seal(private_pem, _binding(organisation_id, domain, selector, algorithm))
    values = {
        "organisation_id": organisation_id,
        "domain_id": domain_id,
        "selector": selector,
        "algorithm": algorithm,
        "key_type": kind,
        "public": public,
        "private": sealed,
        "state": KeyState.PENDING.value,
        "created": now,
        "misses": 0,
        "trouble": "",
    }
    tx.connection.execute(insert(schema.keys).values(values))
    count_change(tx)
    return get(tx, domain, selector)


def all(tx: Transaction, domain: Domain | None = None) -> list[StoredKey]:
    """Return the keys, of one domain when named, by domain and then oldest first. Raises StoreError for an unknown domain."""
    query = _rows()
    if domain is not None:
        domains.row_ids(tx, domain)
        query = query.where(schema.domains.c.name == domain)
    query = query.order_by(schema.domains.c.name, schema.keys.c.created, schema.keys.c.id)
    return [_key(row) for row in tx.connection.execute(query)]


def get(tx: Transaction, domain: Domain, selector: str) -> StoredKey:
    """Return one key. Raises StoreError when there is none."""
    return _key(_one(tx, domain, selector))


def activate(tx: Transaction, domain: Domain, selector: str, *, now: int) -> StoredKey | None:
    """Let a key sign, and retire the domain's active key of the same type, which is returned. Raises StoreError for an unknown key."""
    row = _one(tx, domain, selector)
    if row.state == KeyState.ACTIVE:
        return None
    query = _rows().where(
        schema.domains.c.name == domain, schema.keys.c.key_type == row.key_type, schema.keys.c.state == KeyState.ACTIVE.value
    )
    former = tx.connection.execute(query).one_or_none()
    # The former first: the database itself allows one active key of a type.
    if former is not None:
        _change(tx, former.id, state=KeyState.RETIRING.value, retired=now)
    _change(tx, row.id, state=KeyState.ACTIVE.value, activated=now, retired=None)
    count_change(tx)
    return None if former is None else get(tx, domain, former.selector)


def private_pem(tx: Transaction, domain: Domain, selector: str) -> bytes:
    """Return the private half of a key, opened. Raises StoreError when there is none or it does not open."""
    return _opened(tx, _one(tx, domain, selector))


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


def _rows() -> Select[Any]:
    keys, of, by = schema.keys, schema.domains, schema.organisations
    tables = keys.join(of, keys.c.domain_id == of.c.id).join(by, keys.c.organisation_id == by.c.id)
    return select(keys, of.c.name.label("domain"), by.c.name.label("organisation")).select_from(tables)


def _where(domain: Domain, selector: str) -> Select[Any]:
    return _rows().where(schema.domains.c.name == domain, schema.keys.c.selector == selector)


def _one(tx: Transaction, domain: Domain, selector: str) -> Row[Any]:
    row = tx.connection.execute(_where(domain, selector.lower().removesuffix("."))).one_or_none()
    if row is None:
        sentence = N_("{domain} has no key with selector {selector}; see: zegel key list")
        raise StoreError(sentence, domain=domain, selector=selector)
    return row


def _change(tx: Transaction, key_id: int, **values: Any) -> None:
    tx.connection.execute(update(schema.keys).where(schema.keys.c.id == key_id).values(**values))


def _opened(tx: Transaction, row: Row[Any]) -> bytes:
    try:
        return tx.vault.open(row.private, _binding(row.organisation_id, row.domain, row.selector, row.algorithm))
    except ValueError as error:
        sentence = N_("the private key {selector} of {domain} does not open ({detail}); unpack a backup, or make a new key")
        raise StoreError(sentence, selector=row.selector, domain=row.domain, detail=error) from None


def _binding(organisation_id: int, domain: str, selector: str, algorithm: str) -> tuple[str, ...]:
    return ("private key", str(organisation_id), domain, selector, algorithm)


def _key(row: Row[Any]) -> StoredKey:
    return StoredKey(
        domain=Domain(row.domain),
        organisation=row.organisation,
        selector=row.selector,
        algorithm=row.algorithm,
        key_type=row.key_type,
        public=row.public,
        state=KeyState(row.state),
        created=row.created,
        activated=row.activated,
        retired=row.retired,
    )
