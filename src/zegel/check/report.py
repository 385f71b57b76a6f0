"""The check of one domain: every area looked at side by side, then judged together.

``check`` is a dialogue; what it asks is bounded by each room, and by the budget of whoever drives it (:data:`LIMITS`). Looking comes
first, as some items need what another area has seen: whether a domain sends mail at all decides what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from zegel.adapters.mailhost import Met
from zegel.ask import Answer, Dialogue, Rcode, side_by_side
from zegel.check import bimi, dkim, dmarc, mx, parked, reports, spf, transport
from zegel.check.dkim import DkimFacts, Selector
from zegel.check.dmarc import DmarcFacts
from zegel.check.item import Area, Item, Level
from zegel.check.mx import MxFacts, Reverse
from zegel.check.proof import Proof, missing, proof
from zegel.check.reports import ReportsFacts
from zegel.check.spf import SpfFacts
from zegel.check.spfreach import helo
from zegel.check.transport import Beyond, Fetched, TransportFacts
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.spf.client import quad
from zegel.spf.record import Mechanism

LIMITS = Limits(dns_seconds=30.0, questions=900)
"""What one domain may cost: seconds from the first question that waits, and questions."""

_MAX_SENDERS = 8


@dataclass(frozen=True, slots=True)
class Options:
    """What is known beforehand.

    ``selectors`` of DKIM; ``trusted`` when the resolver's word about DNSSEC can be believed; ``parked`` True or False when the owner says
    that the domain has no mail, or has (None: as its records say); ``ours`` when it is in our store, so that its name is no mistake;
    ``sts`` what came of fetching the MTA-STS policy, and ``met`` of connecting to the mail servers, None for not done.
    """

    selectors: tuple[Selector, ...] = ()
    trusted: bool = False
    parked: bool | None = None
    ours: bool = False
    sts: Fetched | None = None
    met: tuple[Met, ...] | None = None


class Facts(NamedTuple):
    """All that was seen."""

    mx: MxFacts
    spf: SpfFacts
    dkim: DkimFacts
    dmarc: DmarcFacts
    reports: ReportsFacts
    transport: TransportFacts
    bimi: Answer
    reverse: tuple[Reverse, ...]
    parked: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The check of one domain: its items in the order of their areas, what they were judged from, and the answer in one word."""

    domain: Domain
    items: tuple[Item, ...]
    facts: Facts
    proof: Proof

    def of(self, area: Area) -> tuple[Item, ...]:
        """The items of one area."""
        return tuple(item for item in self.items if item.area is area)

    @property
    def counts(self) -> Counter[Level]:
        """How many items there are of each level."""
        return Counter(item.level for item in self.items)

    def failed(self, *, strict: bool = False) -> bool:
        """True when something is wrong; ``strict`` counts warnings as well."""
        return any(item.level is Level.FAIL or (strict and item.level is Level.WARN) for item in self.items)


def check(domain: Domain, options: Options) -> Dialogue[Report]:
    """Check a domain. Trouble with DNS is an item, never an exception."""
    branches: tuple[Dialogue[Any], ...] = (
        _mail(domain),
        spf.look(domain),
        dkim.look(domain, options.selectors),
        _policy(domain),
        bimi.look(domain),
    )
    (seen_mx, seen_transport), seen_spf, seen_dkim, (seen_dmarc, seen_reports), logo = yield from side_by_side(branches)
    reverse = yield from mx.look_back(_senders(seen_mx, seen_spf))
    is_parked = parked.is_parked(seen_mx, seen_spf) if options.parked is None else options.parked
    facts = Facts(seen_mx, seen_spf, seen_dkim, seen_dmarc, seen_reports, seen_transport, logo, reverse, is_parked)
    return judged(domain, facts, options)


def judged(domain: Domain, facts: Facts, options: Options) -> Report:
    """The report of what was seen; it asks nothing."""
    if _is_missing(facts) and not (options.ours or options.parked):
        # No record would mend a name that was typed wrong, and nobody is to publish one for it.
        return Report(domain, tuple(mx.judge(domain, facts.mx, ())), facts, missing())
    items = tuple(_judge(domain, facts, options))
    return Report(domain, items, facts, proof(facts.dkim, facts.dmarc, items, parked=facts.parked))


def _is_missing(facts: Facts) -> bool:
    """Whether there is no such name. RFC 8020 2: then nothing is below it either; a server that lies about that is known by what is."""
    answers = (facts.mx.answer, facts.spf.txt)
    return all(answer.rcode is Rcode.NXDOMAIN for answer in answers) and not (facts.dmarc.answer.records or facts.dkim.sound)


def _mail(domain: Domain) -> Dialogue[tuple[MxFacts, TransportFacts]]:
    found = yield from mx.look(domain)
    ways = yield from transport.look(domain, found)
    return found, ways


def _policy(domain: Domain) -> Dialogue[tuple[DmarcFacts, ReportsFacts]]:
    found = yield from dmarc.look(domain)
    destinations = yield from reports.look(found)
    return found, destinations


def _senders(found: MxFacts, seen: SpfFacts) -> list[str]:
    """The addresses that mail surely comes from: single ones that the SPF record names itself, and those of the mail servers."""
    named: list[str] = []
    for term in seen.tree.terms:
        if not term.permits or term.directive is None:
            continue
        if term.directive.mechanism is Mechanism.IP4 and term.directive.shift == 0:
            named.append(quad(term.directive.network))
        elif term.directive.mechanism is Mechanism.A and term.directive.prefix4 == 32:
            named += [quad(number) for number in term.found.get(32, ())]
    hosts = [address for host in found.hosts for address in host.addresses]
    return list(dict.fromkeys(named[:_MAX_SENDERS] + hosts[:_MAX_SENDERS]))


def _judge(domain: Domain, facts: Facts, options: Options) -> Iterator[Item]:
    """All items, area by area."""
    sends = not facts.parked
    yield from mx.judge(domain, facts.mx, facts.reverse)
    yield from spf.judge(domain, facts.spf, receives=facts.mx.receives and sends)
    if sends:
        yield from helo(domain, facts.mx.hosts)
    yield from dkim.judge(domain, facts.dkim, sends=sends)
    yield from dmarc.judge(domain, facts.dmarc, sends=sends)
    yield from reports.judge(facts.dmarc, facts.reports, sends=sends)
    yield from transport.judge(domain, facts.transport, facts.mx, Beyond(options.sts, options.met), trusted=options.trusted)
    yield from bimi.judge(domain, facts.bimi, facts.dmarc)
    if facts.parked:
        yield from parked.judge(domain, facts.mx, facts.spf, facts.dkim, facts.dmarc)
