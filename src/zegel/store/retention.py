"""How long messages are kept: what is older goes, a bounded number at a time, so that nobody waits long for the one who deletes.

A clock that is wrong must not empty the store. The time by which an expiry went is kept, and the next one that goes by itself takes at
most a day more: after weeks off it catches up a day at each look, and a clock set years ahead leaves time to see it. What is kept goes
back by a day at most as well: a machine that starts in 1970 does not stop expiry for years. A person's word (``zegel message expire``)
takes the clock as it is. Whatever else has a term, and no such memory of its own, goes by the same time (:func:`reached`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, delete, func, insert, select

from zegel.store import schema
from zegel.store.messages import first_number
from zegel.store.transaction import Transaction

DAY = 86_400
BATCH = 500


@dataclass(frozen=True, slots=True)
class Term:
    """Days that messages and their stories are kept; 0 days keep no story at all."""

    messages: int = 30
    stories: int = 14


@dataclass(frozen=True, slots=True)
class Gone:
    """How many were deleted. A story that goes with its message is not counted."""

    messages: int = 0
    stories: int = 0

    def __bool__(self) -> bool:
        return bool(self.messages or self.stories)


def moment(tx: Transaction, *, now: int) -> int:
    """Return the time by which to expire, and keep it: ``now``, or a day past the last time where the clock is further ahead. Seconds."""
    last = tx.connection.execute(select(schema.expiry.c.seen)).scalar()
    by = now if last is None else min(now, int(last) + DAY)
    trust(tx, now=by if last is None else max(by, int(last) - DAY))
    return by


def reached(tx: Transaction, *, now: int) -> int | None:
    """Return the time that expiry has come to, for what is kept elsewhere; ``now`` where the clock is behind it, None before the first.

    It trails a clock that is right by as long as lies between two expiries.
    """
    last = tx.connection.execute(select(schema.expiry.c.seen)).scalar()
    return None if last is None else min(now, int(last))


def trust(tx: Transaction, *, now: int) -> None:
    """Keep a time as one that was right: the next :func:`moment` is counted from it."""
    tx.connection.execute(delete(schema.expiry))
    tx.connection.execute(insert(schema.expiry).values(id=1, seen=now))


def count(tx: Transaction, term: Term, *, now: int) -> int:
    """Return how many messages and stories are past their term, for who wants to see it go forward."""
    oldest, oldest_story = _first_kept(term.messages, now), _first_kept(term.stories, now)
    messages, stories = schema.messages.c.id, schema.stories.c.message_id
    old = tx.connection.execute(select(func.count()).where(messages < oldest)).scalar_one()
    return int(old) + int(tx.connection.execute(select(func.count()).where(stories >= oldest, stories < oldest_story)).scalar_one())


def expire(tx: Transaction, term: Term, *, now: int, most: int = BATCH) -> Gone:
    """Delete the oldest of what is past its term, at most ``most`` messages and as many stories. Call it again until nothing is gone.

    What was recorded ``days`` times 86,400 seconds before ``now`` or later stays.
    """
    messages = _delete_oldest(tx, schema.messages.c.id, below=_first_kept(term.messages, now), most=most)
    stories = _delete_oldest(tx, schema.stories.c.message_id, below=_first_kept(term.stories, now), most=most)
    return Gone(messages, stories)


def _first_kept(days: int, now: int) -> int:
    return first_number(now - days * DAY)


def _delete_oldest(tx: Transaction, number: Column[int], *, below: int, most: int) -> int:
    oldest = select(number).where(number < below).order_by(number).limit(most)
    return int(tx.connection.execute(delete(number.table).where(number.in_(oldest))).rowcount)
