"""The daemon: it reads the configuration, opens the store, starts its parts, and follows changes until it stops.

A change of keys is noticed by the store's generation once a second; SIGHUP reads the configuration again. Either takes effect whole or not
at all. SIGTERM and SIGINT let the messages in progress end first.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from zegel.adapters.journal import set_up_log
from zegel.adapters.pump import run
from zegel.app.expiry import Expiry
from zegel.app.handover import LocalMail
from zegel.app.keeping import KeyKeeping
from zegel.app.mail import Metrics, Milter, Records
from zegel.app.opening import open_store, read_config
from zegel.app.part import Announce, Part
from zegel.app.post import Post
from zegel.app.reports import Reports
from zegel.app.shared import Shared
from zegel.app.submissions import Submissions
from zegel.app.watching import RecordWatching
from zegel.config import Config
from zegel.store.database import Store

_POLL_SECONDS = 1.0


def serve(data_folder: Path, config_path: Path | None, *, announce: Announce) -> int:
    """Run the daemon until a signal ends it; returns the exit status. ``announce`` gets one line for each address that it listens on.

    Raises :class:`ConfigError` or ``StoreError`` for what cannot start, and :class:`ListenError` for an address that cannot be used.
    """
    # Until the daemon listens to it: a reload in its first moment must not end it, and it has just read what there is to read.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    set_up_log()
    config = read_config(config_path, data_folder)
    with open_store(data_folder) as store:
        store.who = "zegel serve"
        daemon = Daemon(config, store, lambda: read_config(config_path, data_folder))
        return run(daemon.run(announce))


def make_parts(shared: Shared) -> list[Part]:
    """The parts, in the order in which they start; they stop in the other one."""
    post = Post(shared)
    submissions = Submissions(shared, post.outbox)
    return [
        Records(shared),
        Metrics(shared),
        Expiry(shared),
        KeyKeeping(shared),
        RecordWatching(shared),
        post,
        Reports(shared, post),
        submissions,
        LocalMail(shared, submissions),
        Milter(shared),
    ]


class Daemon:
    """One running daemon."""

    def __init__(self, config: Config, store: Store, reread: Callable[[], Config]) -> None:
        self._reread = reread
        self.shared = Shared(config, store)
        self._parts = make_parts(self.shared)
        self._stop = asyncio.Event()
        self._trouble = ""  # the last fault of following the store, told once

    async def run(self, announce: Announce) -> int:
        """Start the parts, follow changes, and let all end in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        follower: asyncio.Task[None] | None = None
        seconds = 0.0
        try:
            for part in self._parts:
                await part.start(announce)
            follower = asyncio.create_task(self.follow_store())
            await self._stop.wait()
            seconds = self.shared.config.milter.drain_seconds
        finally:
            if follower is not None:
                follower.cancel()
            for part in reversed(self._parts):
                try:
                    await part.stop(seconds)
                except Exception as error:
                    self.shared.journal.fault(error)  # the others are to end in order all the same
        return 0

    async def follow_store(self) -> None:
        """Look once a second if domains, keys or sites have changed."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                if await self.shared.follow():
                    for part in self._parts:
                        part.changed(self.shared.snapshot)
                    self.shared.tell_loaded()
                self._trouble = ""
            except Exception as error:
                # Whatever it is, what signs now goes on; and it is told once, not once a second.
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    self.shared.journal.fault(error)

    def reload(self) -> None:
        """Read the configuration again, and take it over whole. Sockets stay as they are: to change those takes a restart."""
        journal = self.shared.journal
        try:
            config = self._reread()
            commits = [self.shared.prepare(config), *(part.prepare(config) for part in self._parts)]
        except Exception as error:
            # Whatever is wrong with the new one, the old one runs on.
            journal.note("configuration not taken over", error=str(error))
            return
        for commit in commits:
            commit()
        journal.note("configuration taken over")
