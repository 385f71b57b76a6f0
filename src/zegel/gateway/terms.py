"""What the courier goes by: the outbox part of the configuration, made ready once. A new configuration is a new one, whole."""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.smtpclient import Peer, Times
from zegel.adapters.whose import Whose
from zegel.config import ConfigError
from zegel.config.outbox import Outbox, host_and_port, is_local
from zegel.gateway import nexthop
from zegel.gateway.nexthop import NoRouteError, Server
from zegel.store.posting import RELEASED
from zegel.words import N_

_MAX_SECRET = 1024
_DAY, _HOUR = 86_400, 3600


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of now. ``hello`` is our name in EHLO. ``port`` and ``nearest`` are for servers of domains (see nexthop).

    ``release_to`` is the server for what is released from quarantine, ``release_context`` for STARTTLS there (None: this machine itself).
    """

    outbox: Outbox
    hello: str
    resolver: AsyncResolver
    context: ssl.SSLContext | None = None
    password: str = field(default="", repr=False)
    times: Times = field(default_factory=Times)
    port: int = 25
    nearest: Whose = Whose.INTERNET
    release_to: str = ""
    release_context: ssl.SSLContext | None = None

    @property
    def direct(self) -> bool:
        """Whether each domain has its own next hop."""
        return self.outbox.direct

    @property
    def expiry(self) -> int:
        """Seconds that a message is tried."""
        return int(self.outbox.expiry_days * _DAY)

    @property
    def warn(self) -> int:
        """Seconds until somebody is told that it is late; 0: never."""
        return int(self.outbox.warn_hours * _HOUR)

    @property
    def keep(self) -> int:
        """Seconds that what is over is still shown."""
        return int(self.outbox.keep_days * _DAY)

    async def peers(self, route: str) -> list[Peer]:
        """The servers to try for a route, in order. Raises NoRouteError."""
        servers: list[Server]
        if route == RELEASED:
            return await self._releasing()
        if self.direct:
            ours = frozenset((self.hello.lower(),))
            servers = await nexthop.of_domain(route, self.resolver, ours=ours, port=self.port, nearest=self.nearest)
        else:
            servers = await nexthop.of_host(*self.outbox.smarthost)
        login = (self.outbox.user, self.password) if self.outbox.user else None
        return [Peer(server.name, server.address, server.port, self.outbox.tls, self.context, login) for server in servers]

    async def _releasing(self) -> list[Peer]:
        """The mail server that takes what is released from quarantine: ours, which needs no login."""
        if not self.release_to:
            raise NoRouteError(451, "4.3.5", "inbound.release_to is missing: name the mail server that takes what is released")
        servers = await nexthop.of_host(*host_and_port(self.release_to))
        tls = "off" if self.release_context is None else "opportunistic"
        return [Peer(server.name, server.address, server.port, tls, self.release_context) for server in servers]


def make_terms(outbox: Outbox, resolver: AsyncResolver, machine: str, *, release_to: str = "") -> Terms:
    """The terms of a configuration; ``machine`` is this machine's own name. Raises :class:`ConfigError` for files that cannot be used."""
    password = _secret(Path(outbox.password_file)) if outbox.password_file else ""
    nearest = Whose.LOCAL if outbox.local_servers else Whose.INTERNET
    release = _unchecked(outbox) if release_to and not is_local(host_and_port(release_to)[0]) else None
    terms = Terms(outbox, outbox.hostname or machine, resolver, _context(outbox), password, nearest=nearest)
    return replace(terms, release_to=release_to, release_context=release)


def _context(outbox: Outbox) -> ssl.SSLContext | None:
    if outbox.tls == "off":
        return None
    return _unchecked(outbox) if outbox.tls == "opportunistic" or outbox.direct else _checked(outbox)


def _checked(outbox: Outbox) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=outbox.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        sentence = N_("zegel.toml: outbox.ca_file {file} cannot be used: {error}; name a file of certificates (PEM)")
        raise ConfigError(sentence, file=outbox.ca_file, error=error.strerror or error) from None


def _unchecked(outbox: Outbox) -> ssl.SSLContext:
    # RFC 7435 3: a certificate that nobody can check is still better than none. And the name of an MX came from DNS, which anyone on
    # the way may have written.
    context = _checked(outbox)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _secret(file: Path) -> str:
    """The first line of a file that nobody else can read."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o004:
            raise ConfigError(N_("outbox.password_file {file} can be read by everybody on this machine; type: chmod 600 {file}"), file=file)
        with file.open(encoding="utf-8") as opened:
            secret = opened.readline(_MAX_SECRET).rstrip("\r\n")
    except UnicodeDecodeError:
        secret = ""
    except OSError as error:
        sentence = N_("zegel.toml: outbox.password_file {file} cannot be read: {error}")
        raise ConfigError(sentence, file=file, error=error.strerror or error) from None
    if not secret or "\0" in secret:
        raise ConfigError(N_("zegel.toml: outbox.password_file {file} holds no password in its first line"), file=file)
    return secret
