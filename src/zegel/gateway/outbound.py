"""Which mail is ours to sign, and who may sign as whom.

Outbound is mail of a login, of a listed network, or of this machine itself; all else came from outside. Being outbound gives no right to
any name: a login or network signs only for the senders listed for it, and what is not signed says why. RFC 6376 5.1 leaves that to
the site; letting any client sign as anyone is how tenants forge each other (VU#244112). Who signs is the author's own
domain or one above it, so that the signature is aligned (RFC 9989 5.1.2).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from zegel.adapters.keyring import Keyring
from zegel.config import Allow, Outbound
from zegel.dkim.crypto import Key
from zegel.grammar.address import AddressError, Mailbox, mailboxes
from zegel.grammar.domain import Domain
from zegel.verdict.unsigned import Unsigned, UnsignedReason, unsigned
from zegel.words import N_

_SHORT = 256  # octets of a From that is worth remembering


class Route(StrEnum):
    """How a message came to the mail server."""

    LOGIN = "login"
    NETWORK = "network"
    LOCAL = "local"
    REINJECTED = "reinjected"
    INBOUND = "inbound"


@dataclass(frozen=True, slots=True)
class Client:
    """What the mail server says of who hands it a message. ``port`` 0 is a local submission; ``login`` is empty without authentication."""

    address: str
    port: int
    login: str = ""
    daemon_name: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an outbound message: the keys to sign with, or the reason why there are none."""

    keys: tuple[Key, ...] = ()
    unsigned: Unsigned | None = None
    author: Mailbox | None = None


class Policy:
    """The outbound part of the configuration, made ready once: networks parsed, senders in sets."""

    def __init__(self, outbound: Outbound) -> None:
        self._reinjected = frozenset(outbound.reinjected)
        self._grants = [_Grant(entry) for entry in outbound.allow]

    def route(self, client: Client) -> Route:
        """How this client's mail is treated."""
        if client.daemon_name and client.daemon_name in self._reinjected:
            return Route.REINJECTED
        if client.login:
            return Route.LOGIN
        address = _address(client.address)
        if _is_local(client, address):
            return Route.LOCAL
        if address is not None and any(address in network for grant in self._grants for network in grant.networks):
            return Route.NETWORK
        return Route.INBOUND

    def may_sign(self, client: Client, author: Mailbox) -> bool:
        """Tell if that client may have mail of that author signed."""
        return any(grant.covers(author) and grant.holds_for(client) for grant in self._grants)


def decide(policy: Policy, keyring: Keyring, client: Client, route: Route, authors: Sequence[bytes], *, ours: bool) -> Decision:
    """Decide what to sign an outbound message with.

    ``authors`` are the values of its From fields, as they are; ``ours`` tells that one of its fields carries our own authserv-id.
    """
    if route is Route.REINJECTED:
        return _no(UnsignedReason.REINJECTED, daemon=client.daemon_name)
    # A field of ours on mail from a network or from here was put there when the mail came in, or is forged: no signature either way.
    # A login's client wrote its whole message; its forgery is removed, and the rest is its own.
    if route is not Route.LOGIN and ours:
        return _no(UnsignedReason.CHECKED_BEFORE)
    if len(authors) != 1:
        return _no(UnsignedReason.FROM_COUNT, count=len(authors))
    try:
        found = _mailboxes(authors[0]) if len(authors[0]) <= _SHORT else mailboxes(authors[0])
    except AddressError as error:
        return _no(UnsignedReason.FROM_SYNTAX, error=error.fault.id)
    if len({mailbox.domain for mailbox in found}) != 1:
        return _no(UnsignedReason.FROM_SEVERAL)
    for author in found:
        if not policy.may_sign(client, author):
            who = {Route.LOGIN: f"login {client.login}", Route.NETWORK: f"network client {client.address}"}.get(route, N_("this machine"))
            return Decision(unsigned=unsigned(UnsignedReason.NOT_ALLOWED, author=author.address, who=who), author=author)
    keys = keyring.find(found[0].domain)
    if not keys:
        return Decision(unsigned=unsigned(UnsignedReason.NO_KEY, domain=found[0].domain), author=found[0])
    return Decision(keys, author=found[0])


@lru_cache(maxsize=1024)  # the same people send again and again
def _mailboxes(value: bytes) -> Sequence[Mailbox]:
    return mailboxes(value)


def _no(reason: UnsignedReason, **values: str | int) -> Decision:
    return Decision(unsigned=unsigned(reason, **values))


class _Grant:
    """One [[outbound.allow]] entry."""

    def __init__(self, entry: Allow) -> None:
        self.login = entry.login
        self.local = entry.local
        self.networks = entry.networks
        self._all = "*" in entry.sign
        self._senders = frozenset(map(_sender, entry.sign))

    def holds_for(self, client: Client) -> bool:
        """A login from a listed network has the rights of both; this machine's own mail those of ``local`` only."""
        if client.login and self.login in (client.login, "*"):
            return True
        address = _address(client.address)
        if _is_local(client, address):
            return self.local
        return address is not None and any(address in network for network in self.networks)

    def covers(self, author: Mailbox) -> bool:
        if self._all or author.domain in self._senders or _folded(author.address) in self._senders:
            return True
        return any(f".{parent}" in self._senders for parent in author.domain.parents)


def _sender(text: str) -> str:
    """A sender of the configuration as it is compared: lower case, its domain in A-labels."""
    if text == "*":
        return text
    local, at, host = text.rpartition("@")
    dot = "." if host.startswith(".") else ""
    return f"{_folded(local)}{at}{dot}{Domain.parse(host.removeprefix('.'))}"


def _folded(text: str) -> str:
    """Lower case of ASCII alone: ``str.lower`` makes the Kelvin sign a plain k, and so one mailbox another."""
    return text.encode().lower().decode()


def _is_local(client: Client, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    """Mail of this machine has port 0 and a loopback address. Port 0 alone is also what Postfix says of an unknown client."""
    return client.port == 0 and address is not None and address.is_loopback


@lru_cache(maxsize=4096)  # clients come back, and reading an address takes longer than all the rest of the choice
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The client's address; one of IPv4 in IPv6 clothes as plain IPv4, so that it meets the network it belongs to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
