"""The part that looks after keys: it watches their records at all authoritative servers, and lets each key go through its life."""

from __future__ import annotations

import asyncio

from zegel.adapters.nameservers import Looking
from zegel.app.opening import make_servers
from zegel.app.part import Announce, Commit, leave_off
from zegel.app.shared import Shared
from zegel.config import Config
from zegel.rollout.keeper import Keeper
from zegel.rollout.keypublish import KeyPublisher
from zegel.rollout.keyrules import key_rules
from zegel.store.snapshot import Snapshot


class KeyKeeping:
    """Runs a :class:`Keeper` from start to stop. What it writes is whole at any moment: to stop is to leave off."""

    def __init__(self, shared: Shared) -> None:
        self._servers: Looking = make_servers(shared.config, shared.resolver)
        self._rules = key_rules(shared.config, shared.store.folder)
        self._folder = shared.store.folder
        self._shared = shared
        publisher = KeyPublisher(shared.store, shared.journal, lambda: self._servers, lambda: shared.config)
        self._keeper = Keeper(shared.store, shared.journal, lambda: self._servers, lambda: self._rules, publisher=publisher)
        self._task: asyncio.Task[None] | None = None

    async def start(self, announce: Announce) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._keeper.run())

    def prepare(self, config: Config) -> Commit:
        """Take over times, and whom to ask; then all keys are looked at."""
        rules = key_rules(config, self._folder)

        def commit() -> None:
            # The resolver has been taken over by then: what is shared goes first.
            self._rules, self._servers = rules, make_servers(config, self._shared.resolver)
            self._keeper.wake(everything=True)  # who has mended something wants to know now

        return commit

    def changed(self, snapshot: Snapshot) -> None:
        """Look at what has changed; the store is read anew, as more of it is needed."""
        self._keeper.wake()

    async def stop(self, seconds: float) -> None:
        """Leave off."""
        await leave_off(self._task)
