from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.nexthop import NextHop
from support.outbox import TEXT, rig
from support.servers import unavailable
from zegel.gateway.outbox import RESERVE, Full, Posting, TooLarge
from zegel.store import errors
from zegel.store.errors import StoreError
from zegel.store.posting import State
from zegel.store.spool import NAME

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 3 MB."""
    if os.geteuid() != 0:
        unavailable("only root mounts a small file system; run this test as root")
    folder = Path(tempfile.mkdtemp(prefix="zegel-disk-", dir="/tmp"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        folder.rmdir()
        unavailable(f"no small file system can be mounted here: {done.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_what_waits_together_is_one_commit(tmp_path: Path) -> None:
    async def run() -> None:
        async with rig(tmp_path, NOWHERE, started=False) as made:
            names = await asyncio.gather(*(made.put() for _ in range(300)))
            assert len(set(names)) == 300
            assert made.outbox.group.commits <= 5
            assert [item.queue_id for item in made.items()] == sorted(names)

    asyncio.run(run())


def test_put_returns_when_another_process_would_find_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with rig(tmp_path, NOWHERE, started=False) as made:
            for count in range(1, 4):
                await made.put()
                with sqlite3.connect(tmp_path / NAME) as other:
                    assert other.execute("SELECT count(*) FROM bodies").fetchone() == (count,)
                other.close()

    asyncio.run(run())


def test_misuse_is_an_error_of_the_caller(tmp_path: Path) -> None:
    async def run() -> None:
        async with rig(tmp_path, NOWHERE, started=False) as made:
            for data in (b"", b"x", b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n\r\n", b"a\r\n\r"):
                with pytest.raises(ValueError, match="CRLF"):
                    await made.put(data=data)
            with pytest.raises(ValueError, match="needs a recipient"):
                await made.outbox.put(Posting("a@example.be", (), TEXT))
            for address in ("a@example.net>\r\nRCPT TO:<b@example.net", "a@example.net> X=<", "a b@example.net", "a\0@example.net"):
                with pytest.raises(ValueError, match="has a character that none may have"):
                    await made.put(address)
            assert not made.items()

    asyncio.run(run())


def test_the_bounds_of_the_configuration(tmp_path: Path) -> None:
    async def run() -> None:
        async with rig(tmp_path, NOWHERE, started=False, max_message_bytes=5000, max_bytes=20_000) as made:
            with pytest.raises(TooLarge, match="5001 octets, and at most 5000"):
                await made.put(data=b"x" * 4999 + b"\r\n")
            large = b"x" * 4000 + b"\r\n"
            taken = 0
            with pytest.raises(Full, match="holds 20000 octets of mail that waits, and takes no more"):
                for _ in range(10):
                    await made.put(data=large)
                    taken += 1
            assert taken == 4
            # One that is refused is refused alone.
            results = await asyncio.gather(made.put(data=large), made.put(data=b"x\r\n"), return_exceptions=True)
            assert isinstance(results[0], Full)
            assert isinstance(results[1], str)

    asyncio.run(run())


def test_what_was_delivered_makes_room(tmp_path: Path) -> None:
    async def run() -> None:
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", max_message_bytes=5000, max_bytes=20_000) as made:
                for _ in range(10):
                    await made.put(data=b"x" * 4000 + b"\r\n")
                    await made.until(lambda: not made.waiting())
                    made.clock.ahead += 2
                assert len(hop.taken) == 10

    asyncio.run(run())


def test_bodies_of_what_failed_give_way(tmp_path: Path) -> None:
    async def run() -> None:
        with NextHop(mail="550 5.7.1 no") as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", max_message_bytes=5000, max_bytes=20_000) as made:
                for _ in range(10):
                    await made.put(data=b"x" * 4000 + b"\r\n", contact="")
                    await made.until(lambda: not made.waiting())
                assert len(made.items(State.FAILED)) == 10

    asyncio.run(run())


def test_a_full_disk_refuses_new_mail_and_loses_none(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        with NextHop() as hop:
            async with rig(small_disk, f"127.0.0.1:{hop.port}", started=False) as made:
                accepted, refused = 0, 0
                for _ in range(400):
                    try:
                        await made.put(data=b"x" * 20_000 + b"\r\n")
                        accepted += 1
                    except Full:
                        refused += 1
                    except StoreError as error:
                        refused += error.full
                assert accepted > 20
                assert accepted + refused == 400
                assert made.waiting() == accepted
                # Room again: somebody deleted something, or gave it more.
                await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
                await made.courier.start()
                await made.until(lambda: not made.waiting(), 60)
                assert len(hop.taken) == accepted
                assert {len(taken.data) for taken in hop.taken} == {20_002}

    asyncio.run(run())


def test_while_room_is_kept_what_was_taken_can_be_sent(small_disk: Path) -> None:
    async def run() -> None:
        with NextHop() as hop:
            await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
            async with rig(small_disk, f"127.0.0.1:{hop.port}", started=False, reserve=RESERVE) as made:
                accepted = 0
                with pytest.raises(Full, match="nearly full"):
                    for _ in range(400):
                        await made.put(data=b"x" * 400_000 + b"\r\n")
                        accepted += 1
                assert accepted > 5
                await made.courier.start()
                await made.until(lambda: not made.waiting(), 60)
                assert len(hop.taken) == accepted
                assert sum(each.tries for item in made.items() for each in item.recipients) == accepted

    asyncio.run(run())


def test_a_locked_database_is_waited_for_and_then_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **more: connect(*words, **{**more, "timeout": 0.5}))

    async def run() -> None:
        async with rig(tmp_path, NOWHERE, started=False) as made:
            await made.put()
            other = connect(tmp_path / NAME, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            start = asyncio.get_running_loop().time()
            results = await asyncio.gather(*(made.put() for _ in range(50)), return_exceptions=True)
            # One wait for all, not one for each.
            assert asyncio.get_running_loop().time() - start < 10
            assert all(isinstance(result, StoreError) and result.busy for result in results)
            other.execute("ROLLBACK")
            other.close()
            await made.put()
            assert made.waiting() == 2

    asyncio.run(run())
    assert errors.WAIT_SECONDS <= 10


def test_a_result_that_cannot_be_written_is_kept_until_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **more: connect(*words, **{**more, "timeout": 0.1}))

    async def run() -> None:
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", started=False) as made:
                settle, other = made.courier.settle, connect(tmp_path / NAME, isolation_level=None)

                async def locked(*words: object) -> None:
                    other.execute("BEGIN IMMEDIATE")
                    asyncio.get_running_loop().call_later(1.5, other.execute, "ROLLBACK")
                    await settle(*words)  # type: ignore[arg-type]

                made.courier.settle = locked  # type: ignore[assignment,method-assign]
                await made.put()
                await made.courier.start()
                await made.until(lambda: not made.waiting())
                await asyncio.sleep(0.3)
                other.close()
                assert len(hop.taken) == 1
                (recipient,) = made.items()[0].recipients
                assert (recipient.state, recipient.tries, recipient.doubts) == (State.DELIVERED, 1, 0)

    asyncio.run(run())
