"""The keeper with real name servers: it publishes with TSIG, waits for the server that lags, and keys live in slots behind CNAMEs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

import zegel
from support.authority import AGENCY, ALGORITHM, CUSTOMER, HOSTS, KEY, NEGATIVE_TTL, SECRET, Authority, authority
from zegel.adapters.journal import Journal
from zegel.adapters.nameservers import Nameservers
from zegel.config import Config
from zegel.config.publishing import Zone
from zegel.grammar.domain import Domain
from zegel.rollout import rotation
from zegel.rollout.keeper import Keeper
from zegel.rollout.keypublish import KeyPublisher
from zegel.rollout.keyrules import Rules
from zegel.rollout.life import Times
from zegel.store import domains, keychanges, keys, slots
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keys import StoredKey

NOW, HOUR, DAY = 1_790_000_000, 3600, 86_400
TTL = 60


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Authority]:
    with authority(tmp_path / "dns") as found:
        yield found


class Site:
    """A keeper on a store of its own, with a clock of its own; the agency's zone is its to write."""

    def __init__(self, there: Authority, store: Store, folder: Path) -> None:
        self.there, self.store, self.now = there, store, NOW
        secret = folder / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        server = f"{HOSTS[0]}:{there.port}"
        zone = Zone(
            name=AGENCY, way="rfc2136", server=server, tsig_name=KEY, tsig_algorithm="hmac-sha256", tsig_secret_file=str(secret), ttl=TTL
        )
        self.config = Config(zone=(zone,))

    def round(self, later: int = 0) -> None:
        """Look at everything, with a resolver that has no memory of the round before."""
        self.now += later
        servers = Nameservers(zegel.Resolver([self.there.resolver], timeout=5), port=self.there.port)
        journal = Journal()

        async def once() -> None:
            publisher = KeyPublisher(self.store, journal, lambda: servers, lambda: self.config)
            rules = Rules(Times(revoked=DAY))
            await Keeper(self.store, journal, lambda: servers, lambda: rules, publisher=publisher, clock=lambda: self.now).round(
                everything=True
            )

        asyncio.run(once())

    def rotate(self, domain: Domain) -> StoredKey:
        return rotation.rotate(self.store, domain, "ed25519", now=self.now).key

    def get(self, key: StoredKey) -> StoredKey:
        with self.store.reading() as tx:
            return keys.numbered(tx, key.number)

    def until_it_signs(self, key: StoredKey) -> None:
        """Rounds until it does; one that takes over too soon is an error."""
        self.round()
        self.there.catch_up(AGENCY)
        began = self.now + 10
        self.round(10)
        while self.get(key).state == "pending":
            self.round(30)
        assert self.get(key).state == "active"
        assert NEGATIVE_TTL <= self.now - began < NEGATIVE_TTL + 30


@pytest.fixture
def site(there: Authority, tmp_path: Path) -> Iterator[Site]:
    with Store.open(tmp_path / "data", now=NOW) as store:
        with store.writing() as tx:
            for name in (AGENCY, CUSTOMER):
                domains.add(tx, Domain(name), now=NOW)
        yield Site(there, store, tmp_path)


def test_it_publishes_waits_for_who_lags_switches_revokes_and_takes_away(site: Site) -> None:
    first = site.rotate(Domain(AGENCY))
    site.round()
    assert site.there.texts(HOSTS[0], first.name) != []
    for _ in range(5):
        site.round(60)
    lagging = site.get(first)
    assert (lagging.state, lagging.serving, lagging.servers, lagging.trouble) == ("pending", 1, 2, "not_everywhere")
    site.until_it_signs(first)
    second = site.rotate(Domain(AGENCY))
    site.until_it_signs(second)
    assert site.get(first).state == "retiring"
    site.round(7 * DAY)
    site.round(HOUR)
    assert site.get(first).state == "revoked"
    assert site.there.texts(HOSTS[0], first.name) == ['"v=DKIM1; p="']
    assert site.there.texts(HOSTS[0], second.name) != []
    site.there.catch_up(AGENCY)
    site.round(DAY + HOUR)
    site.round(HOUR)
    assert site.there.texts(HOSTS[0], first.name) == []
    assert site.get(first).state == "revoked", "the second server has it still"
    site.there.catch_up(AGENCY)
    site.round(HOUR)
    gone = site.get(first)
    assert (gone.state, gone.has_private, gone.ttl) == ("removed", False, TTL)
    assert site.there.texts(HOSTS[0], second.name) != []


def test_keys_live_in_slots_behind_the_customer_s_cnames(site: Site) -> None:
    customer = Domain(CUSTOMER)
    with site.store.writing() as tx:
        made = slots.add(tx, customer, Domain(AGENCY), "ed25519", 2, now=NOW)
    first = site.rotate(customer)
    site.round()
    assert (first.record_name, first.name) == (f"e1.customer-test.{AGENCY}", f"e1._domainkey.{CUSTOMER}")
    assert site.there.texts(HOSTS[0], first.record_name) != []
    site.there.catch_up(AGENCY)
    for _ in range(10):
        site.round(60)
    assert site.get(first).state == "pending", "receivers do not come that far without the CNAME"
    hand_out(site.there, {slot.alias: slot.target for slot in made})
    site.until_it_signs(first)
    second = site.rotate(customer)
    assert second.selector == "e2"
    with pytest.raises(StoreError, match=r"no slot of customer\.test is free"), site.store.writing() as tx:
        slots.take(tx, customer, "ed25519", now=site.now)
    with site.store.writing() as tx:
        keychanges.revoke(tx, customer, "e1", now=site.now)
    site.round(60)
    site.there.catch_up(AGENCY)
    for _ in range(3):
        site.round(DAY)
        site.there.catch_up(AGENCY)
        site.round(HOUR)
    removed = site.get(first)
    assert (removed.state, removed.ttl, removed.alias_ttl) == ("removed", TTL, 1234)
    with site.store.writing() as tx:
        (free,) = [slot.free for slot in slots.all(tx, customer) if slot.name == "e1"]
        assert removed.removed is not None
        assert free == removed.removed + TTL + 1234
        assert slots.take(tx, customer, "ed25519", now=free) is not None


def hand_out(there: Authority, aliases: dict[str, str]) -> None:
    """The customer writes the CNAMEs into his own zone."""
    message = dns.update.UpdateMessage(CUSTOMER, keyring=dns.tsigkeyring.from_text({KEY: SECRET}), keyalgorithm=ALGORITHM)
    for alias, target in aliases.items():
        message.add(f"{alias}.", 1234, "CNAME", f"{target}.")
    assert dns.query.tcp(message, HOSTS[0], port=there.port, timeout=10).rcode() == dns.rcode.NOERROR
    there.catch_up(CUSTOMER)
