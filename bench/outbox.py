"""How many messages the outbox takes in a second, on disk: ``python -m bench.outbox [SECONDS]``.

Messages of 10 kB from one, 20 and 100 senders at a time, each of whom waits for his answer; then as many with a courier that sends them to
Postfix's ``smtp-sink``. The figure depends on what an fsync takes, which is measured first, on the disk of the temporary folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zegel.adapters.journal import Journal, set_up_log
from zegel.adapters.keyring import Keyring
from zegel.adapters.postlog import PostLog
from zegel.adapters.pump import run
from zegel.adapters.zone import Zone
from zegel.config import Config
from zegel.config.outbox import Outbox as Settings
from zegel.dkim.sign import Style
from zegel.gateway import settings as gateway_settings
from zegel.gateway.courier import Courier
from zegel.gateway.notices import Notices
from zegel.gateway.outbound import Policy
from zegel.gateway.outbox import Outbox, Posting
from zegel.gateway.terms import make_terms
from zegel.limits import Limits
from zegel.store import post
from zegel.store.record import Record
from zegel.store.spool import Spool

_LINE = b"A line of a message that somebody wrote into a form.\r\n"
_DATA = b"From: info@example.be\r\nSubject: form\r\n\r\n" + _LINE * (10_000 // len(_LINE))
_SINK_PORT = 2599


def fsyncs(folder: Path, seconds: float) -> float:
    """How many fsyncs of 10 kB the disk does in a second."""
    count, end = 0, time.monotonic() + seconds
    with (folder / "fsync").open("wb", buffering=0) as file:
        while time.monotonic() < end:
            file.write(_DATA)
            os.fsync(file.fileno())
            count += 1
    return count / seconds


class _Nowhere:
    def take(self, record: Record) -> None:
        """Nothing is recorded here."""


async def measure(folder: Path, senders: int, seconds: float, sink: int = 0) -> str:
    """One line of figures; with ``sink``, its port, they are sent as well."""
    settings = Settings(next_hop=f"127.0.0.1:{sink or 1}", tls="off")
    zone, journal = Zone.from_dict({}), Journal()
    with Spool.open(folder) as spool:
        outbox = Outbox(spool, lambda: settings)
        outbox.start()
        shared = gateway_settings.Settings(
            Policy(Config().outbound), Keyring(), zone, journal, "mail.example.be", Style(), Limits(), _Nowhere()
        )
        notices = Notices(lambda: shared, lambda: "mail.example.be")
        courier = Courier(outbox, make_terms(settings, zone, "mail.example.be"), notices, PostLog(journal), lambda now: now)
        if sink:
            await courier.start()
        start, spent, taken = time.monotonic(), time.process_time(), 0

        async def send() -> None:
            nonlocal taken
            while time.monotonic() - start < seconds:
                await outbox.put(Posting("info@example.be", ("a@example.net",), _DATA, "form"))
                taken += 1

        await asyncio.gather(*(send() for _ in range(senders)))
        while sink and await courier.read(post.waiting):  # noqa: ASYNC110 - what a lane has sent is no event here
            await asyncio.sleep(0.05)
        wall, cpu = time.monotonic() - start, time.process_time() - spent
        commits = outbox.group.commits
        await courier.stop(5.0)
        await outbox.close()
    sent = "taken and sent" if sink else "taken"
    return (
        f"{senders:4} senders  {sent:15} {taken / wall:7.0f} /s   {commits / wall:5.0f} commits/s   {cpu / taken * 1e6:6.0f} us of CPU each"
    )


def main(arguments: list[str]) -> int:
    """Measure and tell; the exit status."""
    seconds = float(arguments[0]) if arguments else 5.0
    with tempfile.TemporaryDirectory() as made:
        print(f"{fsyncs(Path(made), 1.0):.0f} fsyncs of 10 kB in a second")
        for senders in (1, 20, 100):
            print(run(measure(_fresh(made), senders, seconds)))
        if (program := shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")) and os.geteuid() == 0:
            with subprocess.Popen([program, "-u", "postfix", f"127.0.0.1:{_SINK_PORT}", "256"], stderr=subprocess.DEVNULL) as sink:
                time.sleep(0.5)
                with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
                    set_up_log(terminal=False)
                    line = run(measure(_fresh(made), 20, seconds, _SINK_PORT))
                print(line)
                sink.terminate()
    return 0


def _fresh(parent: str) -> Path:
    return Path(tempfile.mkdtemp(dir=parent))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
