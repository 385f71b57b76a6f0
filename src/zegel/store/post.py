"""The mail in the outbox: taken, due, tried, over. Functions over one transaction of :class:`~zegel.store.spool.Spool`.

A message has one row, its body another that goes when nobody waits for it, and each recipient a row with a state of its own: of one
message some are delivered while others wait. Before the end of a message leaves, its recipients are marked as *sending*: a mark that is
found without an answer is a doubt, so that what may arrive twice can be told and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from zegel.store.record import printable
from zegel.store.spool import bodies, messages, recipients, state

MAX_ANSWER = 400
# What a message takes beside its body, and each of its recipients: rows, and entries of indexes.
ROW, RECIPIENT_ROW = 512, 256
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none is taken for another when it is read out


class State(StrEnum):
    """How it stands with one recipient."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Posting:
    """A message to send: ready as it is, byte for byte (CRLF line ends, signed).

    ``sender`` is the envelope's, empty for ``<>``; ``site`` the name of who handed it in, ``contact`` who is told when it fails (empty:
    nobody); ``utf8`` needs SMTPUTF8 (RFC 6531), ``eight_bit`` needs 8BITMIME (RFC 6152).
    """

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    site: str = ""
    contact: str = ""
    utf8: bool = False
    eight_bit: bool = False

    @property
    def weight(self) -> int:
        """The octets that it takes in the outbox."""
        return len(self.data) + ROW + RECIPIENT_ROW * len(self.recipients)


class Recipient(NamedTuple):
    """One recipient of a message."""

    position: int
    address: str
    route: str
    state: State
    tries: int
    due: int
    tried: int
    sending: bool
    doubts: int
    answer: str


@dataclass(frozen=True, slots=True)
class Item:
    """A message of the outbox without its body; ``recipients`` are all of them, or those that are due. Times in seconds, ``id`` in
    microseconds.
    """

    id: int
    received: int
    sender: str
    site: str
    contact: str
    utf8: bool
    eight_bit: bool
    size: int
    warned: bool
    finished: int | None
    recipients: tuple[Recipient, ...] = ()

    @property
    def queue_id(self) -> str:
        """Its name for people and logs."""
        return queue_id(self.id)


class Outcome(NamedTuple):
    """What became of one recipient in one try. ``due`` is when it is tried next, for one that waits on."""

    position: int
    state: State
    answer: str
    due: int = 0
    doubt: bool = False


def queue_id(number: int) -> str:
    """The name of a message, from its number."""
    digits = []
    while number:
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def number(name: str) -> int | None:
    """The number of a message, from its name; None for what is no name."""
    value = 0
    if not 0 < len(name) <= 12:
        return None
    for char in name.upper():
        digit = _DIGITS.find(char)
        if digit < 0:
            return None
        value = value * 32 + digit
    return value


# -- what comes in -------------------------------------------------------------------------------------------------------------------


def add(tx: Connection, entries: Iterable[tuple[int, Posting]], *, now: int, direct: bool) -> None:
    """Put messages into the outbox under those numbers. With ``direct`` each domain is a route of its own."""
    rows, data, people = [], [], []
    for identity, posting in entries:
        rows.append(
            {
                "id": identity, "received": now, "sender": posting.sender, "site": posting.site, "contact": posting.contact,
                "utf8": posting.utf8, "eight_bit": posting.eight_bit, "size": len(posting.data), "recipients": len(posting.recipients),
                "warned": False, "finished": None,
            }
        )  # fmt: skip
        data.append({"message_id": identity, "data": posting.data})
        for position, address in enumerate(posting.recipients):
            people.append(
                {
                    "message_id": identity, "position": position, "address": address, "route": route_of(address, direct=direct),
                    "state": State.WAITING.value, "tries": 0, "due": now, "tried": 0, "sending": False, "doubts": 0, "answer": "",
                }
            )  # fmt: skip
    tx.execute(insert(messages), rows)
    tx.execute(insert(bodies), data)
    tx.execute(insert(recipients), people)


def route_of(address: str, *, direct: bool) -> str:
    """Where an address goes: its domain in lower case, or the one next hop."""
    return address.rpartition("@")[2].lower() if direct else ""


