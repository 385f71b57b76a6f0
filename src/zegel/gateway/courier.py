"""The courier: sends what is in the outbox, whatever happens to the next hop and to this process. RFC 5321 4.5.4.

Each destination that has something due gets a :class:`~zegel.gateway.lane.Lane`. What became of a try is on disk before anything else
happens with that message; what was in the middle of its last octet when a process ended is tried again, and counted. A next hop that is
down as a whole is told once, to those who run it: while it is, nothing runs out and nobody hears of single messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from zegel.adapters.postlog import PostLog
from zegel.gateway.delivery import Trial
from zegel.gateway.fresh import Fresh
from zegel.gateway.intake import PATIENCE
from zegel.gateway.lane import Lane
from zegel.gateway.late import Late
from zegel.gateway.notices import Notices
from zegel.gateway.outbox import Outbox, Posting
from zegel.gateway.reach import Reach
from zegel.gateway.schedule import Agenda, hop_pause, pause
from zegel.gateway.terms import Terms
from zegel.store import post, transit
from zegel.store.errors import StoreError
from zegel.store.posting import Item, Outcome, Recipient, State

T = TypeVar("T")

_POLL = 1.0  # for what other processes have changed, and to count what waits
_COUNT_EVERY = 5
_REST = 5.0  # after trouble of our own
_TIDY = 600.0
# At a time, each with its sessions; of those that get on, and in all.
_MAX_LANES, _MAX_ALL = 100, 1000


class Courier:
    """The courier of one outbox, from :meth:`start` to :meth:`stop`. ``terms`` may be replaced at any time (see :meth:`take_over`).

    ``reached`` gives the time by which old things may go (``retention.reached``; None: nothing may); it is called in a thread.
    """

    def __init__(
        self,
        outbox: Outbox,
        terms: Terms,
        notices: Notices,
        log: PostLog,
        reached: Callable[[int], int | None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.terms, self.clock = terms, clock
        self._outbox, self._notices, self._log = outbox, notices, log
        self._agenda = Agenda()
        self._lanes: dict[str, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: dict[str, int] = {}  # tries in a row in which a route could not be reached
        self._held: dict[str, float] = {}  # until when it is left alone
        self._again: set[str] = set()  # routes with something new, found out while their lane was ending
        self._fresh = Fresh()
        self._reach, self._late = Reach(log), Late(self, outbox, notices, log, reached)
        self._wake = asyncio.Event()
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="courier")
        self._changes = -1
        self._runner: asyncio.Task[None] | None = None

    # -- life ------------------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Look what is there, and begin. Raises StoreError."""
        doubts = await self.write(post.recover)
        if doubts:
            self._log.doubt(doubts)
            self._log.journal.note("was sending when it ended; these recipients may get their mail twice", recipients=doubts)
        await self.write(lambda tx: post.reroute(tx, direct=self.terms.direct))
        self._outbox.arrived = self._taken
        await self._look()
        self._runner = asyncio.create_task(self._run())

    async def stop(self, seconds: float) -> None:
        """Let the messages under way end, for so long at most; what is cut off is tried again at the next start."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        for lane in self._lanes.values():
            lane.stop()
        if self._tasks:
            _done, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._readers.shutdown(wait=True)

    def take_over(self, terms: Terms) -> None:
        """Go by other terms from the next message on."""
        before, self.terms = self.terms, terms
        if (before.outbox.next_hop, before.release_to) != (terms.outbox.next_hop, terms.release_to):
            self._changes = -1  # the routes are others
            self._held.clear()
            self._failures.clear()
        self._wake.set()

    # -- what the lanes ask for --------------------------------------------------------------------------------------------------------

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Read from the outbox. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def body(self, item: Item) -> bytes | None:
        """The body of a message; None when it is gone. Raises StoreError."""
        fresh = self._fresh.take(item.id)
        return fresh if fresh is not None else await self.read(lambda tx: transit.body(tx, item.id))

    def gives_way(self, item: Item) -> bool:
        """Whether a message that is next waits for what comes in."""
        return self._outbox.intake.busy and self.clock() - item.received < PATIENCE

    async def mark(self, item: Item, chosen: list[Recipient]) -> bool:
        """Have it on disk that the end of a message is leaving; False when one of them waits no more. Raises StoreError."""
        positions = [recipient.position for recipient in chosen]
        return await self._outbox.group.join(_mark, (item.id, positions)) == len(positions)

    async def persist(self, work: Callable[[Connection], T]) -> T:
        """Write down what cannot be asked for again, as often as it takes."""
        return await self._persist(lambda: self.write(work))

    async def _persist(self, write: Callable[[], Awaitable[T]]) -> T:
        pauses = iter((0.2, 1.0, 2.0, 5.0))
        while True:
            try:
                return await write()
            except Exception as error:
                self.fault(error)
                await asyncio.sleep(next(pauses, 15.0))

    async def settle(self, item: Item, data: bytes, trial: Trial) -> None:
        """Have on disk what came of a try, however long it takes, and with it the notice to whom it concerns."""
        failed = trial.of(State.FAILED)
        notice = self._notices.failed(item, data, failed, now=self.clock(), server=trial.server) if failed else None
        result = _Settled(item.id, trial.outcomes, notice)
        told = await self._persist(lambda: self._outbox.group.join(self._settle, result))
        self._tell(item, trial)
        if failed:
            self._late.told(item, "failed", notice, told)

    def _settle(self, tx: Connection, results: Sequence[_Settled]) -> list[str]:
        """In the outbox's thread: what became of tries; the queue id of each notice."""
        transit.settle(tx, [(result.identity, result.outcomes) for result in results], now=int(self.clock()))
        return [self._outbox.add(tx, result.notice) if result.notice else "" for result in results]

    def reached(self, route: str) -> None:
        """A server of that route talks to us."""
        self._reach.reached()
        self._failures.pop(route, None)

    def fault(self, error: BaseException) -> None:
        """Tell of what went wrong here."""
        if isinstance(error, StoreError):
            self._log.trouble(error)
        else:
            self._log.journal.fault(error)

    # -- the round -------------------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        turns, tidied = 0, 0.0
        while True:
            try:
                now = self.clock()
                self._begin(now)
                if turns % _COUNT_EVERY == 0:
                    self._log.waiting.set(await self.read(post.waiting))
                if now - tidied > _TIDY:
                    tidied = now
                    await self._late.tidy()
                if await self.read(post.changes) != self._changes:
                    await self._look()
                self._log.well()
            except Exception as error:
                self.fault(error)
            turns += 1
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await self._wake.wait()

    def _begin(self, now: float) -> None:
        """Give a lane to each destination that is due."""
        # A stranger's server that only ever lets us wait holds up his own mail alone.
        busy = sum(not lane.slow(now) for lane in self._lanes.values())
        while busy < _MAX_LANES and len(self._lanes) < _MAX_ALL and (route := self._agenda.pop(now)) is not None:
            if route in self._lanes:
                self._again.add(route)
            else:
                busy += 1
                lane = self._lanes[route] = Lane(route, self)
                task = asyncio.create_task(self._serve(lane))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _serve(self, lane: Lane) -> None:
        """One lane from its begin to when it is due again."""
        due: float | None = self.clock() + _REST
        try:
            await lane.run()
            if lane.unreachable is not None:
                due = await self._hold(lane.route, lane.unreachable.said)
            if lane.put_off or lane.unreachable is not None:
                await self._late.look(lane.route)
            if lane.unreachable is None and not lane.broken:
                due = await self.read(lambda tx: post.next_due(tx, lane.route))
        except Exception as error:
            self.fault(error)
        finally:
            del self._lanes[lane.route]
        if lane.route in self._again:
            self._again.discard(lane.route)
            due = max(self.clock(), self._held.get(lane.route, 0.0))
        if due is not None:
            self._agenda.at(lane.route, due)
            self._wake.set()

    async def _hold(self, route: str, said: str) -> float:
        """Leave a route alone that could not be reached; until when."""
        self._fresh.forget()
        failures = self._failures[route] = self._failures.get(route, -1) + 1
        self._reach.missed(route, said)
        now = self.clock()
        if not route:
            # Nothing is written: a look at it is no try of each message, which so does not run out either.
            due = self._held[route] = now + hop_pause(failures, random.random())
            return due
        due = self._held[route] = now + pause(failures, random.random())
        counts = not self._reach.down
        await self.persist(lambda tx: post.postpone(tx, route, said, now=int(now), due=int(due) + 1, counts=counts))
        self._log.held(route, said)
        return due

    def _taken(self, number: int, posting: Posting) -> None:
        """A message is on disk."""
        self._log.taken(1)
        self._fresh.keep(number, posting.data)
        self.arrived({transit.route_of(address, direct=self.terms.direct) for address in posting.recipients})

    def arrived(self, routes: set[str]) -> None:
        """Something new is on disk for these routes."""
        now = self.clock()
        for route in routes:
            if route in self._lanes:
                self._hear(route)
            else:
                self._agenda.hasten(route, max(now, self._held.get(route, 0.0)))
        self._wake.set()

    async def _look(self) -> None:
        """Look at all routes: at the start, and when somebody has changed something."""
        changes, routes = await self.read(lambda tx: (post.changes(tx), post.routes(tx)))
        self._held.clear()
        self._fresh.forget()
        for route, due in routes:
            if route not in self._lanes:
                # What has come since it was read may be due before all that was there.
                self._agenda.hasten(route, float(due))
        self._changes = changes
        for route in self._lanes:
            self._hear(route)

    def _hear(self, route: str) -> None:
        """Something is new on a route whose lane works, or has just ended."""
        if not self._lanes[route].hear():
            self._again.add(route)

    def _tell(self, item: Item, trial: Trial) -> None:
        """One line for each kind of outcome."""
        doubts = sum(outcome.doubt for outcome in trial.outcomes)
        if doubts:
            self._log.doubt(doubts)
        for state, tell in ((State.DELIVERED, self._log.delivered), (State.WAITING, self._log.put_off), (State.FAILED, self._log.failed)):
            found = trial.of(state)
            if found:
                tell(item.queue_id, item.site, len(found), trial.server, found[0].answer)

    # -- the disk --------------------------------------------------------------------------------------------------------------------

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._outbox.spool.reading() as tx:
            return work(tx)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Write to the outbox, in its thread. Raises StoreError."""
        return await self._outbox.group.hand_in(work)


class _Settled(NamedTuple):
    """What is written down of one try."""

    identity: int
    outcomes: tuple[Outcome, ...]
    notice: Posting | None


def _mark(tx: Connection, entries: Sequence[tuple[int, Sequence[int]]]) -> list[int]:
    return [transit.mark(tx, identity, positions) for identity, positions in entries]
