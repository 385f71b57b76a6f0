"""The whole configuration, one frozen :class:`Config`, read from the text of ``zegel.toml``.

This room parses text that is handed to it; it opens no file. An unknown key, a wrong type or a dangerous value is an error that names the
key and says what to write instead.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from typing import Literal, NamedTuple

import msgspec

from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.words import N_

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(ValueError):
    """The configuration cannot be used; the text says which key, and what to write."""


class Milter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the mail server finds us: ``unix:/path`` or ``inet:HOST:PORT`` (``inet6:[HOST]:PORT``)."""

    listen: tuple[str, ...] = ("inet:127.0.0.1:8891",)
    socket_group: str = ""
    socket_mode: str = "0660"
    max_connections: int = 1000
    drain_seconds: float = 20.0


class Allow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may sign as whom: exactly one of ``login``, ``network`` or ``local``, and the senders it may sign for.

    ``sign`` holds domains (``example.be``), all names below one (``.example.be``), addresses (``info@example.be``) or ``*``.
    """

    login: str = ""
    network: str = ""
    local: bool = False
    sign: tuple[str, ...] = ()

    @property
    def networks(self) -> tuple[Network, ...]:
        """The network of this entry, parsed; empty when it is about a login or local mail."""
        return (ipaddress.ip_network(self.network),) if self.network else ()


class Outbound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which mail is ours to sign. ``reinjected`` are the ``{daemon_name}`` values of listeners behind a content filter: never signed."""

    allow: tuple[Allow, ...] = ()
    reinjected: tuple[str, ...] = ()


class Signing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How our signatures look. ``expire`` is in seconds after signing; 0 writes no ``x=``."""

    canonicalization: Literal["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"] = "relaxed/relaxed"
    expire: int = 0


class Inbound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The name under which results are written; empty means this machine's own name. RFC 8601 2.2: authserv-id."""

    authserv_id: str = ""


class Dns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The resolver: addresses of name servers (empty: the system's), seconds for one try, tries for each server."""

    nameservers: tuple[str, ...] = ()
    timeout: float = 2.0
    tries: int = 2
    trust_ad: bool = False
    zone: str = ""


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where Prometheus reads; empty switches it off."""

    listen: str = "127.0.0.1:9199"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that ``zegel.toml`` can say."""

    milter: Milter = Milter()
    outbound: Outbound = Outbound()
    inbound: Inbound = Inbound()
    signing: Signing = Signing()
    dns: Dns = Dns()
    metrics: Metrics = Metrics()
    limits: Limits = Limits()


def parse(text: str) -> Config:
    """Read the text of a ``zegel.toml``. Raises :class:`ConfigError`."""
    try:
        config = msgspec.convert(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(N_("zegel.toml is not valid TOML: {error}").format(error=error)) from None
    except msgspec.ValidationError as error:
        raise ConfigError(N_("zegel.toml: {error}").format(error=error)) from None
    for address in config.milter.listen:
        listen_address(address)
    if config.metrics.listen:
        listen_address(f"inet:{config.metrics.listen}")
    if not re.fullmatch("0?[0-7]{3}", config.milter.socket_mode):
        raise ConfigError(N_('zegel.toml: milter.socket_mode is an octal mode such as "0660"'))
    for entry in config.outbound.allow:
        _check_allow(entry)
    return config


class Listen(NamedTuple):
    """An address to listen on: the path of a unix socket, or (with an empty path) a host and a port."""

    path: str
    host: str
    port: int


def listen_address(text: str) -> Listen:
    """Read ``unix:/path`` or ``inet:HOST:PORT`` (also ``inet6:[HOST]:PORT``). Raises :class:`ConfigError`."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return Listen(rest, "", 0)
    host, _, port = rest.rpartition(":")
    if kind in ("inet", "inet6") and host and port.isdecimal() and int(port) < 65536:
        return Listen("", host.removeprefix("[").removesuffix("]"), int(port))
    raise ConfigError(N_("{text!r} is not an address to listen on; write unix:/path/to/socket or inet:127.0.0.1:8891").format(text=text))


def _check_allow(entry: Allow) -> None:
    if sum((bool(entry.login), bool(entry.network), entry.local)) != 1:
        raise ConfigError(N_("zegel.toml: each [[outbound.allow]] needs exactly one of login, network or local"))
    if not entry.sign:
        raise ConfigError(N_('zegel.toml: an [[outbound.allow]] lists no senders; write sign = ["example.be"], or sign = ["*"] for all'))
    try:
        networks = entry.networks
    except ValueError as error:
        raise ConfigError(N_("zegel.toml: outbound.allow.network: {error}").format(error=error)) from None
    if any(network.prefixlen == 0 for network in networks):
        raise ConfigError(N_("zegel.toml: a network of the whole internet would make you sign for anyone; list your own networks"))
    for sender in entry.sign:
        if sender != "*":
            _check_sender(sender)


def _check_sender(sender: str) -> None:
    try:
        Domain.parse(sender.rpartition("@")[2].removeprefix("."))
    except ValueError:
        message = N_("zegel.toml: {sender!r} is no sender; write example.be, .example.be, info@example.be or *")
        raise ConfigError(message.format(sender=sender)) from None
