"""The daemon: the one room that builds objects. It reads the configuration, opens the store, listens, and follows changes until it stops.

A change of keys is noticed by the store's generation once a second; SIGHUP reads the configuration again. Either takes effect whole or not
at all: what cannot be loaded leaves what runs as it is, and says so. SIGTERM and SIGINT let the messages in progress end first.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.journal import Journal, set_up_log
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.adapters.pump import Pump, run
from zegel.adapters.resolver import Resolver
from zegel.adapters.zone import Zone
from zegel.authres.claim import normal
from zegel.config import Config, ConfigError, listen_address
from zegel.config import parse as parse_config
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Style
from zegel.gateway.destinations import Destinations
from zegel.gateway.milter import Gateway
from zegel.gateway.outbound import Policy
from zegel.gateway.recorder import Recorder, Rules
from zegel.gateway.settings import Settings
from zegel.gateway.site import check, make_quarantine, make_site
from zegel.grammar.domain import Domain
from zegel.store import masterkey
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping
from zegel.store.retention import Term
from zegel.store.vault import Vault
from zegel.words import N_, Sentence, SpokenError

if TYPE_CHECKING:
    from zegel.store.snapshot import Snapshot

_POLL_SECONDS = 1.0
_RECORD_SECONDS = 5.0  # for what waits to be recorded when the daemon stops


class ListenError(SpokenError):
    """An address of the configuration cannot be listened on; the text says why, and what to do."""


def read_config(path: Path | None, data_folder: Path) -> Config:
    """Read ``zegel.toml``: the one that is named, or the data folder's, which may be absent. Raises :class:`ConfigError`."""
    file = path or data_folder / "zegel.toml"
    try:
        config = parse_config(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError(N_("there is no configuration {file}; make it: zegel init"), file=file) from None
    except UnicodeDecodeError:
        sentence = N_("{file} is not UTF-8 text; save it as UTF-8, or move it away and have a new one made: zegel init")
        raise ConfigError(sentence, file=file) from None
    except OSError as error:
        raise ConfigError(N_("{file} cannot be read: {error}"), file=file, error=error.strerror or error) from None
    check(config.inbound)  # before a daemon has to find out
    return config


def open_store(data_folder: Path) -> Store:
    """Open the store with the master key of the environment or of the data folder. Raises ``StoreError``."""
    text = os.environ.get("ZEGEL_MASTER_KEY")
    return Store.open(data_folder, master_key=masterkey.parse(text) if text else None)


def make_resolver(config: Config) -> AsyncResolver:
    """The resolver that the configuration names: a zone file, or name servers. Raises :class:`ConfigError`."""
    dns = config.dns
    if dns.zone:
        return _zone(dns.zone)
    try:
        return Resolver(dns.nameservers or None, timeout=dns.timeout, tries=dns.tries, trust_ad=dns.trust_ad)
    except (OSError, ValueError) as error:
        raise ConfigError(N_("zegel.toml: {key}: {error}"), key="dns.nameservers", error=error) from None


def _zone(file: str) -> Zone:
    trouble: object
    try:
        return Zone.parse(Path(file).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        trouble = Sentence(N_("{file} is no zone file: it is not text"), file=file)
    except OSError as error:
        trouble = f"{file}: {error.strerror or error}"
    except ValueError as error:
        trouble = f"{file}: {error}"
    raise ConfigError(N_("dns.zone: {error}; write another under [dns] in zegel.toml, or take zone out of it"), error=trouble)


def serve(data_folder: Path, config_path: Path | None, *, announce: Callable[[str], None]) -> int:
    """Run the daemon until a signal ends it; returns the exit status. ``announce`` gets one line for each address that it listens on.

    Raises :class:`ConfigError` or ``StoreError`` for what cannot start, and :class:`ListenError` for an address that cannot be used.
    """
    # Until the daemon listens to it: a reload in its first moment must not end it, and it has just read what there is to read.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    set_up_log()
    config = read_config(config_path, data_folder)
    with open_store(data_folder) as store:
        daemon = Daemon(config, store, lambda: read_config(config_path, data_folder))
        return run(daemon.run(announce))


class Daemon:
    """One running daemon."""

    def __init__(self, config: Config, store: Store, reread: Callable[[], Config]) -> None:
        self._config, self._store, self._reread = config, store, reread
        self._journal = Journal()
        self._keyring = Keyring()
        self._inbound = config.inbound
        self._domains: frozenset[Domain] = frozenset()
        self._machine = socket.getfqdn()  # asked once: it may ask DNS, and a reload must not wait
        self._load_keys()
        self._resolver = make_resolver(config)
        if store.vault is None:
            raise RuntimeError("the daemon needs the store with its master key")
        self._vault = store.vault
        destinations = Destinations(lambda: self._resolver)
        self._recorder = Recorder(store, record_rules(config, self._vault), destinations, self._journal, clock=time.time)
        self._settings = self._settings_for(config, self._resolver)
        self._pump = Pump(
            lambda session: Gateway(lambda: self._settings, session),
            on_fault=self._journal.fault,
            connection_cap=config.milter.max_connections,
        )
        self._stop = asyncio.Event()
        self._trouble = ""  # the last fault of following the store, told once

    async def run(self, announce: Callable[[str], None]) -> int:
        """Listen, follow changes, and drain at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        metrics: WSGIServer | None = None
        follower: asyncio.Task[None] | None = None
        recorder = asyncio.create_task(self._recorder.run())
        try:
            metrics = self._start_metrics()
            for address in self._config.milter.listen:
                announce(await self._listen(address))
            follower = asyncio.create_task(self._follow_store())
            await self._stop.wait()
            self._journal.note("stopping", messages=self._pump.messages)
            cut = await self._pump.drain(self._config.milter.drain_seconds)
            self._journal.note("stopped", messages_cut=cut)
        finally:
            await self._pump.drain(0)  # what could not start whole leaves no socket behind; after a drain there is nothing left to do
            await self._recorder.close(recorder, _RECORD_SECONDS)
            if follower is not None:
                follower.cancel()
            if metrics is not None:
                metrics.shutdown()
                metrics.server_close()
        return 0

    async def _listen(self, address: str) -> str:
        milter = self._config.milter
        try:
            wanted = listen_address(address)
            if wanted.path:
                await self._pump.listen_unix(wanted.path, mode=int(milter.socket_mode, 8), group=milter.socket_group or None)
                return address
            host, port = await self._pump.listen_tcp(wanted.host, wanted.port)
            if not ipaddress.ip_address(host).is_loopback:
                self._journal.note("reachable from other machines, where anyone can claim any login: keep it behind a firewall", host=host)
        except LookupError as error:
            raise ConfigError(N_("zegel.toml: {key}: {error}"), key="milter.socket_group", error=error.args[0]) from None
        except OSError as error:
            raise _cannot_listen(address, error) from None
        return f"inet:{host}:{port}"

    def _start_metrics(self) -> WSGIServer | None:
        if not self._config.metrics.listen:
            return None
        _, host, port = listen_address(f"inet:{self._config.metrics.listen}")
        try:
            server, _ = start_http_server(port, host, registry=self._journal.registry)
        except OSError as error:
            raise _cannot_listen(self._config.metrics.listen, error, for_metrics=True) from None
        return server

    async def _follow_store(self) -> None:
        """Look once a second if domains or keys have changed."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                generation = await asyncio.to_thread(self._store.generation)
                if generation != self._keyring.generation:
                    before = self._domains
                    await asyncio.to_thread(self._load_keys)
                    if self._domains != before:
                        inbound = self._inbound
                        site = await asyncio.to_thread(make_site, inbound, self._domains)
                        if inbound is self._inbound:  # else a reload came meanwhile, and knew these domains already
                            self._settings = replace(self._settings, site=site)
                self._trouble = ""
            except Exception as error:
                # Whatever it is, what signs now goes on; and it is told once, not once a second.
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    self._journal.fault(error)

    def _load_keys(self) -> None:
        """Take the store's state of now as a whole. Raises, and changes nothing, when any part of it cannot be loaded."""
        snapshot = self._store.snapshot()
        self._keyring.replace(_entries(snapshot, self._keyring.known()), generation=snapshot.generation)
        self._domains = frozenset(domain.name for domain in snapshot.domains)
        self._journal.generation.set(snapshot.generation)
        self._journal.keys.set(len(self._keyring))
        self._journal.note("keys loaded", generation=snapshot.generation, domains=len(snapshot.domains), keys=len(self._keyring))

    def _reload(self) -> None:
        try:
            config = self._reread()
            # Listening sockets and the metrics address stay as they are: changing those takes a restart.
            resolver = make_resolver(config)
            self._settings = self._settings_for(config, resolver)
            self._resolver, self._recorder.rules = resolver, record_rules(config, self._vault)
            self._inbound = config.inbound
        except Exception as error:
            # Whatever is wrong with the new one, the old one runs on.
            self._journal.note("configuration not taken over", error=str(error))
        else:
            self._journal.note("configuration taken over")

    def _settings_for(self, config: Config, resolver: AsyncResolver) -> Settings:
        if not config.inbound.authserv_id and self._machine.partition(".")[0] == "localhost":
            # RFC 8601 2.5: the id is to be this site's own, and everybody is localhost.
            self._journal.note("this machine has no name of its own; set inbound.authserv_id in zegel.toml", name=self._machine)
        style = Style(config.signing.canonicalization, expire=config.signing.expire or None)
        name = normal(config.inbound.authserv_id or self._machine)
        return Settings(
            Policy(config.outbound),
            self._keyring,
            resolver,
            self._journal,
            name,
            style,
            config.limits,
            self._recorder,
            make_site(config.inbound, self._domains),
            make_quarantine(config.inbound),
            subjects=config.messages.record and config.messages.subject,
        )


def record_rules(config: Config, vault: Vault) -> Rules:
    """What the configuration has recorded of each message, and for how long."""
    messages = config.messages
    addresses = Addresses(vault, hashed=messages.hash_addresses)
    keeping = Keeping(addresses, stories=messages.story_days > 0, subjects=messages.subject) if messages.record else None
    return Rules(keeping, Term(messages.keep_days, messages.story_days))


def _cannot_listen(address: str, error: OSError, *, for_metrics: bool = False) -> ListenError:
    taken = error.errno == errno.EADDRINUSE
    if for_metrics and taken:
        sentence = N_(
            "cannot listen on {address} for metrics: it is taken. Another Zegel may be running: zegel status; if not, set metrics.listen "
            "in zegel.toml"
        )
    elif for_metrics:
        sentence = N_('cannot listen on {address} for metrics: {error}; set metrics.listen in zegel.toml, or "" to switch it off')
    elif taken:
        sentence = N_(
            "cannot listen on {address}: it is taken. Another Zegel may be running: zegel status; if not, set milter.listen in zegel.toml"
        )
    else:
        sentence = N_("cannot listen on {address}: {error}")
    return ListenError(sentence, address=address, error=error.strerror or error)


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
