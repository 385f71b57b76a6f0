"""The submission server over real sockets: time, caps, faults, and what is left behind. What is said is the session's own test."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from support.submission import tls_context
from zegel.adapters import certificate as certificates
from zegel.adapters.certificate import Certificate, self_signed
from zegel.adapters.submission import Door, Patience, Submission, network_of
from zegel.smtp.auth import Credentials
from zegel.smtp.conversation import Terms
from zegel.smtp.events import MailFrom, Recipient, Reply

TERMS = Terms("mail.example.be", size=1_000_000, starttls=True)
ENVELOPE = b"EHLO x\r\n", b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"


class Keeper:
    """A handler that keeps what it is told, and fails where the test wants it."""

    known = True

    def __init__(self) -> None:
        self.told: list[str] = []
        self.data = b""
        self.fail = ""
        self.decide = asyncio.Event()
        self.decide.set()

    def _meet(self, what: str) -> None:
        self.told.append(what)
        if self.fail == what:
            raise ZeroDivisionError(what)

    async def login(self, credentials: Credentials) -> Reply:
        self._meet("login")
        await self.decide.wait()
        return Reply("235", "2.7.0", "welcome")

    def mail_from(self, event: MailFrom) -> Reply | None:
        self.data = b""
        self._meet("mail")
        return None

    def recipient(self, event: Recipient) -> Reply | None:
        self._meet("recipient")
        return None

    def content(self, data: bytes) -> None:
        self.data += data
        if self.fail == "content":
            raise ZeroDivisionError

    async def end_of_message(self) -> Reply:
        self._meet("end")
        await self.decide.wait()
        return Reply("250", "2.0.0", "kept")

    def aborted(self, reason: str) -> None:
        self.told.append(f"aborted {reason}".strip())

    def misused(self, reason: str) -> None:
        self.told.append(f"misused {reason}")

    def closed(self) -> None:
        self.told.append("closed")


class Stand:
    """A server on a free port, the handlers it made, and what it reported."""

    def __init__(self, server: Submission, port: int, keepers: list[Keeper], faults: list[Exception]) -> None:
        self.server, self.port, self.keepers, self.faults = server, port, keepers, faults
        self.clients: list[Client] = []

    async def connect(self, context: ssl.SSLContext | None = None) -> Client:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="mail.example.be" if context else None
        )
        self.clients.append(Client(reader, writer))
        return self.clients[-1]

    async def close(self) -> None:
        for client in self.clients:
            client.writer.close()
            with contextlib.suppress(OSError):
                await client.writer.wait_closed()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, words: bytes = b"", replies: int = 1) -> list[str]:
        """Say something; the codes of the replies."""
        self.writer.write(words)
        codes: list[str] = []
        while len(codes) < replies:
            line = await asyncio.wait_for(self.reader.readline(), 60)
            if not line:
                return [*codes, "closed"]
            if line[3:4] == b" ":
                codes.append(line[:9].decode().strip() if line[4:5].isdigit() and b"." in line[4:7] else line[:3].decode())
        return codes

    async def greet(self) -> None:
        await self.say()
        await self.say(ENVELOPE[0])
        assert await self.say(ENVELOPE[1], 3) == ["250 2.1.0", "250 2.1.5", "354"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is the server's
            await asyncio.sleep(0.002)


def play(
    test: Callable[[Stand], Awaitable[None]],
    *,
    door: Door | None = None,
    patience: Patience | None = None,
    connection_cap: int = 50,
    address_cap: int = 20,
) -> None:
    async def run() -> None:
        keepers: list[Keeper] = []
        faults: list[Exception] = []

        def make(address: str, loopback: bool) -> Keeper:
            keepers.append(Keeper())
            return keepers[-1]

        server = Submission(make, on_fault=faults.append, patience=patience, connection_cap=connection_cap, address_cap=address_cap)
        trouble: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(str(context)))
        _, port = await server.listen("127.0.0.1", 0, lambda: door or Door(TERMS))
        stand = Stand(server, port, keepers, faults)
        try:
            await test(stand)
        finally:
            await stand.close()
            await server.drain(0)
        assert not server.connections
        assert not server.by_address
        assert trouble == []

    asyncio.run(run())


def test_a_message_and_a_second_one_on_the_same_connection() -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        await client.greet()
        assert await client.say(b"one\r\n.\r\n") == ["250 2.0.0"]
        assert stand.keepers[0].data == b"one\r\n"
        assert await client.say(ENVELOPE[1], 3) == ["250 2.1.0", "250 2.1.5", "354"]
        assert await client.say(b"two\r\n.\r\n") == ["250 2.0.0"]
        assert await client.say(b"QUIT\r\n", 2) == ["221 2.0.0", "closed"]

    play(test)


@pytest.mark.parametrize("dripped", ["in a command", "in the data"])
def test_slow_loris_ends_however_steadily_it_drips(dripped: str) -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        if dripped == "in the data":
            await client.greet()
        else:
            await client.say()
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def drip() -> None:
            while True:
                client.writer.write(b"x")
                await asyncio.sleep(0.05)

        task = loop.create_task(drip())
        try:
            await asyncio.wait_for(stand.server.connections.emptied.wait(), 60)
        finally:
            task.cancel()
        assert loop.time() - began >= 0.5
        with contextlib.suppress(ConnectionResetError):  # what dripped after the end resets it
            assert await client.say(b"", 2) == ["421 4.4.2", "closed"]

    play(test, patience=Patience(stranger=2.0, line=2.0, transaction=4.0))


def test_a_handshake_has_its_time(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        assert await client.reader.read() == b""

    play(test, door=Door(TERMS, implicit=True, certificate=made(tmp_path)), patience=Patience(handshake=0.3))


def test_caps_in_all_and_by_network() -> None:
    async def test(stand: Stand) -> None:
        clients = [await stand.connect() for _ in range(4)]
        assert [(await client.say())[0] for client in clients] == ["220", "220", "220", "421 4.7.0"]
        assert stand.server.refused == 1

    play(test, connection_cap=3)
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"


def test_who_only_holds_connections_open_keeps_nobody_out() -> None:
    """However many addresses he has: the place that has been idle longest is given away, and none with a message in it."""

    async def test(stand: Stand) -> None:
        busy = await stand.connect()
        await busy.greet()
        idle = [await stand.connect() for _ in range(3)]
        for client in idle:
            assert await client.say() == ["220"]
        for connection in stand.server.connections:
            connection.heard -= 60
        assert await idle[0].say(b"NOOP\r\n") == ["250 2.0.0"]
        assert await (await stand.connect()).say() == ["220"]
        assert await idle[1].say() == ["421 4.7.0"]
        assert await (await stand.connect()).say() == ["220"]
        assert await idle[2].say() == ["421 4.7.0"]
        assert await (await stand.connect()).say() == ["421 4.7.0"], "the others have just said something"
        assert await busy.say(b"x\r\n.\r\n") == ["250 2.0.0"]
        assert await idle[0].say(b"NOOP\r\n") == ["250 2.0.0"]

    play(test, connection_cap=4, patience=Patience(idle=60))


def test_one_address_far_away_has_a_cap_of_its_own() -> None:
    async def test(stand: Stand) -> None:
        server = stand.server
        server.by_address["192.0.2.1"] = 2
        assert not server.admits("192.0.2.1")
        assert server.admits("192.0.2.2")
        server.by_address["127.0.0.1"] = 100
        assert server.admits("127.0.0.1")
        server.by_address.clear()

    play(test, address_cap=2)


@pytest.mark.parametrize(("part", "codes"), [("mail", ["451 4.3.0"]), ("recipient", ["250 2.1.0", "451 4.3.0"])])
def test_a_fault_of_ours_before_the_data_is_451(part: str, codes: list[str]) -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        await client.say()
        await client.say(ENVELOPE[0])
        stand.keepers[0].fail = part
        assert await client.say(ENVELOPE[1].removesuffix(b"DATA\r\n"), 2) == [*codes, "503 5.5.1"][:2]
        assert len(stand.faults) == 1

    play(test)


@pytest.mark.parametrize("part", ["content", "end"])
def test_a_fault_of_ours_within_a_message_is_451_and_the_next_one_goes_on(part: str) -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        await client.greet()
        stand.keepers[0].fail = part
        assert await client.say(b"x\r\n.\r\n") == ["451 4.3.0"]
        stand.keepers[0].fail = ""
        assert await client.say(ENVELOPE[1], 3) == ["250 2.1.0", "250 2.1.5", "354"]
        assert await client.say(b"x\r\n.\r\n") == ["250 2.0.0"]
        assert len(stand.faults) == 1

    play(test)


def test_commands_behind_the_data_wait_for_the_decision() -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        await client.greet()
        keeper = stand.keepers[0]
        keeper.decide.clear()
        client.writer.write(b"x\r\n.\r\n" + ENVELOPE[1])
        await until(lambda: keeper.told[-1] == "end")
        await asyncio.sleep(0.1)
        assert keeper.told[-1] == "end"
        keeper.decide.set()
        assert await client.say(b"", 4) == ["250 2.0.0", "250 2.1.0", "250 2.1.5", "354"]

    play(test)


def test_a_client_that_leaves_while_we_decide_leaves_nothing() -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect()
        await client.greet()
        stand.keepers[0].decide.clear()
        client.writer.write(b"x\r\n.\r\n")
        await until(lambda: stand.keepers[0].told[-1] == "end")
        client.writer.transport.abort()
        await asyncio.wait_for(stand.server.connections.emptied.wait(), 60)
        assert stand.keepers[0].told[-2:] == ["end", "closed"]

    play(test)


def made(folder: Path) -> Certificate:
    file = folder / "cert.pem"
    file.write_bytes(self_signed("mail.example.be", datetime.datetime.now(datetime.UTC)))
    return Certificate(file, file, lambda event, **words: None)


@pytest.mark.parametrize("implicit", [False, True])
def test_tls(tmp_path: Path, implicit: bool) -> None:
    # RFC 8314 3.
    certificate = made(tmp_path)
    context = tls_context(tmp_path / "cert.pem")

    async def test(stand: Stand) -> None:
        client = await stand.connect(context if implicit else None)
        await client.say()
        if not implicit:
            await client.say(ENVELOPE[0])
            assert await client.say(b"STARTTLS\r\n") == ["220 2.0.0"]
            await client.writer.start_tls(context, server_hostname="mail.example.be")
        await client.say(ENVELOPE[0])
        stand.keepers[0].decide.clear()
        client.writer.write(b"AUTH PLAIN AGEAYg==\r\n")
        await until(lambda: "login" in stand.keepers[0].told)
        stand.keepers[0].decide.set()
        assert await client.say() == ["235 2.7.0"]
        assert await client.say(ENVELOPE[1], 3) == ["250 2.1.0", "250 2.1.5", "354"]
        assert await client.say(b"x" * 500_000 + b"\r\n.\r\n") == ["250 2.0.0"]
        assert len(stand.keepers[0].data) == 500_002
        client.writer.transport.abort()

    play(test, door=Door(TERMS, implicit=implicit, certificate=certificate))


def test_words_behind_a_login_that_is_looked_at_end_the_connection(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect(tls_context(tmp_path / "cert.pem"))
        await client.say()
        await client.say(ENVELOPE[0])
        stand.keepers[0].decide.clear()
        client.writer.write(b"AUTH PLAIN AGEAYg==\r\n")
        await until(lambda: "login" in stand.keepers[0].told)
        assert await client.say(b"MAIL FROM:<a@example.be>\r\n", 2) == ["421 4.7.0", "closed"]
        assert "misused pipelining" in stand.keepers[0].told
        assert "mail" not in stand.keepers[0].told

    play(test, door=Door(TERMS, implicit=True, certificate=made(tmp_path)))


def test_the_certificate_is_looked_at_once_a_minute_and_a_broken_one_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "cert.pem"
    file.write_bytes(self_signed("mail.example.be", datetime.datetime.now(datetime.UTC)))
    certificate = Certificate(file, file, lambda event, **words: told.append(event))
    first = certificate.context(0.0)
    assert first.minimum_version is ssl.TLSVersion.TLSv1_2  # RFC 8996 4
    file.write_bytes(self_signed("mail.example.be", datetime.datetime.now(datetime.UTC)))
    assert certificate.context(59.0) is first
    second = certificate.context(61.0)
    assert second is not first
    assert told == ["the certificate was renewed"]
    file.write_bytes(b"broken")
    assert certificate.context(200.0) is second
    assert certificate.context(300.0) is second
    file.unlink()
    assert certificate.context(400.0) is second
    assert len(told) == 3
    with pytest.raises(OSError):
        certificates._load(file, file)


def test_a_drain_lets_a_message_end() -> None:
    async def test(stand: Stand) -> None:
        busy, idle = await stand.connect(), await stand.connect()
        await busy.greet()
        await idle.say()
        draining = asyncio.create_task(stand.server.drain(10))
        assert await idle.say(b"", 2) == ["421 4.3.2", "closed"]
        assert await busy.say(b"x\r\n.\r\n", 3) == ["250 2.0.0", "421 4.3.2", "closed"]
        assert await draining == 0

    play(test)


def test_a_key_with_a_passphrase_asks_nobody(tmp_path: Path) -> None:
    """The library would ask at the terminal, in the loop, and all mail would wait for the answer."""
    key = tmp_path / "key.pem"
    private = serialization.load_pem_private_key(self_signed(TERMS.hostname, datetime.datetime.now(datetime.UTC)), None)
    form = serialization.BestAvailableEncryption(b"sesame")
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(self_signed(TERMS.hostname, datetime.datetime.now(datetime.UTC)))
    code = (
        "import os, pty, sys\n"
        "child, terminal = pty.fork()\n"
        "if not child:\n"
        "    from pathlib import Path\n"
        "    from zegel.adapters.certificate import Certificate\n"
        "    try:\n"
        "        Certificate(Path(sys.argv[1]), Path(sys.argv[2]), print)\n"
        "    except OSError:\n"
        "        os._exit(7)\n"
        "    os._exit(0)\n"
        "os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(chain), str(key)], timeout=60, check=False).returncode == 7
