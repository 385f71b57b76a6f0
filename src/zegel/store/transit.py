"""One message on its way through the outbox: put down, read, marked, settled. What is said to the database for each of them.

Many messages share a transaction, and here a statement as well: each is made once and run by the driver itself (see
:class:`~zegel.store.sqlite.Statement`). What is asked now and then, about all that waits, is in :mod:`zegel.store.post`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, delete, exists, func, insert, literal_column, select, update

from zegel.store.posting import Outcome, Posting, State
from zegel.store.record import printable
from zegel.store.spool import bodies, messages, recipients
from zegel.store.sqlite import Statement

MAX_ANSWER = 400


def waits() -> ColumnElement[bool]:
    """The condition that a recipient waits."""
    # Written out: of a value that comes later SQLite cannot know that the index on what waits holds it.
    return recipients.c.state == literal_column("'waiting'")


_MESSAGE: BindParameter[int] = bindparam("message")
_ONE = (recipients.c.message_id == _MESSAGE, recipients.c.position == bindparam("place"))
_OF_IT = select(recipients.c.position).where(recipients.c.message_id == _MESSAGE)
_NO: ColumnElement[bool] = literal_column("0")
_OUTCOME = (
    update(recipients)
    .where(*_ONE)
    .values(
        state=bindparam("word"),
        answer=bindparam("said"),
        due=bindparam("again"),
        tries=recipients.c.tries + bindparam("more"),
        tried=func.coalesce(bindparam("at"), recipients.c.tried),
        doubts=recipients.c.doubts + bindparam("doubt"),
        sending=_NO,
    )
)

_ADD = tuple(Statement(insert(table)) for table in (messages, bodies, recipients))
_BODY = Statement(select(bodies.c.data).where(bodies.c.message_id == _MESSAGE))
_MARK = Statement(update(recipients).where(*_ONE, waits()).values(sending=literal_column("1")))
# One that somebody dropped meanwhile stays so, but what has been delivered has been.
_DELIVERED, _SETTLED = Statement(_OUTCOME), Statement(_OUTCOME.where(waits()))
_FINISH = Statement(
    update(messages)
    .where(messages.c.id == _MESSAGE, messages.c.finished.is_(None), ~exists(_OF_IT.where(waits())))
    .values(finished=bindparam("at"))
)
_LET_GO = Statement(
    delete(bodies).where(bodies.c.message_id == _MESSAGE, ~exists(_OF_IT.where(recipients.c.state != literal_column("'delivered'"))))
)


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
    for statement, values in zip(_ADD, (rows, data, people), strict=True):
        statement.each(tx, values)


def route_of(address: str, *, direct: bool) -> str:
    """Where an address goes: its domain in lower case, or the one next hop."""
    return address.rpartition("@")[2].lower() if direct else ""


def body(tx: Connection, identity: int) -> bytes | None:
    """The body of a message; None when it is gone."""
    found = _BODY.one(tx, {"message": identity}).fetchone()
    return None if found is None else bytes(found[0])


def mark(tx: Connection, identity: int, positions: Iterable[int]) -> int:
    """Note that the end of a message is about to leave for these recipients; how many of them still wait for it."""
    return sum(_MARK.one(tx, {"message": identity, "place": position}).rowcount for position in positions)


def settle(tx: Connection, results: Iterable[tuple[int, Sequence[Outcome]]], *, now: int, tried: bool = True) -> None:
    """Write down what became of recipients of these messages, in one try of each or (not ``tried``) without."""
    delivered, others, over = list[dict[str, Any]](), list[dict[str, Any]](), list[int]()
    for identity, outcomes in results:
        for outcome in outcomes:
            (delivered if outcome.state is State.DELIVERED else others).append(_values(identity, outcome, now, tried))
        if any(outcome.state is not State.WAITING for outcome in outcomes):
            over.append(identity)
    _DELIVERED.each(tx, delivered)
    _SETTLED.each(tx, others)
    finish(tx, over, now=now)


def _values(identity: int, outcome: Outcome, now: int, tried: bool) -> dict[str, Any]:
    return {
        "message": identity, "place": outcome.position, "word": outcome.state.value, "said": printable(outcome.answer, MAX_ANSWER),
        "again": outcome.due, "more": int(tried), "at": now if tried else None, "doubt": int(outcome.doubt),
    }  # fmt: skip


def finish(tx: Connection, identities: Iterable[int], *, now: int) -> None:
    """Note that messages are over, when nothing of them waits any more; a body is deleted when everybody has got it."""
    rows = [{"message": identity, "at": now} for identity in identities]
    _FINISH.each(tx, rows)
    _LET_GO.each(tx, rows)
