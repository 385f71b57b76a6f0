"""Counts the DNS look-ups that an SPF record costs a receiver: more than ten, and the whole record counts for nothing. RFC 7208 4.6.4.

A dialogue: it follows ``include`` and ``redirect``. All terms are counted, as a mail from an unknown address makes a receiver go through
all of them. What it asks is bounded, whatever the records of others say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zegel.ask import Dialogue, Question, RRType
from zegel.spf import record
from zegel.spf.record import Mechanism, Record, SpfRecordError

MOST = 10
_MAX_ASKED = 40
_COSTING = frozenset({Mechanism.INCLUDE, Mechanism.A, Mechanism.MX, Mechanism.PTR, Mechanism.EXISTS})


@dataclass(slots=True)
class Cost:
    """How many look-ups there are, by the include of the first level that causes them, and the names whose record was not found."""

    total: int = 0
    by_include: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def count(text: str) -> Dialogue[Cost]:
    """Count the look-ups of an SPF record. Raises ValueError when ``text`` is none."""
    cost = Cost()
    top = record.read(text.encode())
    if isinstance(top, SpfRecordError):
        raise ValueError(str(top))
    waiting, asked = [(name, name) for name in _own(top, cost, "")], 0
    while waiting and asked < _MAX_ASKED:
        batch, waiting = waiting[: _MAX_ASKED - asked], waiting[_MAX_ASKED - asked :]
        asked += len(batch)
        answers = yield tuple(Question(name, RRType.TXT) for name, _ in batch)
        for (name, cause), answer in zip(batch, answers, strict=True):
            texts = record.select(answer.records)
            found = record.read(texts[0]) if len(texts) == 1 else None
            if not isinstance(found, Record):
                cost.missing.append(name)
                continue
            waiting += [(below, cause) for below in _own(found, cost, cause)]
    return cost


def _own(found: Record, cost: Cost, cause: str) -> list[str]:
    """Count the terms of one record, and return the names that it includes; those with macros are counted and not followed."""
    names = []
    for directive in found.directives:
        if directive.mechanism not in _COSTING:
            continue
        name = str(directive.domain.string).lower().removesuffix(".") if directive.domain else ""
        _count(cost, cause or (name if directive.mechanism is Mechanism.INCLUDE else ""))
        if directive.mechanism is Mechanism.INCLUDE and "%" not in name:
            names.append(name)
    redirect = found.redirect
    if redirect is not None:
        name = str(redirect.string).lower().removesuffix(".")
        _count(cost, cause or name)
        if "%" not in name:
            names.append(name)
    return names


def _count(cost: Cost, cause: str) -> None:
    cost.total += 1
    if cause:
        cost.by_include[cause] = cost.by_include.get(cause, 0) + 1
