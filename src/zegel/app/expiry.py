"""The part that lets messages in quarantine go when their term is over.

By the clock alone, one that is set wrong would delete all of them at once. They go by the time that the expiry of recorded messages has
come to (:mod:`zegel.store.retention`), which leaps with no clock: where there is none yet, nothing goes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from zegel.app.part import Announce, Commit, leave_off, nothing
from zegel.app.shared import Shared
from zegel.config import Config
from zegel.store.snapshot import Snapshot

_PAUSE_SECONDS = 3600.0
_DAY = 86400


class Expiry:
    """Looks once an hour. ``clock`` gives seconds since the epoch."""

    def __init__(self, shared: Shared, *, clock: Callable[[], float] = time.time) -> None:
        self._shared, self._clock = shared, clock
        self._task: asyncio.Task[None] | None = None

    async def start(self, announce: Announce) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def prepare(self, config: Config) -> Commit:
        """The term is read at each look."""
        return nothing

    def changed(self, snapshot: Snapshot) -> None:
        """Nothing to do."""

    async def stop(self, seconds: float) -> None:
        """Leave off."""
        await leave_off(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # told, and done again at the next look: nothing else waits for it
                self._shared.journal.fault(error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self) -> None:
        """Let go what is past its term now. Raises StoreError."""
        depot = self._shared.settings.quarantine.depot
        reached = await asyncio.to_thread(self._shared.expired_until, int(self._clock())) if depot is not None else None
        if depot is None or reached is None:
            return
        gone = await asyncio.to_thread(depot.expire, before=reached - self._shared.config.inbound.quarantine_days * _DAY)
        if gone:
            self._shared.journal.note("quarantine expired", messages=gone)
