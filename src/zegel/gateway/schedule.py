"""When what failed is tried again, and which destination is next. No clock and no dice of its own: both are handed in. RFC 5321 4.5.4."""

from __future__ import annotations

import heapq

# RFC 5321 4.5.4.1 wants half an hour between tries, and leaves room for more variable strategies: a server that puts off strangers
# (greylisting) takes the next try after some minutes, and later ones seldom bring anything.
_FIRST, _LONGEST = 300.0, 7200.0
# The one next hop is ours, and back in seconds after a restart.
_HOP_FIRST, _HOP_LONGEST = 1.0, 60.0
_JITTER = 0.2


def pause(tries: int, chance: float) -> float:
    """Seconds from one try of a message to the next. ``chance`` (0 to 1) spreads what failed together over a fifth more or less."""
    return _grown(_FIRST, _LONGEST, tries, chance)


def hop_pause(failures: int, chance: float) -> float:
    """Seconds until the one next hop, which could not be reached so often in a row, is looked for again."""
    return _grown(_HOP_FIRST, _HOP_LONGEST, failures, chance)


def _grown(first: float, longest: float, tries: int, chance: float) -> float:
    return min(first * 2.0 ** min(max(tries, 0), 30), longest) * (1 + _JITTER * (2 * chance - 1))


class Agenda:
    """The destinations that have something to do, and when."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def at(self, route: str, due: float) -> None:
        """Look at a destination at that time, and no earlier."""
        self._due[route] = due
        heapq.heappush(self._heap, (due, route))
        if len(self._heap) > 2 * len(self._due) + 64:
            # Times that hold no more: as many as there were changes.
            self._heap = [(due, route) for route, due in self._due.items()]
            heapq.heapify(self._heap)

    def hasten(self, route: str, due: float) -> None:
        """Look at it at that time, or earlier."""
        if due < self._due.get(route, float("inf")):
            self.at(route, due)

    def forget(self, route: str) -> None:
        """There is nothing to do there."""
        self._due.pop(route, None)

    def next(self) -> float | None:
        """When the first of them is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> str | None:
        """Take out a destination that is due; None when none is."""
        due = self.next()
        if due is None or due > now:
            return None
        _, route = heapq.heappop(self._heap)
        del self._due[route]
        return route

    def __len__(self) -> int:
        return len(self._due)
