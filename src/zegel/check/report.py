"""The check of one domain: every area looked at side by side, then judged together.

``check`` is a dialogue; what it asks is bounded by each room, and by the budget of whoever drives it (:data:`LIMITS`). Looking comes
first, as some items need what another area has seen: whether a domain sends mail at all decides what is missing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from zegel.ask import Dialogue, together
from zegel.check import dmarc, spf
from zegel.check.dmarc import DmarcFacts
from zegel.check.item import Area, Item, Level
from zegel.check.spf import SpfFacts
from zegel.grammar.domain import Domain
from zegel.limits import Limits

LIMITS = Limits(dns_seconds=30.0, questions=600)
"""What one domain may cost: seconds and questions."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is known beforehand, and how far the check goes."""


class Facts(NamedTuple):
    """All that was seen."""

    spf: SpfFacts
    dmarc: DmarcFacts


@dataclass(frozen=True, slots=True)
class Report:
    """The check of one domain: its items, by area, and what they were judged from."""

    domain: Domain
    items: tuple[Item, ...]
    facts: Facts

    def of(self, area: Area) -> tuple[Item, ...]:
        """The items of one area."""
        return tuple(item for item in self.items if item.area is area)

    @property
    def counts(self) -> Counter[Level]:
        """How many items there are of each level."""
        return Counter(item.level for item in self.items)

    @property
    def failed(self) -> bool:
        """True when something is wrong."""
        return any(item.level is Level.FAIL for item in self.items)


def check(domain: Domain, options: Options) -> Dialogue[Report]:
    """Check a domain."""
    seen_spf, seen_dmarc = yield from together(spf.look(domain), dmarc.look(domain))
    facts = Facts(seen_spf, seen_dmarc)
    items = [*spf.judge(domain, facts.spf, receives=True), *dmarc.judge(domain, facts.dmarc, sends=True)]
    return Report(domain, tuple(items), facts)
