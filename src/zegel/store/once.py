"""What was handed in under a name of its own, and so is taken once: the same name again is the same message.

A program that hands over a message by the local socket and hears nothing leaves it in the drop folder, under the name that it gave it; and
a file that was taken is there still when the daemon ends before it has removed it. The name is remembered in the transaction that takes
the message, for longer than such a thing may last. Functions over one transaction of :class:`~zegel.store.spool.Spool`.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from zegel.store.spool import handed

KEPT = 7 * 86_400  # seconds
_BATCH = 1000


def taken(tx: Connection, name: str) -> int | None:
    """The number of the message that was taken under this name; None when there was none."""
    found = tx.execute(select(handed.c.message_id).where(handed.c.name == name)).scalar()
    return None if found is None else int(found)


def remember(tx: Connection, name: str, identity: int, *, now: int) -> None:
    """Note that the message of that number is the one of this name."""
    tx.execute(insert(handed).values(name=name, message_id=identity, time=now))


def forget(tx: Connection, *, before: int) -> int:
    """Delete some names of before that time; how many."""
    old = select(handed.c.name).where(handed.c.time < before).limit(_BATCH)
    return int(tx.execute(delete(handed).where(handed.c.name.in_(old))).rowcount)
