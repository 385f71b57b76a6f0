"""Bodies of messages that have just been put, for the courier: most are sent at once, and need not be read back from the disk.

What is here is on disk as well, so it may be forgotten at any time. It is bounded: what does not fit is read when its turn comes, and
what nobody came for is forgotten with everything else when the next hop is away or somebody has changed the outbox.
"""

from __future__ import annotations

MOST = 32 << 20  # octets
_LARGE = 1 << 18


class Fresh:
    """Bodies by the numbers of their messages; each is given out once."""

    def __init__(self, most: int = MOST) -> None:
        self._bodies: dict[int, bytes] = {}
        self._most, self._size = most, 0

    def keep(self, number: int, body: bytes) -> None:
        """Keep a body, where there is room."""
        if len(body) <= _LARGE and self._size + len(body) <= self._most:
            self._bodies[number] = body
            self._size += len(body)

    def take(self, number: int) -> bytes | None:
        """The body of a message, which is here no more; None where it is to be read."""
        body = self._bodies.pop(number, None)
        if body is not None:
            self._size -= len(body)
        return body

    def forget(self) -> None:
        """Keep nothing of it."""
        self._bodies.clear()
        self._size = 0
