"""The whole configuration, one frozen :class:`Config`, read from the text of ``zegel.toml``.

This room parses text that is handed to it; it opens no file. An unknown key, a wrong type or a dangerous value is an error that names the
key and says what to write instead.
"""

from __future__ import annotations

import ipaddress
import math
import re
import tomllib
from dataclasses import fields
from datetime import date
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.words import N_, Sentence, SpokenError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_Form = Literal["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]
_Mode = Literal["observe", "quarantine", "reject"]
_FORMS: tuple[str, ...] = get_args(_Form)
# Wider than a /8 (or the /7 of RFC 4193, private IPv6) is nobody's own network.
_WIDEST = {4: 8, 6: 7}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_MAX_SOCKET_PATH = 107  # octets; what sockaddr_un holds on Linux
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]?", re.ASCII)
_UNKNOWN = re.compile("Object contains unknown field `(.*)`$", re.DOTALL)
_WRONG_TYPE = re.compile("Expected `([a-z]+)`, got `")
_TYPES = {
    "array": N_('a list: ["...", "..."]'),
    "bool": N_("true or false, without quotes"),
    "float": N_("a number, without quotes"),
    "int": N_("a whole number, without quotes"),
    "object": N_("a table of its own: [name] above its lines"),
    "str": N_('text in quotes: "..."'),
}
_SHORTEST_EXPIRE, _EPOCH_LIKE = 3600, 1_000_000_000
_MOST_DAYS = 3650


class ConfigError(SpokenError, ValueError):
    """The configuration cannot be used; the text says which key, and what to write."""


class Milter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the mail server finds us: ``unix:/path`` or ``inet:HOST:PORT`` (``inet6:[HOST]:PORT``)."""

    listen: tuple[str, ...] = ("inet:127.0.0.1:8899",)
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

    canonicalization: _Form = "relaxed/relaxed"
    expire: int = 0


class Inbound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is done with mail from outside.

    ``authserv_id`` is the name under which results are written (RFC 8601 2.2); empty means this machine's own. ``modes`` are by domain of
    the recipient, ``mode`` is for all others. ``own_domains`` come to those of the store. Rules and names are texts here, read by the
    gateway.
    """

    authserv_id: str = ""
    mode: _Mode = "observe"
    modes: dict[str, _Mode] = {}
    quarantine: Literal["header", "hold"] = "header"
    quarantine_header: str = "X-Zegel-Quarantine"
    dns_trouble: Literal["accept", "defer"] = "accept"
    own_domains: tuple[str, ...] = ()
    relays: tuple[str, ...] = ()
    trusted_sealers: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    look_alikes: Literal["off", "mark", "quarantine"] = "mark"
    rule: tuple[Exemption, ...] = ()


class Exemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One [[inbound.rule]]: what this site knows of a sender, before any policy; who says so, why, and from when until when (dates)."""

    kind: Literal["network", "sender", "forwarder", "list"]
    who: str
    why: str
    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None


class Dns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The resolver: addresses of name servers (empty: the system's), seconds for one try, tries for each server."""

    nameservers: tuple[str, ...] = ()
    timeout: float = 2.0
    tries: int = 2
    trust_ad: bool = False
    zone: str = ""


