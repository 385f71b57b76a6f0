"""The parts that every daemon has: the milter, the record of messages, and the counters for Prometheus."""

from __future__ import annotations

import asyncio
import ipaddress
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from zegel.adapters.pump import Pump
from zegel.app.listening import cannot_listen
from zegel.app.part import Announce, Commit, nothing
from zegel.app.shared import Shared
from zegel.config import Config, ConfigError, listen_address
from zegel.gateway.milter import Gateway
from zegel.store.snapshot import Snapshot
from zegel.words import N_

_RECORD_SECONDS = 5.0  # for what waits to be recorded when the daemon stops


class Milter:
    """Takes the mail server's connections. The addresses are those of the start: other ones take a restart."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._pump = Pump(
            lambda session: Gateway(lambda: shared.settings, session),
            on_fault=shared.journal.fault,
            connection_cap=shared.config.milter.max_connections,
        )

    async def start(self, announce: Announce) -> None:
        """Listen on each address."""
        for address in self._shared.config.milter.listen:
            announce(await self._listen(address))

    def prepare(self, config: Config) -> Commit:
        """Nothing of its own to take over: messages take the settings of now."""
        return nothing

    def changed(self, snapshot: Snapshot) -> None:
        """The keyring is shared."""

    async def stop(self, seconds: float) -> None:
        """Let the messages in progress end."""
        journal = self._shared.journal
        if seconds:
            journal.note("stopping", messages=self._pump.messages)
            journal.note("stopped", messages_cut=await self._pump.drain(seconds))
        await self._pump.drain(0)  # what could not start whole leaves no socket behind; after a drain there is nothing left to do

    async def _listen(self, address: str) -> str:
        milter = self._shared.config.milter
        try:
            wanted = listen_address(address)
            if wanted.path:
                await self._pump.listen_unix(wanted.path, mode=int(milter.socket_mode, 8), group=milter.socket_group or None)
                return address
            host, port = await self._pump.listen_tcp(wanted.host, wanted.port)
            if not ipaddress.ip_address(host).is_loopback:
                note = "reachable from other machines, where anyone can claim any login: keep it behind a firewall"
                self._shared.journal.note(note, host=host)
        except LookupError as error:
            raise ConfigError(N_("zegel.toml: {key}: {error}"), key="milter.socket_group", error=error.args[0]) from None
        except OSError as error:
            raise cannot_listen(address, error) from None
        return f"inet:{host}:{port}"


class Records:
    """Writes what the others hand over of each message: it starts first and stops last."""

    def __init__(self, shared: Shared) -> None:
        self._recorder = shared.recorder
        self._task: asyncio.Task[None] | None = None

    async def start(self, announce: Announce) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._recorder.run())

    def prepare(self, config: Config) -> Commit:
        """Its rules are taken over with the settings."""
        return nothing

    def changed(self, snapshot: Snapshot) -> None:
        """It looks up owners by itself."""

    async def stop(self, seconds: float) -> None:
        """Write what still waits."""
        if self._task is not None:
            await self._recorder.close(self._task, _RECORD_SECONDS)
            self._task = None


class Metrics:
    """Where Prometheus reads. The address is that of the start."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._server: WSGIServer | None = None

    async def start(self, announce: Announce) -> None:
        """Listen, where the configuration wants it."""
        listen = self._shared.config.metrics.listen
        if not listen:
            return
        _, host, port = listen_address(f"inet:{listen}")
        try:
            self._server, _ = start_http_server(port, host, registry=self._shared.journal.registry)
        except OSError as error:
            raise cannot_listen(listen, error, for_metrics=True) from None

    def prepare(self, config: Config) -> Commit:
        """Another address takes a restart."""
        return nothing

    def changed(self, snapshot: Snapshot) -> None:
        """Nothing to do."""

    async def stop(self, seconds: float) -> None:
        """Close the socket."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
