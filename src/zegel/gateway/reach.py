"""Whether the next hop is there as a whole, from what single destinations had to say.

One server that is named is down when it cannot be reached. Of the servers of many domains one is always down somewhere: that is for its
own senders to know. But where several are tried and none of them is reached, it is our own way out that is closed.
"""

from __future__ import annotations

from zegel.adapters.postlog import PostLog

# Destinations that could not be reached since one was.
_SEVERAL = 3


class Reach:
    """What is known of the way out."""

    def __init__(self, log: PostLog) -> None:
        self._log = log
        self._missed: set[str] = set()
        self.down = False

    def reached(self) -> None:
        """Some server has talked to us."""
        self._missed.clear()
        self.down = False
        self._log.up()

    def missed(self, route: str, said: str) -> None:
        """A route could not be reached; the empty one is all there is."""
        if len(self._missed) < _SEVERAL:
            self._missed.add(route)
        if not route or len(self._missed) >= _SEVERAL:
            self.down = True
            self._log.down(said)