class Messages(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is recorded of each message, and for how many days; addresses of people in clear, or as a keyed hash only."""

    record: bool = True
    keep_days: int = 30
    story_days: int = 14
    hash_addresses: bool = False
    subject: bool = False


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
    messages: Messages = Messages()
    metrics: Metrics = Metrics()
    limits: Limits = Limits()


def parse(text: str) -> Config:
    """Read the text of a ``zegel.toml``. Raises :class:`ConfigError`."""
    try:
        data = tomllib.loads(text)
        config = msgspec.convert(data, Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(N_("zegel.toml is not valid TOML: {error}"), error=error) from None
    except msgspec.ValidationError as error:
        raise _plain(str(error)) from None
    _check_limits(data, config.limits)
    _check_milter(config.milter)
    for entry in config.outbound.allow:
        _check_allow(entry)
    _check_messages(config.messages)
    _check_rest(config)
    return config


def _plain(error: str) -> ConfigError:
    """What msgspec says about a value, in the words of who writes the file."""
    said, _, place = error.partition(" - at ")
    where = place.strip("`").removeprefix("$").removeprefix(".")
    if field := _UNKNOWN.match(said):
        known = ", ".join(_names(where))
        name = f"{where}.{field[1]}" if where else field[1]
        return ConfigError(N_("zegel.toml: {name} is unknown; write one of {known}"), name=name, known=known)
    if where == "outbound.allow":
        return ConfigError(N_("zegel.toml: each outbound.allow stands under its own [[outbound.allow]], with two brackets"))
    if said.startswith("Invalid enum value"):
        return ConfigError(N_("zegel.toml: {name} must be one of {known}"), name=where, known=", ".join(_words(where)))
    if (types := _WRONG_TYPE.match(said)) and types[1] in _TYPES:
        return ConfigError(N_("zegel.toml: {name} must be {wanted}"), name=where, wanted=Sentence(_TYPES[types[1]]))
    return ConfigError(N_("zegel.toml: {error}"), error=f"{where}: {said}" if where else said)


def _words(where: str) -> tuple[str, ...]:
    """The words that one option may be."""
    words: tuple[str, ...] = get_args(_kind(where))
    return words


def _names(where: str) -> tuple[str, ...]:
    """The names that one table may hold."""
    names: tuple[str, ...] = _kind(where).__struct_fields__
    return names


def _kind(where: str) -> Any:
    """The type at a place such as ``inbound.rule[0].kind``; ``[...]`` is any entry of a table."""
    kind: Any = Config
    for part in re.findall(r"\[[^\]]*\]|[^.\[\]]+", where):
        # Of a list the one type of its items; of a table that of its values.
        kind = get_args(kind)[-1 if get_origin(kind) is dict else 0] if part.startswith("[") else get_type_hints(kind)[part]
    return kind


def _check_limits(data: dict[str, Any], limits: Limits) -> None:
    known = [field.name for field in fields(Limits)]
    for name in data.get("limits", {}):
        if name not in known:
            message = N_("zegel.toml: limits.{name} is unknown; write one of {known}")
            raise ConfigError(message, name=name, known=", ".join(known))
    _check_seconds("limits.dns_seconds", limits.dns_seconds)


def _check_milter(milter: Milter) -> None:
    if not milter.listen:
        raise ConfigError(N_('zegel.toml: milter.listen is empty; write listen = ["inet:127.0.0.1:8899"]'))
    for address in milter.listen:
        _check_listen("milter.listen", address, address)
    if not re.fullmatch("0?[0-7]{3}", milter.socket_mode):
        raise ConfigError(N_('zegel.toml: milter.socket_mode is an octal mode such as "0660"'))
    if int(milter.socket_mode, 8) & 0o002:
        # Whoever can write to the socket says who is logged in, and so has mail signed as anybody.
        message = N_(
            'zegel.toml: milter.socket_mode {mode} lets everybody on this machine sign; write "0660", and socket_group = "postfix"'
        )
        raise ConfigError(message, mode=milter.socket_mode)
    if milter.max_connections < 1:
        raise ConfigError(N_("zegel.toml: milter.max_connections must be at least 1"))
    if milter.drain_seconds:
        _check_seconds("milter.drain_seconds", milter.drain_seconds)


def _check_messages(messages: Messages) -> None:
    if not 1 <= messages.keep_days <= _MOST_DAYS:
        raise ConfigError(N_("zegel.toml: messages.keep_days is a number of days, from 1 to 3650; record = false keeps none"))
    if not 0 <= messages.story_days <= messages.keep_days:
        raise ConfigError(N_("zegel.toml: messages.story_days is a number of days, at most messages.keep_days; 0 keeps no story"))


def _check_rest(config: Config) -> None:
    if config.metrics.listen:
        _check_listen("metrics.listen", config.metrics.listen, f"inet:{config.metrics.listen}")
    _check_seconds("dns.timeout", config.dns.timeout)
    if not 1 <= config.dns.tries <= 10:
        raise ConfigError(N_("zegel.toml: dns.tries is a number from 1 to 10"))
    expire = config.signing.expire
    if expire and not _SHORTEST_EXPIRE <= expire < _EPOCH_LIKE:
        # RFC 6376 3.5 sets no least value; a signature that ends while the message waits in a queue only does harm.
        raise ConfigError(N_("zegel.toml: signing.expire is a number of seconds, at least 3600 (1209600 for two weeks), or 0 for no end"))
    if config.inbound.authserv_id:
        try:
            Domain.parse(config.inbound.authserv_id)
        except ValueError:
            message = N_("zegel.toml: inbound.authserv_id {name!r} is no host name; write one such as mail.example.be")
            raise ConfigError(message, name=config.inbound.authserv_id) from None


def _check_seconds(key: str, value: float) -> None:
    if not (math.isfinite(value) and 0 < value <= 3600):
        raise ConfigError(N_("zegel.toml: {key} is a number of seconds, more than 0 and at most 3600"), key=key)


def _check_listen(key: str, shown: str, address: str) -> None:
    try:
        listen_address(address)
    except ConfigError as error:
        if shown != address:
            message = N_("zegel.toml: {key}: {text!r} is no address to listen on; write 127.0.0.1:9199")
            raise ConfigError(message, key=key, text=shown) from None
        raise ConfigError(N_("zegel.toml: {key}: {error}"), key=key, error=error) from None


class Listen(NamedTuple):
    """An address to listen on: the path of a unix socket, or (with an empty path) a host and a port."""

    path: str
    host: str
    port: int


def listen_address(text: str) -> Listen:
    """Read ``unix:/path`` or ``inet:HOST:PORT`` (also ``inet6:[HOST]:PORT``). Raises :class:`ConfigError`."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/") and "\0" not in rest:
        if len(rest.encode()) > _MAX_SOCKET_PATH:
            message = N_("{text!r}: the path of a unix socket has at most {most} octets; choose a shorter one")
            raise ConfigError(message, text=text, most=_MAX_SOCKET_PATH)
        return Listen(rest, "", 0)
    host, _, port = rest.rpartition(":")
    if kind in ("inet", "inet6") and _HOST.fullmatch(host) and re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536:
        return Listen("", host.removeprefix("[").removesuffix("]"), int(port))
    raise ConfigError(N_("{text!r} is not an address to listen on; write unix:/path/to/socket or inet:127.0.0.1:8899"), text=text)


