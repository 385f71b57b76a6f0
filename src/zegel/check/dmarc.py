"""What is right and wrong with a domain's DMARC record, as a receiver finds and reads it. RFC 9989 4.7, 4.8, 4.10.

The record is found by the Tree Walk; beside it stands what a reader of RFC 7489 finds with the public suffix list. Where reports go is
another room's (:mod:`zegel.check.reports`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from zegel.ask import Answer, Dialogue, RRType, ask
from zegel.check.dmarcmend import STRENGTH, absent, higher, repaired
from zegel.check.dmarcpoints import DmarcPoint
from zegel.check.item import Item, Level, Point
from zegel.dmarc import psl
from zegel.dmarc.discover import Discovery, Lookup, Lookups, Outcome, discover, walk
from zegel.dmarc.faults import Fault
from zegel.dmarc.record import Policy, PolicyRecord, Psd, is_record
from zegel.dmarc.result import PslResult
from zegel.grammar.domain import Domain
from zegel.words import N_, Sentence

_NEARLY = re.compile(rb"\W{0,8}v\W{0,3}=\W{0,3}dmarc", re.IGNORECASE)
_MAX_LABELS = 8  # RFC 9989 5.1.8


class DmarcFacts(NamedTuple):
    """What DNS has: all TXT at the domain's own place, the record that applies and where it is, and what RFC 7489 makes of it.

    ``own`` is the look-up of the domain's own record; ``organization`` its Organizational Domain, None after trouble.
    """

    answer: Answer
    own: Lookup
    discovery: Discovery
    organization: Domain | None
    older: PslResult

    @property
    def record(self) -> PolicyRecord | None:
        """The record that applies."""
        return self.discovery.record

    @property
    def applied(self) -> Policy | None:
        """The policy that receivers apply, after ``t=``; None without one. RFC 9989 4.7."""
        policy = self.discovery.policy
        return policy.lowered if policy is not None and self.record is not None and self.record.testing else policy

    @property
    def enforced(self) -> bool:
        """True when mail that fails is not delivered as if nothing were wrong."""
        return self.applied in (Policy.QUARANTINE, Policy.REJECT)


def look(domain: Domain) -> Dialogue[DmarcFacts]:
    """Find the record of a domain, both ways."""
    lookups = Lookups()
    found = yield from discover(lookups, domain)
    walked = yield from walk(lookups, domain)
    older = yield from psl.evaluate(lookups, domain, None, ())
    own = lookups.known[domain]
    answer = yield from ask(own.question.name, RRType.TXT)  # once more: the whole of it, for what only resembles a record
    return DmarcFacts(answer, own, found, walked.organizational_domain, older)


def judge(domain: Domain, facts: DmarcFacts, *, sends: bool) -> Iterator[Item]:
    """Judge what was seen. ``sends``: the domain sends mail, or may."""
    yield from _found(domain, facts, sends=sends)
    record, place = facts.discovery.record, facts.discovery.domain
    if record is not None and place is not None:
        yield from _notes(place, record)
        yield from _rest(place, record)
        yield from _policies(domain, place, facts, record)
    yield from _older(facts)


def _found(domain: Domain, facts: DmarcFacts, *, sends: bool) -> Iterator[Item]:
    """Whether there is one record, and whose."""
    point, texts = DmarcPoint.RECORD, [text for text in facts.answer.records if isinstance(text, bytes)]
    record, place, trouble = facts.record, facts.discovery.domain, facts.discovery.trouble
    mend = (absent(domain, sends=sends),)
    if facts.own.outcome is Outcome.SEVERAL:
        several = list(filter(is_record, texts))
        finding = N_("{domain} has {count} DMARC records: receivers use none of them")
        step = Sentence(N_("Keep one of them."))
        yield point.item(Level.FAIL, finding, seen=several, step=step, domain=domain, count=len(several))
    if trouble is not None:
        yield point.untested(trouble.question.name, Answer(trouble.rcode))
    elif record is not None and place == domain:
        yield point.item(Level.PASS, N_("{domain} has one DMARC record"), seen=[record.text], domain=domain, policy_domain=domain)
    elif record is not None and place is not None:
        finding = N_("{domain} has no DMARC record of its own; that of {policy_domain} holds for it")
        yield point.item(Level.PASS, finding, seen=[record.text], domain=domain, policy_domain=place)
    elif facts.own.outcome is not Outcome.SEVERAL:
        yield point.item(Level.FAIL, N_("{domain} has no DMARC record, and none above it holds for it"), mend=mend, domain=domain)
    near = [text for text in texts if not is_record(text) and _NEARLY.match(text)]
    if near:
        finding = N_("a TXT record looks like DMARC, but does not begin with v=DMARC1")
        yield DmarcPoint.VERSION.item(Level.FAIL, finding, seen=near, mend=mend if record is None else ())
    if len(domain.labels) > _MAX_LABELS and place != domain:
        finding = N_("{domain} has {count} labels and no record of its own; receivers skip names between")
        yield DmarcPoint.LABELS.item(Level.WARN, finding, mend=mend, domain=domain, count=len(domain.labels))


_NOTED: dict[Fault, tuple[Point, Level]] = {
    Fault.NO_TAG: (DmarcPoint.SYNTAX, Level.WARN),
    Fault.TAG_UNKNOWN: (DmarcPoint.SYNTAX, Level.WARN),
    Fault.TAG_TWICE: (DmarcPoint.SYNTAX, Level.FAIL),
    Fault.VALUE: (DmarcPoint.SYNTAX, Level.FAIL),
    Fault.POLICY_MISSING: (DmarcPoint.SYNTAX, Level.FAIL),
    Fault.URI: (DmarcPoint.SYNTAX, Level.FAIL),
    Fault.URI_SCHEME: (DmarcPoint.SYNTAX, Level.WARN),
    Fault.POLICY_NOT_SECOND: (DmarcPoint.ORDER, Level.WARN),
    Fault.URI_SIZE: (DmarcPoint.SIZE_LIMIT, Level.WARN),
    Fault.OPTIONS_UNUSED: (DmarcPoint.OPTIONS, Level.WARN),
    Fault.HISTORIC: (DmarcPoint.HISTORIC, Level.WARN),
}


def _notes(place: Domain, record: PolicyRecord) -> Iterator[Item]:
    """What the reader of the record noted."""
    mend = repaired(place, record)
    clean = True
    for note in record.notes:
        point, level = _NOTED[note.fault]
        clean = clean and point is not DmarcPoint.SYNTAX
        values: dict[str, Any] = {"fault": note.fault.id, "tag": note.tag, "value": note.value, "told": Sentence(note.fault.sentence)}
        if note.value.strip():
            part = f"{note.tag}={note.value}" if note.tag else note.value.strip()
            yield point.item(level, N_("{part}: {told}"), mend=mend, part=part, **values)
        else:
            yield point.item(level, note.fault.sentence, mend=mend, **values)
    if clean:
        yield DmarcPoint.SYNTAX.item(Level.PASS, N_("the record is written as it must be"))


def _policies(domain: Domain, place: Domain, facts: DmarcFacts, record: PolicyRecord) -> Iterator[Item]:
    """The policies for the domain, for names below it, and for names that do not exist."""
    policy, applied = facts.discovery.policy, facts.applied
    if facts.discovery.existence_unknown:
        finding = N_("DNS does not say now if {domain} exists, and the policy depends on it")
        yield DmarcPoint.POLICY.item(Level.NOT_TESTED, finding, domain=domain)
        return
    if policy is None or applied is None:
        finding = N_("the record has no policy that receivers could apply, and nobody to report that to")
        yield DmarcPoint.POLICY.item(Level.FAIL, finding, mend=repaired(place, record))
        return
    if place == domain:
        yield from _below(place, record)
    values: dict[str, Any] = {"policy": str(policy), "applied": str(applied)}
    if record.testing:
        finding = N_("t=y: receivers apply one level less than the policy says")
        yield DmarcPoint.TESTING.item(Level.WARN, finding, mend=repaired(place, record, testing=False), **values)
    if applied is Policy.NONE:
        step = Sentence(N_("Raise it when the reports have shown for a month that all your own mail passes."))
        finding = N_("policy none: mail that only claims to be from this domain is delivered like any other")
        if policy is not applied:
            finding = N_("policy {policy}, applied as {applied}: mail that only claims to be from this domain is delivered like any other")
        yield DmarcPoint.POLICY.item(Level.WARN, finding, mend=higher(place, record), step=step, **values)
    elif applied is Policy.QUARANTINE:
        yield DmarcPoint.POLICY.item(Level.PASS, N_("policy quarantine: mail that fails is set aside"), **values)
    else:
        yield DmarcPoint.POLICY.item(Level.PASS, N_("policy reject: mail that fails may be refused"), **values)


def _below(place: Domain, record: PolicyRecord) -> Iterator[Item]:
    own = record.policy_for(subdomain=False, exists=True)
    below, absent_ = (record.policy_for(subdomain=True, exists=exists) for exists in (True, False))
    if own is None or below is None or absent_ is None:
        return
    mend = repaired(place, record)
    for point, policy, weak, strong in (
        (
            DmarcPoint.SUBDOMAINS,
            below,
            N_("names below the domain have the policy {policy}, which is weaker than {own}"),
            N_("names below the domain have the policy {policy}"),
        ),
        (
            DmarcPoint.NONEXISTENT,
            absent_,
            N_("names that do not exist have the policy {policy}, which is weaker than {own}"),
            N_("names that do not exist have the policy {policy}"),
        ),
    ):
        if STRENGTH[policy] < STRENGTH[own]:
            yield point.item(Level.WARN, weak, mend=mend, policy=str(policy), own=str(own))
        else:
            yield point.item(Level.PASS, strong, policy=str(policy), own=str(own))


def _rest(place: Domain, record: PolicyRecord) -> Iterator[Item]:
    """psd= and the modes of alignment."""
    if record.psd is Psd.PUBLIC_SUFFIX:
        below = Domain(f"x.{place}")
        if psl.organizational_domain(below) == below:
            yield DmarcPoint.PSD.item(Level.PASS, N_("psd=y: {domain} is a public suffix"), domain=place)
        else:
            finding = N_("psd=y says that {domain} is a public suffix, under which others register: every name below stands alone")
            yield DmarcPoint.PSD.item(Level.FAIL, finding, mend=repaired(place, record), domain=place)
    values: dict[str, Any] = {"dkim": str(record.adkim), "spf": str(record.aspf)}
    strict = [name for name, mode in (("DKIM", record.adkim), ("SPF", record.aspf)) if mode == "s"]
    if strict:
        finding = N_("strict for {which}: there the domain of the From address must match to the letter")
        yield DmarcPoint.ALIGNMENT.item(Level.INFO, finding, which=", ".join(strict), **values)
    else:
        finding = N_("relaxed: any name of the same organisation may sign and send")
        yield DmarcPoint.ALIGNMENT.item(Level.INFO, finding, **values)


def _older(facts: DmarcFacts) -> Iterator[Item]:
    """Where readers of RFC 7489, with the public suffix list, come to something else."""
    found, older, point = facts.discovery, facts.older, DmarcPoint.OLDER
    if found.trouble is not None or found.existence_unknown or facts.organization is None:
        return
    values: dict[str, Any] = {
        "organization": str(facts.organization),
        "older_organization": str(older.organizational_domain),
        "policy_domain": str(found.domain or ""),
        "older_policy_domain": str(older.policy_domain or ""),
        "policy": str(found.policy or ""),
        "older_policy": str(older.policy or ""),
    }
    if found.domain != older.policy_domain:
        finding = N_("the record that holds is that of {policy_domain}; older readers take that of {older_policy_domain}")
        if found.domain is None:
            finding = N_("no record holds; older readers take that of {older_policy_domain}")
        elif older.policy_domain is None:
            finding = N_("the record that holds is that of {policy_domain}; older readers find none")
        yield point.item(Level.WARN, finding, **values)
    elif found.policy != older.policy:
        finding = N_("the policy is {policy}; older readers, who do not know np=, take {older_policy}")
        yield point.item(Level.WARN, finding, **values)
    elif facts.organization != older.organizational_domain and found.record is not None:
        finding = N_("the organisation's domain is {organization}; for older readers it is {older_organization}")
        yield point.item(Level.WARN, finding, **values)
    elif found.record is not None:
        yield point.item(Level.PASS, N_("older readers of RFC 7489 come to the same"), **values)
