"""The local socket: who is at the other end, what is bounded, and that nothing is called safe that was not taken."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from zegel.adapters.handover import HandoverServer
from zegel.submission.handed import MAX_HEAD, Handed

ID = "0123456789abcdef" * 2
DATA = b"From: a@example.be\r\n\r\nx\r\n"
HEAD = Handed(ID, "a@example.be", ["b@example.org"], len(DATA)).head()


class Book:
    """Takes what it gets, and writes it down."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str, bytes]] = []
        self.refusal = ""
        self.trouble: Exception | None = None
        self.faults: list[BaseException] = []
        self.held: asyncio.Event | None = None

    async def admit(self, uid: int) -> str:
        return self.refusal

    async def take(self, uid: int, handed: Handed, data: bytes) -> str:
        if self.trouble:
            raise self.trouble
        if self.held is not None:
            await self.held.wait()
        self.taken.append((uid, handed.sender, data))
        return "250 2.0.0\r\nk3f9"


@asynccontextmanager
async def served(folder: Path, book: Book) -> AsyncIterator[HandoverServer]:
    server = HandoverServer(book, max_size=lambda: 1000, on_fault=book.faults.append)
    await server.listen(str(folder / "sock"))
    try:
        yield server
    finally:
        await server.close(1.0)


async def say(folder: Path, *parts: bytes, end: bool = False) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(folder / "sock"))
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is the server's
            await asyncio.sleep(0.002)


def knock(folder: Path) -> bytes:
    """Only listen: the answer comes before anything is said."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        one.connect(str(folder / "sock"))
        return one.recv(1000)


def test_a_message_is_taken_from_whoever_the_system_says(tmp_path: Path) -> None:
    async def scene() -> None:
        book = Book()
        async with served(tmp_path, book):
            assert stat.S_IMODE((tmp_path / "sock").stat().st_mode) == 0o666
            assert await say(tmp_path, HEAD, DATA) == b"250 2.0.0 k3f9\n"
            assert await say(tmp_path, *(bytes([octet]) for octet in HEAD + DATA)) == b"250 2.0.0 k3f9\n"
        assert book.taken == [(os.getuid(), "a@example.be", DATA)] * 2
        assert not (tmp_path / "sock").exists()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (HEAD.replace(b"size 25", b"size 2000"), b"552 5.3.4 the message has 2000 octets, and at most 1000 are taken\n"),
        (b"EHLO x\nsize 5\n", b"501 5.5.2 these are not the lines of a message that is handed in\n"),
        (b"to a@b\n" * 20_000, b"501 5.5.2 the envelope is too long\n"),
        (b"x" * (MAX_HEAD * 3), b"501 5.5.2 the envelope is too long\n"),
    ],
)
def test_what_is_no_message_is_refused(tmp_path: Path, sent: bytes, answer: bytes) -> None:
    async def scene() -> None:
        book = Book()
        async with served(tmp_path, book):
            assert await say(tmp_path, sent) == answer
        assert book.taken == []

    asyncio.run(scene())


@pytest.mark.parametrize("cut", [0, 10, len(HEAD), len(HEAD) + 3])
def test_half_a_message_is_none(tmp_path: Path, cut: int) -> None:
    async def scene() -> None:
        book = Book()
        async with served(tmp_path, book):
            assert await say(tmp_path, (HEAD + DATA)[:cut], end=True) == b""
        assert book.taken == []
        assert book.faults == []

    asyncio.run(scene())


def test_who_may_not_send_is_told_before_anything_is_read(tmp_path: Path) -> None:
    async def scene() -> None:
        book = Book()
        book.refusal = "550 5.7.1 no site"
        async with served(tmp_path, book):
            assert await say(tmp_path) == b"550 5.7.1 no site\n"

    asyncio.run(scene())


def test_a_fault_of_ours_is_not_shown(tmp_path: Path) -> None:
    async def scene() -> None:
        book = Book()
        book.trouble = ValueError("a secret")
        async with served(tmp_path, book):
            assert await say(tmp_path, HEAD, DATA) == b"451 4.3.0 a fault of ours; the message was not taken\n"
        assert book.faults == [book.trouble]

    asyncio.run(scene())


def test_one_user_has_so_many_connections(tmp_path: Path) -> None:
    async def scene() -> None:
        book = Book()
        book.held = asyncio.Event()
        async with served(tmp_path, book) as server:
            waiting = [asyncio.create_task(say(tmp_path, HEAD, DATA)) for _ in range(50)]
            await until(lambda: server._held.total() == 50 * len(DATA))
            assert await asyncio.to_thread(knock, tmp_path) == b"421 4.3.2 too many messages at once\n"
            book.held.set()
            assert set(await asyncio.gather(*waiting)) == {b"250 2.0.0 k3f9\n"}
            await until(lambda: not server._users)
            assert await say(tmp_path, HEAD, DATA) == b"250 2.0.0 k3f9\n"

    asyncio.run(scene())


def test_what_is_in_hand_is_bounded_and_one_user_has_half_of_it(tmp_path: Path) -> None:
    """Many connections, each with a large message: octets are counted, not connections."""

    async def scene() -> None:
        book = Book()
        book.held = asyncio.Event()
        server = HandoverServer(book, max_size=lambda: 1000, on_fault=book.faults.append, max_held=4 * len(DATA) + 1)
        await server.listen(str(tmp_path / "sock"))
        waiting = [asyncio.create_task(say(tmp_path, HEAD, DATA)) for _ in range(2)]
        await until(lambda: server._held.total() == 2 * len(DATA))
        # Said before the data is read: the program has it still, and leaves it in the drop folder.
        assert await say(tmp_path, HEAD) == b"452 4.3.1 too much mail at the moment\n"
        book.held.set()
        assert set(await asyncio.gather(*waiting)) == {b"250 2.0.0 k3f9\n"}
        assert await say(tmp_path, HEAD, DATA) == b"250 2.0.0 k3f9\n"
        await say(tmp_path, HEAD, DATA[:3], end=True)
        assert await asyncio.gather(*(say(tmp_path, HEAD, DATA) for _ in range(2))) == [b"250 2.0.0 k3f9\n"] * 2
        await server.close(1.0)

    asyncio.run(scene())


def test_at_the_end_what_is_in_progress_ends_first(tmp_path: Path) -> None:
    async def scene() -> None:
        book = Book()
        book.held = asyncio.Event()
        server = HandoverServer(book, max_size=lambda: 1000, on_fault=book.faults.append)
        await server.listen(str(tmp_path / "sock"))
        one = asyncio.create_task(say(tmp_path, HEAD, DATA))
        await until(lambda: bool(server._held))
        closing = asyncio.create_task(server.close(60))
        await asyncio.sleep(0.05)
        book.held.set()
        await closing
        assert await one == b"250 2.0.0 k3f9\n"
        server = HandoverServer(book, max_size=lambda: 1000, on_fault=book.faults.append)
        await server.listen(str(tmp_path / "sock"))
        book.held.clear()
        one = asyncio.create_task(say(tmp_path, HEAD, DATA))
        await until(lambda: bool(server._held))
        await server.close(0)
        assert await one == b""

    asyncio.run(scene())
