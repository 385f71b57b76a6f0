"""What the last look at a record found, and since when it is so: what was seen once as it should be is known as ours afterwards.

A sighting is of a look at all authoritative servers of the record's zone. It is what ``zegel`` remembers of DNS, never what DNS has now.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, delete, insert, select

from zegel.grammar.domain import Domain
from zegel.store import domains, schema
from zegel.store.transaction import Transaction

_MAX_SEEN, _MAX_TEXT = 20, 4096


@dataclass(frozen=True, slots=True)
class Sighting:
    """One record, by its full name and type: the ``outcome``, the id of what differed, the texts seen, and since when. Times in seconds."""

    name: str
    type: str
    outcome: str
    difference: str
    seen: tuple[str, ...]
    since: int
    looked: int


def note(
    tx: Transaction, domain: Domain, name: str, rrtype: str, *, outcome: str, difference: str, seen: Sequence[str], now: int
) -> Sighting:
    """Keep what a look found. ``since`` stays where nothing has changed. Raises StoreError for an unknown domain."""
    domain_id, organisation_id = domains.row_ids(tx, domain)
    texts = tuple(sorted({text[:_MAX_TEXT] for text in seen[:_MAX_SEEN]}))
    former = get(tx, domain, name, rrtype)
    same = former is not None and (former.outcome, former.difference, former.seen) == (outcome, difference, texts)
    found = Sighting(name, rrtype, outcome, difference, texts, former.since if same and former else now, now)
    table = schema.sightings
    tx.connection.execute(delete(table).where(table.c.domain_id == domain_id, table.c.name == name, table.c.type == rrtype))
    row = {"domain_id": domain_id, "organisation_id": organisation_id, "name": name, "type": rrtype, "outcome": outcome}
    row |= {"difference": difference, "seen": json.dumps(texts), "since": found.since, "looked": now}
    tx.connection.execute(insert(table).values(row))
    return found


def get(tx: Transaction, domain: Domain, name: str, rrtype: str) -> Sighting | None:
    """Return what was last seen of a record; None when nobody looked. Raises StoreError for an unknown domain."""
    return next((found for found in all(tx, domain) if (found.name, found.type) == (name, rrtype)), None)


def all(tx: Transaction, domain: Domain) -> list[Sighting]:
    """Return what was last seen of a domain's records, by name. Raises StoreError for an unknown domain."""
    domain_id, _organisation_id = domains.row_ids(tx, domain)
    table = schema.sightings
    rows = tx.connection.execute(select(table).where(table.c.domain_id == domain_id).order_by(table.c.name, table.c.type))
    return [_sighting(row) for row in rows]


def _sighting(row: Row[tuple[int, int, str, str, str, str, str, int, int]]) -> Sighting:
    return Sighting(row.name, row.type, row.outcome, row.difference, tuple(json.loads(row.seen)), row.since, row.looked)
