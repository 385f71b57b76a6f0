"""Messages in quarantine go when their term is over, and a clock that is wrong takes none before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from zegel.app.expiry import Expiry
from zegel.app.shared import Shared
from zegel.config import parse
from zegel.store import retention
from zegel.store.database import Store
from zegel.store.quarantine import Depot, Kept

NOW, DAY = 1_790_000_000, 86_400
MESSAGE = b"From: x@town.example\r\n\r\nhello\r\n"
ABOUT = Kept("", NOW, "4X1", "203.0.113.9", "", ("jan@ours.example",), "town.example", "", "policy_reject", "", len(MESSAGE))


@dataclass
class Rig:
    """A quarantine with messages of the last thirty days, of each day one, and the part that lets them go."""

    store: Store
    depot: Depot
    expiry: Expiry
    now: int = NOW

    def look(self) -> int:
        """How many are left after a look."""
        asyncio.run(self.expiry.look())
        return len(self.depot.all())

    def move(self) -> None:
        """The expiry of recorded messages goes on, by the clock."""
        with self.store.writing() as tx:
            retention.moment(tx, now=self.now)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Store.open(tmp_path / "data", now=NOW) as store:
        shared = Shared(parse('[inbound]\nquarantine = "keep"\nquarantine_days = 30\n'), store)
        depot = shared.settings.quarantine.depot
        assert depot is not None
        for day in range(30):
            depot.keep(replace(ABOUT, time=NOW - day * DAY), [MESSAGE])
        made = Rig(store, depot, Expiry(shared, clock=lambda: made.now))
        yield made


def test_what_is_past_its_term_goes(rig: Rig) -> None:
    rig.move()
    assert rig.look() == 30
    rig.now += DAY
    rig.move()
    assert rig.look() == 30, "to the second, thirty days old"
    rig.now += 1
    rig.move()
    assert rig.look() == 29


def test_a_clock_that_leaps_takes_no_more_than_a_day_at_a_look(rig: Rig) -> None:
    rig.move()
    rig.now += 3650 * DAY
    assert rig.look() == 30, "no look of its own moves it"
    assert rig.look() == 30
    left = []
    for _ in range(4):
        rig.move()
        left.append(rig.look())
    assert left == [30, 29, 28, 27]


def test_before_a_time_is_known_that_was_right_nothing_goes(rig: Rig) -> None:
    rig.now += 3650 * DAY
    assert rig.look() == 30


def test_a_clock_behind_lets_less_go(rig: Rig) -> None:
    with rig.store.writing() as tx:
        retention.trust(tx, now=NOW + 10 * DAY)
    assert rig.look() == 30
    rig.now += 10 * DAY
    assert rig.look() == 21


def test_trouble_with_the_store_is_told_and_ends_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks again after its pause."""
    tries: list[int] = []

    async def run() -> None:
        look, again = rig.expiry.look, asyncio.Event()

        async def broken() -> None:
            tries.append(rig.now)
            if len(tries) == 1:
                raise OSError("the disk is on fire")
            again.set()
            await look()

        monkeypatch.setattr(rig.expiry, "look", broken)
        monkeypatch.setattr("asyncio.sleep", lambda seconds, sleep=asyncio.sleep: sleep(0.01 if seconds >= 3600 else seconds))
        await rig.expiry.start(lambda said: None)
        await asyncio.wait_for(again.wait(), 5)
        await rig.expiry.stop(1.0)

    asyncio.run(run())
    assert rig.expiry._shared.journal.registry.get_sample_value("zegel_faults_total") == 1
