"""How many wait for their 250: while they are many the courier gives way, so that they have the machine.

It is bounded twice: one session of each destination goes on all the while, in the order in which mail is due; and what has waited for some
seconds is sent with all sessions, however much comes in.
"""

from __future__ import annotations

from types import TracebackType

MANY = 4
PATIENCE = 10.0  # seconds that a message may wait for the sake of others


class Intake:
    """A count of messages in hand, each of them within ``with``. Only in the loop's own thread."""

    def __init__(self) -> None:
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """Whether many wait now."""
        return self._waiting >= MANY

    def __enter__(self) -> None:
        self._waiting += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._waiting -= 1