def newest(tx: Connection) -> int:
    """The number of the newest message; 0 when there is none."""
    return int(tx.execute(select(func.max(messages.c.id))).scalar() or 0)


def weight(tx: Connection) -> int:
    """The octets of all messages whose bodies are there, as :attr:`Posting.weight` counts them."""
    present = messages.join(bodies, bodies.c.message_id == messages.c.id)
    size, count, people = tx.execute(
        select(func.sum(messages.c.size), func.count(), func.sum(messages.c.recipients)).select_from(present)
    ).one()
    return int(size or 0) + ROW * int(count) + RECIPIENT_ROW * int(people or 0)


# -- what is due ---------------------------------------------------------------------------------------------------------------------


def routes(tx: Connection) -> list[tuple[str, int]]:
    """Each route on which something waits, and when the first of it is due."""
    rows = tx.execute(
        select(recipients.c.route, func.min(recipients.c.due)).where(recipients.c.state == State.WAITING.value).group_by(recipients.c.route)
    )
    return [(route, int(due)) for route, due in rows]


def waiting(tx: Connection) -> int:
    """How many recipients wait."""
    return int(tx.execute(select(func.count()).select_from(recipients).where(waits())).scalar_one())


def next_due(tx: Connection, route: str) -> int | None:
    """When the next of a route is due; None when nothing waits there."""
    due = tx.execute(select(func.min(recipients.c.due)).where(recipients.c.route == route, waits())).scalar()
    return None if due is None else int(due)


def due(tx: Connection, route: str, *, now: int, limit: int) -> list[Item]:
    """Messages of a route that are due, those first that are longest, with the recipients that are due there."""
    rows = tx.execute(
        select(recipients).where(recipients.c.route == route, waits(), recipients.c.due <= now).order_by(recipients.c.due).limit(limit)
    )
    return items(tx, rows)


def body(tx: Connection, identity: int) -> bytes | None:
    """The body of a message; None when it is gone."""
    found = tx.execute(select(bodies.c.data).where(bodies.c.message_id == identity)).scalar()
    return None if found is None else bytes(found)


# -- what is tried -------------------------------------------------------------------------------------------------------------------


def mark(tx: Connection, identity: int, positions: Sequence[int]) -> int:
    """Note that the end of a message is about to leave for these recipients; how many of them still wait for it."""
    of_them = (recipients.c.message_id == identity, recipients.c.position.in_(positions), waits())
    return int(tx.execute(update(recipients).where(*of_them).values(sending=True)).rowcount)


def settle(tx: Connection, identity: int, outcomes: Iterable[Outcome], *, now: int, tried: bool = True) -> None:
    """Write down what became of recipients, in one try or (not ``tried``) without; the body goes with the last that is delivered."""
    for outcome in outcomes:
        values: dict[str, Any] = {"state": outcome.state.value, "answer": printable(outcome.answer, MAX_ANSWER), "sending": False}
        if tried:
            values |= {"tries": recipients.c.tries + 1, "tried": now}
        if outcome.state is State.WAITING:
            values["due"] = outcome.due
        if outcome.doubt:
            values["doubts"] = recipients.c.doubts + 1
        where = [recipients.c.message_id == identity, recipients.c.position == outcome.position]
        # One that somebody dropped meanwhile stays so, but what has been delivered has been.
        if outcome.state is not State.DELIVERED:
            where.append(waits())
        tx.execute(update(recipients).where(*where).values(**values))
    finish(tx, [identity], now=now)


def postpone(tx: Connection, route: str, answer: str, *, now: int, due: int, counts: bool) -> None:
    """Put off all that is due on a route that could not be reached. ``counts``: it was a try for each of them."""
    values: dict[str, Any] = {"due": due, "answer": printable(answer, MAX_ANSWER)}
    if counts:
        values |= {"tries": recipients.c.tries + 1, "tried": now}
    tx.execute(update(recipients).where(recipients.c.route == route, waits(), recipients.c.due <= now).values(**values))


