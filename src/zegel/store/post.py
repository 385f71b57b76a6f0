"""The mail in the outbox: what is there, due, late, over. Functions over one transaction of :class:`~zegel.store.spool.Spool`.

A message has one row, its body another that goes when nobody waits for it, and each recipient a row with a state of its own: of one
message some are delivered while others wait. Before the end of a message leaves, its recipients are marked as *sending*: a mark that is
found without an answer is a doubt, so that what may arrive twice can be told and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from zegel.store.posting import RECIPIENT_ROW, RELEASED, ROW, Item, Recipient, State
from zegel.store.record import printable
from zegel.store.spool import bodies, messages, recipients, state
from zegel.store.transit import MAX_ANSWER, route_of, waits


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
    rows = tx.execute(select(recipients.c.route, func.min(recipients.c.due)).where(waits()).group_by(recipients.c.route))
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


# -- what could not be tried --------------------------------------------------------------------------------------------------------


def postpone(tx: Connection, route: str, answer: str, *, now: int, due: int, counts: bool) -> None:
    """Put off all that is due on a route that could not be reached. ``counts``: it was a try for each of them."""
    values: dict[str, Any] = {"due": due, "answer": printable(answer, MAX_ANSWER)}
    if counts:
        values |= {"tries": recipients.c.tries + 1, "tried": now}
    tx.execute(update(recipients).where(recipients.c.route == route, waits(), recipients.c.due <= now).values(**values))


def overdue(tx: Connection, route: str, *, seconds: int, before: int | None = None, unwarned: bool = False, limit: int) -> list[Item]:
    """Messages with recipients of a route that were still tried in vain so many seconds after they came; with ``before`` those only that
    came by that time, with ``unwarned`` those only that nobody was told of.
    """
    late = select(recipients).join(messages, messages.c.id == recipients.c.message_id)
    late = late.where(recipients.c.route == route, waits(), recipients.c.tried >= messages.c.received + seconds)
    if before is not None:
        late = late.where(messages.c.received <= before)
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
        tx.execute(update(recipients).where(waits(), recipients.c.route.not_in(("", RELEASED))).values(route=""))
        return
    rows = tx.execute(select(recipients.c.address).where(waits(), recipients.c.route == "").distinct()).scalars().all()
    for address in rows:
        new = route_of(address, direct=True)
        tx.execute(update(recipients).where(recipients.c.address == address, waits(), recipients.c.route == "").values(route=new))


# -- what is over --------------------------------------------------------------------------------------------------------------------


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
