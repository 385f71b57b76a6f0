"""The test bench itself: a real Postfix passes mail on byte-exact, says who is authenticated, and leaves nothing behind."""

from __future__ import annotations

import smtplib
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.listener import Listener
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


@pytest.fixture(scope="module")
def overheard() -> Iterator[tuple[Postfix, Listener]]:
    with Listener() as milter, Postfix(smtpd_milters=milter.address, non_smtpd_milters=milter.address) as running:
        yield running, milter


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
    local = b"\x004" + struct.pack(">H", 0) + b"127.0.0.1\x00"
    wait_for(lambda: any(connect.endswith(local) for connect in milter.connects), 30, "the milter hears of local mail")


def test_postfix_mends_headers_before_the_milter_sees_them() -> None:
    """So a signature covers what was mended, and the message that leaves is what was signed."""
    bare = b"From: info\r\nTo: someone@example.net\r\nSubject: hello\r\n\r\ntext\r\n"
    with Listener() as milter:
        settings = {"local_header_rewrite_clients": "permit_inet_interfaces, permit_mynetworks"}
        with Postfix(smtpd_milters=milter.address, settings=settings) as running:
            running.send(bare, sender="info@example.org")
            (arrived,) = running.sink.wait(1)
    seen = dict(milter.fields)
    assert seen["From"].strip() == "info@example.org"
    assert {"Date", "Message-Id"} <= set(seen)
    assert b"From: info@example.org\r\n" in arrived.data
    assert f"Message-Id: {seen['Message-Id'].strip()}\r\n".encode() in arrived.data
