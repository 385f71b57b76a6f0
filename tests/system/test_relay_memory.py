"""Four large messages at once through the relay: the memory that they take is a bounded multiple of their octets, and all arrive."""

from __future__ import annotations

import re
import smtplib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.sink import Sink
from support.submission import RelayDaemon

SIZE, AT_ONCE = 25_000_000, 4
# What is held of a message at most, in multiples of its size: as it came, as it leaves, what lies between, and what is written.
MULTIPLE = 8
HEAD = (
    b"From: noreply@example.be\r\nTo: info@example.org\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n"
)


def most(daemon: RelayDaemon) -> int:
    """The most octets of memory that the process has held so far."""
    assert daemon.process is not None
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize(
    ("encoding", "line"),
    [(b"7bit", b"x" * 76 + b"\r\n"), (b"8bit", "\u00e9".encode() * 38 + b"\r\n")],
    ids=["as it is", "written anew"],
)
def test_four_of_25_megabytes_at_once(encoding: bytes, line: bytes) -> None:
    message = HEAD % encoding + line * (SIZE // len(line))

    def send(data: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", daemon.loopback_port, timeout=300) as client:
            client.sendmail("noreply@example.be", ["info@example.org"], data, mail_options=["BODY=8BITMIME"])

    with Sink() as sink:
        daemon = RelayDaemon(sink)
        daemon.add_key("example.be", "s1", "rsa2048")
        daemon.add_site("local", networks=["127.0.0.1/32"])
        with daemon:
            send(HEAD % encoding + line)
            sink.wait(1)
            before = most(daemon)
            with ThreadPoolExecutor(AT_ONCE) as clients:
                list(clients.map(send, [message] * AT_ONCE))
            arrived = sink.wait(1 + AT_ONCE, 120.0)[1:]
            assert most(daemon) - before <= MULTIPLE * AT_ONCE * SIZE
    assert all(len(one.data) > SIZE and one.data.startswith(b"DKIM-Signature: ") for one in arrived)
