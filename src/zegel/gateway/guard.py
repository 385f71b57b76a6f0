"""Slows down who guesses secrets: each failed login of an address, or of a name, makes the next one wait longer.

The waits are turns: two connections of one address wait one after the other, so that more of them guess no faster. Past a bound there is
no wait but a refusal (454), and nothing is looked at. A name is slowed for strangers only: an address that has logged in with it lately
is not held up by what others try, so that nobody can lock a site out. All tables are bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

_FREE = 3  # failures that cost nothing: people mistype
_FIRST, _LONGEST, _TOO_LONG = 1.0, 30.0, 60.0  # seconds: the first wait, the longest one, and a queue that is refused
_FORGOTTEN = 3600.0  # seconds without a failure
_MAX_KEYS = 10_000
_MAX_FRIENDS = 10_000


@dataclass(slots=True)
class _Suspect:
    """Failures so far, when the last of them was, and when the next try may be."""

    failures: int = 0
    last: float = 0.0
    turn: float = 0.0


class Guard:
    """The failures of all who log in. Times are of one clock, in seconds."""

    def __init__(self) -> None:
        self._suspects: OrderedDict[Hashable, _Suspect] = OrderedDict()
        self._friends: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, address: str, name: str, now: float) -> float | None:
        """How many seconds this try is to wait, and take its turn; None when too many wait already."""
        suspects = [suspect for key in self._keys(address, name) if (suspect := self._known(key, now)) is not None]
        turn = max((max(now, suspect.turn) + _delay(suspect.failures) for suspect in suspects), default=now)
        if turn - now > _TOO_LONG:
            return None
        for suspect in suspects:
            suspect.turn = turn
        return turn - now

    def failed(self, address: str, name: str, now: float) -> int:
        """Remember a failure; how many there are now of this address."""
        failures = 0
        for key in reversed(self._keys(address, name)):
            suspect = self._known(key, now) or _Suspect()
            suspect.failures, suspect.last = suspect.failures + 1, now
            self._suspects[key] = suspect
            self._suspects.move_to_end(key)
            failures = suspect.failures
        while len(self._suspects) > _MAX_KEYS:
            self._suspects.popitem(last=False)
        return failures

    def succeeded(self, address: str, name: str) -> None:
        """Remember who has the right secret: what this address did wrong before is forgotten."""
        self._suspects.pop(("address", address), None)
        self._friends[address, name] = None
        self._friends.move_to_end((address, name))
        if len(self._friends) > _MAX_FRIENDS:
            self._friends.popitem(last=False)

    def _keys(self, address: str, name: str) -> list[tuple[str, str]]:
        keys = [("address", address)]
        return keys if (address, name) in self._friends else [*keys, ("name", name)]

    def _known(self, key: Hashable, now: float) -> _Suspect | None:
        suspect = self._suspects.get(key)
        if suspect is not None and now - suspect.last > _FORGOTTEN:
            del self._suspects[key]
            return None
        return suspect


def _delay(failures: int) -> float:
    return 0.0 if failures < _FREE else min(_LONGEST, _FIRST * 2.0 ** min(failures - _FREE, 10))
