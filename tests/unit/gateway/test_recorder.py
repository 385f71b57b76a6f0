"""The recorder: never in the way of mail, whatever the store does; nothing lost but what is counted, or one batch to a kill."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog

from support.messages import DAY, JAN, NOW, outbound
from zegel.adapters.journal import Journal, set_up_log
from zegel.adapters.zone import Zone
from zegel.ask import Answer, Question
from zegel.gateway.destinations import Destinations
from zegel.gateway.recorder import Recorder, Rules
from zegel.store import search
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping
from zegel.store.record import Record
from zegel.store.retention import Term
from zegel.store.search import Message

ZONE = Zone.from_dict({("klant.example", "MX"): ["10 mx.provider.example"]})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    set_up_log(terminal=False)
    with Store.open(tmp_path / "data", now=1000) as opened:
        yield opened
    structlog.reset_defaults()


@asynccontextmanager
async def running(
    store: Store, *, end: float = 5.0, resolver: Any = ZONE, rules: Rules | None = None, **bounds: Any
) -> AsyncIterator[Recorder]:
    assert store.vault is not None
    kept = Rules(Keeping(Addresses(store.vault, hashed=False)), Term())
    recorder = Recorder(
        store, rules or kept, Destinations(lambda: resolver), Journal(), clock=lambda: NOW, **{"seconds": 0.05, "batch": 10, **bounds}
    )
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        await recorder.close(task, end)


def found(store: Store) -> list[Message]:
    with store.reading() as tx:
        return search.find(tx, search.Wanted(), limit=1000)


def counted(recorder: Recorder, name: str, **labels: str) -> float:
    return recorder._journal.registry.get_sample_value(name, labels) or 0.0


async def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait for it: the loop counts a moment after the thread has committed."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the other side is a thread and a file
            await asyncio.sleep(0.01)


class Lock:
    """Somebody else's transaction that keeps the write lock."""

    def __init__(self, store: Store) -> None:
        self.connection = sqlite3.connect(store.path, isolation_level=None)
        self.connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self.connection.execute("ROLLBACK")
        self.connection.close()


def test_all_is_written_and_its_exchange_is_told(store: Store) -> None:
    async def main() -> None:
        async with running(store) as recorder:
            for number in range(35):
                recorder.take(outbound(number))
            await until(
                lambda: all(message.parties[1].exchange == "provider.example" for message in found(store)) and len(found(store)) == 35
            )
            await until(lambda: counted(recorder, "zegel_recorded_total") == 35)
            await until(lambda: recorder._weight == 0)

    asyncio.run(main())
    assert [message.queue_id for message in found(store)] == [f"4Wx{number}" for number in reversed(range(35))]


def test_the_end_writes_all_that_waits(store: Store) -> None:
    async def main() -> None:
        async with running(store, seconds=3600.0) as recorder:
            await asyncio.sleep(0)
            for number in range(7):
                recorder.take(outbound(number))

    asyncio.run(main())
    assert len(found(store)) == 7


def test_a_locked_database_never_delays_the_caller(store: Store) -> None:
    """The loop goes on at its own pace, and when the lock is gone all is written, once."""

    async def main() -> None:
        async with running(store) as recorder:
            lock = Lock(store)
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.001)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            loop = asyncio.get_running_loop()
            started, longest = loop.time(), 0.0
            for number in range(300):
                before = loop.time()
                recorder.take(outbound(number))
                longest = max(longest, loop.time() - before)
                await asyncio.sleep(0.002)
            # Taking is an append; of a database that waits ten seconds for a lock nothing is felt.
            assert longest < 1.0
            assert loop.time() - started < 8.0
            assert ticks > 100
            assert not found(store)
            assert recorder._in_hand + len(recorder._queue) == 300
            lock.release()
            await until(lambda: len(found(store)) == 300)
            ticking.cancel()
            assert counted(recorder, "zegel_not_recorded_total", reason="queue_full") == 0

    asyncio.run(main())
    assert len({message.queue_id for message in found(store)}) == 300


