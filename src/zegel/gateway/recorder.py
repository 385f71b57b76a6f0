"""Writes messages into the store, never in the way of mail.

The gateway hands over a value and goes on: :meth:`Recorder.take` waits for nothing and raises nothing. A bounded queue holds what is not
written yet; past its bound a message is not recorded, and counted. One thread writes a batch in one transaction, once a second or when a
batch is full. A database that is locked, full or away is tried again; meanwhile mail goes on. What was taken and not yet written is lost
when the process is killed: a second's mail, or what a batch holds and came while it was written. A SIGTERM writes all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from zegel.adapters.journal import Journal
from zegel.gateway.destinations import Destinations, Reply
from zegel.store import messages, retention
from zegel.store.database import Store
from zegel.store.errors import passing
from zegel.store.messages import Keeping, Owners, Written
from zegel.store.record import Record
from zegel.store.retention import Gone, Term

T = TypeVar("T")

BATCH = 500
SECONDS = 1.0
# In parts of messages (see Record.weight): some 20,000 messages as they usually are, or 50 MB.
MAX_WEIGHT = 200_000
_TERM_SECONDS, _TERM_PAUSE = 3600.0, 0.05
_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
_LAST_PAUSE = 0.2
_MAX_UNKNOWN = 1000
_FULL = "messages are not recorded: too many wait for the store; mail goes on"
_FULL_TODO = "see to the disk of the store, or to what keeps it locked: zegel status"
_AHEAD = "the clock is far ahead of the last expiry: each hour at most one more day of messages, also in quarantine, is deleted"
_AHEAD_TODO = "set the clock if it is wrong; if it is right: zegel message expire"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is kept, and for how long; None of ``keeping``: nothing is recorded, and what is there still runs out."""

    keeping: Keeping | None
    term: Term


