"""The tables of ``zegel.toml``, each a frozen record with its defaults."""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import Literal

import msgspec

from zegel.config.check import Check
from zegel.config.handover import Handover
from zegel.config.keys import Keys
from zegel.config.outbox import Outbox
from zegel.config.publishing import Zone
from zegel.config.relay import Relay
from zegel.limits import Limits

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_Form = Literal["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]
_Mode = Literal["observe", "quarantine", "reject"]


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
    gateway. ``release_to`` is the mail server that takes what is released from quarantine (empty: the outbox's next hop). ``seal_as`` is a
    domain of ours whose key seals what goes on to others (ARC); empty seals nothing. ``received_spf`` writes Received-SPF as well
    (RFC 7208 9.1).
    """

    authserv_id: str = ""
    mode: _Mode = "observe"
    modes: dict[str, _Mode] = {}
    quarantine: Literal["header", "hold", "keep"] = "header"
    quarantine_header: str = "X-Zegel-Quarantine"
    quarantine_days: int = 30
    quarantine_bytes: int = 1 << 30
    release_to: str = ""
    dns_trouble: Literal["accept", "defer"] = "accept"
    own_domains: tuple[str, ...] = ()
    relays: tuple[str, ...] = ()
    trusted_sealers: tuple[str, ...] = ()
    seal_as: str = ""
    received_spf: bool = False
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
    keys: Keys = Keys()
    check: Check = Check()
    dns: Dns = Dns()
    messages: Messages = Messages()
    metrics: Metrics = Metrics()
    relay: Relay = Relay()
    outbox: Outbox = Outbox()
    handover: Handover = Handover()
    zone: tuple[Zone, ...] = ()
    limits: Limits = Limits()
