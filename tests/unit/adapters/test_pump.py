from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from support import mta as client
from support.mta import MilterGone, Mta, Result
from zegel.adapters.pump import Pump, run
from zegel.milter.codec import ProtocolError
from zegel.milter.edits import Accept, AddHeader, ChangeHeader, DeleteHeader, Discard, InsertHeader, Outcome, Quarantine, Reject, TempFail
from zegel.milter.events import Connected, Headers, MailFrom, Recipient
from zegel.milter.session import Session

T = TypeVar("T")

MESSAGE = b"From: a@example.org\r\nSubject: one\r\n\ttwo\r\n\r\nhello\r\n"


@pytest.fixture(autouse=True, params=["uvloop", "asyncio"])
def _either_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    else:
        pytest.importorskip("uvloop", reason="uvloop is not installed here")


class Journal:
    """What all handlers of one pump have seen."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.macros: list[bytes | None] = []
        self.faults: list[Exception] = []
        self.fail_at = ""
        self.outcome = Outcome()
        self.enough = 1 << 60
        self.entered = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.cancelled = 0


class Recorder:
    """A handler that writes everything down and fails where it is told to."""

    def __init__(self, journal: Journal, session: Session) -> None:
        self.journal = journal
        self.session = session
        self.body_size = 0
        self._note("made")

    def _note(self, call: str) -> None:
        self.journal.calls.append(call)
        if self.journal.fail_at == call:
            raise LookupError(call)

    def connected(self, event: Connected) -> None:
        self._note("connected")

    def mail_from(self, event: MailFrom) -> None:
        self.journal.headers.append([])
        self.journal.bodies.append(b"")
        self.body_size = 0
        self._note("mail_from")

    def recipient(self, event: Recipient) -> None:
        self._note("recipient")

    def headers(self, event: Headers) -> None:
        self.journal.headers[-1] += event.fields
        self._note("headers")

    def end_of_headers(self) -> None:
        self._note("end_of_headers")

    def body(self, data: bytes) -> bool:
        self.journal.bodies[-1] += data
        self.body_size += len(data)
        self._note("body")
        return self.body_size >= self.journal.enough

    async def end_of_message(self, session: Session) -> Outcome:
        journal = self.journal
        journal.macros.append(session.macro(b"i"))
        journal.entered.set()
        self._note("end_of_message")
        if journal.gate is not None:
            try:
                await journal.gate.wait()
            except asyncio.CancelledError:
                journal.cancelled += 1
                raise
        return journal.outcome

    def aborted(self) -> None:
        self._note("aborted")

    def closed(self) -> None:
        self._note("closed")


def serve(test: Callable[[Pump, Journal, tuple[str, int]], Awaitable[T]], **arguments: Any) -> T:
    """Run a test beside a pump on a loopback port; the MTA's side runs in threads."""

    async def main() -> T:
        journal = Journal()
        pump = Pump(lambda session: Recorder(journal, session), on_fault=journal.faults.append, **arguments)
        address = await pump.listen_tcp("127.0.0.1", 0)
        try:
            return await test(pump, journal, address)
        finally:
            if journal.gate is not None:
                journal.gate.set()
            await pump.drain(0)

    return run(main())


def send_one(address: tuple[str, int], message: bytes = MESSAGE, **offer: int) -> Result:
    with Mta(address, **offer) as mta:
        refusal = mta.open()
        if refusal is not None:
            return Result("refused at connect", refusal[1].decode())
        result = mta.send(message, macros={"i": "Q1"})
        mta.quit()
        return result


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the condition is somebody else's
            await asyncio.sleep(0.002)


def test_a_message_and_its_outcome() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.outcome = Outcome((InsertHeader(1, b"X-Seal", b" ok;\r\n\tgood"), Quarantine("look")), Accept())
        result = await asyncio.to_thread(send_one, address)
        assert (result.action, result.quarantine) == ("accept", "look")
        assert result.message == b"X-Seal: ok;\r\n\tgood\r\n" + MESSAGE
        await until(lambda: pump.active == 0)
        assert journal.calls == [
            "made",
            "connected",
            "mail_from",
            "recipient",
            "headers",
            "end_of_headers",
            "body",
            "end_of_message",
            "closed",
        ]
        assert journal.headers == [[(b"From", b" a@example.org"), (b"Subject", b" one\n\ttwo")]]
        assert journal.bodies == [b"hello\r\n"]
        assert journal.faults == []
        assert (pump.accepted, pump.refused, pump.messages, pump.faults) == (1, 0, 1, 0)

    serve(test)


