"""The domains that we sign for. A name is in the store once, whoever's it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, Select, delete, insert, select, update

from zegel.grammar.domain import Domain
from zegel.store import audit, organisations, schema
from zegel.store.errors import StoreError
from zegel.store.near import near
from zegel.store.transaction import Transaction, count_change
from zegel.words import N_


@dataclass(frozen=True, slots=True)
class OwnDomain:
    """A domain of ours. With ``sign_subdomains`` its keys also sign for names below it; ``created`` in seconds since the epoch."""

    name: Domain
    organisation: str
    sign_subdomains: bool
    created: int


def add(tx: Transaction, name: Domain, *, now: int, organisation: str = organisations.DEFAULT, sign_subdomains: bool = False) -> OwnDomain:
    """Add a domain to an organisation. Raises StoreError when the name is taken or of one label, or the organisation unknown."""
    if len(name.labels) < 2:
        # RFC 6376 3.5: d= is a name of two labels at least.
        raise StoreError(N_("{domain} has one part only, and a domain that signs has two at least; write it as in example.be"), domain=name)
    owner = organisations.row_id(tx, organisation)
    taken = tx.connection.execute(_rows().where(schema.domains.c.name == name)).one_or_none()
    if taken is not None:
        sentence = N_("{domain} is in the store already, with organisation {organisation}")
        raise StoreError(sentence, domain=name, organisation=taken.organisation)
    values = {"organisation_id": owner, "name": str(name), "sign_subdomains": sign_subdomains, "created": now}
    tx.connection.execute(insert(schema.domains).values(values))
    audit.note(tx, "domain.add", name, now=now, after={"organisation": organisation, "sign_subdomains": sign_subdomains}, of=owner)
    count_change(tx)
    return OwnDomain(name, organisation, sign_subdomains, now)


def sign_below(tx: Transaction, name: Domain, *, now: int) -> None:
    """Let the keys of a domain sign for names below it too. Raises StoreError when it is unknown."""
    domain_id, organisation_id = row_ids(tx, name)
    table = schema.domains
    changed = tx.connection.execute(update(table).where(table.c.id == domain_id, ~table.c.sign_subdomains).values(sign_subdomains=True))
    if changed.rowcount:
        before, after = {"sign_subdomains": False}, {"sign_subdomains": True}
        audit.note(tx, "domain.change", name, now=now, before=before, after=after, of=organisation_id)
        count_change(tx)


def all(tx: Transaction) -> list[OwnDomain]:
    """Return all domains, by name."""
    return [_domain(row) for row in tx.connection.execute(_rows().order_by(schema.domains.c.name))]


def holds(tx: Transaction, name: Domain) -> bool:
    """Tell if a domain is in the store."""
    return tx.connection.execute(select(schema.domains.c.id).where(schema.domains.c.name == name)).first() is not None


def get(tx: Transaction, name: Domain) -> OwnDomain:
    """Return one domain. Raises StoreError when it is not in the store."""
    row = tx.connection.execute(_rows().where(schema.domains.c.name == name)).one_or_none()
    if row is None:
        raise _unknown(tx, name)
    return _domain(row)


def remove(tx: Transaction, name: Domain, *, now: int) -> None:
    """Take out a domain whose keys are all removed, or that never had any, such as one typed wrong. Raises StoreError otherwise."""
    domain_id, organisation_id = row_ids(tx, name)
    # Keys of which DNS still has the record, and mail on its way still bears signatures, do not go by the way.
    alive = select(schema.keys.c.id).where(schema.keys.c.domain_id == domain_id, schema.keys.c.state != "removed").limit(1)
    if tx.connection.execute(alive).first() is not None:
        raise StoreError(N_("{domain} has keys, and is not taken out with them; see: zegel key list {domain}"), domain=name)
    for table in (schema.keys, schema.slots, schema.plans, schema.selectors, schema.sightings):
        tx.connection.execute(delete(table).where(table.c.domain_id == domain_id))
    former = get(tx, name)
    tx.connection.execute(delete(schema.domains).where(schema.domains.c.id == domain_id))
    before = {"organisation": former.organisation, "sign_subdomains": former.sign_subdomains}
    audit.note(tx, "domain.remove", name, now=now, before=before, of=organisation_id)
    count_change(tx)


def row_ids(tx: Transaction, name: Domain) -> tuple[int, int]:
    """Return the row numbers of a domain and of its organisation, for rows that belong to it. Raises StoreError when it is unknown."""
    table = schema.domains
    row = tx.connection.execute(select(table.c.id, table.c.organisation_id).where(table.c.name == name)).one_or_none()
    if row is None:
        raise _unknown(tx, name)
    return row.id, row.organisation_id


def _unknown(tx: Transaction, name: Domain) -> StoreError:
    if meant := near(tx, schema.domains.c.name, name):
        sentence = N_("{domain} is not in the store; did you mean {meant}? If not, add it first: zegel domain add {domain}")
        return StoreError(sentence, domain=name, meant=meant)
    return StoreError(N_("{domain} is not in the store; add it first: zegel domain add {domain}"), domain=name)


def _rows() -> Select[tuple[str, bool, int, str]]:
    table = schema.domains
    columns = (table.c.name, table.c.sign_subdomains, table.c.created, schema.organisations.c.name.label("organisation"))
    return select(*columns).join_from(table, schema.organisations)


def _domain(row: Row[tuple[str, bool, int, str]]) -> OwnDomain:
    return OwnDomain(Domain(row.name), row.organisation, row.sign_subdomains, row.created)