def test_a_full_queue_counts_and_goes_on(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with running(store, max_weight=outbound().weight * 20) as recorder:
            lock = Lock(store)
            for number in range(50):
                recorder.take(outbound(number))
            assert counted(recorder, "zegel_not_recorded_total", reason="queue_full") == 30
            assert recorder._weight == outbound().weight * 20
            lock.release()
            await until(lambda: recorder._weight == 0)
            assert len(found(store)) == 20
            recorder.take(outbound(99))
            await until(lambda: len(found(store)) == 21 and recorder._weight == 0)
            # The next time is told again.
            lock = Lock(store)
            for number in range(30):
                recorder.take(outbound(100 + number))
            lock.release()
            await until(lambda: recorder._weight == 0)

    asyncio.run(main())
    said = capsys.readouterr().out.splitlines()
    full = [line for line in said if "too many wait for the store" in line]
    assert len(full) == 2
    assert all("zegel status" in line and "waiting=20" in line for line in full)
    assert [line.rpartition("not_recorded=")[2].split()[0] for line in said if "messages are recorded again" in line] == ["30", "10"]


def test_a_long_message_takes_its_share_of_the_queue(store: Store) -> None:
    async def main() -> None:
        async with running(store, max_weight=1000) as recorder:
            recorder.take(outbound(1, recipients=(JAN,) * 990))
            recorder.take(outbound(2, recipients=(JAN,) * 990))
            assert counted(recorder, "zegel_not_recorded_total", reason="queue_full") == 1

    asyncio.run(main())
    assert [message.queue_id for message in found(store)] == ["4Wx1"]


def test_a_database_that_stays_locked_does_not_hold_up_the_end(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Recorder] = []

    async def main() -> None:
        async with running(store, end=0.3) as recorder:
            seen.append(recorder)
            for number in range(25):
                recorder.take(outbound(number))
            await until(lambda: recorder._in_hand)
            started = time.monotonic()
        assert time.monotonic() - started < 5

    lock = Lock(store)
    try:
        asyncio.run(main())
    finally:
        lock.release()
    assert counted(seen[0], "zegel_not_recorded_total", reason="stopped") == 25
    assert "messages not recorded: the store could not be written before the end" in capsys.readouterr().out


def test_trouble_is_told_once_and_tried_again(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk, as SQLite has it: no more pages than there are."""

    async def main() -> None:
        async with running(store) as recorder:
            with store.reading() as tx:
                pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
                driver = tx.connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.execute(f"PRAGMA max_page_count={pages}")
            for number in range(300):
                recorder.take(outbound(number, story=({"a": "x" * 5000},)))
            await until(lambda: recorder._trouble)
            await asyncio.sleep(1.5)
            assert recorder._in_hand
            driver.execute("PRAGMA max_page_count=1073741823")
            await until(lambda: len(found(store)) == 300)
            await until(lambda: counted(recorder, "zegel_recorded_total") == 300)

    asyncio.run(main())
    assert capsys.readouterr().out.count("messages are not recorded now; mail goes on") == 1


def test_one_that_the_database_cannot_take_does_not_hold_up_the_others(store: Store) -> None:
    async def main() -> None:
        async with running(store) as recorder:
            for number in range(25):
                # A time that fits no column.
                recorder.take(outbound(number, time=1 << 70) if number == 7 else outbound(number))
            await until(lambda: len(found(store)) == 24)
            await until(lambda: counted(recorder, "zegel_recorded_total") == 24)
            assert counted(recorder, "zegel_not_recorded_total", reason="refused") == 1
            await until(lambda: recorder._weight == 0)

    asyncio.run(main())
    assert "4Wx7" not in {message.queue_id for message in found(store)}


def test_nothing_is_recorded_by_setting(store: Store) -> None:
    async def main() -> None:
        async with running(store, rules=Rules(None, Term())) as recorder:
            recorder.take(outbound())
            assert not recorder._queue

    asyncio.run(main())
    assert not found(store)


def test_a_change_of_rules_holds_from_then_on(store: Store) -> None:
    async def main() -> None:
        async with running(store) as recorder:
            recorder.take(outbound(1))
            await until(lambda: len(found(store)) == 1)
            assert store.vault is not None
            recorder.rules = Rules(Keeping(Addresses(store.vault, hashed=True)), Term())
            recorder.take(outbound(2))
            await until(lambda: len(found(store)) == 2)

    asyncio.run(main())
    assert [message.parties[0].address for message in found(store)] == [None, "info@example.be"]


def test_the_term_runs_out_while_it_runs(store: Store) -> None:
    async def write() -> None:
        async with running(store, rules=Rules(Keeping(Addresses(store.vault, hashed=False)), Term(3650, 3650))) as recorder:  # type: ignore[arg-type]
            for number in range(1200):
                recorder.take(outbound(number, time=NOW - 31 * DAY if number else NOW))

    async def expire() -> None:
        async with running(store):
            await until(lambda: len(found(store)) == 1)

    asyncio.run(write())
    asyncio.run(expire())
    assert [message.queue_id for message in found(store)] == ["4Wx0"]


def test_a_clock_far_ahead_does_not_empty_the_store(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The machine starts with the clock of another decade, more than once: a day of messages goes each time, and somebody is told."""
    rules = Rules(Keeping(Addresses(store.vault, hashed=False)), Term())  # type: ignore[arg-type]

    async def start(clock: int, **more: Any) -> None:
        recorder = Recorder(store, rules, Destinations(lambda: ZONE), Journal(), clock=lambda: clock, seconds=0.05)
        for number in range(more.get("messages", 0)):
            recorder.take(outbound(number, time=NOW - number * DAY))
        task = asyncio.create_task(recorder.run())
        await until(lambda: recorder._weight == 0)
        for _ in range(more.get("hours", 1)):
            await recorder._expire()
        await recorder.close(task, 5.0)

    asyncio.run(start(NOW, messages=30))
    assert len(found(store)) == 30
    asyncio.run(start(NOW + 3650 * DAY, hours=3))
    assert 27 <= len(found(store)) < 30
    said = [line for line in capsys.readouterr().out.splitlines() if "clock is far ahead" in line]
    assert len(said) == 1
    assert "zegel message expire" in said[0]


def test_a_clock_that_goes_back_loses_nothing(store: Store) -> None:
    """A message is found by the time that it was given, whatever came before it, also in a second that has messages already."""
    times = [NOW, NOW + 1, NOW - 3600, NOW, NOW + 1, NOW - 3600, NOW - 3601, NOW + 2]

    async def main() -> None:
        async with running(store, batch=3) as recorder:
            for start in range(0, len(times), 3):
                for number, second in enumerate(times[start : start + 3], start):
                    recorder.take(outbound(number, time=second))
                await until(lambda: recorder._weight == 0)

    asyncio.run(main())
    kept = found(store)
    assert [(message.time, message.queue_id) for message in reversed(kept)] == sorted(
        (second, f"4Wx{number}") for number, second in enumerate(times)
    )
    assert len({message.id for message in kept}) == len(times)


def test_under_load_a_batch_is_whole_or_of_its_second(store: Store) -> None:
    """What comes while a batch is written waits for the next one: each transaction costs as much as many messages."""
    seconds, batch = 0.5, 50
    batches: list[tuple[float, float, int]] = []  # from when to when each was written, and how many

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with running(store, batch=batch, seconds=seconds) as recorder:
            write = recorder._write

            async def timed(records: list[Record]) -> None:
                began = loop.time()
                await write(records)
                batches.append((began, loop.time(), len(records)))

            recorder._write = timed  # type: ignore[method-assign,assignment]
            for number in range(400):
                recorder.take(outbound(number))
                await asyncio.sleep(0.002)
            await until(lambda: counted(recorder, "zegel_recorded_total") == 400)

    asyncio.run(main())
    assert len(batches) > 2
    for (_, last, _), (began, _, size) in pairwise(batches):
        assert size >= batch or began - last > 0.8 * seconds, batches


def test_slow_dns_holds_up_nothing(store: Store) -> None:
    class Never:
        async def resolve(self, question: Question) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

    async def main() -> None:
        async with running(store, resolver=Never()) as recorder:
            for number in range(45):
                recorder.take(outbound(number, recipients=(f"a@d{number}.example",)))
            await until(lambda: len(found(store)) == 45)
            recorder.take(outbound(99))
            await until(lambda: len(found(store)) == 46)

    asyncio.run(main())
    assert {message.parties[1].exchange for message in found(store)} == {None}


KILLED = """
import asyncio, sys
from pathlib import Path
from support.messages import NOW, outbound
from zegel.adapters.journal import Journal
from zegel.adapters.zone import Zone
from zegel.gateway.destinations import Destinations
from zegel.gateway.recorder import Recorder, Rules
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping
from zegel.store.retention import Term

async def main(store):
    keeping = Keeping(Addresses(store.vault, hashed=False))
    nowhere = Destinations(lambda: Zone.from_dict({}))
    recorder = Recorder(store, Rules(keeping, Term()), nowhere, Journal(), clock=lambda: NOW, batch=50, seconds=0.2)
    task = asyncio.create_task(recorder.run())
    number = 0
    while True:
        while recorder._in_hand or len(recorder._queue) >= 50:
            await asyncio.sleep(0.001)
        recorder.take(outbound(number))
        print(number, flush=True)
        number += 1
        await asyncio.sleep(0)

with Store.open(Path(sys.argv[1])) as store:
    asyncio.run(main(store))
"""


@pytest.mark.parametrize("lines", [260, 333, 400])
def test_a_kill_loses_one_batch_at_most(store: Store, lines: int) -> None:
    store.close()
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    victim = subprocess.Popen([sys.executable, "-c", KILLED, str(store.folder)], stdout=subprocess.PIPE, text=True, env=environment)
    assert victim.stdout is not None
    taken = [int(victim.stdout.readline()) for _ in range(lines)][-1]
    victim.send_signal(signal.SIGKILL)
    rest = victim.communicate(timeout=30)[0].split()
    taken = int(rest[-1]) if rest else taken
    with Store.open(store.folder) as again:
        kept = sorted(int(message.queue_id.removeprefix("4Wx")) for message in found(again))
        with again.reading() as tx:
            assert tx.connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    # Whole batches, without a hole, and of what was taken one batch is missing at most.
    assert kept == list(range(len(kept)))
    assert taken + 1 - len(kept) <= 50
    assert len(kept) > 200
