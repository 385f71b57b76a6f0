"""The test bench itself: a real Postfix passes mail on byte-exact, says who is authenticated, and leaves nothing behind."""

from __future__ import annotations

import smtplib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.postfix import Postfix
from support.servers import wait_for

MESSAGE = (
    b"From: Us <info@example.org>\r\nTo: someone@example.net\r\nSubject: folded\r\n\tand  odd   spacing\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0100\r\nMessage-ID: <1@example.org>\r\n\r\n"
    b".a dot\r\n..two dots\r\ncaf\xc3\xa9  \r\n\r\nno end\r\n\r\n"
)


def unchanged_part(data: bytes) -> bytes:
    """What follows the Received field that every hop puts in front."""
    return data[data.index(b"From: ") :]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix() as running:
        yield running


def test_smtp_message_arrives_byte_exact(postfix: Postfix) -> None:
    before = len(postfix.sink.messages)
    postfix.send(MESSAGE, sender="info@example.org", address="192.0.2.7")
    arrived = postfix.sink.wait(before + 1)[-1]
    assert arrived.mail_from == "info@example.org"
    assert arrived.recipients == ("someone@example.net",)
    assert arrived.data.startswith(b"Received: ")
    assert unchanged_part(arrived.data) == MESSAGE


def test_sendmail_message_arrives_byte_exact(postfix: Postfix) -> None:
    before = len(postfix.sink.messages)
    postfix.sendmail(MESSAGE.replace(b"\r\n", b"\n"), sender="info@example.org")
    arrived = postfix.sink.wait(before + 1)[-1]
    assert arrived.mail_from == "info@example.org"
    assert unchanged_part(arrived.data) == MESSAGE


def test_a_missing_milter_defers_sendmail_and_keeps_the_message() -> None:
    with Postfix(smtpd_milters="unix:nobody.sock", non_smtpd_milters="unix:nobody.sock") as running:
        running.sendmail(MESSAGE, sender="info@example.org")
        wait_for(lambda: "nobody.sock" in running.log(), what="Postfix looks for the milter")
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            running.send(MESSAGE, sender="info@example.org")
        assert refused.value.smtp_code == 451
        assert [waiting["sender"] for waiting in running.queue()] == ["info@example.org"]
        assert running.sink.messages == ()


def runs(pid: int) -> bool:
    """Whether it is alive; one that has ended and only waits for init to look is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_nothing_is_left_behind() -> None:
    with Postfix() as running:
        pids, folder = running.processes(), running.folder
        assert pids
    assert not folder.exists()
    assert not [pid for pid in pids if runs(pid)]


class Listener:
    """A milter that says yes to everything and keeps what it was told about the client."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"inet:127.0.0.1:{self._server.getsockname()[1]}"
        self.macros: dict[str, str] = {}
        self.connects: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as stream:
                while len(head := stream.read(4)) == 4:
                    packet = stream.read(struct.unpack(">I", head)[0])
                    self._packet(peer, packet[:1], packet[1:])

    def _packet(self, peer: socket.socket, kind: bytes, rest: bytes) -> None:
        match kind:
            case b"O":
                peer.sendall(struct.pack(">IcIII", 13, b"O", 6, 0, 0))
            case b"D":
                words = rest[1:].decode().split("\0")
                self.macros.update(zip(words[0::2], words[1::2], strict=False))
            case b"A" | b"Q" | b"K":
                pass
            case _:
                if kind == b"C":
                    self.connects.append(rest)
                peer.sendall(struct.pack(">Ic", 1, b"c"))

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def overheard() -> Iterator[tuple[Postfix, Listener]]:
    milter = Listener()
    with Postfix(smtpd_milters=milter.address, non_smtpd_milters=milter.address) as running:
        yield running, milter
    milter.close()


def test_the_milter_hears_who_is_authenticated(overheard: tuple[Postfix, Listener]) -> None:
    running, milter = overheard
    milter.macros.clear()
    running.send(MESSAGE, sender="info@example.org", submission=True, login="alice", address="192.0.2.44", port=4711)
    assert milter.macros["{auth_authen}"] == "alice"
    assert milter.macros["{auth_type}"]
    assert milter.macros["{daemon_name}"] == "ORIGINATING"
    assert milter.macros["i"]
    assert milter.connects[-1].split(b"\0")[1:] == [b"4" + struct.pack(">H", 4711) + b"192.0.2.44", b""]


def test_the_milter_hears_that_a_stranger_is_not(overheard: tuple[Postfix, Listener]) -> None:
    running, milter = overheard
    milter.macros.clear()
    running.send(MESSAGE, sender="stranger@example.com", address="192.0.2.45")
    assert "{auth_authen}" not in milter.macros
    assert milter.macros["{daemon_name}"] == "mail.example.org"


def test_local_mail_has_client_port_nought(overheard: tuple[Postfix, Listener]) -> None:
    running, milter = overheard
    running.sendmail(MESSAGE, sender="info@example.org")
    running.sink.wait(1)
    assert milter.connects[-1].endswith(b"\x004" + struct.pack(">H", 0) + b"127.0.0.1\x00")
