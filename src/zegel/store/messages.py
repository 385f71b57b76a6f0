"""The messages that were seen: how they are written. They are read by :mod:`zegel.store.search`, and go by :mod:`zegel.store.retention`.

A batch of records becomes rows in one transaction. A message whose recipients are of several organisations becomes one for each: nobody
sees a neighbour's recipients. What a stranger wrote is cut to the columns, and addresses are kept as :mod:`zegel.store.addresses` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from zegel.store import organisations, schema
from zegel.store.addresses import Addresses, Person
from zegel.store.record import MAX_RECIPIENTS, MAX_RESULTS, MAX_STORY_OCTETS, Direction, Record, printable
from zegel.store.transaction import Transaction, generation

_MAX_MARKS = 6
_MAX_SUBJECT = 998  # what RFC 5322 2.1.1 lets one line have
_MAX_KNOWN = 10_000

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of each message: the story, the subject. ``addresses`` says in which form people are."""

    addresses: Addresses
    stories: bool = True
    subjects: bool = False


class Owners:
    """Whose mail is whose: the organisation of each of our domains, as it was at one generation of the store."""

    def __init__(self, tx: Transaction) -> None:
        self.generation = generation(tx)
        table = schema.domains
        self._of: dict[str, int] = {
            row.name: row.organisation_id for row in tx.connection.execute(select(table.c.name, table.c.organisation_id))
        }
        self.default = organisations.row_id(tx, organisations.DEFAULT)
        self._known: dict[str, int | None] = {}

    def find(self, domain: str) -> int | None:
        """The organisation that has this domain or the nearest one above it; None when it is nobody's here."""
        if domain in self._known:
            return self._known[domain]
        name, found = domain, self._of.get(domain)
        while found is None and "." in name:
            name = name.partition(".")[2]
            found = self._of.get(name)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[domain] = found
        return found

    def current(self, tx: Transaction) -> Owners:
        """These, or new ones when domains have changed since."""
        return self if generation(tx) == self.generation else Owners(tx)


class Written(NamedTuple):
    """What became of a batch: the lowest number in it, and the domains of which it is not known who takes their mail."""

    first: int
    unknown: frozenset[str]


def first_number(second: int) -> int:
    """The number below which no message of that second, or of a later one, can be. ``second`` since the epoch."""
    return second << schema.SECOND_BITS


