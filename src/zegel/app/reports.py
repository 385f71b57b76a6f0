"""The part that answers test mail with a report (``[check] answer``)."""

from __future__ import annotations

import time
from dataclasses import replace

from zegel import __version__
from zegel.app.part import Announce, Commit
from zegel.app.post import Post
from zegel.app.shared import Shared
from zegel.check.answers import Answers, Means
from zegel.config import Config
from zegel.gateway.outbox import Posting
from zegel.store.snapshot import Snapshot


class Reports:
    """Answers go into the outbox: this starts after it, and stops before it."""

    def __init__(self, shared: Shared, post: Post) -> None:
        self._shared, self._post = shared, post
        self._answers = Answers(shared.config.check, self._means, self._hand_over, shared.journal, time.time, version=__version__)

    def _means(self) -> Means:
        settings = self._shared.settings
        return Means(settings.resolver, settings.keyring, settings.style, settings.limits)

    async def _hand_over(self, recipient: str, data: bytes) -> None:
        # From the empty sender (RFC 3834 3.3): what cannot be delivered is told to nobody.
        await self._post.outbox.put(Posting("", (recipient,), data))

    def _install(self) -> None:
        """Let the milter see who answers; nobody where no address is set."""
        answering = self._answers if self._answers.table.answer else None
        self._shared.settings = replace(self._shared.settings, answering=answering)

    async def start(self, announce: Announce) -> None:
        """Begin to answer, where the configuration wants it."""
        self._install()

    def prepare(self, config: Config) -> Commit:
        """Take over another address or other limits; what was answered before still counts."""

        def commit() -> None:
            self._answers.table = config.check
            self._install()

        return commit

    def changed(self, snapshot: Snapshot) -> None:
        """The keyring is shared."""

    async def stop(self, seconds: float) -> None:
        """Let the answers that are being written end."""
        await self._answers.stop(seconds)
