"""A store that cannot be written, under a daemon that judges mail: a real disk without room, and a writer that keeps the lock.

Mail goes on at once, with its verdict; what could not be recorded meanwhile is recorded afterwards, each message once, or is counted.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator

import pytest

from support.daemon import Daemon
from support.mta import Mta
from support.proof import results
from support.servers import unavailable, wait_for
from zegel.store.errors import WAIT_SECONDS
from zegel.store.folder import DATABASE

MESSAGE = b"From: joe@example.org\r\nTo: suzie@example.com\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 09:12:42 +0100\r\n\r\nhello\r\n"
TROUBLE = "messages are not recorded now; mail goes on"


class Sender:
    """Sends messages that are judged, each with a queue id of its own."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon, self.sent = daemon, 0

    def send(self, count: int) -> None:
        with Mta(("127.0.0.1", self.daemon.port)) as mta:
            mta.open(address="192.0.2.77")
            for _ in range(count):
                arrived = mta.send(MESSAGE, "joe@example.org", macros={"i": f"4T{self.sent:06X}"})
                assert arrived.action == "accept"
                assert "dmarc=pass" in results(arrived.message)
                self.sent += 1
            mta.quit()

    def recorded(self) -> float:
        return self.daemon.counted("zegel_recorded_total")

    def assert_all_recorded_once(self) -> None:
        wait_for(lambda: self.recorded() == self.sent, 60, "all is recorded")
        names = [message["queue_id"] for message in self.daemon.messages()]
        assert sorted(names) == [f"4T{number:06X}" for number in range(self.sent)]
        assert self.daemon.counted("zegel_records_waiting") == 0
        assert not any(name.startswith("zegel_not_recorded_total") for name in self.daemon.metrics())
        assert self.daemon.log().count(TROUBLE) == 1  # told once, not at each try


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon()
    made.records = {"example.org": "v=spf1 ip4:192.0.2.0/24 -all", "_dmarc.example.org": "v=DMARC1; p=reject"}
    made.write_zone()
    try:
        yield made
    finally:
        made.stop()
        made.remove()


@pytest.fixture
def small_disk(daemon: Daemon) -> Iterator[None]:
    """The data folder is a file system of its own, of 8 MB."""
    if os.geteuid() != 0:
        unavailable("only root mounts a small file system; run this test as root")
    options = ["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(daemon.data)]
    done = subprocess.run(["mount", *options], capture_output=True, check=False)
    if done.returncode:
        unavailable(f"no small file system can be mounted here: {done.stderr.decode()}")
    daemon.write_config()
    try:
        yield
    finally:
        daemon.stop()
        subprocess.run(["umount", "-l", str(daemon.data)], check=True)


def test_a_full_disk_stops_no_mail_and_loses_no_message(daemon: Daemon, small_disk: None) -> None:
    daemon.start()
    sender, filler = Sender(daemon), daemon.data / "filler"
    sender.send(5)
    wait_for(lambda: sender.recorded() == 5, what="the first are recorded")
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    while TROUBLE not in daemon.log() and sender.sent < 700:  # until what SQLite has of room is used up too
        sender.send(20)
    wait_for(lambda: TROUBLE in daemon.log(), 60, "the daemon tells of it")
    sender.send(30)
    assert sender.recorded() < sender.sent
    filler.unlink()
    sender.assert_all_recorded_once()


def test_a_lock_that_outlasts_our_patience_stops_no_mail_and_loses_no_message(daemon: Daemon) -> None:
    daemon.start()
    sender = Sender(daemon)
    sender.send(5)
    wait_for(lambda: sender.recorded() == 5, what="the first are recorded")
    other = sqlite3.connect(daemon.data / DATABASE, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        sender.send(30)
        wait_for(lambda: TROUBLE in daemon.log(), 2 * WAIT_SECONDS, "the daemon tells of it")
        sender.send(30)
        assert sender.recorded() == 5
        assert daemon.counted("zegel_records_waiting") >= 30
    finally:
        other.close()  # and its lock with it
    sender.assert_all_recorded_once()