def overdue(tx: Connection, route: str, *, seconds: int, unwarned: bool = False, limit: int) -> list[Item]:
    """Messages with recipients of a route that were still tried in vain so many seconds after they came; with ``unwarned`` those only that
    nobody was told of.
    """
    late = select(recipients).join(messages, messages.c.id == recipients.c.message_id)
    late = late.where(recipients.c.route == route, waits(), recipients.c.tried >= messages.c.received + seconds)
    if unwarned:
        late = late.where(messages.c.warned.is_(False))
    return items(tx, tx.execute(late.limit(limit)))


def warned(tx: Connection, identity: int) -> None:
    """Note that somebody was told that the message is late."""
    tx.execute(update(messages).where(messages.c.id == identity).values(warned=True))


def recover(tx: Connection) -> int:
    """After a start: what was being sent when the last daemon ended may have arrived. How many recipients that are."""
    doubtful = update(recipients).where(recipients.c.sending.is_(True), waits())
    return int(tx.execute(doubtful.values(sending=False, doubts=recipients.c.doubts + 1)).rowcount)


def reroute(tx: Connection, *, direct: bool) -> None:
    """Give all that waits the routes of the configuration of now."""
    if not direct:
        tx.execute(update(recipients).where(waits(), recipients.c.route != "").values(route=""))
        return
    rows = tx.execute(select(recipients.c.address).where(waits(), recipients.c.route == "").distinct()).scalars().all()
    for address in rows:
        new = route_of(address, direct=True)
        tx.execute(update(recipients).where(recipients.c.address == address, waits()).values(route=new))


# -- what is over --------------------------------------------------------------------------------------------------------------------


def finish(tx: Connection, identities: Sequence[int], *, now: int) -> None:
    """Note of messages of which nothing waits that they are over; bodies that everybody has got are deleted."""
    for identity in identities:
        left = set(tx.execute(select(recipients.c.state).where(recipients.c.message_id == identity).distinct()).scalars())
        if State.WAITING.value in left:
            continue
        tx.execute(update(messages).where(messages.c.id == identity, messages.c.finished.is_(None)).values(finished=now))
        if left <= {State.DELIVERED.value}:
            tx.execute(delete(bodies).where(bodies.c.message_id == identity))


def forget(tx: Connection, *, before: int, limit: int) -> int:
    """Delete up to ``limit`` messages that were over before that time; how many there were."""
    old = tx.execute(select(messages.c.id).where(messages.c.finished < before).limit(limit)).scalars().all()
    for table, column in ((bodies, bodies.c.message_id), (recipients, recipients.c.message_id), (messages, messages.c.id)):
        tx.execute(delete(table).where(column.in_(old)))
    return len(old)


def make_room(tx: Connection, octets: int) -> int:
    """Delete bodies of messages that failed or were dropped, the oldest first, until so many octets are free; how many are."""
    freed = 0
    over = select(messages.c.id, messages.c.size, messages.c.recipients).join(bodies, bodies.c.message_id == messages.c.id)
    for identity, size, people in tx.execute(over.where(messages.c.finished.is_not(None)).order_by(messages.c.finished)):
        if freed >= octets:
            break
        tx.execute(delete(bodies).where(bodies.c.message_id == identity))
        freed += int(size) + ROW + RECIPIENT_ROW * int(people)
    return freed


def changes(tx: Connection) -> int:
    """The number of changes by other processes so far."""
    return int(tx.execute(select(state.c.changes)).scalar_one())


def waits() -> ColumnElement[bool]:
    """The condition that a recipient waits."""
    return recipients.c.state == State.WAITING.value


def items(tx: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Item]:
    """The messages of these recipients, in the order of the recipients."""
    by_message: dict[int, list[Recipient]] = {}
    for row in rows:
        identity, position, address, route, word, *rest = row
        by_message.setdefault(identity, []).append(Recipient(position, address, route, State(word), *rest))
    found: dict[int, Item] = {}
    ids = list(by_message)
    for start in range(0, len(ids), 500):
        wanted = select(messages).where(messages.c.id.in_(ids[start : start + 500]))
        for row in tx.execute(wanted):
            found[row.id] = Item(
                row.id, row.received, row.sender, row.site, row.contact, row.utf8, row.eight_bit, row.size, row.warned, row.finished,
                tuple(by_message[row.id]),
            )  # fmt: skip
    return [found[identity] for identity in ids if identity in found]
