"""The part that takes mail of sites: the listeners for programs, and the relay behind them, which other doors hand mail to as well."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from zegel.adapters.certificate import Certificate
from zegel.adapters.signer import Signer
from zegel.adapters.submission import Door, Submission
from zegel.app.listening import cannot_listen
from zegel.app.part import Announce, Commit
from zegel.app.shared import Shared
from zegel.config import Config, ConfigError, listen_address
from zegel.config.relay import Relay as Table
from zegel.gateway.desk import Desk
from zegel.gateway.judge import Egress, Judge
from zegel.gateway.outbox import Outbox
from zegel.gateway.relay import Bounds, Relay
from zegel.gateway.sitebook import Sitebook
from zegel.smtp.conversation import Terms
from zegel.store.snapshot import Snapshot
from zegel.words import N_


class Submissions:
    """The listeners of ``[relay]``. Addresses are those of the start, all else is taken over. Other doors use ``relay`` and ``book``."""

    def __init__(self, shared: Shared, outbox: Outbox) -> None:
        self._shared = shared
        self._table = table = shared.config.relay
        self._certificate = self._load(table)
        self._judge = Judge(self._egress(table))
        self.book = Sitebook(shared.vault, shared.snapshot.sites)
        self._signer = Signer(shared.journal.alarm)
        bounds = Bounds(table.max_size, table.max_recipients)
        self.relay = Relay(lambda: shared.settings, self._judge, outbox, bounds, self._signer.sign)
        self._desk = Desk(self.book, self.relay, shared.journal)
        self._server = Submission(
            self._desk.caller,
            on_fault=shared.journal.fault,
            connection_cap=table.max_connections,
            address_cap=table.max_per_address,
        )

    async def start(self, announce: Announce) -> None:
        """Listen on each address."""
        table = self._table
        for kind, addresses in (("starttls", table.starttls), ("tls", table.tls), ("loopback", table.loopback)):
            for address in addresses:
                wanted = listen_address(address)
                try:
                    host, port = await self._server.listen(wanted.host, wanted.port, partial(self._door, kind))
                except OSError as error:
                    raise cannot_listen(address, error, for_sites=True) from None
                announce(f"inet:{host}:{port}")

    def prepare(self, config: Config) -> Commit:
        """Make ready to go by another table: its certificate can be loaded."""
        table = config.relay
        certificate = self._certificate
        if (table.certificate, table.key) != (self._table.certificate, self._table.key):
            certificate = self._load(table)

        def commit() -> None:
            self._table, self._certificate = table, certificate
            self._judge.egress = self._egress(table)
            self.relay.bounds = Bounds(table.max_size, table.max_recipients)
            self._server.connection_cap, self._server.address_cap = table.max_connections, table.max_per_address

        return commit

    def changed(self, snapshot: Snapshot) -> None:
        """Sites are others now, or keys: whether mail would pass is asked again."""
        self.book.replace(snapshot.sites)
        self._judge.forget()
        self._signer.forget()

    async def stop(self, seconds: float) -> None:
        """Let messages in progress end; what is not on disk by then, the client still has."""
        await self._server.drain(seconds)
        self.relay.close()
        await self._signer.close()

    def _door(self, kind: str) -> Door:
        table = self._table
        loopback = kind == "loopback"
        terms = Terms(
            self._hostname(table),
            table.max_size,
            table.max_recipients,
            starttls=kind != "tls" and self._certificate is not None,
            mend=loopback and table.loopback_line_ends == "mend",
        )
        return Door(terms, implicit=kind == "tls", loopback=loopback, certificate=self._certificate)

    def _hostname(self, table: Table) -> str:
        return table.hostname or self._shared.machine

    def _egress(self, table: Table) -> Egress:
        return Egress(self._hostname(table), table.egress)

    def _load(self, table: Table) -> Certificate | None:
        if not table.certificate:
            return None
        chain = Path(table.certificate)
        try:
            return Certificate(chain, Path(table.key) if table.key else chain, self._shared.journal.note)
        except OSError as error:
            # ssl.SSLError is one too, and says less about the file.
            sentence = N_("zegel.toml: relay.certificate {file} cannot be used: {error}")
            raise ConfigError(sentence, file=table.certificate, error=error.strerror or error) from None
