"""What has waited too long, and what is over: notices that mail is late, the end of its time, and the rows that nobody needs any more.

A message runs out, or is told to be late, only by a try: after that time it was tried once more, and in vain. So nothing runs out for the
reason alone that the one next hop was away, or this daemon.

A clock that leaps ends nothing at once either: what is given up, and what is forgotten, goes by the time that expiry has come to, too
(:mod:`zegel.store.retention`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from zegel.adapters.postlog import PostLog
from zegel.gateway.notices import Notices
from zegel.gateway.outbox import Outbox, Posting
from zegel.gateway.terms import Terms
from zegel.store import once, post, transit
from zegel.store.posting import Item, Outcome, State
from zegel.store.retention import DAY

T = TypeVar("T")

_BATCH = 100
_TIDY_BATCH = 500


class Disk(Protocol):
    """What it needs of the courier."""

    terms: Terms

    def clock(self) -> float:
        """The time of now."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Read from the outbox."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Write to it. Raises StoreError."""

    async def persist(self, work: Callable[[Connection], T]) -> T:
        """Write to it, as often as it takes."""

    def arrived(self, routes: set[str]) -> None:
        """Something new is on disk for these routes."""


class Late:
    """Looks after what is late."""

    def __init__(self, disk: Disk, outbox: Outbox, notices: Notices, log: PostLog, reached: Callable[[int], int | None]) -> None:
        self._disk, self._outbox, self._notices, self._log, self._reached = disk, outbox, notices, log, reached

    async def look(self, route: str) -> None:
        """Give up what has run out on a route, and tell of what is late. Raises StoreError."""
        terms = self._disk.terms
        overdue = partial(post.overdue, route=route, seconds=terms.expiry, limit=_BATCH)
        if await self._disk.read(overdue):
            overdue = partial(overdue, before=await self._given_up_before(terms.expiry))
            while items := await self._disk.read(overdue):
                for item in items:
                    await self._give_up(item)
        if not terms.warn:
            return
        while items := await self._disk.read(lambda tx: post.overdue(tx, route, seconds=terms.warn, unwarned=True, limit=_BATCH)):
            for item in items:
                await self._warn(item)

    async def tidy(self) -> None:
        """Forget what was over long enough ago, and give its room back to the disk. Raises StoreError."""
        reached = await asyncio.to_thread(self._reached, int(self._disk.clock()))
        if reached is not None:
            before, named = reached - self._disk.terms.keep, reached - once.KEPT
            while await self._disk.write(lambda tx: post.forget(tx, before=before, limit=_TIDY_BATCH)) == _TIDY_BATCH:
                pass
            while await self._disk.write(lambda tx: once.forget(tx, before=named)):
                pass
        await asyncio.to_thread(self._outbox.spool.shrink)

    async def _given_up_before(self, seconds: int) -> int:
        """What came later is tried on, whatever the clock says: it may be the clock that is wrong. Raises StoreError."""
        now = int(self._disk.clock())
        reached = await asyncio.to_thread(self._reached, now)
        # A day more than expiry has come to: a clock that is right is never that far ahead of it.
        return (now if reached is None else min(now, reached + DAY)) - seconds

    async def _give_up(self, item: Item) -> None:
        now = self._disk.clock()
        days = self._disk.terms.outbox.expiry_days
        outcomes = tuple(
            Outcome(recipient.position, State.FAILED, f"given up after {days:g} days; last answer: {recipient.answer}")
            for recipient in item.recipients
        )
        data = await self._disk.read(lambda tx: transit.body(tx, item.id)) or b""
        notice = self._notices.failed(item, data, outcomes, now=now, expired=True)

        def write(tx: Connection) -> str:
            transit.settle(tx, [(item.id, outcomes)], now=int(now), tried=False)
            return self._outbox.add(tx, notice) if notice else ""

        told = await self._disk.persist(write)
        self._log.failed(item.queue_id, item.site, len(outcomes), "", outcomes[0].answer)
        self.told(item, "failed", notice, told)

    async def _warn(self, item: Item) -> None:
        now = self._disk.clock()
        data = await self._disk.read(lambda tx: transit.body(tx, item.id)) or b""
        notice = self._notices.delayed(item, data, now=now, until=item.received + self._disk.terms.expiry)

        def write(tx: Connection) -> str:
            post.warned(tx, item.id)
            return self._outbox.add(tx, notice) if notice else ""

        self.told(item, "delayed", notice, await self._disk.persist(write))

    def told(self, item: Item, kind: str, notice: Posting | None, queue_id: str) -> None:
        """Tell the log that a contact is told, or that nobody is."""
        if notice is None:
            self._log.untold(item.queue_id, item.site)
            return
        self._log.notice(kind, item.queue_id, queue_id)
        self._disk.arrived({transit.route_of(address, direct=self._disk.terms.direct) for address in notice.recipients})
