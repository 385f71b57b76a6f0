"""The part that takes mail of programs on this machine: the local socket, and the drop folder for the time when there was no daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path

from zegel.adapters.dropfolder import ASIDE, DropFolder
from zegel.adapters.handover import HandoverServer
from zegel.app.listening import cannot_listen
from zegel.app.part import Announce, Commit, nothing
from zegel.app.shared import Shared
from zegel.app.submissions import Submissions
from zegel.config import Config
from zegel.gateway.handover import Handover, PickUp
from zegel.store.snapshot import Snapshot


class LocalMail:
    """What ``[handover]`` says. Its paths are those of the start."""

    def __init__(self, shared: Shared, submissions: Submissions) -> None:
        self._table = shared.config.handover
        relay, journal = submissions.relay, shared.journal
        handover = Handover(relay, submissions.book, journal)
        self._server = HandoverServer(handover, max_size=lambda: relay.bounds.size, on_fault=journal.fault)
        self._folder = DropFolder(Path(self._table.drop_folder), shared.store.folder / ASIDE)
        self._pick_up = PickUp(self._folder, handover, journal)
        self._task: asyncio.Task[None] | None = None

    async def start(self, announce: Announce) -> None:
        """Listen, and begin to look."""
        if self._table.socket:
            try:
                await self._server.listen(self._table.socket)
            except OSError as error:
                raise cannot_listen(self._table.socket, error) from None
            announce(f"unix:{self._table.socket}")
        if self._table.drop_folder:
            try:
                self._folder.prepare()
            except OSError as error:
                raise cannot_listen(self._table.drop_folder, error) from None
            self._task = asyncio.create_task(self._pick_up.run())

    def prepare(self, config: Config) -> Commit:
        """Other paths take a restart."""
        return nothing

    def changed(self, snapshot: Snapshot) -> None:
        """The sites are the submissions' own."""

    async def stop(self, seconds: float) -> None:
        """Let what is in progress end. What is not on disk by then stays where it is: with its program, or in the drop folder."""
        if self._task is not None:
            self._pick_up.stop()
            await asyncio.wait([self._task], timeout=seconds)
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        await self._server.close(seconds)
