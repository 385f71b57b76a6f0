"""What the store has of one person, by an address: to hand it out, and to erase it (both also where only hashes of addresses are kept).

A message that the person sent goes as a whole. Where the person is one of several recipients, the others' message stays, without them.
In both cases its story and subject go, as they may tell of the person in other words. Erasing leaves pages of the file that were written
over; ``Store.rewrite`` afterwards leaves nothing at all. Backups, and the log of the daemon, are not reached from here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update

from zegel.store import schema, search
from zegel.store.addresses import Addresses
from zegel.store.search import Message, Wanted
from zegel.store.transaction import Transaction

BATCH = 500


@dataclass(frozen=True, slots=True)
class Erased:
    """How many messages were deleted as a whole, and in how many that stay the person was taken out."""

    deleted: int = 0
    changed: int = 0

    def __add__(self, other: Erased) -> Erased:
        return Erased(self.deleted + other.deleted, self.changed + other.changed)

    def __bool__(self) -> bool:
        return bool(self.deleted or self.changed)


def count(tx: Transaction, person: bytes, organisation: str | None = None) -> int:
    """Return how many messages the person is in."""
    query = search.conditions(select(func.count()).select_from(schema.messages), Wanted(person=person, organisation=organisation))
    return int(tx.connection.execute(query).scalar_one())


def erase(tx: Transaction, person: bytes, organisation: str | None = None, *, most: int = BATCH) -> Erased:
    """Erase the person from at most ``most`` messages. Call it again until nothing is erased."""
    wanted = Wanted(person=person, organisation=organisation)
    query = search.conditions(select(schema.messages.c.id), wanted).order_by(schema.messages.c.id).limit(most)
    numbers = list(tx.connection.execute(query).scalars())
    if not numbers:
        return Erased()
    parties, messages, stories = schema.parties.c, schema.messages.c, schema.stories.c
    own = select(parties.message_id).where(parties.message_id.in_(numbers), parties.person == person, parties.role == "sender")
    gone = set(tx.connection.execute(own).scalars())
    tx.connection.execute(delete(schema.parties).where(parties.message_id.in_(numbers), parties.person == person))
    # A message of which the person was the only recipient is theirs as well.
    gone |= _without_recipients(tx, numbers)
    stay = [number for number in numbers if number not in gone]
    tx.connection.execute(delete(schema.messages).where(messages.id.in_(sorted(gone))))
    tx.connection.execute(delete(schema.stories).where(stories.message_id.in_(stay)))
    tx.connection.execute(delete(schema.parties).where(parties.message_id.in_(stay), parties.role == "named"))
    tx.connection.execute(update(schema.messages).where(messages.id.in_(stay)).values(subject=None))
    return Erased(len(gone), len(stay))


def _without_recipients(tx: Transaction, numbers: Sequence[int]) -> set[int]:
    parties, messages = schema.parties.c, schema.messages.c
    left = select(parties.message_id).where(parties.message_id.in_(numbers), parties.role == "recipient").distinct()
    had = select(messages.id).where(messages.id.in_(numbers), messages.recipients > 0)
    return set(tx.connection.execute(had).scalars()) - set(tx.connection.execute(left).scalars())


def export(
    tx: Transaction, addresses: Addresses, person: bytes, organisation: str | None = None, *, after: int = 0
) -> list[tuple[int, Any]]:
    """Return the next messages of a person after number ``after``, oldest first: number and what is handed out, ready for JSON.

    Of other people in them there is only the domain: a copy for one person is not one of all others.
    """
    wanted = Wanted(person=person, organisation=organisation)
    query = search.conditions(select(schema.messages.c.id), wanted).where(schema.messages.c.id > after)
    numbers = list(tx.connection.execute(query.order_by(schema.messages.c.id).limit(BATCH)).scalars())
    found = search.numbered(tx, numbers)
    rows = tx.connection.execute(select(schema.stories.c.message_id, schema.stories.c.text).where(schema.stories.c.message_id.in_(numbers)))
    stories = {row.message_id: addresses.withheld(row.text, person) for row in rows}
    return [(message.id, _handed_out(message, person, stories.get(message.id))) for message in found]


def _handed_out(message: Message, person: bytes, story: str | None) -> dict[str, Any]:
    return {
        "time": message.time,
        "direction": message.direction.value,
        "organisation": message.organisation,
        "queue_id": message.queue_id,
        "from_domain": message.from_domain,
        "subject": message.subject,
        "you": [
            {"role": party.role, "address": party.address, "hash": party.person.hex()}
            for party in message.parties
            if party.person == person
        ],
        "others": [{"role": party.role, "domain": party.domain} for party in message.parties if party.person != person],
        "results": [result._asdict() for result in message.results],
        "action": message.action,
        "reason": message.reason,
        "story": None if story is None else json.loads(story),
    }
