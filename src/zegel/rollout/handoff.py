"""What the person who owns a domain's DNS is handed: the records to enter there, and what each name server has of them now.

Plain values; a face makes a page of them. Only what stands in the domain itself is handed over: the target of a slot and the consents of
other domains are for their own owners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from zegel.adapters.nameservers import Looking
from zegel.grammar.domain import Domain
from zegel.rollout.readback import ReadBack, read_back
from zegel.rollout.wanted import Holdings, Wanted, mta_sts_policy, wanted
from zegel.store.services import ForeignSelector

_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to enter, and what was seen of it."""

    wish: Wanted
    seen: ReadBack


@dataclass(frozen=True, slots=True)
class Handoff:
    """All of it: ``zone`` is what names are relative to, ``policy`` the text of the MTA-STS file or empty; ``time`` in seconds."""

    domain: Domain
    zone: str
    entries: tuple[Entry, ...]
    policy: str
    foreign: tuple[ForeignSelector, ...]
    time: int

    @property
    def missing(self) -> int:
        """How many records are not as they should be at every server."""
        return sum(not entry.seen.everywhere for entry in self.entries)


async def prepare(servers: Looking, of: Holdings, foreign: Sequence[ForeignSelector], *, now: int) -> Handoff:
    """Look at every record that stands in the domain."""
    turns = asyncio.Semaphore(_TOGETHER)

    async def one(wish: Wanted) -> Entry:
        async with turns:
            return Entry(wish, await read_back(servers, wish.record, former=wish.former))

    wishes = [wish for wish in wanted(of) if Domain(wish.record.name).within(of.domain)]
    entries = tuple(await asyncio.gather(*map(one, wishes)))
    # Names are relative to the zone as it was found: the owner of a subdomain enters them in the zone above.
    zones = {entry.seen.zone for entry in entries if entry.seen.zone and of.domain.within(entry.seen.zone)}
    zone = zones.pop() if len(zones) == 1 else str(of.domain)
    return Handoff(of.domain, zone, entries, mta_sts_policy(of.plan), tuple(foreign), now)
