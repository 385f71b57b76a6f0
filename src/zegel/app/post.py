"""The part that sends: the outbox, open for who hands mail in, and its courier."""

from __future__ import annotations

from dataclasses import replace

from zegel.adapters.postlog import PostLog
from zegel.app.part import Announce, Commit
from zegel.app.shared import Shared
from zegel.check.language import translator
from zegel.config import Config
from zegel.gateway.courier import Courier
from zegel.gateway.notices import Notices
from zegel.gateway.outbox import Outbox
from zegel.gateway.terms import Terms, make_terms
from zegel.store.snapshot import Snapshot
from zegel.store.spool import Spool


class Post:
    """The outbox and the courier. It starts before those who put mail into :attr:`outbox`, and stops after them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        terms = _terms(shared.config, shared)
        self._spool = Spool.open(shared.store.folder)
        try:
            self._spool.claim()
            self.outbox = Outbox(self._spool, lambda: shared.config.outbox)
        except BaseException:
            self._spool.close()
            raise
        notices = Notices(lambda: shared.settings, lambda: self._courier.terms.hello, lambda: translator(shared.config.outbox.language))
        self._courier = Courier(self.outbox, terms, notices, PostLog(shared.journal), shared.expired_until)

    async def start(self, announce: Announce) -> None:
        """Take up what is there."""
        self.outbox.start()
        await self._courier.start()

    def prepare(self, config: Config) -> Commit:
        """Make ready to go by another configuration. Raises ConfigError."""
        terms = _terms(config, self._shared)

        def commit() -> None:
            # The resolver of now: it has been taken over before.
            self._courier.take_over(replace(terms, resolver=self._shared.resolver))

        return commit

    def changed(self, snapshot: Snapshot) -> None:
        """The keyring, which notices are signed with, is shared."""

    async def stop(self, seconds: float) -> None:
        """Let what is being sent end, and write down what became of it."""
        await self._courier.stop(seconds)
        await self.outbox.close()
        self._spool.close()


def _terms(config: Config, shared: Shared) -> Terms:
    return make_terms(config.outbox, shared.resolver, shared.machine, release_to=config.inbound.release_to)
