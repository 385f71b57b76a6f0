"""A timer that ends what has been silent for too long. To hear something is one look at the clock; the timer is set anew only when due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Silence:
    """Calls ``end`` once nothing was heard for ``seconds``; while ``busy`` says so, silence is not counted."""

    __slots__ = ("_busy", "_end", "_heard", "_loop", "_seconds", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, *, busy: Callable[[], bool], end: Callable[[], None]) -> None:
        self._loop, self._seconds, self._busy, self._end = loop, seconds, busy, end
        self._heard = loop.time()
        self._timer = loop.call_later(seconds, self._look)

    def heard(self) -> None:
        """Something was heard."""
        self._heard = self._loop.time()

    def cancel(self) -> None:
        """Stop counting."""
        self._timer.cancel()

    def _look(self) -> None:
        left = self._seconds if self._busy() else self._heard + self._seconds - self._loop.time()
        if left <= 0:
            self._end()
        else:
            self._timer = self._loop.call_later(left, self._look)
