"""One destination that has mail due: some sessions beside one another, each with message after message, until nothing is left.

Messages are read from the outbox when their turn comes, in the order in which they are due. The end of a message leaves after its mark is
on disk, and the next message of a session goes after the answer is. What could not be reached is left alone as a whole: one look at it
tells as much as one for each message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from zegel.adapters.smtpclient import LostError, Session, WithdrawnError
from zegel.gateway import delivery
from zegel.gateway.delivery import Trial, Unreachable
from zegel.gateway.nexthop import NoRouteError
from zegel.gateway.terms import Terms
from zegel.store import post
from zegel.store.errors import StoreError
from zegel.store.posting import Item, Recipient, State

T = TypeVar("T")

# Messages (by their recipients) that a lane knows ahead; their bodies are read one by one.
_AHEAD = 200
# A session is kept open so long for what may come, in seconds; what a server's own patience is, nobody knows.
IDLE = 2.0
# Seconds without a message that comes to its end: RFC 5321 4.5.3.2 lets a server take more, and a hostile one takes all of them.
_SLOW = 30.0
_LOOK = 0.1  # seconds between two looks whether to give way
_FAULT = "451 4.3.0 something went wrong here; it is in the log"


class Post(Protocol):
    """What a lane needs of the courier."""

    terms: Terms

    def clock(self) -> float:
        """The time of now."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Read from the outbox. Raises StoreError."""

    async def body(self, item: Item) -> bytes | None:
        """The body of a message; None when it is gone. Raises StoreError."""

    def gives_way(self, item: Item) -> bool:
        """Whether a message that is next waits for what comes in."""

    async def mark(self, item: Item, chosen: list[Recipient]) -> bool:
        """Have it on disk that the end of a message is leaving; False when one of them waits no more. Raises StoreError."""

    async def settle(self, item: Item, data: bytes, trial: Trial) -> None:
        """Have on disk what came of a try, however long it takes."""

    def reached(self, route: str) -> None:
        """A server of that route talks to us."""

    def fault(self, error: BaseException) -> None:
        """Tell of what went wrong here."""


