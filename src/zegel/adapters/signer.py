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
from typing import Final, cast

from zegel.adapters.signing import FORGET, KEY, LENGTH, NUMBER, READY, SIGN
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Draft
from zegel.grammar.message import Field

Sign = Callable[[Sequence[Draft]], Awaitable[list[Field]]]
PATIENCE: Final = 5.0  # seconds: of what has answered nothing in so long, nothing is to be expected
AGAIN: Final = 5.0  # seconds until it is started anew
_STARTS: Final = 60.0  # seconds until it is ready, on a machine that has much else to do
_MOST_KEYS: Final = 4096  # that it holds at once


async def sign_here(drafts: Sequence[Draft]) -> list[Field]:
    """Sign in this process, in a thread."""
    return await asyncio.to_thread(lambda: [draft.sign() for draft in drafts])


class Signer:
    """The process that signs, from the first message that is to be signed to :meth:`close`. ``alarm`` is told once that it is gone."""

    def __init__(self, alarm: Callable[..., None], *, patience: float = PATIENCE, again: float = AGAIN) -> None:
        self._alarm, self._patience, self._again = alarm, patience, again
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: _Wire | None = None
        self._starting: asyncio.Task[None] | None = None
        self._told = False

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
            if self._starting is None:
                self._starting = asyncio.get_running_loop().create_task(self._start())
            return await sign_here(drafts)
        asked = [self._wire.ask(draft) for draft in drafts]
        made: list[Field] = []
        for draft, answer in zip(drafts, asked, strict=True):
            signature = await answer
            made += [draft.signed(signature)] if signature else await sign_here([draft])
        return made

    def forget(self) -> None:
        """Let it hold no key that is not used again: the keys of the store are others now."""
        if self._wire is not None:
            self._wire.forget()

    async def close(self) -> None:
        """End the process. Who still waits for it is answered by this one."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        await self._end()

    def _answered(self) -> None:
        self._told = False

    def _lost(self, error: str) -> None:
        """In the loop: it could not be started, was killed, or hangs."""
        self._wire = None
        if not self._told:
            self._told = True
            self._alarm("the process that signs is not there; this one signs until it is", error=error)
        self._starting = asyncio.get_running_loop().create_task(self._restart())

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _run(theirs.fileno())
            except (OSError, subprocess.SubprocessError) as error:
                ours.close()
                self._lost(str(error))
                return
        ours.setblocking(False)
        wire = _Wire(self._lost, self._answered, self._patience)
        await asyncio.get_running_loop().create_connection(lambda: wire, sock=ours)
        if not wire.gone:
            self._wire = wire

    async def _restart(self) -> None:
        await self._end()
        await asyncio.sleep(self._again)
        await self._start()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(_reap, process, self._patience)


def _run(descriptor: int) -> subprocess.Popen[bytes]:
    """Start the process with that socket. Raises OSError.

    Isolated: nothing that stands in the folder or the environment of whoever started us is part of it. In a session of its own, so that a
    terminal's Ctrl-C does not end it before the messages in hand are signed.
    """
    command = [sys.executable, "-I", "-m", "zegel.adapters.signing", str(descriptor)]
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
    """The socket to the process, and who waits for its next answers. ``lost`` is told why it ended, unless we closed it."""

    def __init__(self, lost: Callable[[str], None], answered: Callable[[], None], patience: float) -> None:
        self._lost, self._tell_answered, self._patience = lost, answered, patience
        self._transport: asyncio.WriteTransport
        self.ready, self.gone = False, False
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._numbers: dict[Key, int] = {}
        self._read = b""
        self._answers = 0
        self._watch: asyncio.TimerHandle | None = None
        self._why = "it has ended"

    def ask(self, draft: Draft) -> asyncio.Future[bytes]:
        """The signature to come; b"" when there will be none."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append(answer)
        if self._watch is None:
            self._watch = loop.call_later(self._patience, self._look, self._answers)
        self._transport.write(self._introduction(draft.key) + _request(self._numbers[draft.key], draft.octets))
        return answer

    def forget(self) -> None:
        """It holds no key from here on; what was asked before is answered."""
        self._numbers.clear()
        self._transport.write(FORGET)

    def close(self) -> None:
        """Ask no more."""
        self._lost = lambda _why: None
        self._transport.abort()

    def _introduction(self, key: Key) -> bytes:
        """What it has to know of a key before the first request; nothing where it does."""
        if key in self._numbers:
            return b""
        if len(self._numbers) == _MOST_KEYS:
            self.forget()
        number = self._numbers[key] = len(self._numbers)
        texts = (str(key.domain).encode("ascii"), key.selector.encode("ascii"), key.pem)
        return KEY + NUMBER.pack(number) + b"".join([LENGTH.pack(len(text)) + text for text in texts])

    def _look(self, answers: int) -> None:
        """Some time after a question: has anything been answered since?"""
        self._watch = None
        if self._waiting and answers == self._answers:
            self._give_up(self._patience)
        elif self._waiting:
            self._watch = asyncio.get_running_loop().call_later(self._patience, self._look, self._answers)

    def _give_up(self, seconds: float) -> None:
        self._why = f"it has said nothing in {seconds:g} seconds"
        self._transport.abort()

    # -- the loop calls these --------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process is being started."""
        self._transport = cast(asyncio.WriteTransport, transport)
        self._watch = asyncio.get_running_loop().call_later(_STARTS, self._give_up, _STARTS)

    def data_received(self, data: bytes) -> None:
        """Answers, the last one perhaps in part."""
        self._read += data
        if not self.ready:
            self._greeted()
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

    def _greeted(self) -> None:
        self.ready = True
        self._read = self._read.removeprefix(READY)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone, and answers no more."""
        self.gone = True
        if self._watch is not None:
            self._watch.cancel()
        for answer in self._waiting:
            if not answer.done():
                answer.set_result(b"")
        self._waiting.clear()
        self._lost(self._why)


def _request(number: int, octets: bytes) -> bytes:
    return SIGN + NUMBER.pack(number) + hashlib.sha256(octets).digest()
