"""The organisations: whose domains and keys these are. A store has at least one, ``default``."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from zegel.store import audit, schema
from zegel.store.errors import StoreError
from zegel.store.transaction import Transaction
from zegel.words import N_

DEFAULT = "default"
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Organisation:
    """Whose rows these are. ``created`` in seconds since the epoch."""

    name: str
    created: int


def add(tx: Transaction, name: str, *, now: int) -> Organisation:
    """Add an organisation. Raises StoreError for a name that is taken, empty, too long or not printable."""
    if name != name.strip() or not name or len(name) > _MAX_NAME or not name.isprintable():
        sentence = N_("{name!r} cannot be the name of an organisation; take 1 to 100 printable characters, no space at either end")
        raise StoreError(sentence, name=name[:_MAX_NAME])
    if _find(tx, name) is not None:
        raise StoreError(N_("the organisation {name} is in the store already"), name=name)
    tx.connection.execute(insert(schema.organisations).values(name=name, created=now))
    audit.note(tx, "organisation.add", name, now=now, after={}, of=row_id(tx, name))
    return Organisation(name, now)


def all(tx: Transaction) -> list[Organisation]:
    """Return all organisations, by name."""
    table = schema.organisations
    rows = tx.connection.execute(select(table.c.name, table.c.created).order_by(table.c.name))
    return [Organisation(row.name, row.created) for row in rows]


def row_id(tx: Transaction, name: str) -> int:
    """Return the row number of an organisation, for rows that belong to it. Raises StoreError when it is unknown."""
    found = _find(tx, name)
    if found is None:
        raise StoreError(N_("there is no organisation {name} in the store; add it first"), name=name)
    return found


def _find(tx: Transaction, name: str) -> int | None:
    return tx.connection.execute(select(schema.organisations.c.id).where(schema.organisations.c.name == name)).scalar()
