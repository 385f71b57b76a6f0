"""Whose question is sent next: turns for sockets, shared fairly between zones, so that a dead name server starves nobody but itself.

A resolver says nothing until a dead server's time is over, and each question that waits holds a socket. So the questions below one
registered domain have a share of the sockets, keys and the rest apart: a domain whose key server is dead still gets its SPF answered. The
share halves with each time-out and is whole again with an answer. Where sockets are short, zones take turns, those that have answered
lately first; and a quarter of all is for those alone, so that a sender with a thousand dead domains leaves the known ones room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

_SHARE = 16  # one zone has this part of the sockets
_MAX_KNOWN = 8192  # zones
_MAX_WAITING = 8192  # of all zones; an eighth of it for one
_Names = OrderedDict[str, None]


def zone_of(name: str) -> str:
    """What a question counts for: about the registered domain, with ``_domainkey`` before it for a key.

    Of addresses it is the network that is delegated: a /24 (RFC 1035 3.5), a /48 (RFC 3596 2.5).
    """
    labels = name.split(".")
    if labels[-1] == "arpa":
        return ".".join(labels[-14:] if labels[-2:-1] == ["ip6"] else labels[-5:])
    # A guess without a list of public suffixes: co.uk, com.au. Whoever registers so short a name has more shares than others.
    wanted = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
    registered = ".".join(labels[-wanted:])
    return f"_domainkey.{registered}" if "_domainkey" in labels else registered


class _Zone:
    """Its questions on their way and in the queue, and the time-outs since its last answer."""

    __slots__ = ("out", "silent", "waiting")

    def __init__(self) -> None:
        self.out = self.silent = 0
        self.waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()


class Turns:
    """The turns of one event loop: ``sockets`` at a time."""

    def __init__(self, sockets: int) -> None:
        self._sockets = sockets
        self._share = max(1, sockets // _SHARE)
        self._open = max(1, sockets - sockets // 4)  # what zones that nothing is known of may use
        self._zones: dict[str, _Zone] = {}
        self._known: _Names = OrderedDict()
        self._lines: tuple[_Names, _Names] = (OrderedDict(), OrderedDict())  # zones with a question that may go: known ones, others
        self.out = self.waiting = 0

    async def take(self, name: str) -> bool:
        """Wait for a turn of that zone; False when the queue is full, and nothing is to be given back."""
        zone = self._zones.setdefault(name, _Zone())
        if not zone.waiting and self._may_go(zone) and self._has_room(name):
            self._count(zone)
            return True
        if self.waiting >= _MAX_WAITING or len(zone.waiting) >= _MAX_WAITING // 8:
            self._tidy(name, zone)
            return False
        turn = asyncio.get_running_loop().create_future()
        zone.waiting[turn] = None
        self.waiting += 1
        if len(zone.waiting) == 1:
            self._line_up(name, zone)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._uncount(name, zone)
            else:
                if turn in zone.waiting:
                    del zone.waiting[turn]
                    self.waiting -= 1
                self._tidy(name, zone)
            raise
        return True

    def give_back(self, name: str, *, answered: bool) -> None:
        """End a turn, and say whether the servers of the zone said anything in time."""
        zone = self._zones[name]
        if answered:
            zone.silent = 0
            self._known[name] = None
            self._known.move_to_end(name)
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        else:
            zone.silent += 1
            self._known.pop(name, None)
        self._uncount(name, zone)

    def _count(self, zone: _Zone) -> None:
        zone.out += 1
        self.out += 1

    def _uncount(self, name: str, zone: _Zone) -> None:
        zone.out -= 1
        self.out -= 1
        self._line_up(name, zone)
        self._advance()
        self._tidy(name, zone)

    def _may_go(self, zone: _Zone) -> bool:
        return zone.out < max(1, self._share >> zone.silent)

    def _has_room(self, name: str) -> bool:
        return self.out < (self._sockets if name in self._known else self._open)

    def _line_up(self, name: str, zone: _Zone) -> None:
        if zone.waiting and self._may_go(zone):
            self._lines[name not in self._known][name] = None

    def _advance(self) -> None:
        """Give the turns that are free to the zones in line, one to each in its turn."""
        for line, room in zip(self._lines, (self._sockets, self._open), strict=True):
            while line and self.out < room:
                name, _ = line.popitem(last=False)
                zone = self._zones.get(name)
                if zone is None or not zone.waiting or not self._may_go(zone):
                    continue  # whoever waited has gone meanwhile
                turn, _ = zone.waiting.popitem(last=False)
                self.waiting -= 1
                if not turn.done():
                    self._count(zone)
                    turn.set_result(None)
                self._line_up(name, zone)

    def _tidy(self, name: str, zone: _Zone) -> None:
        if not zone.out and not zone.waiting and self._zones.get(name) is zone:
            del self._zones[name]
