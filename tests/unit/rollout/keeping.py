"""A keeper with its clock and its DNS, for the tests of what it does."""

from __future__ import annotations

import asyncio
from typing import Any

import zegel
from zegel.adapters.journal import Journal
from zegel.adapters.nameservers import Looked, Offline
from zegel.ask import RRType
from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain
from zegel.rollout.keeper import Keeper, Publisher
from zegel.rollout.keylook import record_of
from zegel.rollout.keyrules import Rules
from zegel.rollout.life import Times
from zegel.rollout.records import as_value
from zegel.store import keychanges, keys
from zegel.store.database import Store
from zegel.store.keys import StoredKey, Succession

EXAMPLE = Domain.parse("example.be")
NOW, DAY, HOUR = 1_790_000_000, 86_400, 3600
PEM = Key.generate("example.be", "x", "ed25519")


class Site:
    """A keeper, its clock, and what DNS has."""

    def __init__(self, store: Store, rules: Rules | None = None) -> None:
        self.store, self.now, self.rules = store, NOW, rules or Rules(Times(revoked=DAY))
        self.dns: dict[tuple[str, str], Any] = {}
        self.asked: list[str] = []
        self.journal = Journal()
        self.keeper = self.another()

    def another(self, publisher: Publisher | None = None, *, quiet: bool = False) -> Keeper:
        return Keeper(self.store, self.journal, lambda: self, lambda: self.rules, publisher=publisher, clock=lambda: self.now, quiet=quiet)

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        self.asked.append(name)
        return await Offline(zegel.Zone.from_dict(self.dns)).look_everywhere(name, rrtype)

    def add(
        self, selector: str, *, succession: Succession = Succession.NONE, activate: bool = False, domain: Domain = EXAMPLE
    ) -> StoredKey:
        pem = PEM.private_key
        assert isinstance(pem, bytes)
        with self.store.writing() as tx:
            keys.add(tx, domain, selector, "ed25519", pem, PEM.public, now=self.now, succession=succession)
            if activate:
                keychanges.activate(tx, domain, selector, now=self.now)
            return keys.get(tx, domain, selector)

    def publish(self) -> None:
        """DNS has what it should have."""
        self.dns = {(key.name, "TXT"): [as_value(record_of(key))] for key in self.all() if not key.withdrawn}

    def all(self) -> list[StoredKey]:
        with self.store.reading() as tx:
            return keys.all(tx)

    def states(self) -> dict[str, str]:
        return {key.selector: key.state.value for key in self.all()}

    def round(self, *, later: int = 0, everything: bool = False) -> int:
        """One round after so many seconds; how many looks it took."""
        self.now += later
        before = self.keeper.looks
        asyncio.run(self.keeper.round(everything=everything))
        return self.keeper.looks - before

    def pass_days(self, days: float) -> None:
        """Rounds for so many days, DNS as it should be."""
        for _ in range(int(days * DAY / HOUR) + 1):
            self.publish()
            self.round(later=HOUR, everything=True)
