"""Selectors of a domain that are not ours: of a mail provider, a newsletter service, another server. Listed and watched, never made.

They matter twice: a key of ours may not take such a name, and when its record goes, mail of that service fails.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, Select, delete, insert, select

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, schema, selectors
from zegel.store.errors import StoreError
from zegel.store.transaction import Transaction
from zegel.words import N_

_MAX_SERVICE = 100


@dataclass(frozen=True, slots=True)
class ForeignSelector:
    """A selector below ``_domainkey`` of ``domain``, and whose it is; ``created`` in seconds since the epoch."""

    domain: Domain
    selector: str
    service: str
    created: int

    @property
    def record_name(self) -> str:
        """The name of its key record."""
        return f"{self.selector}._domainkey.{self.domain}"


def add(tx: Transaction, domain: Domain, selector: str, service: str, *, now: int) -> ForeignSelector:
    """Add a selector of a service. Raises StoreError when it is in the store already, or a key or a slot of ours has it."""
    domain_id, organisation_id = domains.row_ids(tx, domain)
    selector = selectors.parse(selector, domain, force=True)
    if service != service.strip() or len(service) > _MAX_SERVICE or not service.isprintable():
        raise StoreError(N_("{name!r} cannot be the name of a service; take up to 100 printable characters"), name=service[:_MAX_SERVICE])
    for table, column in ((schema.keys, schema.keys.c.selector), (schema.slots, schema.slots.c.name)):
        if tx.connection.execute(select(column).where(table.c.domain_id == domain_id, column == selector)).first() is not None:
            raise StoreError(N_("the selector {selector} of {domain} is one of ours"), selector=selector, domain=domain)
    if any(known.selector == selector for known in all(tx, domain)):
        raise StoreError(N_("the selector {selector} of {domain} is listed already"), selector=selector, domain=domain)
    row = {"organisation_id": organisation_id, "domain_id": domain_id, "selector": selector, "service": service, "created": now}
    tx.connection.execute(insert(schema.selectors).values(row))
    found = ForeignSelector(domain, selector, service, now)
    audit.note(tx, "selector.add", found.record_name, now=now, after={"service": service}, of=organisation_id)
    return found


def all(tx: Transaction, domain: Domain | None = None) -> list[ForeignSelector]:
    """Return the selectors, of one domain when named, by domain and name. Raises StoreError for an unknown domain."""
    query = _rows()
    if domain is not None:
        domains.row_ids(tx, domain)
        query = query.where(schema.domains.c.name == domain)
    return [_selector(row) for row in tx.connection.execute(query.order_by(schema.domains.c.name, schema.selectors.c.selector))]


def remove(tx: Transaction, domain: Domain, selector: str, *, now: int) -> None:
    """Take a selector off the list; DNS is not touched. Raises StoreError when it is not on it."""
    domain_id, organisation_id = domains.row_ids(tx, domain)
    found = next((known for known in all(tx, domain) if known.selector == selector.lower().removesuffix(".")), None)
    if found is None:
        raise StoreError(N_("the selector {selector} of {domain} is not listed"), selector=selector, domain=domain)
    table = schema.selectors
    tx.connection.execute(delete(table).where(table.c.domain_id == domain_id, table.c.selector == found.selector))
    audit.note(tx, "selector.remove", found.record_name, now=now, before={"service": found.service}, of=organisation_id)


def _rows() -> Select[tuple[str, str, int, str]]:
    table = schema.selectors
    columns = (table.c.selector, table.c.service, table.c.created, schema.domains.c.name.label("domain"))
    return select(*columns).join_from(table, schema.domains)


def _selector(row: Row[tuple[str, str, int, str]]) -> ForeignSelector:
    return ForeignSelector(Domain(row.domain), row.selector, row.service, row.created)
