"""The audit log: who changed what, when, and how it was before and after.

Written in the transaction of the change itself: there is neither a change without its line nor a line without its change. Each line has a
link, a keyed hash over itself and the link before it, so that one changed or taken out in the middle shows; taking lines off the end shows
only to who kept a later link. Secrets (private keys, passwords) never come here: what is logged of them is that they changed.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, or_, select

from zegel.store import schema
from zegel.store.record import printable
from zegel.store.transaction import Transaction

_MAX_WHO, _MAX_SUBJECT, _MAX_TEXT = 100, 320, 20_000
_FIRST = bytes(32)
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One line: ``time`` in seconds, ``action`` a stable word such as ``key.activate``, ``subject`` what was changed."""

    number: int
    time: int
    who: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def note(
    tx: Transaction,
    action: str,
    subject: str,
    *,
    now: int,
    before: Values | None = None,
    after: Values | None = None,
    of: int | None = None,
) -> None:
    """Write one line; ``of`` is the row number of the organisation whose it is. Values are JSON's own, and hold no secret."""
    table = schema.audit
    former = tx.connection.execute(select(table.c.link).order_by(table.c.id.desc()).limit(1)).scalar()
    row = {
        "organisation_id": of,
        "time": now,
        "who": printable(tx.who, _MAX_WHO),
        "action": action,
        "subject": printable(subject, _MAX_SUBJECT),
        "before": _text(before),
        "after": _text(after),
    }
    tx.connection.execute(insert(table).values(row | {"link": _link(tx, former or _FIRST, row)}))


def all(tx: Transaction, *, subject: str | None = None, since: int | None = None, after: int = 0, most: int = 1000) -> list[Change]:
    """Return lines in their order, from number ``after`` on, of one subject (or a name below it) and from the second ``since`` on."""
    table = schema.audit
    query = select(table).where(table.c.id > after).order_by(table.c.id).limit(most)
    if subject is not None:
        query = query.where(or_(table.c.subject == subject, table.c.subject.endswith(f".{subject}", autoescape=True)))
    if since is not None:
        query = query.where(table.c.time >= since)
    return [_change(row) for row in tx.connection.execute(query)]


def broken(tx: Transaction) -> int | None:
    """Return the number of the first line whose link does not hold, or None when all do. Raises StoreError without the master key."""
    former = _FIRST
    columns = ("organisation_id", "time", "who", "action", "subject", "before", "after")
    for row in tx.connection.execute(select(schema.audit).order_by(schema.audit.c.id)):
        if not hmac.compare_digest(row.link, _link(tx, former, {name: getattr(row, name) for name in columns})):
            return int(row.id)
        former = row.link
    return None


def last(tx: Transaction) -> tuple[int, bytes]:
    """Return how many lines there are, and the link of the last one: to keep elsewhere, as lines taken off the end do not show."""
    table = schema.audit
    count = tx.connection.execute(select(func.count()).select_from(table)).scalar_one()
    link = tx.connection.execute(select(table.c.link).order_by(table.c.id.desc()).limit(1)).scalar()
    return int(count), bytes(link or _FIRST)


def holding(tx: Transaction, link: bytes) -> int | None:
    """Return the number of the line that has this link, or None: then that line is not there any more."""
    return tx.connection.execute(select(schema.audit.c.id).where(schema.audit.c.link == link)).scalar()


def _link(tx: Transaction, former: bytes, row: Values) -> bytes:
    written = json.dumps([row[name] for name in sorted(row)], ensure_ascii=True).encode()
    return hmac.digest(tx.vault.audit_key, former + written, "sha256")


def _text(values: Values | None) -> str | None:
    if values is None:
        return None
    text = json.dumps(dict(values), ensure_ascii=True, sort_keys=True)
    # Half of it could not be read again.
    return text if len(text) <= _MAX_TEXT else json.dumps({"too_long": len(text)})


def _change(row: Row[Any]) -> Change:
    before, after = (None if text is None else json.loads(text) for text in (row.before, row.after))
    return Change(row.id, row.time, row.who, row.action, row.subject, before, after)
