"""The table ``[relay]``: where programs hand in mail, and what one message may be. What would be an open relay is refused here."""

from __future__ import annotations

import ipaddress
from typing import Literal

import msgspec

from zegel.config.address import listen_address
from zegel.config.error import ConfigError
from zegel.grammar.domain import Domain
from zegel.words import N_

_MOST_RECIPIENTS = 1000  # what is recorded of one message; Postfix takes as many (smtpd_recipient_limit)
_LEAST_SIZE, _MOST_SIZE = 65_536, 1 << 30
_MOST_ADDRESSES = 8
_LOOPBACK_NAMES = ("localhost",)


class Relay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Listeners: ``starttls`` (port 587), ``tls`` (465) and ``loopback`` (no TLS, no login: sites by network), each ``inet:HOST:PORT``.

    ``egress`` are the addresses that mail leaves from, as receivers see them; ``hostname`` empty means this machine's own.
    """

    starttls: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    loopback: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    hostname: str = ""
    egress: tuple[str, ...] = ()
    max_size: int = 26_214_400
    max_recipients: int = 100
    max_connections: int = 200
    max_per_address: int = 20
    loopback_line_ends: Literal["refuse", "mend"] = "refuse"

    @property
    def listens(self) -> bool:
        """Whether there is a listener at all."""
        return bool(self.starttls or self.tls or self.loopback)


def check_relay(relay: Relay) -> None:
    """Check the table. Raises :class:`ConfigError`."""
    _check_listeners(relay)
    if relay.hostname:
        try:
            named = Domain.parse(relay.hostname)
        except ValueError:
            named = None
        if named is None or len(named.labels) < 2:
            raise ConfigError(
                N_("zegel.toml: relay.hostname {name!r} is no host name; write one such as mail.example.be"), name=relay.hostname
            )
    if len(relay.egress) > _MOST_ADDRESSES:
        raise ConfigError(N_("zegel.toml: relay.egress lists at most {most} addresses"), most=_MOST_ADDRESSES)
    for address in relay.egress:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ConfigError(
                N_("zegel.toml: relay.egress: {address!r} is no address; write one such as 192.0.2.25"), address=address
            ) from None
    for key, value, least, most in (
        ("max_size", relay.max_size, _LEAST_SIZE, _MOST_SIZE),
        ("max_recipients", relay.max_recipients, 1, _MOST_RECIPIENTS),
        ("max_connections", relay.max_connections, 1, 10_000),
        ("max_per_address", relay.max_per_address, 1, 10_000),
    ):
        if not least <= value <= most:
            raise ConfigError(N_("zegel.toml: {key} is a number from {least} to {most}"), key=f"relay.{key}", least=least, most=most)


def _check_listeners(relay: Relay) -> None:
    for name, addresses in (("starttls", relay.starttls), ("tls", relay.tls), ("loopback", relay.loopback)):
        for address in addresses:
            _check_listener(name, address)
    if (relay.starttls or relay.tls) and not relay.certificate:
        # Without TLS there is no login, and without a login nobody far away may send.
        raise ConfigError(N_("zegel.toml: relay.certificate is missing: relay.starttls and relay.tls let sites log in, which needs TLS"))
    if relay.key and not relay.certificate:
        raise ConfigError(N_("zegel.toml: relay.key stands there without relay.certificate"))


def _check_listener(name: str, text: str) -> None:
    key = f"relay.{name}"
    try:
        found = listen_address(text)
    except ConfigError as error:
        raise ConfigError(N_("zegel.toml: {key}: {error}"), key=key, error=error) from None
    if found.path:
        raise ConfigError(N_("zegel.toml: {key}: {text} is a unix socket; write inet:HOST:PORT"), key=key, text=text)
    if name == "loopback" and not _is_loopback(found.host):
        # Whoever reaches it may send by its address alone: on any other network that is an open relay.
        message = N_(
            "zegel.toml: relay.loopback {text} can be reached from other machines, and takes mail without a login; write "
            "inet:127.0.0.1:PORT, or use relay.starttls"
        )
        raise ConfigError(message, text=text)


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
