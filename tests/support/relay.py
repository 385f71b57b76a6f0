"""A relay with its outbox on disk, for one test: its keys, its DNS, and a site."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import zegel
from support.gateway import Kept
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.adapters.signer import sign_here
from zegel.ask import Answer as DnsAnswer
from zegel.ask import Question, Rcode
from zegel.config import Outbound
from zegel.config.outbox import Outbox as OutboxTable
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Style
from zegel.gateway.judge import Egress, Judge
from zegel.gateway.outbound import Policy
from zegel.gateway.outbox import Outbox, Posting
from zegel.gateway.relay import Accepted, Bounds, Refused, Relay, Submission
from zegel.gateway.settings import Settings
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.store.sites import Site
from zegel.store.spool import Spool

KEY = Key.generate("example.be", "s1", "ed25519")
SITE = Site("portal", "default", "noreply@example.be", "it@example.be", visitor_rate=0)
RECORDS: dict[tuple[str, str], list[Any] | Rcode] = {
    (KEY.name, "TXT"): [KEY.record],
    ("_dmarc.example.be", "TXT"): ["v=DMARC1; p=reject"],
    ("example.be", "TXT"): ["v=spf1 ip4:192.0.2.25 -all"],
}
FORM = b"From: Jan <jan@visitor.example>\r\nTo: info@example.org\r\nSubject: dag\r\n\r\nHallo\r\n"


class Zone:
    """A zone that counts what it is asked."""

    def __init__(self, records: dict[tuple[str, str], Any]) -> None:
        self.zone = zegel.Zone.from_dict(records)
        self.asked = 0

    async def resolve(self, question: Question) -> DnsAnswer:
        self.asked += 1
        return await self.zone.resolve(question)


class Stand:
    """A relay with its outbox on disk."""

    def __init__(self, folder: Path, *, egress: tuple[str, ...] = (), bounds: Bounds | None = None, **records: Any) -> None:
        self.kept = Kept()
        self.zone = Zone(RECORDS)
        keyring = Keyring([DomainKeys(Domain("example.be"), (KEY,))])
        self.settings = Settings(Policy(Outbound()), keyring, self.zone, Journal(), "mx.example.be", Style(), Limits(), self.kept)
        folder.chmod(0o700)
        self.spool = Spool.open(folder)
        self.outbox = Outbox(self.spool, OutboxTable)
        self.outbox.start()
        self.taken: list[Posting] = []
        self.judge = Judge(Egress("mx.example.be", egress))
        self.relay = Relay(lambda: self.settings, self.judge, self.outbox, bounds or Bounds(), sign_here)

    def publish(self, records: dict[tuple[str, str], Any]) -> None:
        self.zone.zone = zegel.Zone.from_dict({**RECORDS, **records})

    async def send(self, data: bytes = FORM, site: Site = SITE, **changes: Any) -> Accepted:
        values = {"sender": "jan@visitor.example", "recipients": ("info@example.org",), "client": "192.0.2.80", "via": "smtp", **changes}
        return await self.relay.submit(Submission(site, data=data, **values))

    async def refused(self, data: bytes = FORM, site: Site = SITE, **changes: Any) -> Refused:
        with pytest.raises(Refused) as caught:
            await self.send(data, site, **changes)
        return caught.value


def play(folder: Path, test: Callable[[Stand], Awaitable[None]], **arguments: Any) -> None:
    async def run() -> None:
        stand = Stand(folder, **arguments)
        try:
            await test(stand)
        finally:
            await stand.outbox.close()
            stand.spool.close()

    asyncio.run(run())
