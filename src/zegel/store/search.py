"""The messages that were seen: how they are found. Each criterion has an index; none of them reads the whole table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select, union

from zegel.store import schema
from zegel.store.addresses import domain_prefix
from zegel.store.messages import first_number
from zegel.store.record import Direction, Result
from zegel.store.transaction import Transaction

# SQLite takes 32,766 values in one statement; a page is shorter.
MAX_PAGE = 1000
_REST = 13  # more octets than any hash of an address has behind its domain


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody of a message: ``role`` is sender, recipient or named (by its story); ``address`` is None where only the hash is kept.

    ``exchange`` is the organisation that takes mail for the domain of a recipient outside: None not known yet, "" none.
    """

    role: str
    person: bytes
    address: str | None
    domain: str
    exchange: str | None

    @property
    def shown(self) -> str:
        """The address, or the hash in its place."""
        return f"#{self.person.hex()}@{self.domain}" if self.address is None else self.address


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is in the store; ``recipients`` is how many it had, also when not all of them are among its ``parties``."""

    id: int
    organisation: str
    time: int
    direction: Direction
    queue_id: str
    from_domain: str
    action: str
    reason: str
    recipients: int
    subject: str | None
    parties: tuple[Party, ...]
    results: tuple[Result, ...]
    would: str | None = None
    marks: tuple[str, ...] = ()

    def of_role(self, role: str) -> list[Party]:
        """Its parties of one role."""
        return [party for party in self.parties if party.role == role]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: all that is set must hold. Times in seconds since the epoch, ``until`` itself not included."""

    since: int | None = None
    until: int | None = None
    queue_id: str | None = None
    person: bytes | None = None
    domain: str | None = None
    action: str | None = None
    direction: Direction | None = None
    organisation: str | None = None
    would: str | None = None
    mark: str | None = None


def find(tx: Transaction, wanted: Wanted, *, limit: int, below: int | None = None) -> list[Message]:
    """Return the newest messages that are wanted, at most ``limit``; ``below`` is the number of the last one of the page above."""
    query = conditions(_rows(), wanted).order_by(schema.messages.c.id.desc()).limit(min(limit, MAX_PAGE))
    if below is not None:
        query = query.where(schema.messages.c.id < below)
    return _whole(tx, tx.connection.execute(query).all())


def numbered(tx: Transaction, numbers: Iterable[int]) -> list[Message]:
    """Return the messages of these numbers that are there, oldest first."""
    return _whole(tx, tx.connection.execute(_rows().where(schema.messages.c.id.in_(list(numbers))).order_by(schema.messages.c.id)).all())


def story(tx: Transaction, number: int) -> list[Any] | None:
    """Return the story of a message; None when it has none, or no longer."""
    text = tx.connection.execute(select(schema.stories.c.text).where(schema.stories.c.message_id == number)).scalar()
    return None if text is None else list(json.loads(text))


def conditions(query: Select[Any], wanted: Wanted) -> Select[Any]:
    """Add what is wanted to a query over the messages."""
    return query.where(*_conditions(wanted))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    table, parties = schema.messages.c, schema.parties.c
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(table.id >= first_number(wanted.since))
    if wanted.until is not None:
        found.append(table.id < first_number(wanted.until))
    if wanted.queue_id is not None:
        found.append(table.queue_id == wanted.queue_id)
    if wanted.person is not None:
        found.append(table.id.in_(select(parties.message_id).where(parties.person == wanted.person)))
    if wanted.domain is not None:
        by_author = select(schema.messages.c.id).where(schema.messages.c.from_domain == wanted.domain)
        first = domain_prefix(wanted.domain)
        in_domain = (parties.person >= first, parties.person <= first + b"\xff" * _REST, parties.domain == wanted.domain)
        found.append(table.id.in_(union(by_author, select(parties.message_id).where(*in_domain))))
    if wanted.action is not None:
        found.append(table.action == wanted.action)
    if wanted.direction is not None:
        found.append(table.direction == wanted.direction.value)
    if wanted.would is not None:
        found.append(table.would == wanted.would)
        if wanted.would != "accepted":
            found.append(table.would != "accepted")  # as the index has it
    if wanted.mark is not None:
        found += [table.marks.is_not(None), table.marks.contains(f" {wanted.mark} ", autoescape=True)]
    if wanted.organisation is not None:
        owner = select(schema.organisations.c.id).where(schema.organisations.c.name == wanted.organisation)
        found.append(table.organisation_id == owner.scalar_subquery())
    return found


def _rows() -> Select[Any]:
    messages, by = schema.messages, schema.organisations
    return select(messages, by.c.name.label("organisation")).join_from(messages, by, messages.c.organisation_id == by.c.id)


def _whole(tx: Transaction, rows: Sequence[Any]) -> list[Message]:
    """Add the parties, read for all of them at once."""
    parties: dict[int, list[Party]] = {row.id: [] for row in rows}
    if parties:
        table = schema.parties
        query = select(table).where(table.c.message_id.in_(list(parties))).order_by(table.c.message_id, table.c.position)
        for row in tx.connection.execute(query):
            parties[row.message_id].append(Party(row.role, row.person, row.address, row.domain, row.exchange))
    return [
        Message(
            id=row.id,
            organisation=row.organisation,
            time=row.id >> schema.SECOND_BITS,
            direction=Direction(row.direction),
            queue_id=row.queue_id,
            from_domain=row.from_domain,
            action=row.action,
            reason=row.reason,
            recipients=row.recipients,
            subject=row.subject,
            parties=tuple(parties[row.id]),
            results=tuple(Result(*result) for result in json.loads(row.results)),
            would=row.would,
            marks=tuple((row.marks or "").split()),
        )
        for row in rows
    ]
