from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from support.nexthop import NextHop
from support.outbox import TEXT, rig
from zegel.gateway.intake import MANY, PATIENCE, Intake

COUNT = 60


def test_many_that_wait_at_a_time_are_busy() -> None:
    intake = Intake()
    with contextlib.ExitStack() as waiting:
        for count in range(MANY):
            assert not intake.busy, count
            waiting.enter_context(intake)
        assert intake.busy
    assert not intake.busy


def connections(folder: Path, *, age: float, busy: int) -> int:
    """How many sessions take the mail of a full outbox that is so old, while so many wait for their 250; all of it, in its order."""
    sessions = 0

    async def run() -> None:
        nonlocal sessions
        with NextHop() as hop, contextlib.ExitStack() as waiting:
            async with rig(folder, f"127.0.0.1:{hop.port}", started=False) as made:
                for number in range(COUNT):
                    await made.put(data=TEXT + b"%d\r\n" % number)
                for _ in range(busy):
                    waiting.enter_context(made.outbox.intake)
                made.clock.ahead += age
                await made.courier.start()
                await made.until(lambda: not made.waiting())
                numbers = [int(taken.data.split(b"\r\n")[-2]) for taken in hop.taken]
                assert sorted(numbers) == list(range(COUNT))
                sessions = hop.connections
                if sessions == 1:
                    assert numbers == sorted(numbers)

    folder.chmod(0o700)
    asyncio.run(run())
    return sessions


def test_while_many_wait_one_session_goes_on_in_order(tmp_path: Path) -> None:
    assert connections(tmp_path, age=0, busy=MANY) == 1


def test_few_that_wait_hold_up_nothing(tmp_path: Path) -> None:
    assert connections(tmp_path, age=0, busy=MANY - 1) > 1


def test_what_has_waited_long_enough_gives_way_no_more(tmp_path: Path) -> None:
    assert connections(tmp_path, age=PATIENCE + 1, busy=MANY) > 1
