"""Group commit: one thread writes to the outbox, and whatever waits for it goes into one transaction.

A commit costs an fsync, of which a small machine has some hundreds in a second. While one is on its way, others queue up, and the next
commit makes all of them safe at once. What is of one kind is done by one call besides, so that its statements are said once for many
messages. Nobody is answered before the commit that holds his work.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from zegel.store.errors import StoreError
from zegel.store.spool import Spool
from zegel.words import N_

E = TypeVar("E")
T = TypeVar("T")
Kind = Callable[[Connection, Sequence[E]], Sequence[T]]

# Jobs of one transaction: others may want to write as well.
MOST = 512


class _Job(NamedTuple):
    kind: Kind[Any, Any]
    entry: Any
    future: asyncio.Future[Any]


class _Answer(NamedTuple):
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Group:
    """The writing thread of one event loop, from :meth:`start` to :meth:`close`.

    Jobs are done in their order, but that those of a kind go with the first of them that waits; none passes a job that has no kind.
    """

    def __init__(self, spool: Spool, *, most: int = MOST) -> None:
        self._spool, self._writer, self._most = spool, spool.writer(), most
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: deque[_Job] = deque()
        self._wanted = threading.Condition()
        self._closing = False
        self.commits = 0
        # Not a daemon thread: the process must not end in the middle of a commit that somebody was promised.
        self._thread = threading.Thread(target=self._run, name="outbox")

    def start(self) -> None:
        """Begin, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def hand_in(self, job: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Have it done; the future is done once it is on disk, or fails with StoreError (or what the job raises), and then nothing is."""
        return self.join(_each, job)

    def join(self, kind: Kind[E, T], entry: E) -> asyncio.Future[T]:
        """Have ``kind`` done to this entry, together with others that wait for it; ``kind`` returns a result for each of them."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._wanted:
            if self._closing:
                future.set_exception(StoreError(N_("Zegel is stopping; nothing was written")))
                return future
            self._jobs.append(_Job(kind, entry, future))
            self._wanted.notify()
        return future

    async def close(self) -> None:
        """Do what was handed in, and end the thread."""
        with self._wanted:
            self._closing = True
            self._wanted.notify()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    # -- in the thread ---------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._loop is not None
        while batch := self._next():
            self._loop.call_soon_threadsafe(_answer, self._done(batch))
        self._writer.close()

    def _next(self) -> list[_Job]:
        with self._wanted:
            while not self._jobs and not self._closing:
                self._wanted.wait()
            return [self._jobs.popleft() for _ in range(min(self._most, len(self._jobs)))]

    def _done(self, batch: list[_Job], *, again: bool = True) -> list[_Answer]:
        answers: list[_Answer] = []
        try:
            with self._writer.writing() as tx:
                for kind, jobs in _together(batch):
                    found = kind(tx, [job.entry for job in jobs])
                    answers += [_Answer(job.future, result) for job, result in zip(jobs, found, strict=True)]
            self.commits += 1
        except BaseException as error:
            if again and isinstance(error, StoreError) and error.full:
                # What is in the log only is written to its place: the log then has room for what frees more.
                with contextlib.suppress(StoreError):
                    self._spool.checkpoint()
                return self._done(batch, again=False)
            if len(batch) == 1 or (isinstance(error, StoreError) and error.busy):
                # A lock that others hold is waited for once, not once for each.
                return [_Answer(job.future, error=error) for job in batch]
            # One of them is at fault, or is too large for what is left of the disk: the others need not suffer.
            return [answer for each in batch for answer in self._done([each], again=False)]
        return answers


def _each(tx: Connection, jobs: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    return [job(tx) for job in jobs]


def _together(batch: list[_Job]) -> list[tuple[Kind[Any, Any], list[_Job]]]:
    """Those of a kind together; what has none stands between those before it and those behind."""
    found: list[tuple[Kind[Any, Any], list[_Job]]] = []
    open_: dict[Kind[Any, Any], list[_Job]] = {}
    for job in batch:
        if job.kind is _each:
            open_.clear()
        if job.kind not in open_ or job.kind is _each:
            open_[job.kind] = []
            found.append((job.kind, open_[job.kind]))
        open_[job.kind].append(job)
    return found


def _answer(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.done():  # nobody waits any more
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
