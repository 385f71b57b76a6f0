"""The inbound part of the configuration, made ready once: what this site has decided, as the verdict's rooms take it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from zegel.config import ConfigError, Exemption, Inbound
from zegel.dmarc.psl import organizational_domain
from zegel.gateway.settings import Quarantine
from zegel.grammar.domain import Domain
from zegel.spf.client import Network
from zegel.store.quarantine import Depot
from zegel.verdict.lookalike import LookAlikes
from zegel.verdict.own import Names
from zegel.verdict.policy import Mode, Site
from zegel.verdict.rules import Rule, could_be_one_site
from zegel.words import N_

_FIELD = re.compile(r"X-[A-Za-z0-9-]{1,60}", re.ASCII)


def check(inbound: Inbound) -> None:
    """Raise :class:`ConfigError` unless what it names is what it says."""
    make_quarantine(inbound)
    make_site(inbound)
    sealer(inbound)


def make_site(inbound: Inbound, store: Iterable[Domain] = ()) -> Site:
    """What the site has decided; ``store`` are the domains that we sign for, which are ours. Raises :class:`ConfigError`."""
    own = {*store, *_domains("own_domains", inbound.own_domains)}
    partners = _domains("partners", inbound.partners)
    looks = LookAlikes(own, partners, organizational=organizational_domain) if inbound.look_alikes != "off" and (own or partners) else None
    return Site(
        mode=Mode(inbound.mode),
        modes={domain: Mode(inbound.modes[text]) for text, domain in zip(inbound.modes, _domains("modes", inbound.modes), strict=True)},
        own_domains=Names(own),
        trusted_sealers=frozenset(_domains("trusted_sealers", inbound.trusted_sealers)),
        relays=_networks("relays", inbound.relays),
        rules=tuple(_rule(number, entry) for number, entry in enumerate(inbound.rule, 1)),
        defer_on_trouble=inbound.dns_trouble == "defer",
        look_alikes=looks,
        quarantine_look_alikes=inbound.look_alikes == "quarantine",
    )


def make_quarantine(inbound: Inbound, depot: Depot | None = None) -> Quarantine:
    """How a message for quarantine is told apart, or kept in ``depot`` where the configuration says so.

    Raises :class:`ConfigError` for a header that means something else already.
    """
    if not _FIELD.fullmatch(inbound.quarantine_header):
        message = N_(
            "zegel.toml: inbound.quarantine_header {name!r} is no name for it; write one that begins with X-, such as X-Zegel-Quarantine"
        )
        raise ConfigError(message, name=inbound.quarantine_header)
    return Quarantine(
        inbound.quarantine_header.encode(), hold=inbound.quarantine == "hold", depot=depot if inbound.quarantine == "keep" else None
    )


def sealer(inbound: Inbound) -> Domain | None:
    """The domain whose key seals, or None. Raises :class:`ConfigError`."""
    return next(iter(_domains("seal_as", [inbound.seal_as] if inbound.seal_as else [])), None)


def _domains(option: str, texts: Iterable[str]) -> list[Domain]:
    found = []
    for text in texts:
        try:
            found.append(Domain.parse(text))
        except ValueError:
            message = N_("zegel.toml: inbound.{option}: {text!r} is no domain; write one such as example.be")
            raise ConfigError(message, option=option, text=text) from None
    return found


def _networks(option: str, texts: Iterable[str]) -> tuple[Network, ...]:
    found = []
    for text in texts:
        try:
            found.append(Network.parse(text))
        except ValueError:
            message = N_("zegel.toml: inbound.{option}: {text!r} is no network; write one such as 192.0.2.0/24")
            raise ConfigError(message, option=option, text=text) from None
        if not could_be_one_site(found[-1]):
            message = N_("zegel.toml: inbound.{option}: so wide a network as {text} is nobody's own; list your own networks")
            raise ConfigError(message, option=option, text=text)
    return tuple(found)


def _rule(number: int, entry: Exemption) -> Rule:
    try:
        return Rule.read(
            entry.kind,
            who=entry.who,
            why=entry.why,
            networks=entry.networks,
            domains=entry.domains,
            senders=entry.senders,
            since=_epoch(entry.since, 0.0),
            until=_epoch(entry.until, math.inf),
        )
    except ValueError as error:
        raise ConfigError(N_("zegel.toml: inbound.rule number {number}: {error}"), number=number, error=error) from None


def _epoch(day: date | None, otherwise: float) -> float:
    """The beginning of a day, UTC."""
    return otherwise if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
