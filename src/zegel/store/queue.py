"""What people see of the outbox, and what they do with it: list, show, try again, drop, erase.

They may do so while the daemon runs: it looks at the count of changes once a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, select, update

from zegel.store import post, transit
from zegel.store.post import items
from zegel.store.posting import Item, Posting, State, queue_id
from zegel.store.spool import bodies, messages, recipients, state
from zegel.store.transit import waits


def find(tx: Connection, identity: int) -> Item | None:
    """One message, with all its recipients."""
    rows = tx.execute(select(recipients).where(recipients.c.message_id == identity).order_by(recipients.c.position))
    return next(iter(items(tx, rows)), None)


def listed(tx: Connection, *, states: Iterable[State], limit: int, below: int | None = None) -> list[Item]:
    """Messages with a recipient in one of these states, newest first, with those recipients."""
    words = [state.value for state in states]
    wanted = select(recipients.c.message_id).where(recipients.c.state.in_(words))
    if below is not None:
        wanted = wanted.where(recipients.c.message_id < below)
    ids = tx.execute(wanted.distinct().order_by(recipients.c.message_id.desc()).limit(limit)).scalars().all()
    rows = tx.execute(
        select(recipients)
        .where(recipients.c.message_id.in_(ids), recipients.c.state.in_(words))
        .order_by(recipients.c.message_id.desc(), recipients.c.position)
    )
    return items(tx, rows)


def count(tx: Connection) -> dict[State, int]:
    """How many recipients there are in each state."""
    rows = tx.execute(select(recipients.c.state, func.count()).group_by(recipients.c.state))
    found = {word: int(number) for word, number in rows}
    return {each: found.get(each.value, 0) for each in State}


def waiting_of(tx: Connection, site: str) -> int:
    """How many messages of a site wait for one recipient at least."""
    query = select(func.count(recipients.c.message_id.distinct())).join_from(recipients, messages, messages.c.id == recipients.c.message_id)
    return int(tx.execute(query.where(waits(), messages.c.site == site)).scalar_one())


def retry(tx: Connection, identity: int | None, *, now: int) -> int:
    """Have a message tried now, or all that wait; one that failed or was dropped waits again. How many recipients that are."""
    if identity is None:
        changed = tx.execute(update(recipients).where(waits()).values(due=now)).rowcount
    else:
        again = (State.WAITING.value, State.FAILED.value, State.DROPPED.value)
        one = update(recipients).where(recipients.c.message_id == identity, recipients.c.state.in_(again))
        changed = tx.execute(one.values(due=now, state=State.WAITING.value)).rowcount if transit.body(tx, identity) is not None else 0
        if changed:
            tx.execute(update(messages).where(messages.c.id == identity).values(finished=None))
    _count_change(tx)
    return int(changed)


def hand_in(tx: Connection, posting: Posting, *, now: int, direct: bool, route: str | None = None) -> str:
    """Put a message into the outbox from outside the daemon; its queue id. It is safe when the transaction ends.

    With ``route`` it goes there, and not where the addresses of its recipients go.
    """
    identity = max(post.newest(tx) + 1, now * 1_000_000)
    transit.add(tx, [(identity, posting)], now=now, direct=direct)
    if route is not None:
        tx.execute(update(recipients).where(recipients.c.message_id == identity).values(route=route))
    _count_change(tx)
    return queue_id(identity)


def drop(tx: Connection, identity: int, *, now: int) -> int:
    """Send a message to none of its recipients that still wait, and tell nobody. How many recipients that are."""
    one = update(recipients).where(recipients.c.message_id == identity, waits())
    changed = int(tx.execute(one.values(state=State.DROPPED.value, sending=False)).rowcount)
    transit.finish(tx, [identity], now=now)
    _count_change(tx)
    return changed


def erase(tx: Connection, identity: int) -> None:
    """Delete a message, whatever becomes of it: nothing of it is sent from then on, and nothing is left of it."""
    for table, column in ((bodies, bodies.c.message_id), (recipients, recipients.c.message_id), (messages, messages.c.id)):
        tx.execute(delete(table).where(column == identity))
    _count_change(tx)


def erase_recipients(tx: Connection, identity: int, positions: Sequence[int]) -> None:
    """Delete some recipients of a message that others still wait for: it is not sent to these."""
    tx.execute(delete(recipients).where(recipients.c.message_id == identity, recipients.c.position.in_(positions)))
    _count_change(tx)


def _count_change(tx: Connection) -> None:
    tx.execute(update(state).values(changes=state.c.changes + 1))
