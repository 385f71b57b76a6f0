"""The connections that a server has open, and how they end when it stops: the idle ones at once, a message with its end, the rest cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

_CUT_SECONDS: Final = 10.0  # for what was cut to tell its handler


class Open(Protocol):
    """A connection, as far as its end goes."""

    @property
    def in_message(self) -> bool:
        """Whether a message is in progress."""

    def end_if_idle(self) -> None:
        """End it unless something is in progress. Once its server drains, it does so too whenever something has ended."""

    def abort(self) -> None:
        """Cut it."""


C = TypeVar("C", bound=Open)


class OpenConnections(Generic[C]):
    """Those of one server. ``draining`` is true once it stops: it takes no more then; ``emptied`` is set while there are none."""

    def __init__(self) -> None:
        self.draining = False
        self.emptied = asyncio.Event()
        self.emptied.set()
        self._open: set[C] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[C]:
        return iter(self._open)

    def enter(self, connection: C) -> None:
        """Count one."""
        self._open.add(connection)
        self.emptied.clear()

    def leave(self, connection: C) -> None:
        """Count it no more."""
        self._open.discard(connection)
        if not self._open:
            self.emptied.set()

    async def drain(self, seconds: float) -> int:
        """End what is idle, let messages in progress end, cut the rest after ``seconds``; return how many messages were cut."""
        self.draining = True
        for connection in list(self._open):
            connection.end_if_idle()
        if await self._emptied_within(seconds):
            return 0
        left = list(self._open)
        cut = sum(connection.in_message for connection in left)
        for connection in left:
            connection.abort()
        await self._emptied_within(_CUT_SECONDS)
        return cut

    async def _emptied_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.emptied.wait(), seconds)
        except TimeoutError:
            return False
        return True