def test_two_messages_on_one_connection_each_get_their_own() -> None:
    def two(address: tuple[str, int]) -> list[Result]:
        with Mta(address) as mta:
            mta.open()
            first = mta.send(MESSAGE, macros={"i": "Q1"})
            mta.abort()
            return [first, mta.send(b"To: b@example.com\n\nsecond\n", macros={})]

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        results = await asyncio.to_thread(two, address)
        assert [result.action for result in results] == ["accept", "accept"]
        assert results[1].message == b"To: b@example.com\r\n\r\nsecond\r\n"
        assert journal.headers[1] == [(b"To", b" b@example.com")]
        assert journal.bodies == [b"hello\r\n", b"second\r\n"]
        assert journal.macros == [b"Q1", None]
        assert "aborted" not in journal.calls

    serve(test)


def test_deletions_from_the_highest_index_down_leave_the_right_ones() -> None:
    message = b"".join(b"AR: %d\r\n" % n for n in range(1, 6)) + MESSAGE

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.outcome = Outcome(
            (DeleteHeader(5, b"ar"), DeleteHeader(3, b"AR"), DeleteHeader(1, b"AR"), ChangeHeader(1, b"AR", b" two"), AddHeader(b"Z", b"z"))
        )
        result = await asyncio.to_thread(send_one, address, message)
        assert result.message == b"AR: two\r\nAR: 4\r\n" + MESSAGE.replace(b"\ttwo\r\n", b"\ttwo\r\nZ: z\r\n")

    serve(test)


@pytest.mark.parametrize("offered", [client.ALL_PROTOCOL, client.ALL_PROTOCOL & ~client.LEADSPC, 0x7F])
def test_the_message_comes_out_the_same_with_and_without_leading_space(offered: int) -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.outcome = Outcome((InsertHeader(0, b"A", b" b"), InsertHeader(0, b"C", b"d")))
        result = await asyncio.to_thread(send_one, address, offered_protocol=offered)
        assert result.message == b"C: d\r\nA: b\r\n" + MESSAGE
        assert journal.headers[0][1] == (b"Subject", b" one\n\ttwo")

    serve(test)


@pytest.mark.parametrize(
    ("outcome", "action", "reply"),
    [
        (Outcome((), Reject("550", "5.7.1", "no 100%")), "replycode", "550 5.7.1 no 100%"),
        (Outcome((), TempFail("451", "4.7.1", "later")), "replycode", "451 4.7.1 later"),
        (Outcome((), Discard()), "discard", ""),
    ],
)
def test_actions(outcome: Outcome, action: str, reply: str) -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.outcome = outcome
        result = await asyncio.to_thread(send_one, address)
        assert (result.action, result.reply) == (action, reply)

    serve(test)


STAGES = ["connected", "mail_from", "recipient", "headers", "end_of_headers", "body", "end_of_message"]


@pytest.mark.parametrize("offered", [client.NO_SKIP, 0x7F])
@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_of_ours_is_451_at_every_stage(stage: str, offered: int) -> None:
    def two(address: tuple[str, int], journal: Journal) -> list[Result]:
        with Mta(address, offered_protocol=offered) as mta:
            refusal = mta.open()
            if refusal is not None:
                return [Result("replycode", refusal[1].decode(), "C")]
            first = mta.send(MESSAGE + b"x" * 70_000)
            mta.abort()
            journal.fail_at = ""
            return [first, mta.send(MESSAGE)]

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.fail_at = stage
        results = await asyncio.to_thread(two, address, journal)
        assert results[0].action == "replycode"
        assert results[0].reply.startswith("451 4.7.0 ")
        assert "LookupError" not in results[0].reply
        assert [type(fault) for fault in journal.faults] == [LookupError]
        at_once = offered == 0x7F and stage != "end_of_message"
        expected = {"connected": "C", "mail_from": "M", "recipient": "R", "headers": "L", "end_of_headers": "N", "body": "B"}
        assert results[0].stage == (expected[stage] if at_once else "E")
        if stage == "connected":
            # Whoever does not know the client can say nothing about any of its messages.
            assert all(result.reply.startswith("451 4.7.0 ") for result in results)
            assert "mail_from" not in journal.calls
        else:
            assert results[1].action == "accept"
            assert journal.calls.count("aborted") == 1

    serve(test)


