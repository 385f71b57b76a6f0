"""Local rules: what a person of this site knows about a sender, and no protocol can tell. RFC 9989 5.4 and 7.4, RFC 7208 D.3.

A rule says who made it, why, since when and until when. None goes by what anybody can write: an author's address counts only together with
the network or the authenticated domain that the message comes from, else an exemption would be one for forgers too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from zegel.grammar.address import Mailbox
from zegel.grammar.domain import Domain
from zegel.spf.client import Client, Network
from zegel.verdict.evidence import Findings


class RuleKind(StrEnum):
    """What the rule is about: a network or sender of ours to trust, a host that forwards, or a mailing list."""

    NETWORK = "network"
    SENDER = "sender"
    FORWARDER = "forwarder"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. It holds for a message that comes from one of ``networks`` or is proven to come from one of ``domains``.

    A rule of the kind ``sender`` also needs its author: an address or a domain of ``senders``. ``who`` made it, and ``why``; it holds from
    ``since`` until ``until``, seconds since the epoch. Raises ValueError for a rule that would let everybody through, or nobody.
    """

    kind: RuleKind
    who: str
    why: str
    networks: tuple[Network, ...] = ()
    domains: tuple[Domain, ...] = ()
    senders: tuple[str, ...] = ()
    since: float = 0
    until: float = math.inf

    def __post_init__(self) -> None:
        if not self.who.strip() or not self.why.strip():
            raise ValueError("a rule says who made it, and why")
        if not self.networks and not self.domains:
            raise ValueError("a rule names a network or an authenticated domain: the rest of a message anybody can write")
        if self.kind is RuleKind.NETWORK and self.domains:
            raise ValueError("a rule for a network names networks only")
        if bool(self.senders) != (self.kind is RuleKind.SENDER):
            raise ValueError("a rule for senders names them, and no other does")
        if not all(map(could_be_one_site, self.networks)):
            raise ValueError("a network of less than /8 (IPv6: /7) lets everybody through")
        if not self.since < self.until:
            raise ValueError("a rule ends after it begins")

    @classmethod
    def read(
        cls,
        kind: str,
        *,
        who: str,
        why: str,
        networks: Iterable[str] = (),
        domains: Iterable[str] = (),
        senders: Iterable[str] = (),
        since: float = 0,
        until: float | None = None,
    ) -> Rule:
        """Make a rule from texts: ``192.0.2.0/24``, ``example.org``, ``jan@example.org``. Raises ValueError for what is none."""
        return cls(
            RuleKind(kind),
            who,
            why,
            tuple(map(Network.parse, networks)),
            tuple(map(Domain.parse, domains)),
            tuple(map(_sender, senders)),
            since,
            math.inf if until is None else until,
        )

    def holds(self, findings: Findings, client: Client | None, proven: Collection[Domain], now: float) -> bool:
        """Tell if the rule is about this message, now."""
        if not self.since <= now < self.until:
            return False
        if self.kind is RuleKind.SENDER and not self._names(findings.author.mailbox):
            return False
        # A domain stands for itself alone, as a trusted sealer does.
        return (client is not None and client.within(self.networks)) or any(domain in self.domains for domain in proven)

    def _names(self, author: Mailbox | None) -> bool:
        return author is not None and (author.domain in self.senders or f"{author.local_part}@{author.domain}" in self.senders)


def could_be_one_site(network: Network) -> bool:
    """False for a network wider than a /8, or the /7 of RFC 4193 (private IPv6): it is nobody's own."""
    return network.length >= (8 if network.bits == 32 else 7)


def first(rules: Iterable[Rule], findings: Findings, now: float) -> Rule | None:
    """The first rule that is about this message; None without one."""
    rules = tuple(rules)
    if not rules:
        return None
    try:
        client: Client | None = Client.parse(findings.client.ip)
    except ValueError:
        client = None
    proven = frozenset(findings.authenticated)
    return next((rule for rule in rules if rule.holds(findings, client, proven, now)), None)


def _sender(text: str) -> str:
    """An address or a domain in the form to compare by; the local part stands as written (RFC 5321 2.4)."""
    local_part, at, host = text.rpartition("@")
    return f"{local_part}{at}{Domain.parse(host)}"
