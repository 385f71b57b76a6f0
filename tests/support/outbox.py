"""An outbox with its courier for one test: a folder, a clock that a test moves, and a next hop that it misuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import zegel
from support.servers import wait_for
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.adapters.postlog import PostLog
from zegel.adapters.smtpclient import Times
from zegel.config import Config
from zegel.config.outbox import Outbox as Settings
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Style
from zegel.gateway.courier import Courier
from zegel.gateway.notices import Notices
from zegel.gateway.outbound import Policy
from zegel.gateway.outbox import Outbox, Posting
from zegel.gateway.settings import Settings as Shared
from zegel.gateway.terms import Terms, make_terms
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.store import post, queue
from zegel.store.posting import Item, State
from zegel.store.record import Record
from zegel.store.spool import Spool

KEY = Key.generate("example.be", "s1", "ed25519")
ZONE = zegel.Zone.from_dict({(KEY.name, "TXT"): [KEY.record]})
TEXT = b"From: info@example.be\r\nTo: a@example.net\r\nSubject: form\r\nMessage-ID: <1@example.be>\r\n\r\nHello.\r\n"
# For a server that is silent; and for all others, so that one on a busy machine is not taken for it.
QUICK = Times(connect=2.0, greeting=1.0, command=1.0, data=1.0, block=1.0, end=1.0, quit=0.2)
PATIENT = Times(connect=60.0, greeting=60.0, command=60.0, data=60.0, block=60.0, end=60.0, quit=0.2)


class Clock:
    """The time of now, which a test may move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class _Nowhere:
    def take(self, record: Record) -> None:
        raise AssertionError("the courier records no message")


class Rig:
    """The outbox of one test."""

    def __init__(self, folder: Path, settings: Settings, terms: Callable[[Terms], Terms], reserve: int) -> None:
        folder.chmod(0o700)
        self.clock, self.settings, self.journal = Clock(), settings, Journal()
        self.spool = Spool.open(folder)
        self.outbox = Outbox(self.spool, lambda: self.settings, clock=self.clock, reserve=reserve)
        keyring = Keyring([DomainKeys(Domain.parse("example.be"), (KEY,))], generation=1)
        shared = Shared(
            Policy(Config().outbound),
            keyring,
            ZONE_RESOLVER,
            self.journal,
            "mail.example.be",
            Style(),
            Limits(),
            _Nowhere(),
            clock=self.clock,
        )
        self.terms = terms(make_terms(settings, ZONE_RESOLVER, "mail.example.be"))
        self.reached: Callable[[int], int | None] = lambda now: now
        notices = Notices(lambda: shared, lambda: "mail.example.be")
        self.courier = Courier(self.outbox, self.terms, notices, PostLog(self.journal), lambda now: self.reached(now), clock=self.clock)

    async def put(self, *recipients: str, data: bytes = TEXT, **more: Any) -> str:
        """Put a message of a site."""
        given = {"sender": "info@example.be", "site": "form", "contact": "webmaster@example.be", **more}
        return await self.outbox.put(Posting(recipients=recipients or ("a@example.net",), data=data, **given))

    def items(self, *states: State) -> list[Item]:
        """What is in the outbox in these states (without: in any), oldest first."""
        with self.spool.reading() as tx:
            return queue.listed(tx, states=states or State, limit=100_000)[::-1]

    def waiting(self) -> int:
        """How many recipients wait."""
        with self.spool.reading() as tx:
            return post.waiting(tx)

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for it."""
        await asyncio.to_thread(wait_for, condition, seconds)

    def counted(self, name: str, **labels: str) -> float:
        """A counter."""
        return self.journal.registry.get_sample_value(name, labels) or 0.0


ZONE_RESOLVER = ZONE


@asynccontextmanager
async def rig(
    folder: Path,
    next_hop: str,
    *,
    started: bool = True,
    reserve: int = 0,
    terms: Callable[[Terms], Terms] | None = None,
    times: Times = PATIENT,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A running outbox; with ``started`` its courier too. It ends whole."""
    from dataclasses import replace

    quick = terms or (lambda made: made)
    made = Rig(folder, Settings(next_hop=next_hop, **settings), lambda terms: replace(quick(terms), times=times), reserve)
    made.outbox.start()
    try:
        if started:
            await made.courier.start()
        yield made
    finally:
        await made.courier.stop(5.0)
        await made.outbox.close()
        made.spool.close()