def test_a_failing_factory_and_failing_ends_are_reported() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.fail_at = "made"
        with pytest.raises(MilterGone):
            await asyncio.to_thread(send_one, address)
        journal.fail_at = "closed"
        assert (await asyncio.to_thread(send_one, address)).action == "accept"
        await until(lambda: pump.active == 0)
        assert [str(fault) for fault in journal.faults] == ["made", "closed"]

    serve(test)


def test_an_outcome_that_cannot_be_said_is_451() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.outcome = Outcome((AddHeader(b"A", b" x"), AddHeader(b"X", b" a\nBcc: b")))
        result = await asyncio.to_thread(send_one, address)
        assert result.reply.startswith("451 4.7.0 ")
        assert result.edits == []
        assert [type(fault) for fault in journal.faults] == [ValueError]

    serve(test)


def big(chunks: int) -> bytes:
    return MESSAGE + b"x" * (client.CHUNK * chunks)


@pytest.mark.parametrize(("offered", "sent", "seen"), [(client.ALL_PROTOCOL, 2, 2), (client.NO_SKIP, 5, 2), (0x7F, 5, 2)])
def test_skip_when_no_more_body_is_needed(offered: int, sent: int, seen: int) -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.enough = client.CHUNK + 1
        result = await asyncio.to_thread(send_one, address, big(5), offered_protocol=offered)
        assert result.action == "accept"
        assert result.chunks_sent == sent
        assert journal.calls.count("body") == seen
        assert result.message == big(5)

    serve(test, session_factory=lambda: Session(skip_body=True))


def test_the_whole_body_arrives_in_order() -> None:
    body = b"".join(b"%08d\r\n" % n for n in range(50_000))

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        await asyncio.to_thread(send_one, address, b"A: b\r\n\r\n" + body)
        assert journal.bodies == [body]

    serve(test)


def test_progress_is_sent_while_the_mta_waits() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()
        sending = asyncio.create_task(asyncio.to_thread(send_one, address))
        await journal.entered.wait()
        await asyncio.sleep(0.1)
        journal.gate.set()
        assert (await sending).progress >= 1

    serve(test, progress_seconds=0.01)


def test_abort_in_mid_message_and_the_next_one() -> None:
    def talk(address: tuple[str, int]) -> Result:
        with Mta(address) as mta:
            mta.open()
            mta.envelope("first@example.org", macros={"i": "Q1"})
            mta.abort()
            mta.write("M", b"<again@example.org>\0")
            mta.quit_new()
            mta.open()
            return mta.send(MESSAGE)

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        assert (await asyncio.to_thread(talk, address)).action == "accept"
        assert journal.macros == [None]
        await until(lambda: pump.active == 0)
        assert journal.calls[:7] == ["made", "connected", "mail_from", "recipient", "aborted", "mail_from", "closed"]
        assert journal.calls[7:9] == ["made", "connected"]
        assert journal.calls.count("closed") == 2

    serve(test)


def test_loss_of_the_connection_while_waiting_cancels_and_closes() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()

        def leave() -> None:
            mta = Mta(address)
            mta.open()
            mta.envelope()
            mta.write("N")
            mta.write("E", b"body")
            mta.flush()
            mta.close()

        await asyncio.to_thread(leave)
        await until(lambda: pump.active == 0)
        assert journal.cancelled == 1
        assert journal.calls[-1] == "closed"
        assert journal.calls.count("closed") == 1
        assert journal.faults == []

    serve(test)


def test_bytes_that_come_while_a_message_is_concluded_are_kept() -> None:
    def talk(address: tuple[str, int], entered: Callable[[], None]) -> list[str]:
        with Mta(address) as mta:
            mta.open()
            mta.envelope()
            mta.write("N")
            mta.write("E", b"one")
            mta.flush()
            entered()
            mta.write("A")
            mta.envelope()
            mta.write("N")
            mta.write("E", b"two")
            mta.flush()
            entered()
            return [mta.read()[0], mta.read()[0]]

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        gate = journal.gate = asyncio.Event()
        loop = asyncio.get_running_loop()

        def entered() -> None:
            asyncio.run_coroutine_threadsafe(journal.entered.wait(), loop).result(20)

        talking = asyncio.create_task(asyncio.to_thread(talk, address, entered))
        await journal.entered.wait()
        await asyncio.sleep(0.05)
        assert journal.bodies == [b"one"]
        gate.set()
        assert await talking == ["a", "a"]
        assert journal.bodies == [b"one", b"two"]

    serve(test)


