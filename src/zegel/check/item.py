"""The one thing that a check finds: an item, with its level, what was seen, why it matters and what would mend it.

An item holds ids and values, and sentences with places for the values: a face fills them in and may translate them. It asks nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from zegel.rollout.records import Record
from zegel.words import Sentence


class Level(StrEnum):
    """How an item ended. What cannot be tested from here is ``not_tested``, never ``pass``."""

    PASS = "pass"  # noqa: S105 - a level, no password
    WARN = "warn"
    FAIL = "fail"
    INFO = "info"
    NOT_TESTED = "not_tested"


class Area(StrEnum):
    """The part of the set-up that an item is about, in the order in which a report has them."""

    MX = "mx"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    REPORTS = "reports"
    TRANSPORT = "transport"
    BIMI = "bimi"
    PARKED = "parked"
    # Of a message: the way it came, its chain of seals, and its form.
    PATH = "path"
    ARC = "arc"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Item:
    """One finding. ``id`` is stable (``spf.lookups``); ``finding`` says what is so, ``why`` why it matters (empty where it is plain),
    ``seen`` is what DNS has, and ``mend`` the exact records that would mend it, with ``step`` where a record alone would not.
    """

    id: str
    area: Area
    level: Level
    finding: Sentence
    why: Sentence | None = None
    seen: tuple[str, ...] = ()
    mend: tuple[Record, ...] = ()
    step: Sentence | None = None
    values: dict[str, str | int | bool] = field(default_factory=dict)