class Recorder:
    """The queue, and the task that empties it into the store. ``rules`` may be changed at any time."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        destinations: Destinations,
        journal: Journal,
        *,
        clock: Callable[[], float],
        batch: int = BATCH,
        seconds: float = SECONDS,
        max_weight: int = MAX_WEIGHT,
    ) -> None:
        self._store, self.rules, self._destinations, self._journal, self._clock = store, rules, destinations, journal, clock
        self._batch_size, self._seconds, self._max_weight = batch, seconds, max_weight
        self._queue: deque[Record] = deque()
        self._weight = 0
        self._in_hand = 0  # of the batch that is being written
        self._ripe, self._stopping = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._owners: Owners | None = None  # of the thread
        self._unknown: dict[str, int] = {}  # domains to ask for, each with its first message
        self._asking: asyncio.Task[None] | None = None
        self._trouble = ""
        self._full = 0  # messages not recorded since the queue is full
        self._ahead = False  # the clock, of the last expiry

    # -- the side of the mail --------------------------------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Take one message; not recorded, and counted, when too much waits already. Only from the loop's own thread."""
        if self.rules.keeping is None:
            return
        weight = record.weight
        if self._weight + weight > self._max_weight:
            self._leave_out()
            return
        self._weight += weight
        self._queue.append(record)
        if len(self._queue) >= self._batch_size:
            self._ripe.set()

    def _leave_out(self) -> None:
        """Count a message that is not recorded, and tell of the first: the counter alone is seen by nobody who does not look."""
        self._journal.not_recorded("queue_full")
        self._full += 1
        if self._full == 1:
            self._journal.alarm(_FULL, waiting=len(self._queue) + self._in_hand, todo=_FULL_TODO)

    # -- the side of the store -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what was taken, batch by batch, and let go what is past its term, until :meth:`close`."""
        expiry = asyncio.create_task(self._expire_hourly())
        try:
            while not (self._stopping.is_set() and not self._queue):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        await self._ripe.wait()
                if self._queue:
                    await self._write([self._queue.popleft() for _ in range(min(self._batch_size, len(self._queue)))])
                # What came meanwhile waits for its own second: a batch costs more than the messages in it.
                if len(self._queue) < self._batch_size and not self._stopping.is_set():
                    self._ripe.clear()
        finally:
            expiry.cancel()

    async def close(self, running: asyncio.Task[None], seconds: float) -> None:
        """Write what still waits, for so many seconds at most; what is not written by then is lost, and counted."""
        self._stopping.set()
        self._ripe.set()
        _done, late = await asyncio.wait([running], timeout=seconds)
        for task in (*late, *([self._asking] if self._asking else [])):
            task.cancel()
        if lost := len(self._queue) + self._in_hand:
            self._journal.not_recorded("stopped", lost)
            self._journal.note("messages not recorded: the store could not be written before the end", messages=lost)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _write(self, batch: list[Record]) -> None:
        self._in_hand = len(batch)
        await self._store_all(batch)
        self._in_hand = 0
        self._weight -= sum(record.weight for record in batch)
        self._journal.waiting.set(len(self._queue))
        # Not at the first place that is free: at the edge of the bound it would be told with each batch.
        if self._full and self._weight <= self._max_weight // 2:
            self._journal.note("messages are recorded again", not_recorded=self._full)
            self._full = 0

    async def _store_all(self, batch: list[Record]) -> None:
        """Write a batch, as often as it takes; what the database can never take is found one by one, and left out."""
        tries = 0
        while True:
            self._journal.waiting.set(len(self._queue) + len(batch))
            try:
                written = await self._in_thread(lambda: self._written(batch))
            except Exception as error:
                self._tell(error)
                if not passing(error):
                    break
                await self._pause(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1
            else:
                self._trouble = ""
                if written is not None:
                    self._journal.recorded(len(batch))
                    self._look_up(written)
                return
        if len(batch) == 1:
            self._journal.not_recorded("refused")
            return
        for record in batch:
            await self._store_all([record])

    def _written(self, batch: list[Record]) -> Written | None:
        """In the thread: write a batch in one transaction."""
        keeping = self.rules.keeping
        if keeping is None:
            return None
        with self._store.writing() as tx:
            self._owners = Owners(tx) if self._owners is None else self._owners.current(tx)
            return messages.add(tx, batch, keeping, self._owners, self._destinations.known)

    # -- who takes the mail ----------------------------------------------------------------------------------------------------------

    def _look_up(self, written: Written) -> None:
        """Ask for the mail servers of domains that are new, one round at a time."""
        for domain in sorted(written.unknown):
            if len(self._unknown) < _MAX_UNKNOWN:
                self._unknown.setdefault(domain, written.first)
        if self._unknown and self._asking is None and not self._stopping.is_set():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        if not task.cancelled() and (error := task.exception()):
            self._tell(error)

    async def _ask(self) -> None:
        while self._unknown:
            wanted, self._unknown = self._unknown, {}
            replies = await self._destinations.ask(wanted)
            await self._in_thread(partial(self._named, wanted, replies))

    def _named(self, wanted: dict[str, int], replies: list[Reply]) -> None:
        """In the thread: tell the messages that were written meanwhile who takes their mail."""
        self._destinations.learn(replies)
        known = self._destinations.known
        found = {domain: known[domain] for domain in wanted if domain in known}
        if found:
            with self._store.writing() as tx:
                messages.name_exchanges(tx, found, since=min(wanted.values()))

    # -- its term --------------------------------------------------------------------------------------------------------------------

    async def _expire_hourly(self) -> None:
        while True:
            try:
                await self._expire()
            except Exception as error:
                self._tell(error)
            await asyncio.sleep(_TERM_SECONDS)

    async def _expire(self) -> None:
        by = await self._in_thread(self._moment)
        gone = await self._in_thread(partial(self._expired, by))
        while gone:
            await asyncio.sleep(_TERM_PAUSE)  # others may write as well
            gone = await self._in_thread(partial(self._expired, by))

    def _moment(self) -> int:
        """In the thread: the time by which to expire. A clock that runs ahead of it is told once, until it does no more."""
        now = int(self._clock())
        with self._store.writing() as tx:
            by = retention.moment(tx, now=now)
        if by < now and not self._ahead:
            self._journal.alarm(_AHEAD, days=(now - by) // retention.DAY, todo=_AHEAD_TODO)
        self._ahead = by < now
        return by

    def _expired(self, by: int) -> Gone:
        with self._store.writing() as tx:
            return retention.expire(tx, self.rules.term, now=by)

    # ---------------------------------------------------------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try; not so long when the end has come."""
        if self._stopping.is_set():
            await asyncio.sleep(_LAST_PAUSE)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _tell(self, error: BaseException) -> None:
        """Tell of trouble once, not at each try."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._journal.note("messages are not recorded now; mail goes on", error=str(error))