def test_a_peer_that_breaks_the_protocol_is_reported_and_left() -> None:
    def nonsense(address: tuple[str, int]) -> bytes:
        with socket.create_connection(address, 20) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return raw.recv(100)

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        assert await asyncio.to_thread(nonsense, address) == b""
        await until(lambda: pump.active == 0)
        assert [type(fault) for fault in journal.faults] == [ProtocolError]
        assert journal.calls == ["made", "closed"]

    serve(test)


def test_connections_over_the_cap_are_closed_at_once_and_counted() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        with Mta(address) as first, Mta(address) as second:
            await asyncio.to_thread(first.open)
            await asyncio.to_thread(second.open)
            with pytest.raises((MilterGone, ConnectionError)):
                await asyncio.to_thread(send_one, address)
            assert (pump.active, pump.accepted, pump.refused) == (2, 2, 1)
        await until(lambda: pump.active == 0)
        assert (await asyncio.to_thread(send_one, address)).action == "accept"

    serve(test, connection_cap=2)


def test_an_outcome_that_takes_too_long_is_451() -> None:
    def two(address: tuple[str, int], journal: Journal) -> list[Result]:
        with Mta(address) as mta:
            mta.open()
            first = mta.send(MESSAGE)
            journal.gate = None
            return [first, mta.send(MESSAGE)]

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()
        results = await asyncio.to_thread(two, address, journal)
        assert results[0].reply.startswith("451 4.7.0 ")
        assert results[1].action == "accept"
        assert [type(fault) for fault in journal.faults] == [TimeoutError]
        assert journal.cancelled == 1
        assert journal.calls.count("aborted") == 1

    serve(test, outcome_seconds=1.0)


def test_when_even_the_report_fails_the_mta_finds_the_milter_gone() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        def fail(exception: Exception) -> None:
            raise exception

        pump.on_fault = fail
        reports: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context.get("exception")))
        journal.fail_at = "end_of_message"
        with pytest.raises(MilterGone):
            await asyncio.to_thread(send_one, address)
        await until(lambda: pump.active == 0)
        assert [type(report) for report in reports] == [LookupError]

    serve(test)


def test_silent_connections_are_closed() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        with Mta(address) as mta, pytest.raises(MilterGone):
            await asyncio.to_thread(mta.open)
            await asyncio.to_thread(mta.read)
        await until(lambda: "closed" in journal.calls)

    serve(test, idle_seconds=0.05)


def test_a_message_being_concluded_is_not_silent() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()
        sending = asyncio.create_task(asyncio.to_thread(send_one, address))
        await journal.entered.wait()
        await asyncio.sleep(3.2)
        journal.gate.set()
        assert (await sending).action == "accept"

    serve(test, idle_seconds=1.5)


def test_drain_lets_messages_end_and_closes_the_idle() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()
        with Mta(address) as idle:
            await asyncio.to_thread(idle.open)
            sending = [asyncio.create_task(asyncio.to_thread(send_one, address)) for _ in range(5)]
            await until(lambda: len(journal.macros) == 5)
            draining = asyncio.create_task(pump.drain(20))
            with pytest.raises(MilterGone):
                await asyncio.to_thread(idle.read)
            assert pump.active == 5
            with pytest.raises((ConnectionError, MilterGone)):
                await asyncio.to_thread(send_one, address)
            journal.gate.set()
            assert await draining == 0
            assert [(await one).action for one in sending] == ["accept"] * 5
        assert pump.active == 0

    serve(test)


def test_drain_takes_no_second_message_on_a_connection() -> None:
    def stay(address: tuple[str, int]) -> str:
        with Mta(address) as mta:
            mta.open()
            first = mta.send(MESSAGE)
            with pytest.raises(MilterGone):
                mta.read()
            return first.action

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()
        sending = asyncio.create_task(asyncio.to_thread(stay, address))
        await journal.entered.wait()
        draining = asyncio.create_task(pump.drain(600))
        await asyncio.sleep(0)
        journal.gate.set()
        async with asyncio.timeout(20):
            assert await draining == 0
        assert await sending == "accept"

    serve(test)


