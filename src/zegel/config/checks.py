"""What a value of the configuration may be, beyond its type: each refusal names the key and says what to write instead."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import fields
from typing import Any

from zegel.config import check as test_mail
from zegel.config import keys, publishing
from zegel.config.address import listen_address
from zegel.config.error import ConfigError
from zegel.config.handover import check_handover
from zegel.config.outbox import check_outbox, goes_round, host_and_port
from zegel.config.relay import check_relay
from zegel.config.sections import Allow, Config, Messages, Milter
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.words import N_

# Wider than a /8 (or the /7 of RFC 4193, private IPv6) is nobody's own network.
_WIDEST = {4: 8, 6: 7}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_SHORTEST_EXPIRE, _EPOCH_LIKE = 3600, 1_000_000_000
_MOST_DAYS = 3650
_LEAST_QUARANTINE = 1 << 20


def check(config: Config, data: dict[str, Any]) -> None:
    """Check all of it; ``data`` is what stood in the file. Raises :class:`ConfigError`."""
    _check_limits(data, config.limits)
    _check_milter(config.milter)
    for entry in config.outbound.allow:
        _check_allow(entry)
    _check_messages(config.messages)
    check_relay(config.relay)
    check_outbox(config.outbox, (*config.relay.starttls, *config.relay.tls, *config.relay.loopback))
    check_handover(config.handover)
    _check_release(config)
    keys.check(config.keys)
    publishing.check(config.zone)
    _check_rest(config)
    test_mail.check(config.check)


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
    if not 1 <= config.inbound.quarantine_days <= _MOST_DAYS:
        raise ConfigError(N_("zegel.toml: inbound.quarantine_days is a number of days, from 1 to 3650"))
    if config.inbound.quarantine_bytes < _LEAST_QUARANTINE:
        raise ConfigError(N_("zegel.toml: inbound.quarantine_bytes is a number of octets, at least 1048576 (1 MiB)"))
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


def _check_release(config: Config) -> None:
    """What is released from our own quarantine must reach the mail server that asked us, by whose milter it passes."""
    inbound, relay = config.inbound, config.relay
    if not inbound.release_to:
        if inbound.quarantine == "keep" and config.outbox.direct:
            # The servers of our own domains are, by their MX, this machine: that way mail would come back to us (RFC 5321 5.1).
            message = N_(
                'zegel.toml: inbound.quarantine "keep" with outbox.next_hop "mx": what is released would go to the servers of your own '
                'domains, and so come back here; name the mail server that takes it: release_to = "127.0.0.1:25" under [inbound]'
            )
            raise ConfigError(message)
        return
    try:
        server = host_and_port(inbound.release_to)
    except ValueError:
        message = N_('zegel.toml: inbound.release_to {text!r} is no server; write one such as "127.0.0.1:25"')
        raise ConfigError(message, text=inbound.release_to) from None
    if goes_round(server, (*relay.starttls, *relay.tls, *relay.loopback)):
        message = N_("zegel.toml: inbound.release_to {text} is Zegel's own relay; name the mail server that takes mail for your domains")
        raise ConfigError(message, text=inbound.release_to)


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
