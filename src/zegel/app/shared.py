"""What the parts of the daemon share: the store's state, the resolver, the settings of now, and how they change.

Either kind of change takes effect whole or not at all: what cannot be loaded leaves what runs as it is, and says so.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.app.opening import make_resolver
from zegel.app.part import Commit
from zegel.authres.claim import normal
from zegel.config import Config
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Style
from zegel.gateway.destinations import Destinations
from zegel.gateway.outbound import Policy
from zegel.gateway.recorder import Recorder, Rules
from zegel.gateway.settings import Settings
from zegel.gateway.site import make_quarantine, make_site, sealer
from zegel.grammar.domain import Domain
from zegel.store import retention
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping
from zegel.store.quarantine import Depot
from zegel.store.retention import Term
from zegel.store.snapshot import Snapshot
from zegel.store.vault import Vault


class Shared:
    """The state of one daemon. ``config``, ``snapshot``, ``resolver`` and ``settings`` are replaced, never changed in place."""

    def __init__(self, config: Config, store: Store) -> None:
        if store.vault is None:
            raise RuntimeError("the daemon needs the store with its master key")
        self.config, self.store, self.vault = config, store, store.vault
        self.journal = Journal()
        self.keyring = Keyring()
        self.machine = socket.getfqdn()  # asked once: it may ask DNS, and a reload must not wait
        self.snapshot = self._load()
        self.resolver = make_resolver(config)
        destinations = Destinations(lambda: self.resolver)
        self.recorder = Recorder(store, record_rules(config, self.vault), destinations, self.journal, clock=time.time)
        self.settings = self._settings_for(config, self.resolver)
        self.tell_loaded()

    @property
    def domains(self) -> frozenset[Domain]:
        """The domains of the store: those that we sign for."""
        return frozenset(domain.name for domain in self.snapshot.domains)

    async def follow(self) -> bool:
        """Take over what changed in the store; tells whether anything did. Raises, and what signs now goes on."""
        if await asyncio.to_thread(self.store.generation) == self.snapshot.generation:
            return False
        before = self.domains
        self.snapshot = await asyncio.to_thread(self._load)
        if self.domains != before:
            inbound = self.config.inbound
            site = await asyncio.to_thread(make_site, inbound, self.domains)
            if inbound is self.config.inbound:  # else a reload came meanwhile, and knew these domains already
                self.settings = replace(self.settings, site=site)
        return True

    def prepare(self, config: Config) -> Commit:
        """Make ready to take over another configuration. Raises, and changes nothing, when any part of it cannot be."""
        resolver = make_resolver(config)
        settings = self._settings_for(config, resolver)
        rules = record_rules(config, self.vault)

        def commit() -> None:
            self.config, self.resolver, self.settings, self.recorder.rules = config, resolver, settings, rules

        return commit

    def tell_loaded(self) -> None:
        """Say in the log that what the store holds is in use: once all parts have it."""
        snapshot = self.snapshot
        self.journal.note("keys loaded", generation=snapshot.generation, domains=len(snapshot.domains), keys=len(self.keyring))

    def expired_until(self, now: int) -> int | None:
        """The time that expiry has come to (see ``retention.reached``). It waits for the store. Raises StoreError."""
        with self.store.reading() as tx:
            return retention.reached(tx, now=now)

    def _load(self) -> Snapshot:
        """Take the store's state of now as a whole. Raises, and changes nothing, when any part of it cannot be loaded."""
        snapshot = self.store.snapshot()
        self.keyring.replace(_entries(snapshot, self.keyring.known()), generation=snapshot.generation)
        self.journal.generation.set(snapshot.generation)
        self.journal.keys.set(len(self.keyring))
        return snapshot

    def _depot_for(self, config: Config) -> Depot | None:
        """The folder of the quarantine, made where it is wanted. Raises StoreError."""
        if config.inbound.quarantine != "keep":
            return None
        depot = Depot(self.store.folder, max_bytes=config.inbound.quarantine_bytes)
        depot.prepare()
        return depot

    def _settings_for(self, config: Config, resolver: AsyncResolver) -> Settings:
        if not config.inbound.authserv_id and self.machine.partition(".")[0] == "localhost":
            # RFC 8601 2.5: the id is to be this site's own, and everybody is localhost.
            self.journal.note("this machine has no name of its own; set inbound.authserv_id in zegel.toml", name=self.machine)
        return Settings(
            Policy(config.outbound),
            self.keyring,
            resolver,
            self.journal,
            normal(config.inbound.authserv_id or self.machine),
            Style(config.signing.canonicalization, expire=config.signing.expire or None),
            config.limits,
            self.recorder,
            make_site(config.inbound, self.domains),
            make_quarantine(config.inbound, self._depot_for(config)),
            subjects=config.messages.record and config.messages.subject,
            seal_as=sealer(config.inbound),
            received_spf=config.inbound.received_spf,
        )


def record_rules(config: Config, vault: Vault) -> Rules:
    """What the configuration has recorded of each message, and for how long."""
    messages = config.messages
    addresses = Addresses(vault, hashed=messages.hash_addresses)
    keeping = Keeping(addresses, stories=messages.story_days > 0, subjects=messages.subject) if messages.record else None
    return Rules(keeping, Term(messages.keep_days, messages.story_days))


def _entries(snapshot: Snapshot, known: dict[tuple[str, str], Key]) -> list[DomainKeys]:
    """The snapshot as the keyring has it. Keys already in memory are used again."""
    by_domain: dict[str, list[Key]] = {}
    for stored in snapshot.keys:
        key = known.get((stored.domain, stored.selector))
        if key is None or key.private_key != stored.private_pem:
            key = Key.restore(stored.domain, stored.selector, stored.private_pem)
        by_domain.setdefault(stored.domain, []).append(key)
    return [
        # RSA first: its signature is the one that every receiver can check.
        DomainKeys(domain.name, tuple(sorted(by_domain[domain.name], key=lambda key: key.type != "rsa")), domain.sign_subdomains)
        for domain in snapshot.domains
        if domain.name in by_domain
    ]
