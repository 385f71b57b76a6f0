"""What somebody may have meant who typed a name that is not in the store.

A guess is told and never acted on.
"""

from __future__ import annotations

import difflib
from typing import Any

from sqlalchemy import ColumnElement, func, select

from zegel.store.transaction import Transaction

_LETTERS = 2  # so many more or fewer
_MOST = 10_000  # names that are looked at, however many there are
_ALIKE = 0.8


def near(tx: Transaction, column: ColumnElement[Any], name: str, *within: ColumnElement[bool]) -> str | None:
    """Return the value of ``column`` (in the rows ``within``) that is most like ``name``, or None when none is like it."""
    alike_in_length = func.length(column).between(len(name) - _LETTERS, len(name) + _LETTERS)
    names = tx.connection.execute(select(column).where(alike_in_length, *within).distinct().limit(_MOST)).scalars()
    found = difflib.get_close_matches(name, names, n=1, cutoff=_ALIKE)
    return found[0] if found else None
