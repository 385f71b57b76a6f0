"""The one thing that a check finds: an item, with its level, what was seen, why it matters and what would mend it.

Each area has a table of points: what is looked at, each with its stable id, its section and why it matters. An item is one point of one
domain, as it was found. It holds ids and values, and sentences with places for the values: a face fills them in and may translate them.
It asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from zegel.ask import Answer
from zegel.reason import Reason
from zegel.rollout.records import Record, cut
from zegel.words import N_, Sentence

SHOWN = 1000  # characters of a stranger's text that a report has
_MAX_SEEN = 20


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


Value = str | int | bool | Sentence


@dataclass(frozen=True, slots=True)
class Item:
    """One finding. ``id`` is stable (``spf.lookups``); ``finding`` says what is so, ``why`` why it matters (None where all is well),
    ``seen`` is what DNS has, and ``mend`` the exact records that would mend it, with ``step`` where a record alone would not.

    ``values`` are what fills the finding, and more for programs; ``section`` is where the rule stands.
    """

    id: str
    area: Area
    level: Level
    finding: Sentence
    why: Sentence | None = None
    seen: tuple[str, ...] = ()
    mend: tuple[Record, ...] = ()
    step: Sentence | None = None
    values: dict[str, Value] = field(default_factory=dict)
    section: str = ""


class Point(Reason):
    """The base of an area's table: ``("spf.lookups", "RFC 7208 4.6.4", "why it matters")``. The area is what stands before the dot."""

    def item(
        self,
        level: Level,
        finding: str,
        /,
        *,
        seen: Iterable[bytes | str] = (),
        mend: Iterable[Record] = (),
        step: Sentence | None = None,
        **values: Value,
    ) -> Item:
        """The item of this point: ``finding`` is a marked sentence, filled in with ``values``."""
        return Item(
            id=self.id,
            area=Area(self.id.partition(".")[0]),
            level=level,
            finding=Sentence(finding, **values),
            why=Sentence(self.sentence) if level in (Level.WARN, Level.FAIL) else None,
            seen=tuple(map(shown, tuple(seen)[:_MAX_SEEN])),
            mend=tuple(mend),
            step=step,
            values=values,
            section=self.section,
        )

    def untested(self, name: str, answer: Answer) -> Item:
        """The item of what DNS did not tell: nobody is judged by it."""
        if not answer.asked:
            finding = N_("{name} was not asked for: the questions or the time for one domain were used up")
            return self.item(Level.NOT_TESTED, finding, name=name)
        return self.item(Level.NOT_TESTED, N_("DNS does not answer for {name} now ({rcode})"), name=name, rcode=str(answer.rcode))


def shown(text: bytes | str) -> str:
    """What a stranger published, for people: bounded, and with every octet in sight."""
    told = text.decode("ascii", "backslashreplace") if isinstance(text, bytes) else text
    return told if len(told) <= SHOWN else told[:SHOWN] + "..."


def txt(name: str, text: str) -> Record:
    """The TXT record that would mend something; ``text`` is ASCII."""
    return Record(name, "TXT", cut(text))
