"""The local socket on which programs of this machine hand over mail. Who they are the system says (SO_PEERCRED), and nothing else does.

Whoever may not hand in anything is told so before a byte is read. Each user has a bounded number of connections, and of the octets in
hand, so that one of them cannot keep the others out; head, size and time are bounded too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from zegel.adapters.listener import bind_unix, identity_of, unlink_if_same
from zegel.submission.handed import MAX_HEAD, Handed, HandedError, read_head

_SECONDS = 60.0
_MOST, _MOST_OF_ONE = 200, 50
_MOST_HELD = 256 << 20  # octets of messages in hand, of which one user has half
_BUSY = "452 4.3.1 too much mail at the moment"
_PEER = struct.Struct("3i")  # pid, uid, gid: struct ucred of Linux
_MODE = 0o666  # anybody may knock


class Taker(Protocol):
    """Who takes messages. Answers are lines as of SMTP: "250 2.0.0 ...", without CR and LF."""

    async def admit(self, uid: int) -> str:
        """ "" for a user who may hand in mail, or the refusal."""

    async def take(self, uid: int, handed: Handed, data: bytes) -> str:
        """Take a message; the answer, "250 ..." only when it is safe. What it raises is a fault of ours."""


class HandoverServer:
    """Listens on one socket."""

    def __init__(
        self, taker: Taker, *, max_size: Callable[[], int], on_fault: Callable[[BaseException], None], max_held: int = _MOST_HELD
    ) -> None:
        self._taker, self._max_size, self._on_fault, self._max_held = taker, max_size, on_fault, max_held
        self._server: asyncio.Server | None = None
        self._path, self._identity = "", (0, 0)
        self._users: Counter[int] = Counter()
        self._held: Counter[int] = Counter()
        self._working: set[asyncio.Task[None]] = set()

    async def listen(self, path: str) -> None:
        """Listen at that path. Raises OSError that says what to do."""
        bound = bind_unix(path, mode=_MODE, group=None)
        self._path, self._identity = path, identity_of(path)
        self._server = await asyncio.start_unix_server(self._accept, sock=bound, limit=MAX_HEAD)

    async def close(self, seconds: float) -> None:
        """Take no more, let the messages in progress end for so long at most, and leave no socket behind."""
        if self._server is None:
            return
        self._server.close()
        unlink_if_same(self._path, self._identity)
        if self._working and seconds:
            await asyncio.wait(self._working, timeout=seconds)
        for task in list(self._working):
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)
        self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._working.add(task)
        uid = _peer(writer)
        self._users[uid] += 1
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._answer(uid, reader)
                writer.write(f"{answer}\n".encode("utf-8", "replace"))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # it was not told that the message is safe, and has it still
        finally:
            self._users[uid] -= 1
            if not self._users[uid]:
                del self._users[uid]
            self._working.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, uid: int, reader: asyncio.StreamReader) -> str:
        if self._users[uid] > _MOST_OF_ONE or self._users.total() > _MOST:
            return "421 4.3.2 too many messages at once"
        try:
            if refusal := await self._taker.admit(uid):
                return refusal
            handed = await _read_head(reader)
            if handed.size > self._max_size():
                return f"552 5.3.4 the message has {handed.size} octets, and at most {self._max_size()} are taken"
            return await self._take(uid, handed, reader)
        except HandedError as error:
            return f"501 5.5.2 {error}"
        except (OSError, asyncio.IncompleteReadError):
            raise
        except Exception as error:
            self._on_fault(error)
            return "451 4.3.0 a fault of ours; the message was not taken"

    async def _take(self, uid: int, handed: Handed, reader: asyncio.StreamReader) -> str:
        """Read the data and have it taken, while there is room for all that is in hand."""
        held = self._held
        if handed.size + held.total() > self._max_held or handed.size + held[uid] > self._max_held // 2:
            return _BUSY
        held[uid] += handed.size
        try:
            data = await reader.readexactly(handed.size)
            return " ".join((await self._taker.take(uid, handed, data)).split())
        finally:
            held[uid] -= handed.size
            if not held[uid]:
                del held[uid]


async def _read_head(reader: asyncio.StreamReader) -> Handed:
    """The lines up to the one that says the size. Raises :class:`HandedError` when there are too many."""
    head = b""
    while len(head) <= MAX_HEAD:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            break
        head += line
        if line.startswith(b"size "):
            return read_head(head)
    raise HandedError("the envelope is too long")


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user at the other end."""
    connection: socket.socket = writer.get_extra_info("socket")
    _pid, uid, _gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(uid)