def _check_allow(entry: Allow) -> None:
    if sum((bool(entry.login), bool(entry.network), entry.local)) != 1:
        raise ConfigError(N_("zegel.toml: each [[outbound.allow]] needs exactly one of login, network or local"))
    if not entry.sign:
        raise ConfigError(N_('zegel.toml: an [[outbound.allow]] lists no senders; write sign = ["example.be"], or sign = ["*"] for all'))
    try:
        networks = entry.networks
    except ValueError as error:
        raise ConfigError(N_("zegel.toml: outbound.allow.network: {error}"), error=error) from None
    for network in networks:
        if network.prefixlen < _WIDEST[network.version]:
            message = N_(
                "zegel.toml: outbound.allow.network {network}: so wide a network would make you sign for anyone; list your own networks"
            )
            raise ConfigError(message, network=network)
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
            message = N_("zegel.toml: outbound.allow.network {network}: write the IPv4 network itself")
            raise ConfigError(message, network=network)
    for sender in entry.sign:
        if sender != "*":
            _check_sender(sender)


def _check_sender(sender: str) -> None:
    local, at, host = sender.rpartition("@")
    try:
        if at and (not local or host.startswith(".")):
            raise ValueError("neither an address nor a domain")
        Domain.parse(host.removeprefix("."))
    except ValueError:
        message = N_("zegel.toml: outbound.allow.sign: {sender!r} is no sender; write example.be, .example.be, info@example.be or *")
        raise ConfigError(message, sender=sender) from None
