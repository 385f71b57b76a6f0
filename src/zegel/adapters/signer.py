"""Signs in a process of its own: the work of a private key is most of what a signature takes, and the loop does not wait for it.

A thread could do it, but each time it takes the interpreter back all others wait, and that costs more than is won (docs/decisions has the
figures). The process is asked over a pair of sockets, and answers in the order of the questions (:mod:`zegel.adapters.signing`). While it
is not there, or gives no answer, this process signs by itself: no mail waits for it, and it is started again.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, cast

from zegel.adapters.signing import FORGET, KEY, LENGTH, NUMBER, READY, SIGN
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Draft
from zegel.grammar.message import Field

Sign = Callable[[Sequence[Draft]], Awaitable[list[Field]]]
PATIENCE: Final = 5.0  # seconds: of what has answered nothing in so long, nothing is to be expected
AGAIN: Final = 5.0  # seconds until it is started anew; twice as many each time that it came to nothing
_MOST_AGAIN: Final = 600.0
_THREADS: Final = 2
_STARTS: Final = 60.0  # seconds until it is ready, on a machine that has much else to do
_MOST_KEYS: Final = 4096  # that it holds at once


def sign_all(drafts: Sequence[Draft]) -> list[Field]:
    """Sign in this process."""
    return [draft.sign() for draft in drafts]


async def sign_here(drafts: Sequence[Draft]) -> list[Field]:
    """Sign in a thread of this process."""
    return await asyncio.to_thread(sign_all, drafts)


class Signer:
    """The process that signs, from the first message that is to be signed to :meth:`close`. ``alarm`` is told once that it is gone."""

    def __init__(self, alarm: Callable[..., None], *, patience: float = PATIENCE, again: float = AGAIN) -> None:
        self._alarm, self._patience, self._again = alarm, patience, again
        self._pause = again
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: _Wire | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sign")
        self._told = self._closed = False

    @property
    def pid(self) -> int | None:
        """The process, where it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def ready(self) -> bool:
        """Whether it takes questions."""
        return self._wire is not None and self._wire.ready

    async def sign(self, drafts: Sequence[Draft]) -> list[Field]:
        """The fields of these drafts with their signatures."""
        if self._wire is None or not self._wire.ready:
            if self._keeping is None and not self._closed:
                self._keeping = asyncio.get_running_loop().create_task(self._keep())
            return await self._here(drafts)
        asked = [self._wire.ask(draft) for draft in drafts]
        made: list[Field] = []
        for draft, answer in zip(drafts, asked, strict=True):
            signature = await answer
            made += [draft.signed(signature)] if signature else await self._here([draft])
        return made

    def forget(self) -> None:
        """Let it hold no key but those that are used from here on: the keys of the store are others now."""
        if self._wire is not None:
            self._wire.forget()

    async def close(self) -> None:
        """End the process. Who still waits for it is answered by this one."""
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    async def _here(self, drafts: Sequence[Draft]) -> list[Field]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, sign_all, drafts)

    async def _keep(self) -> None:
        """Have it run, and start it again whenever it is gone, until this is cancelled."""
        try:
            while True:
                await self._run()
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, _MOST_AGAIN)
        finally:
            if self._process is not None:
                await asyncio.shield(self._end())

    async def _run(self) -> None:
        """Start it, and wait until it is gone."""
        lost = asyncio.Event()
        wire = _Wire(lost.set, self._answered, self._patience)
        try:
            await self._connect(wire)
            self._wire = wire
            await lost.wait()
        except Exception as error:  # of whatever there is too little: files, memory, processes
            wire.why = str(error)
        finally:
            self._wire = None
            wire.close()
        if not self._told:
            self._told = True
            self._alarm("the process that signs is not there; this one signs until it is", error=wire.why)
        await self._end()

    async def _connect(self, wire: _Wire) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _spawn(theirs.fileno())
                ours.setblocking(False)
                await asyncio.get_running_loop().create_connection(lambda: wire, sock=ours)
            except BaseException:
                ours.close()
                raise

    def _answered(self) -> None:
        self._told, self._pause = False, self._again

    async def _end(self) -> None:
        process = self._process
        if process is not None:
            await asyncio.to_thread(_reap, process, self._patience)
            self._process = None


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    """Start the process with that socket. Raises OSError, SubprocessError.

    It finds its modules where we found ours, and nothing in the folder or the environment that it is started in. In a session of its own,
    so that a terminal's Ctrl-C does not end it before the messages in hand are signed.
    """
    code = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}; from zegel.adapters.signing import main; main()"
    command = [sys.executable, "-I", "-B", "-c", code, str(descriptor)]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[descriptor], start_new_session=True, cwd="/"
    )