def add(tx: Transaction, records: Sequence[Record], keeping: Keeping, owners: Owners, exchanges: Mapping[str, str]) -> Written:
    """Write a batch. ``exchanges``: who takes mail for a domain, as far as that is known."""
    batch = _Batch(tx, keeping, exchanges)
    for record in records:
        batch.add(record, owners)
    for table, rows in ((schema.messages, batch.messages), (schema.parties, batch.parties), (schema.stories, batch.stories)):
        if rows:
            _insert(tx.connection, table, rows)
    return Written(min((row[0] for row in batch.messages), default=0), frozenset(batch.unknown))


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows whose values are in the order of the table's columns.

    The statement is Core's, for whichever database; the values go to the driver as they are, as Core's own way with them costs more than
    the insertion.
    """
    names = [column.name for column in table.columns]
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=names)
    values = rows if compiled.positional else [dict(zip(names, row, strict=True)) for row in rows]
    connection.exec_driver_sql(str(compiled), values)


def name_exchanges(tx: Transaction, exchanges: Mapping[str, str], *, since: int) -> None:
    """Tell who takes the mail of these domains, for the messages from number ``since`` that were written before it was known."""
    table = schema.parties.c
    unknown = select(table.message_id, table.position, table.domain).where(table.message_id >= since, table.exchange.is_(None))
    told = [
        {"number": row.message_id, "place": row.position, "exchange": exchanges[row.domain]}
        for row in tx.connection.execute(unknown)
        if row.domain in exchanges
    ]
    if told:
        of_one = (table.message_id == bindparam("number"), table.position == bindparam("place"))
        tx.connection.execute(update(schema.parties).where(*of_one).values(exchange=bindparam("exchange")), told)


class _Batch:
    """The rows of one batch, table by table, with their values in the order of the columns."""

    def __init__(self, tx: Transaction, keeping: Keeping, exchanges: Mapping[str, str]) -> None:
        self._tx, self._keeping, self._exchanges = tx, keeping, exchanges
        self._newest: int = tx.connection.execute(select(func.max(schema.messages.c.id))).scalar() or 0
        self._last: dict[int, int] = {}  # the last number taken in each second
        self.messages: list[Row] = []
        self.parties: list[Row] = []
        self.stories: list[Row] = []
        self.unknown: set[str] = set()

    def add(self, record: Record, owners: Owners) -> None:
        person = self._keeping.addresses.person
        sender = person(record.sender) if record.sender else None
        recipients = [person(address) for address in record.recipients[:MAX_RECIPIENTS]]
        story, named = self._story(record)
        results = _json(record.results[:MAX_RESULTS]).decode()
        for owner, own_recipients in _parts(record, sender, recipients, owners):
            # With one owner, also those beyond the bound are counted.
            count = len(record.recipients) if own_recipients is recipients else len(own_recipients)
            number = self._number(record.time)
            self._message(number, record, owner, count, results)
            self._parties(number, record, owner, sender, own_recipients, named)
            if story is not None:
                self.stories.append((number, owner, story))

    def _number(self, second: int) -> int:
        """The next free number of a second."""
        last = self._last.get(second)
        if last is None:
            last = first_number(second) - 1
            # In most batches every second but the first is newer than all that is there.
            if last < self._newest:
                number = schema.messages.c.id
                query = select(func.max(number)).where(number > last, number < first_number(second + 1))
                last = self._tx.connection.execute(query).scalar() or last
        self._last[second] = last + 1
        return last + 1

    def _message(self, number: int, record: Record, owner: int, recipients: int, results: str) -> None:
        subject = printable(record.subject, _MAX_SUBJECT) if self._keeping.subjects and record.subject else None
        queue_id, author = printable(record.queue_id, 64), printable(record.from_domain, 253)
        action, reason = printable(record.action, 16), printable(record.reason, 64)
        would = printable(record.would, 16) or None
        marks = f" {' '.join(printable(mark, 64) for mark in record.marks[:_MAX_MARKS])} " if record.marks else None
        self.messages.append(
            (number, owner, record.direction.value, queue_id, author, action, reason, recipients, subject, results, would, marks)
        )

    def _parties(
        self, number: int, record: Record, owner: int, sender: Person | None, recipients: Sequence[Person], named: Sequence[Person]
    ) -> None:
        # Who takes the mail is asked for what leaves us; for what comes in it is ourselves.
        outbound = record.direction is Direction.OUTBOUND
        people: list[tuple[str, Person, str | None]] = [("sender", sender, "")] if sender else []
        for one in recipients:
            exchange = self._exchanges.get(one.domain) if outbound and one.domain else ""
            if exchange is None:
                self.unknown.add(one.domain)
            people.append(("recipient", one, exchange))
        people += [("named", one, "") for one in named]
        for position, (role, (key, address, domain), exchange) in enumerate(people):
            self.parties.append((number, position, owner, role, key, address, domain, exchange))

    def _story(self, record: Record) -> tuple[str | None, Sequence[Person]]:
        if not self._keeping.stories or not record.story:
            return None, ()
        text, people = self._keeping.addresses.in_story(story_text(record.story))
        return text or _cut(len(record.story)), people


def _parts(record: Record, sender: Person | None, recipients: list[Person], owners: Owners) -> Iterator[tuple[int, list[Person]]]:
    """The organisations that a message is of, each with its own recipients: out, that of the author; in, those of the recipients."""
    if record.direction is Direction.OUTBOUND:
        owner = owners.find(record.from_domain)
        if owner is None and sender is not None:
            owner = owners.find(sender.domain)
        yield owners.default if owner is None else owner, recipients
        return
    found = [owners.find(one.domain) for one in recipients]
    if len(set(found)) <= 1:
        owner = found[0] if found else None
        yield owners.default if owner is None else owner, recipients
        return
    of: dict[int, list[Person]] = {}
    for one, owner in zip(recipients, found, strict=True):
        of.setdefault(owners.default if owner is None else owner, []).append(one)
    yield from of.items()


def story_text(story: Sequence[Mapping[str, object]]) -> str:
    """The JSON text of a story. What goes beyond the bound is left out, and the last item says how many items that are."""
    whole = _json(story)
    if len(whole) <= MAX_STORY_OCTETS:
        return whole.decode()
    kept: list[bytes] = []
    room = MAX_STORY_OCTETS - len(_cut(len(story)))
    for item in story:
        piece = _json(item)
        room -= len(piece) + 1
        if room < 0:
            break
        kept.append(piece)
    last = _cut(len(story) - len(kept))
    return f"[{b','.join([*kept, last[1:-1].encode()]).decode()}]"


def _cut(items: int) -> str:
    return f'[{{"left_out":{items}}}]'


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        # Octets of a message that are no UTF-8 come as lone surrogates, which no database takes.
        return msgspec.json.encode(_sound(value), enc_hook=str)


def _sound(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_sound(key): _sound(inner) for key, inner in value.items()}
    return [_sound(inner) for inner in value] if isinstance(value, (list, tuple)) else value