def test_drain_closes_when_the_message_in_progress_is_given_up() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        with Mta(address) as mta:
            await asyncio.to_thread(mta.open)
            await asyncio.to_thread(mta.envelope)
            await asyncio.to_thread(mta.flush)
            await until(lambda: "recipient" in journal.calls)
            draining = asyncio.create_task(pump.drain(600))
            await asyncio.sleep(0)
            await asyncio.to_thread(mta.abort)
            async with asyncio.timeout(20):
                assert await draining == 0

    serve(test)


def test_drain_cuts_what_does_not_end() -> None:
    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        journal.gate = asyncio.Event()
        sending = [asyncio.create_task(asyncio.to_thread(send_one, address)) for _ in range(3)]
        await until(lambda: len(journal.macros) == 3)
        with Mta(address) as slow:
            await asyncio.to_thread(slow.open)
            await asyncio.to_thread(slow.envelope)
            await asyncio.to_thread(slow.flush)
            await until(lambda: journal.calls.count("recipient") == 4)
            assert await pump.drain(0.05) == 4
        for one in sending:
            with pytest.raises(MilterGone):
                await one
        assert journal.cancelled == 3
        assert journal.calls.count("closed") == 4
        assert pump.active == 0

    serve(test)


def test_an_mta_that_does_not_read_stops_being_read() -> None:
    """Replies pile up in the kernel's buffers, then the pump stops reading: the sender blocks, and the memory does not grow."""

    limit = 64 * 1024 * 1024

    def flood(address: tuple[str, int]) -> int:
        unknown = b"\0\0\0\3Ux\0" * 20_000
        with Mta(address, offered_protocol=0x7F) as mta:
            mta.open()
            mta.socket.settimeout(1.0)
            sent = 0
            try:
                while sent < limit:
                    sent += mta.socket.send(unknown)
            except TimeoutError:
                pass
            return sent

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        assert await asyncio.to_thread(flood, address) < limit

    serve(test)


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "milter")

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        await pump.listen_unix(path, mode=0o620, group=os.getgid())
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o620
        assert status.st_gid == os.getgid()

        def talk() -> Result:
            with Mta(path) as mta:
                mta.open()
                return mta.send(MESSAGE)

        assert (await asyncio.to_thread(talk)).action == "accept"
        with pytest.raises(OSError, match="another process answers"):
            await pump.listen_unix(path)
        assert (await asyncio.to_thread(talk)).action == "accept"
        await pump.drain(5)

    serve(test)
    assert not os.path.lexists(path)


def test_unix_socket_refuses_files_and_unknown_groups(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        with pytest.raises(FileExistsError, match="no socket"):
            await pump.listen_unix(str(path))
        assert path.read_text() == "precious"
        with pytest.raises(LookupError, match="no-such-group"):
            await pump.listen_unix(str(tmp_path / "s"), group="no-such-group")
        with pytest.raises(OSError, match="folder must exist"):
            await pump.listen_unix(str(tmp_path / "absent" / "s"))

    serve(test)


def test_drain_leaves_a_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "milter"

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        await pump.listen_unix(str(path))
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
            await pump.drain(1)
            assert path.exists()

    serve(test)


def test_many_messages_on_many_connections() -> None:
    def many(address: tuple[str, int], who: int) -> list[bytes]:
        with Mta(address) as mta:
            mta.open()
            return [mta.send(b"N: %d\n\n%d\n" % (who, n), macros={"i": f"{who}.{n}"}).message for n in range(40)]

    async def test(pump: Pump, journal: Journal, address: tuple[str, int]) -> None:
        results = await asyncio.gather(*(asyncio.to_thread(many, address, who) for who in range(4)))
        assert results == [[b"N: %d\r\n\r\n%d\r\n" % (who, n) for n in range(40)] for who in range(4)]
        assert sorted(journal.macros, key=str) == sorted((f"{who}.{n}".encode() for who in range(4) for n in range(40)), key=str)
        assert pump.messages == 160

    serve(test)
