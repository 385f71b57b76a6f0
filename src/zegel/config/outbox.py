"""The table ``[outbox]``: where mail of the relay goes next, and how long it is tried."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from zegel.config.address import listen_address
from zegel.config.error import ConfigError
from zegel.grammar.domain import Domain
from zegel.words import N_

MX = "mx"
_MEBI = 1 << 20
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_ALL = ("0.0.0.0", "::")  # noqa: S104 - what is compared, not listened on
_LOOPBACK = re.compile(r"127\.[0-9.]+|::1|localhost")


class Outbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``next_hop`` is ``HOST:PORT``, or ``mx``: straight to the servers of each domain. ``user`` and ``password_file`` are for AUTH there.

    ``hostname`` is our name in EHLO; empty means this machine's own. ``local_servers``: with ``mx``, a domain's servers may have addresses
    of a local network. Sizes in octets.
    ``language`` is that of the notices to a site's contact.
    """

    next_hop: str = "127.0.0.1:25"
    local_servers: bool = False
    tls: Literal["opportunistic", "required", "implicit", "off"] = "opportunistic"
    ca_file: str = ""
    user: str = ""
    password_file: str = ""
    hostname: str = ""
    expiry_days: float = 5.0
    warn_hours: float = 4.0
    keep_days: float = 3.0
    max_bytes: int = 4096 * _MEBI
    max_message_bytes: int = 50 * _MEBI
    concurrency: int = 10
    language: Literal["en", "nl"] = "en"

    @property
    def direct(self) -> bool:
        """Whether each domain's own servers are the next hop."""
        return self.next_hop == MX

    @property
    def smarthost(self) -> tuple[str, int]:
        """Host and port of the one next hop. Raises ValueError for what is none."""
        return host_and_port(self.next_hop)

    @property
    def local(self) -> bool:
        """Whether the next hop is this machine itself."""
        return not self.direct and is_local(self.smarthost[0])


def host_and_port(text: str) -> tuple[str, int]:
    """A server as it stands in the configuration: ``HOST:PORT``, or ``HOST`` for port 25. Raises ValueError for what is none."""
    found = _HOST.fullmatch(text)
    port = int(found[2] or 25) if found else 0
    if not found or not 0 < port < 65536:
        raise ValueError(text)
    return found[1].strip("[]"), port


def is_local(host: str) -> bool:
    """Whether that is this machine itself, by its loopback."""
    return _LOOPBACK.fullmatch(host) is not None


def goes_round(server: tuple[str, int], relay: Iterable[str]) -> bool:
    """Whether a server is one of these addresses, on which our own relay listens."""
    host, port = server
    return any(
        address.port == port and (address.host == host or (is_local(host) and (address.host in _ALL or is_local(address.host))))
        for address in map(listen_address, relay)
    )


def check_outbox(outbox: Outbox, relay: Iterable[str] = ()) -> None:
    """Check the table; ``relay`` are the addresses that our own relay listens on. Raises :class:`ConfigError`."""
    if not outbox.direct:
        _check_next_hop(outbox, relay)
    if bool(outbox.user) != bool(outbox.password_file):
        raise ConfigError(N_("zegel.toml: outbox.user and outbox.password_file go together; write both, or none"))
    if outbox.user and outbox.direct:
        raise ConfigError(N_('zegel.toml: outbox.user is for one next hop; take it out, or write next_hop = "smtp.example.be:587"'))
    if outbox.user and outbox.tls not in ("required", "implicit") and not outbox.local:
        # Whoever is on the way can take STARTTLS out of the offer, and then reads the password.
        message = N_('zegel.toml: outbox.user would be sent without sure encryption; write tls = "required" (or "implicit", for port 465)')
        raise ConfigError(message)
    if outbox.direct and outbox.tls == "implicit":
        raise ConfigError(N_('zegel.toml: outbox.tls "implicit" is for one next hop; with "mx" write "opportunistic" or "required"'))
    _check_numbers(outbox)


def _check_next_hop(outbox: Outbox, relay: Iterable[str]) -> None:
    try:
        server = outbox.smarthost
    except ValueError:
        message = N_('zegel.toml: outbox.next_hop {text!r} is no next hop; write "127.0.0.1:25", "smtp.example.be:587" or "mx"')
        raise ConfigError(message, text=outbox.next_hop) from None
    if goes_round(server, relay):
        message = N_("zegel.toml: outbox.next_hop {text} is Zegel's own relay: mail would go round; name the server that takes it next")
        raise ConfigError(message, text=outbox.next_hop)


def _check_numbers(outbox: Outbox) -> None:
    if outbox.hostname:
        try:
            Domain.parse(outbox.hostname)
        except ValueError:
            message = N_("zegel.toml: outbox.hostname {name!r} is no host name; write one such as mail.example.be")
            raise ConfigError(message, name=outbox.hostname) from None
    if not 0 < outbox.expiry_days <= 30:
        raise ConfigError(N_("zegel.toml: outbox.expiry_days is a number of days, more than 0 and at most 30"))
    if not 0 <= outbox.warn_hours <= 24 * outbox.expiry_days:
        raise ConfigError(N_("zegel.toml: outbox.warn_hours is a number of hours, less than outbox.expiry_days; 0 sends no warning"))
    if not 0 <= outbox.keep_days <= 30:
        raise ConfigError(N_("zegel.toml: outbox.keep_days is a number of days, at most 30"))
    if not 1024 <= outbox.max_message_bytes <= 1024 * _MEBI:
        raise ConfigError(N_("zegel.toml: outbox.max_message_bytes is a number of octets, at most 1073741824 (1 GB)"))
    if outbox.max_bytes < 2 * outbox.max_message_bytes:
        raise ConfigError(N_("zegel.toml: outbox.max_bytes is a number of octets, at least twice outbox.max_message_bytes"))
    if not 1 <= outbox.concurrency <= 100:
        raise ConfigError(N_("zegel.toml: outbox.concurrency is a number from 1 to 100"))
