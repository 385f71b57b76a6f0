"""The part that looks after keys: it watches their records at all authoritative servers, and lets each key go through its life."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from zegel.adapters.nameservers import Looking
from zegel.app.opening import make_servers
from zegel.app.part import Announce, Commit
from zegel.app.shared import Shared
from zegel.config import Config
from zegel.rollout.keeper import Keeper, Rules
from zegel.rollout.life import Times
from zegel.store.snapshot import Snapshot

_DAY = 86_400


class KeyKeeping:
    """Runs a :class:`Keeper` from start to stop. What it writes is whole at any moment: to stop is to leave off."""

    def __init__(self, shared: Shared) -> None:
        self._servers: Looking = make_servers(shared.config, shared.resolver)
        self._rules = key_rules(shared.config, shared.store.folder)
        self._folder = shared.store.folder
        self._shared = shared
        self._keeper = Keeper(shared.store, shared.journal, lambda: self._servers, lambda: self._rules)
        self._task: asyncio.Task[None] | None = None

    async def start(self, announce: Announce) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._keeper.run())

    def prepare(self, config: Config) -> Commit:
        """Take over times, and whom to ask."""
        rules = key_rules(config, self._folder)

        def commit() -> None:
            # The resolver has been taken over by then: what is shared goes first.
            self._rules, self._servers = rules, make_servers(config, self._shared.resolver)

        return commit

    def changed(self, snapshot: Snapshot) -> None:
        """It reads the store by itself, as it needs more of it."""

    async def stop(self, seconds: float) -> None:
        """Leave off."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None


def key_rules(config: Config, folder: Path) -> Rules:
    """What the configuration says of the life of keys; ``folder`` is the data folder."""
    keys = config.keys
    times = Times(keys.retiring_days * _DAY + config.signing.expire, keys.revoked_days * _DAY, keys.look_seconds)
    return Rules(times, keys.rotate_days * _DAY, folder / keys.publish_private if keys.publish_private else None)
