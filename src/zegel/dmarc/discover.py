"""Where the policy record is, and which domain is the organisation's: the DNS Tree Walk. RFC 9989 4.10.

A walk asks at most eight names, from the domain itself up to the top level; one evaluation asks no name twice. DNS trouble is never taken
for the absence of a record. It judges no message.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zegel.ask import Answer, Dialogue, Question, Rcode, RRType, ask
from zegel.dmarc import record as policy_record
from zegel.dmarc.record import Policy, PolicyRecord, Psd
from zegel.grammar.domain import Domain

# RFC 9989 4.10, step 4: of a longer name only the rightmost seven labels are asked for, after the name itself.
_MAX_PARENTS = 7
_MAX_NAME = 253


class Outcome(StrEnum):
    """What a look-up gave: one record, none, several (which are all discarded), trouble; or whether a name exists at all."""

    RECORD = "record"
    NO_RECORD = "no_record"
    SEVERAL = "several"
    TROUBLE = "trouble"
    EXISTS = "exists"
    ABSENT = "absent"


class Lookup(NamedTuple):
    """One question and what came of it; ``record`` is there with :attr:`Outcome.RECORD` only."""

    question: Question
    outcome: Outcome
    rcode: Rcode
    record: PolicyRecord | None = None


class Lookups:
    """All that one evaluation has asked, each name once, in the order asked."""

    __slots__ = ("known", "made", "walks")

    def __init__(self) -> None:
        self.known: dict[Domain, Lookup] = {}
        self.made: list[Lookup] = []
        self.walks: dict[Domain, Walk] = {}

    def record_at(self, domain: Domain) -> Dialogue[Lookup]:
        """Look for the DMARC Policy Record of exactly this domain. RFC 9989 4.10, steps 1 and 2."""
        known = self.known.get(domain)
        if known is not None:
            return known
        question = Question(f"_dmarc.{domain}", RRType.TXT)
        if len(question.name) > _MAX_NAME:
            # DNS has no such name, so nobody can have published there.
            found = Lookup(question, Outcome.NO_RECORD, Rcode.NXDOMAIN)
        else:
            found = _read(question, (yield from ask(*question)))
            self.made.append(found)
        self.known[domain] = found
        return found

    def exists(self, domain: Domain) -> Dialogue[bool | None]:
        """Whether the domain exists in DNS, with whatever record; None when DNS does not say now. RFC 9989 3.2.13 and A.4.

        A name exists when a name below it does (RFC 8020 2): when ``_dmarc`` there is known, nothing is asked.
        """
        below = yield from self.record_at(domain)
        if below.rcode is Rcode.NOERROR:
            return True
        # Any type will do. TXT is in the cache when SPF has asked for it.
        question = Question(domain, RRType.TXT)
        answer = yield from ask(*question)
        absent = Outcome.ABSENT if answer.rcode is Rcode.NXDOMAIN else Outcome.EXISTS
        self.made.append(Lookup(question, Outcome.TROUBLE if answer.temporary else absent, answer.rcode))
        return None if answer.temporary else absent is Outcome.EXISTS


def _read(question: Question, answer: Answer) -> Lookup:
    """Keep the DMARC records of an answer: "If multiple DMARC Policy Records are returned for a single target, they are all discarded"."""
    if answer.temporary:
        return Lookup(question, Outcome.TROUBLE, answer.rcode)
    texts = [text for text in answer.records if isinstance(text, bytes) and policy_record.is_record(text)]
    if len(texts) == 1:
        return Lookup(question, Outcome.RECORD, answer.rcode, policy_record.parse(texts[0]))
    return Lookup(question, Outcome.SEVERAL if texts else Outcome.NO_RECORD, answer.rcode)


class Walk(NamedTuple):
    """A Tree Walk: the records found between ``start`` and the top, the longest name first, and the trouble that ended it early."""

    start: Domain
    found: tuple[tuple[Domain, PolicyRecord], ...]
    trouble: Lookup | None = None

    @property
    def organizational_domain(self) -> Domain | None:
        """The Organizational Domain of ``start``, from the longest name to the shortest; None after trouble. RFC 9989 4.10.2."""
        if self.trouble is not None:
            return None
        for domain, record in self.found:
            if record.psd is Psd.ORGANIZATION:
                return domain
            # "other than the one for the domain where the Tree Walk started"
            if record.psd is Psd.PUBLIC_SUFFIX and domain != self.start:
                return next(name for name in (self.start, *self.start.parents) if name.count(".") == domain.count(".") + 1)
        return self.found[-1][0] if self.found else self.start

    @property
    def applicable(self) -> tuple[Domain, PolicyRecord] | None:
        """The record for ``start`` that has none of its own: the Organizational Domain's, else the public suffix's. RFC 9989 4.10.1."""
        for domain, record in self.found:
            if domain == self.organizational_domain:
                return domain, record
        return self.found[-1] if self.found and self.trouble is None else None


def walk(lookups: Lookups, start: Domain) -> Dialogue[Walk]:
    """Walk from a domain to the top level. RFC 9989 4.10, steps 1 to 7; at most eight questions, fewer when some are answered already."""
    if start in lookups.walks:
        return lookups.walks[start]
    found: list[tuple[Domain, PolicyRecord]] = []
    trouble = None
    for target in (start, *start.parents[-_MAX_PARENTS:]):
        lookup = lookups.known.get(target) or (yield from lookups.record_at(target))
        if lookup.outcome is Outcome.TROUBLE:
            # A record here could have ended the walk, or be the topmost one: nothing above says what it would have said.
            trouble = lookup
            break
        if lookup.record is not None:
            found.append((target, lookup.record))
            if lookup.record.psd is not Psd.UNKNOWN:
                break
    lookups.walks[start] = Walk(start, tuple(found), trouble)
    return lookups.walks[start]


class Discovery(NamedTuple):
    """The policy for an author domain. RFC 9989 4.10.1.

    ``record`` is None when there is none, or when ``trouble`` kept it from being found. ``policy`` is None without processing, and when
    ``existence_unknown``: it depends on whether the author domain exists, and DNS did not say.
    """

    author: Domain
    domain: Domain | None = None
    record: PolicyRecord | None = None
    policy: Policy | None = None
    trouble: Lookup | None = None
    existence_unknown: bool = False


def discover(lookups: Lookups, author: Domain) -> Dialogue[Discovery]:
    """Find the record that applies to an author domain, and the policy in it. RFC 9989 4.10.1."""
    own = yield from lookups.record_at(author)
    if own.record is not None:
        return Discovery(author, author, own.record, own.record.policy_for(subdomain=False, exists=True))
    walked = yield from walk(lookups, author)
    if walked.trouble is not None:
        return Discovery(author, trouble=walked.trouble)
    if walked.applicable is None:
        return Discovery(author)
    domain, record = walked.applicable
    exists: bool | None = True
    if record.depends_on_existence:
        exists = yield from lookups.exists(author)
    if exists is None:
        return Discovery(author, domain, record, existence_unknown=True)
    return Discovery(author, domain, record, record.policy_for(subdomain=True, exists=exists))