class Lane:
    """The work on one route.

    Afterwards, ``unreachable`` is why nobody could be reached, ``put_off`` tells that something is to be tried again, and ``broken`` that
    something of ours went wrong.
    """

    def __init__(self, route: str, courier: Post) -> None:
        self.route, self._courier = route, courier
        self.unreachable: Unreachable | None = None
        self.put_off = self.broken = False
        self._queue: deque[Item] = deque()
        self._taken: set[int] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._filling = asyncio.Lock()
        self._news = asyncio.Event()
        self._stopping = self._ended = False
        self._sessions = self._resting = 0
        self._advanced = courier.clock()

    def hear(self) -> bool:
        """There is more; False when this lane has ended."""
        self._news.set()
        return not self._ended

    def slow(self, now: float) -> bool:
        """Whether it has been waiting for its servers for long: then it is no reason to keep others waiting."""
        return now - self._advanced > _SLOW

    def stop(self) -> None:
        """Begin no other message."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Send until nothing is due, or nobody can be reached."""
        self._spawn()
        try:
            while self._workers:
                await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ended = True
            for worker in self._workers:
                worker.cancel()
            if self._workers:
                await asyncio.wait(self._workers)

    def _spawn(self) -> None:
        worker = asyncio.create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()):
            self.broken = True
            self._courier.fault(error)

    # -- one worker ------------------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        seat = _Seat()
        try:
            while not self._over:
                if self._gives_way and len(self._workers) > self._resting + 1:
                    self._resting += 1
                    try:
                        await asyncio.sleep(_LOOK)
                    finally:
                        self._resting -= 1
                    continue
                item = await self._next()
                if item is None:
                    if seat.session is None or not await self._more():
                        return
                    continue
                try:
                    await self._send(item, seat)
                except Unreachable as error:
                    self._queue.appendleft(item)
                    # Where others have a session, this server wants no more of them at a time.
                    if not self._sessions:
                        self.unreachable = error
                    return
                finally:
                    self._taken.discard(item.id)
        finally:
            await self._leave(seat)

    @property
    def _over(self) -> bool:
        return self._stopping or self.unreachable is not None

    @property
    def _gives_way(self) -> bool:
        """While much comes in, one worker is enough."""
        return bool(self._queue) and self._courier.gives_way(self._queue[0])

    async def _next(self) -> Item | None:
        """The next message that is due; None when none is."""
        async with self._filling:
            if not self._queue:
                self._news.clear()
                # As it is before the look: what ends meanwhile would be found as it was, and sent once more.
                taken, now = set(self._taken), int(self._courier.clock())
                limit = _AHEAD + delivery.MAX_RECIPIENTS * len(taken)
                found = await self._courier.read(lambda tx: post.due(tx, self.route, now=now, limit=limit))
                self._queue.extend(item for item in found if item.id not in taken)
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._taken.add(item.id)
        if self._queue and not self._gives_way and len(self._workers) < self._courier.terms.outbox.concurrency:
            self._spawn()
        return item

    async def _more(self) -> bool:
        """Wait a moment for more, with an open session; whether there may be some."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE):
                await self._news.wait()
        return self._news.is_set()

    async def _send(self, item: Item, seat: _Seat) -> None:
        """Send one message to all of its recipients that are due here. Raises Unreachable."""
        data = await self._courier.body(item)
        if data is None:  # somebody has dropped it
            return
        left = list(item.recipients)
        while left and not self._stopping:
            chosen, left = left[: delivery.MAX_RECIPIENTS], left[delivery.MAX_RECIPIENTS :]
            try:
                trial = await self._try(item, chosen, data, seat)
            except NoRouteError as error:
                trial, left = delivery.refused([*chosen, *left], error.answer), []
            except (Unreachable, StoreError):
                raise
            except Exception as error:
                # One more try in vain: a message on which we stumble is not to be tried for ever, and those behind it go on.
                self._courier.fault(error)
                trial = delivery.lost(chosen, _FAULT, doubt=seat.marked, now=self._courier.clock())
            self._advanced = self._courier.clock()
            if trial is not None:
                self.put_off = self.put_off or bool(trial.of(State.WAITING))
                await self._courier.settle(item, data, trial)

    async def _try(self, item: Item, chosen: list[Recipient], data: bytes, seat: _Seat) -> Trial | None:
        """One transaction; None when it was taken back. A session that was open before may have ended since: then over a new one."""
        courier = self._courier

        async def mark() -> bool:
            seat.marked = await courier.mark(item, chosen)
            return seat.marked

        while True:
            seat.marked = False
            session, kept = await self._session(seat)
            mail = delivery.mail(item, chosen, data)
            unfit = session.unfit(mail)
            if unfit is not None:
                return delivery.answered(chosen, [unfit] * len(chosen), now=courier.clock(), server="")
            try:
                answers = await session.send(mail, mark)
            except LostError as error:
                if error.early and kept:
                    continue
                return delivery.lost(chosen, str(error), doubt=error.doubt, now=courier.clock())
            except WithdrawnError:
                return None
            return delivery.answered(chosen, answers, now=courier.clock(), server=str(session.peer))

    async def _session(self, seat: _Seat) -> tuple[Session, bool]:
        """A session that is alive, and whether it was open before. Raises Unreachable, NoRouteError."""
        if seat.session is not None and seat.session.alive:
            return seat.session, True
        await self._leave(seat)
        seat.session = await delivery.open_session(self._courier.terms, self.route)
        self._sessions += 1
        self._courier.reached(self.route)
        return seat.session, False

    async def _leave(self, seat: _Seat) -> None:
        session, seat.session = seat.session, None
        if session is not None:
            self._sessions -= 1
            await session.quit()


class _Seat:
    """The session of one worker, while it has one; ``marked``: the end of the message at hand has left, or is about to."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.marked = False