def _reap(process: subprocess.Popen[bytes], patience: float) -> None:
    """Its socket is closed, so it ends by itself, unless it hangs."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Wire(asyncio.Protocol):
    """The socket to the process, and who waits for its next answers. ``lost`` is told when it ended, and ``why`` says why."""

    def __init__(self, lost: Callable[[], None], answered: Callable[[], None], patience: float) -> None:
        self._lost, self._tell_answered, self._patience = lost, answered, patience
        self._transport: asyncio.WriteTransport | None = None
        self.ready = False
        self.why = "it has ended"
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._numbers: dict[Key, int] = {}
        self._read = b""
        self._answers = 0
        self._watch: asyncio.TimerHandle | None = None

    def ask(self, draft: Draft) -> asyncio.Future[bytes]:
        """The signature to come; b"" when there will be none."""
        loop = asyncio.get_running_loop()
        # Nothing of this may fail once somebody waits: each answer is that of the next one.
        request = self._introduction(draft.key) + SIGN + NUMBER.pack(self._numbers[draft.key]) + hashlib.sha256(draft.octets).digest()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._write(request)
        self._waiting.append(answer)
        if self._watch is None:
            self._watch = loop.call_later(self._patience, self._look, self._answers)
        return answer

    def forget(self) -> None:
        """It holds no key from here on; what was asked before is answered."""
        self._numbers.clear()
        self._write(FORGET)

    def close(self) -> None:
        """Ask no more."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _introduction(self, key: Key) -> bytes:
        """What it has to know of a key before the first request; nothing where it does."""
        if key in self._numbers:
            return b""
        if len(self._numbers) == _MOST_KEYS:
            self.forget()
        number = len(self._numbers)
        texts = (str(key.domain).encode("ascii"), key.selector.encode("ascii"), key.pem)
        introduction = KEY + NUMBER.pack(number) + b"".join([LENGTH.pack(len(text)) + text for text in texts])
        self._numbers[key] = number
        return introduction

    def _look(self, answers: int) -> None:
        """Some time after a question: has anything been answered since?"""
        self._watch = None
        if self._waiting and answers == self._answers:
            self._give_up(self._patience)
        elif self._waiting:
            self._watch = asyncio.get_running_loop().call_later(self._patience, self._look, self._answers)

    def _give_up(self, seconds: float) -> None:
        self.why = f"it has said nothing in {seconds:g} seconds"
        self.close()

    # -- the loop calls these --------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process is being started."""
        self._transport = cast(asyncio.WriteTransport, transport)
        self._watch = asyncio.get_running_loop().call_later(_STARTS, self._give_up, _STARTS)

    def data_received(self, data: bytes) -> None:
        """Answers, the last one perhaps in part."""
        self._read += data
        if not self.ready and not self._greeted():
            return
        while len(self._read) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._read)
            end = LENGTH.size + length
            if len(self._read) < end:
                return
            answer, signature = self._waiting.popleft(), self._read[LENGTH.size : end]
            self._read = self._read[end:]
            self._answers += 1
            self._tell_answered()
            if not answer.done():  # who asked may have gone
                answer.set_result(signature)

    def _greeted(self) -> bool:
        """Whether it is one that knows these requests: it may be of another version, installed over ours since we were started."""
        if not self._read.startswith(READY):
            self.why = "it is of another version; restart this one"
            self.close()
            return False
        self.ready = True
        self._read = self._read.removeprefix(READY)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone, and answers no more."""
        self.ready = False
        if self._watch is not None:
            self._watch.cancel()
        for answer in self._waiting:
            if not answer.done():
                answer.set_result(b"")
        self._waiting.clear()
        self._lost()
