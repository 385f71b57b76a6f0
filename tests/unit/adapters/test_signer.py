"""The process that signs: the same signatures as here, in any number at once; and mail that waits for nobody while it is not there."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import zegel
from support.servers import wait_for
from zegel.adapters import signer as room
from zegel.adapters import signing
from zegel.adapters.signer import Signer, sign_here
from zegel.dkim.sign import Draft, Style, draft_message

KEYS = [
    zegel.Key.generate("example.be", "rsa", "rsa2048"),
    zegel.Key.generate("example.be", "ed", "ed25519"),
    zegel.Key.generate("example.org", "other", "ed25519"),
]


def drafts(number: int, keys: list[zegel.Key]) -> list[Draft]:
    message = f"From: a@{keys[0].domain}\r\nSubject: {number}\r\n\r\ntext {number}\r\n".encode()
    return draft_message(message, keys, Style(), now=1_700_000_000)


class Alarms(list[str]):
    def __call__(self, event: str, **words: Any) -> None:
        self.append(f"{event}: {words['error']}")


def play(test: Callable[[Signer, Alarms], Awaitable[None]], *, start: bool = True, **arguments: float) -> None:
    async def run() -> None:
        alarms = Alarms()
        one = Signer(alarms, **arguments)
        try:
            if start:
                await one.sign(drafts(0, KEYS[:1]))
                await becomes(lambda: one.ready)
            await test(one, alarms)
        finally:
            await one.close()

    asyncio.run(run())


async def becomes(test: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, test, 60, "it becomes so")


def test_it_signs_as_this_process_would() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        for keys in ([KEYS[0]], [KEYS[1]], KEYS[:2], [KEYS[2]]):
            assert await one.sign(drafts(1, keys)) == [draft.sign() for draft in drafts(1, keys)]
        assert alarms == []

    play(test)


def test_many_at_once_get_each_its_own() -> None:
    async def test(one: Signer, _alarms: Alarms) -> None:
        asked = [drafts(number, [KEYS[number % 3]]) for number in range(300)]
        assert await asyncio.gather(*map(one.sign, asked)) == [[draft.sign() for draft in each] for each in asked]

    play(test)


def test_who_goes_away_leaves_the_next_with_the_right_answer() -> None:
    async def test(one: Signer, _alarms: Alarms) -> None:
        gone = [asyncio.create_task(one.sign(drafts(number, [KEYS[0]]))) for number in range(5)]
        await asyncio.sleep(0)
        for task in gone[::2]:
            task.cancel()
        assert await one.sign(drafts(9, [KEYS[1]])) == [draft.sign() for draft in drafts(9, [KEYS[1]])]
        assert await gone[1] == [draft.sign() for draft in drafts(1, [KEYS[0]])]

    play(test)


def test_after_it_forgot_its_keys_it_is_given_them_again() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        for number in range(3):
            before = asyncio.create_task(one.sign(drafts(number, KEYS[:1])))
            await asyncio.sleep(0)
            one.forget()
            assert await one.sign(drafts(number, KEYS[2:])) == [draft.sign() for draft in drafts(number, KEYS[2:])]
            assert await before == [draft.sign() for draft in drafts(number, KEYS[:1])]
        assert alarms == []

    play(test)


def test_it_holds_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST_KEYS", 2)

    async def test(one: Signer, alarms: Alarms) -> None:
        for number in range(9):
            keys = [KEYS[number % 3]]
            assert await one.sign(drafts(number, keys)) == [draft.sign() for draft in drafts(number, keys)]
        assert alarms == []

    play(test)


def test_until_it_is_ready_mail_is_signed_here() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        assert one.pid is None, "where nothing is signed it is not started"
        assert await one.sign(drafts(1, KEYS[:2])) == [draft.sign() for draft in drafts(1, KEYS[:2])]
        await becomes(lambda: one.ready)
        assert alarms == []

    play(test, start=False)


def test_when_it_is_killed_mail_is_signed_here_and_it_comes_back() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        first = one.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        waiting = [asyncio.create_task(one.sign(drafts(number, [KEYS[0]]))) for number in range(4)]
        await asyncio.sleep(0.05)
        os.kill(first, signal.SIGKILL)
        for number, task in enumerate(waiting):
            assert await task == [draft.sign() for draft in drafts(number, [KEYS[0]])]
        assert alarms == ["the process that signs is not there; this one signs until it is: it has ended"]
        assert await one.sign(drafts(7, [KEYS[0]])) == [draft.sign() for draft in drafts(7, [KEYS[0]])]
        await becomes(lambda: one.ready and one.pid != first)
        assert await one.sign(drafts(8, KEYS[:2])) == [draft.sign() for draft in drafts(8, KEYS[:2])]

    play(test, again=0.01)


def test_what_hangs_is_given_up_and_replaced() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        first = one.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        assert await one.sign(drafts(1, KEYS[:1])) == [draft.sign() for draft in drafts(1, KEYS[:1])]
        assert alarms == ["the process that signs is not there; this one signs until it is: it has said nothing in 0.3 seconds"]
        await becomes(lambda: one.ready and one.pid != first)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)

    play(test, patience=0.3, again=0.01)


def test_one_that_cannot_be_started_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    async def test(one: Signer, alarms: Alarms) -> None:
        assert await one.sign(drafts(1, KEYS[:2])) == [draft.sign() for draft in drafts(1, KEYS[:2])]
        await asyncio.sleep(0.1)
        (alarm,) = alarms
        assert alarm.startswith("the process that signs is not there; this one signs until it is: [Errno 2]")
        monkeypatch.setattr(sys, "executable", python)
        await becomes(lambda: one.ready)
        assert await one.sign(drafts(2, KEYS[:2])) == [draft.sign() for draft in drafts(2, KEYS[:2])]

    play(test, start=False, again=0.01)


def test_a_question_that_cannot_be_asked_shifts_no_answer() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        (good,) = drafts(1, KEYS[:1])
        large = zegel.Key.restore("example.be", "large", KEYS[1].pem + b"\n" * 70_000)
        for _ in range(3):
            with pytest.raises(struct.error):
                await one.sign([good._replace(key=large)])
        asked = [drafts(number, [KEYS[number % 3]]) for number in range(20)]
        assert await asyncio.gather(*map(one.sign, asked)) == [[draft.sign() for draft in each] for each in asked]
        assert alarms == []

    play(test)


def test_want_of_descriptors_is_told_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, none = socket.socketpair, iter(range(3))

    def scarce() -> tuple[socket.socket, socket.socket]:
        if next(none, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return pairs()

    async def test(one: Signer, alarms: Alarms) -> None:
        monkeypatch.setattr(socket, "socketpair", scarce)
        assert await one.sign(drafts(1, KEYS[:1])) == [draft.sign() for draft in drafts(1, KEYS[:1])]
        await becomes(lambda: one.ready)
        (alarm,) = alarms
        assert "Too many open files" in alarm

    play(test, start=False, again=0.01)


def test_one_of_another_version_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "READY", b"0")

    async def test(one: Signer, alarms: Alarms) -> None:
        await one.sign(drafts(1, KEYS[:1]))
        await becomes(lambda: alarms != [])
        assert "another version" in alarms[0]
        assert await one.sign(drafts(2, KEYS[:1])) == [draft.sign() for draft in drafts(2, KEYS[:1])]

    play(test, start=False)


@pytest.mark.parametrize("turns", range(8))
def test_closed_while_it_starts_nothing_is_left(turns: int) -> None:
    async def run() -> None:
        alarms = Alarms()
        one = Signer(alarms, again=0.01)
        signed = asyncio.create_task(one.sign(drafts(1, KEYS[:1])))
        for _ in range(turns):
            await asyncio.sleep(0)
        await one.close()
        assert await signed == [draft.sign() for draft in drafts(1, KEYS[:1])]
        assert await one.sign(drafts(2, KEYS[:1])) == [draft.sign() for draft in drafts(2, KEYS[:1])]
        await asyncio.sleep(0.05)
        assert one.pid is None
        assert not one.ready
        assert alarms == []

    asyncio.run(run())


def test_signals_that_are_sent_to_everything_do_not_end_it() -> None:
    async def test(one: Signer, alarms: Alarms) -> None:
        assert one.pid is not None
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            os.kill(one.pid, number)
        assert await one.sign(drafts(1, KEYS[:2])) == [draft.sign() for draft in drafts(1, KEYS[:2])]
        assert alarms == []

    play(test)


def test_it_finds_its_modules_where_they_were_found(tmp_path: Path) -> None:
    """Where nothing is installed, as in a zip or with PYTHONPATH: the plain interpreter knows no Zegel."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import asyncio, zegel\n"
        "from zegel.adapters.signer import Signer\n"
        "from zegel.dkim.sign import Style, draft_message\n"
        "async def run():\n"
        "    one, key = Signer(print), zegel.Key.generate('example.be', 's', 'ed25519')\n"
        "    await one.sign(draft_message(b'From: a@example.be\\r\\n\\r\\nx\\r\\n', [key], Style(), now=1))\n"
        "    async with asyncio.timeout(60):\n"
        "        while not one.ready: await asyncio.sleep(0.01)\n"
        "    await one.close()\n"
        "asyncio.run(run())\n"
    )
    plain = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    done = subprocess.run([plain, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    """However that one ends: nothing is left that holds keys."""
    code = (
        "import asyncio, os, signal\n"
        "from zegel.adapters.signer import Signer\n"
        "import zegel\n"
        "from zegel.dkim.sign import Style, draft_message\n"
        "async def run():\n"
        "    one = Signer(print)\n"
        "    key = zegel.Key.generate('example.be', 's', 'ed25519')\n"
        "    await one.sign(draft_message(b'From: a@example.be\\r\\n\\r\\nx\\r\\n', [key], Style(), now=1))\n"
        "    while not one.ready: await asyncio.sleep(0.01)\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(one.pid))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(run())\n"
    )

    async def run() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        assert await process.wait() == -signal.SIGKILL
        pid = int((tmp_path / "pid").read_text())
        await becomes(lambda: _ended(pid))

    asyncio.run(run())


def _ended(pid: int) -> bool:
    """Not there, or dead and waited for by nobody."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_keys_are_in_no_argument_and_no_environment() -> None:
    async def test(one: Signer, _alarms: Alarms) -> None:
        await one.sign(drafts(1, KEYS[:2]))
        for name in ("cmdline", "environ"):
            seen = await asyncio.to_thread(Path(f"/proc/{one.pid}/{name}").read_bytes)
            assert seen
            assert b"PRIVATE" not in seen
            assert KEYS[0].pem[40:80] not in seen

    play(test)


def test_what_it_cannot_sign_is_an_empty_answer() -> None:
    requests = io.BytesIO(signing.SIGN + struct.pack("!I", 5) + b"d" * 32)
    answers = io.BytesIO()
    signing.serve(requests, answers)
    assert answers.getvalue() == signing.READY + b"\0\0"


def test_a_key_that_is_none_ends_nothing() -> None:
    texts = b"".join(struct.pack("!H", len(text)) + text for text in (b"example.be", b"s", b"no key"))
    requests = signing.KEY + struct.pack("!I", 0) + texts + signing.SIGN + struct.pack("!I", 0) + b"d" * 32
    answers = io.BytesIO()
    signing.serve(io.BytesIO(requests), answers)
    assert answers.getvalue() == signing.READY + b"\0\0"


@pytest.mark.parametrize("requests", [b"S\0\0\0\0" + b"d" * 31, b"K\0\0\0\0\0\x05abc", b"S\0"])
def test_requests_that_end_within_one(requests: bytes) -> None:
    with pytest.raises(EOFError):
        signing.serve(io.BytesIO(requests), io.BytesIO())


def test_signing_here_is_signing() -> None:
    assert asyncio.run(sign_here(drafts(1, KEYS[:2]))) == [draft.sign() for draft in drafts(1, KEYS[:2])]
