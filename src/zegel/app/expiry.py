"""The part that lets messages in quarantine go when their term is over."""

from __future__ import annotations

import asyncio
import time

from zegel.app.part import Announce, Commit, leave_off, nothing
from zegel.app.shared import Shared
from zegel.config import Config
from zegel.store.snapshot import Snapshot

_PAUSE_SECONDS = 3600.0
_DAY = 86400


class Expiry:
    """Looks once an hour."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
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
            depot = self._shared.settings.quarantine.depot
            if depot is not None:
                before = int(time.time()) - self._shared.config.inbound.quarantine_days * _DAY
                try:
                    gone = await asyncio.to_thread(depot.expire, before=before)
                    if gone:
                        self._shared.journal.note("quarantine expired", messages=gone)
                except Exception as error:
                    self._shared.journal.fault(error)
            await asyncio.sleep(_PAUSE_SECONDS)
