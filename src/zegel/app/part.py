"""What the daemon is made of: parts that run beside one another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from zegel.config import Config
from zegel.store.snapshot import Snapshot

Announce = Callable[[str], None]
Commit = Callable[[], None]


class Part(Protocol):
    """One thing that the daemon does. It is built before the loop runs, and finds what it shares with others in what it was built with."""

    async def start(self, announce: Announce) -> None:
        """Listen and begin; ``announce`` gets one line for each address. Raises what a start may raise (see ``serve``)."""

    def prepare(self, config: Config) -> Commit:
        """Make ready to take over another configuration: the returned function does it and cannot fail. Raises, and changes nothing."""

    def changed(self, snapshot: Snapshot) -> None:
        """Domains, keys or sites of the store are others now."""

    async def stop(self, seconds: float) -> None:
        """Let what is in progress end, for so long at most, and leave nothing behind; also after a start that failed half-way."""


async def leave_off(task: asyncio.Task[None] | None) -> None:
    """End a task that may be left at any moment, for what it writes is whole; None: it was never begun."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def nothing() -> None:
    """What there is to take over for a part that has no settings."""
