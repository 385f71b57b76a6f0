"""Domains checked over zone text, in few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zegel
from zegel.ask import Question, rehearse
from zegel.check.item import Area, Item, Level
from zegel.check.report import Options, Report, check
from zegel.grammar.domain import Domain

BAD = (Level.WARN, Level.FAIL)


def report(
    zone: str | Mapping[tuple[str, str], Any], domain: str = "example.com", *, asked: list[Question] | None = None, **options: Any
) -> Report:
    found = zegel.Zone.parse(zone) if isinstance(zone, str) else zegel.Zone.from_dict(zone)
    return rehearse(check(Domain.parse(domain), Options(**options)), found.answer, asked)


def levels(found: Report, area: Area | None = None) -> list[str]:
    """The items as ``fail spf.all``, of one area or all."""
    return [f"{item.level} {item.id}" for item in found.items if area in (None, item.area)]


def bad(found: Report, area: Area | None = None) -> list[str]:
    """Those that warn or fail."""
    return [f"{item.level} {item.id}" for item in found.items if area in (None, item.area) and item.level in BAD]


def items(found: Report, id: str) -> list[Item]:
    return [item for item in found.items if item.id == id]


def one(found: Report, id: str) -> Item:
    (item,) = items(found, id)
    return item


def mends(item: Item) -> list[str]:
    return [f"{record.name} {record.type} {''.join(record.strings)}" for record in item.mend]
