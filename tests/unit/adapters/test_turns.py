"""Turns: no zone takes what another needs, however many questions it has and however dead its servers are."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from zegel.adapters import turns as room
from zegel.adapters.turns import Turns, zone_of

SOCKETS = 64  # a share is 4, and 48 are for zones that nothing is known of


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("example.org", "example.org"),
        ("a.b.c.example.org", "example.org"),
        ("s._domainkey.mail.example.org", "_domainkey.example.org"),
        ("_dmarc.example.org", "example.org"),
        ("mail.example.co.uk", "example.co.uk"),
        ("example.com.au", "example.com.au"),
        ("mail.example.nl", "example.nl"),
        ("example.nl", "example.nl"),
        ("org", "org"),
        ("", ""),
        ("7.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"),
        (".".join("0" * 32) + ".ip6.arpa", ".".join("0" * 12) + ".ip6.arpa"),
    ],
)
def test_what_a_question_counts_for(name: str, zone: str) -> None:
    """The registered domain; of addresses the network: RFC 1035 3.5 and RFC 3596 2.5."""
    assert zone_of(name) == zone


class Crowd:
    """Tasks that take turns; it records who has one."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.holding: Counter[str] = Counter()
        self.refused = 0
        self.tasks: list[asyncio.Task[None]] = []

    def come(self, zone: str, times: int = 1) -> list[asyncio.Task[None]]:
        new = [asyncio.create_task(self._take(zone)) for _ in range(times)]
        self.tasks += new
        return new

    async def _take(self, zone: str) -> None:
        if await self.turns.take(zone):
            self.holding[zone] += 1
        else:
            self.refused += 1

    def go(self, zone: str, *, answered: bool) -> None:
        self.holding[zone] -= 1
        self.turns.give_back(zone, answered=answered)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for zone, held in list(self.holding.items()):
            for _ in range(held):
                self.go(zone, answered=True)
        await self.settle()
        assert (self.turns.out, self.turns.waiting, self.turns._zones) == (0, 0, {}), "nothing is left behind"


def test_a_dead_zone_has_its_share_and_then_one_turn() -> None:
    async def run() -> None:
        crowd = Crowd(Turns(SOCKETS))
        crowd.come("dead", 100)
        crowd.come("_domainkey.alive", 2)
        crowd.come("alive", 2)
        await crowd.settle()
        assert crowd.holding == {"dead": 4, "_domainkey.alive": 2, "alive": 2}
        for _ in range(4):
            crowd.go("dead", answered=False)
        await crowd.settle()
        assert crowd.holding["dead"] == 1
        crowd.go("dead", answered=True)
        await crowd.settle()
        assert crowd.holding["dead"] == 4, "an answer gives all of it back"
        await crowd.leave()

    asyncio.run(run())


def test_a_thousand_dead_zones_leave_room_for_those_that_answer() -> None:
    async def run() -> None:
        crowd = Crowd(Turns(SOCKETS))
        crowd.come("known")
        await crowd.settle()
        crowd.go("known", answered=True)
        for number in range(1000):
            crowd.come(f"dead{number}", 3)
        await crowd.settle()
        assert crowd.turns.out == 48
        crowd.come("known", 4)
        await crowd.settle()
        assert crowd.holding["known"] == 4, "at once"
        crowd.come("unknown")
        await crowd.settle()
        assert crowd.holding["unknown"] == 0
        for zone in [zone for zone, held in crowd.holding.items() if zone.startswith("dead") and held]:
            for _ in range(crowd.holding[zone]):
                crowd.go(zone, answered=False)
        await crowd.settle()
        assert crowd.turns.out == 48
        await crowd.leave()

    asyncio.run(run())


def test_zones_take_turns() -> None:
    """Who comes with one question does not wait behind a thousand of another."""

    async def run() -> None:
        turns = Turns(1)
        crowd = Crowd(turns)
        crowd.come("first")
        await crowd.settle()
        crowd.come("many", 1000)
        crowd.come("one")
        await crowd.settle()
        order = []
        for _ in range(4):
            (zone,) = [zone for zone, held in crowd.holding.items() if held]
            order.append(zone)
            crowd.go(zone, answered=False)
            await crowd.settle()
        assert order == ["first", "many", "one", "many"]
        await crowd.leave()

    asyncio.run(run())


def test_the_queue_is_bounded() -> None:
    async def run() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, "_MAX_WAITING", 80)
            crowd = Crowd(Turns(16))
            crowd.come("dead", 50)
            await crowd.settle()
            assert (crowd.holding["dead"], crowd.turns.waiting, crowd.refused) == (1, 10, 39)
            for number in range(200):
                crowd.come(f"dead{number}")
            await crowd.settle()
            assert crowd.turns.waiting == 80
            await crowd.leave()

    asyncio.run(run())


def test_who_gives_up_leaves_no_trace_and_loses_no_turn() -> None:
    async def run() -> None:
        crowd = Crowd(Turns(1))
        crowd.come("a")
        await crowd.settle()
        given_up = crowd.come("b", 3)
        crowd.come("c")
        await crowd.settle()
        given_up[1].cancel()
        crowd.go("a", answered=True)  # the first of b has the turn now, and does not know it yet
        given_up[0].cancel()
        given_up[2].cancel()
        await crowd.settle()
        assert crowd.holding == {"a": 0, "c": 1}
        await crowd.leave()

    asyncio.run(run())


def test_the_work_of_a_turn_does_not_grow_with_the_queue() -> None:
    """Counted in zones looked at: a give_back that went over all who wait would be a way to stop us."""

    class Counting(dict[str, room._Zone]):
        looks = 0

        def get(self, *args: object) -> room._Zone | None:  # type: ignore[override]
            self.looks += 1
            return super().get(*args)  # type: ignore[call-overload, no-any-return]

    async def looks(zones: int) -> int:
        turns = Turns(16)
        counting = turns._zones = Counting()
        crowd = Crowd(turns)
        for number in range(zones):
            crowd.come(f"z{number}", 2)
        await crowd.settle()
        counting.looks = 0
        for _ in range(20):
            crowd.go(next(zone for zone, held in crowd.holding.items() if held), answered=False)
            await crowd.settle()
        seen = counting.looks
        await crowd.leave()
        return seen

    few, many = (asyncio.run(looks(zones)) for zones in (100, 1000))
    assert many <= few + 5
