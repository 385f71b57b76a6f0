"""The part that looks now and then at the records that domains publish beside their keys, and at the selectors of other services."""

from __future__ import annotations

import asyncio

from zegel.app.opening import make_servers
from zegel.app.part import Announce, Commit, leave_off
from zegel.app.shared import Shared
from zegel.config import Config
from zegel.rollout.watcher import Watcher
from zegel.store.snapshot import Snapshot


class RecordWatching:
    """Runs a :class:`Watcher` from start to stop; each look is written by itself, so to stop is to leave off."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._servers = make_servers(shared.config, shared.resolver)
        self._watcher = Watcher(shared.store, shared.journal, lambda: self._servers)
        self._task: asyncio.Task[None] | None = None

    async def start(self, announce: Announce) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._watcher.run())

    def prepare(self, config: Config) -> Commit:
        """Take over whom to ask, at the next look."""

        def commit() -> None:
            self._servers = make_servers(config, self._shared.resolver)

        return commit

    def changed(self, snapshot: Snapshot) -> None:
        """Each round reads the store anew."""

    async def stop(self, seconds: float) -> None:
        """Leave off."""
        await leave_off(self._task)
