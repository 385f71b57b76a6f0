"""The DMARC verdict on one author domain, from what SPF and DKIM said. RFC 9989 5.3.

Two stages: the policy can be looked for as soon as the author is known; the end needs the results of SPF and DKIM. One aligned signature
that passes is enough (RFC 9989 4.4.1). SPF is that of the MAIL FROM identity alone (RFC 9989 4.4.2): who hands in another, hands in a
mistake. What to do with the message is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zegel.ask import Dialogue
from zegel.dmarc.alignment import is_aligned
from zegel.dmarc.discover import Discovery, Lookup, Lookups, Walk, discover, walk
from zegel.dmarc.psl import evaluate as evaluate_with_psl
from zegel.dmarc.record import Alignment, PolicyRecord
from zegel.dmarc.result import DmarcReason, DmarcResult, DmarcStatus, PslResult
from zegel.grammar.domain import Domain

_PASS, _TEMPERROR = "pass", "temperror"


class Identifier(NamedTuple):
    """The domain that one check of SPF or DKIM was about (None when it is no domain name), and the header's word for how it ended."""

    status: str
    domain: Domain | None

    @classmethod
    def read(cls, pair: object) -> Identifier:
        """Take a pair like ("pass", "example.org"). Raises TypeError for anything else."""
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise TypeError('SPF and DKIM results are pairs of texts: ("pass", "example.org")')
        return cls(str(pair[0]), _domain(pair[1]))


def check_author(
    author_domain: str, spf: tuple[str, str] | None, dkim: Sequence[tuple[str, str]], *, psl: bool = False
) -> Dialogue[DmarcResult]:
    """Judge an author domain from beginning to end. Raises TypeError for what is no text and no pair of texts; else it is in the result."""
    if not isinstance(author_domain, str):
        raise TypeError("author_domain must be text")
    signatures = tuple(Identifier.read(pair) for pair in dkim)
    sender = None if spf is None else Identifier.read(spf)
    author = _domain(author_domain)
    if author is None:
        return DmarcResult(DmarcReason.AUTHOR_DOMAIN_SYNTAX, aligned_dkim=(False,) * len(signatures))
    evaluation = Evaluation(author)
    yield from evaluation.discover()
    return (yield from evaluation.finish(sender, signatures, psl=psl))


class Evaluation:
    """The evaluation of one author domain.

    Make it when the author is known; run :meth:`discover` with a driver (it may run while the message arrives), then :meth:`finish`.
    """

    def __init__(self, author: Domain) -> None:
        self.author = author
        self._lookups = Lookups()
        self._found: Discovery | None = None

    def discover(self) -> Dialogue[None]:
        """Find the policy. RFC 9989 5.3.2."""
        self._found = yield from discover(self._lookups, self.author)

    def finish(self, spf: Identifier | None, dkim: Sequence[Identifier], *, psl: bool = False) -> Dialogue[DmarcResult]:
        """The result. Call it once, after :meth:`discover` has ended. ``psl`` asks for the answer of RFC 7489 beside it."""
        if self._found is None:
            raise RuntimeError("finish() before discover() has ended")
        result = yield from self._judge(self._found, spf, dkim)
        if psl:
            result = result._replace(psl=(yield from _older(self._lookups, self.author, spf, dkim)))
        return result._replace(lookups=tuple(self._lookups.made))

    def _judge(self, found: Discovery, spf: Identifier | None, dkim: Sequence[Identifier]) -> Dialogue[DmarcResult]:
        nothing = DmarcResult(DmarcReason.NO_RECORD, self.author, aligned_dkim=(False,) * len(dkim))
        if found.trouble is not None:
            return nothing._replace(reason=DmarcReason.RECORD_UNAVAILABLE, detail=_where(found.trouble))
        own = yield from self._own_walk(found, spf, dkim)
        nothing = nothing._replace(policy_domain=found.domain, record=found.record, organizational_domain=own.organizational_domain)
        if found.record is None:
            return nothing
        if found.policy is None and not found.existence_unknown:
            return nothing._replace(reason=DmarcReason.NO_POLICY, detail=", ".join(f"{tag}=" for tag in sorted(found.record.invalid)))
        verdict = yield from _compare(self._lookups, own, found.record, spf, dkim)
        reason = verdict.reason
        if reason.status is DmarcStatus.FAIL and found.existence_unknown:
            # "the Domain Owner Assessment Policy cannot be applied to the message" (RFC 9989 5.3.6)
            reason = DmarcReason.EXISTENCE_UNKNOWN
        applied = found.policy.lowered if found.policy is not None and found.record.testing else found.policy
        return nothing._replace(
            reason=reason,
            detail=verdict.detail,
            policy=found.policy,
            applied=applied,
            aligned_spf=verdict.spf,
            aligned_dkim=verdict.dkim,
        )

    def _own_walk(self, found: Discovery, spf: Identifier | None, dkim: Sequence[Identifier]) -> Dialogue[Walk]:
        """The walk of the author domain, left out when all that passes is this very domain and it has a record. RFC 9989 4.10.2:

        "this common domain is treated as the Organizational Domain".
        """
        passing = {identifier.domain for identifier in (*dkim, spf) if identifier is not None and identifier.status == _PASS}
        if found.record is not None and found.domain == self.author and passing == {self.author}:
            return Walk(self.author, ())
        return (yield from walk(self._lookups, self.author))


class _Verdict(NamedTuple):
    """The comparison of all identifiers: the reason, what it is about, and which of them pass and are aligned."""

    reason: DmarcReason
    detail: str
    spf: bool
    dkim: tuple[bool, ...]


def _compare(lookups: Lookups, own: Walk, record: PolicyRecord, spf: Identifier | None, dkim: Sequence[Identifier]) -> Dialogue[_Verdict]:
    """Conduct the alignment checks, and determine pass or fail. RFC 9989 5.3.4 and 5.3.5."""
    checks = [(identifier, record.adkim) for identifier in dkim]
    if spf is not None:
        checks.append((spf, record.aspf))
    passing = [check for check in checks if check[0].status == _PASS]
    known = yield from _alignments(lookups, own, passing)
    aligned = [identifier.status == _PASS and known.get((identifier.domain, mode)) is True for identifier, mode in checks]
    by_dkim, by_spf = tuple(aligned[: len(dkim)]), spf is not None and aligned[-1]
    if any(aligned):
        names = [f"DKIM {identifier.domain}" for identifier, yes in zip(dkim, by_dkim, strict=True) if yes]
        names += [f"SPF {spf.domain}"] if spf is not None and by_spf else []
        reason = DmarcReason.DKIM_ALIGNED if not by_spf else DmarcReason.SPF_AND_DKIM_ALIGNED if any(by_dkim) else DmarcReason.SPF_ALIGNED
        return _Verdict(reason, ", ".join(dict.fromkeys(names)), by_spf, by_dkim)
    unknown = [str(domain) for (domain, _), yes in known.items() if yes is None]
    if unknown:
        return _Verdict(DmarcReason.ALIGNMENT_UNKNOWN, ", ".join(dict.fromkeys(unknown)), by_spf, by_dkim)
    # RFC 9989 5.3.6: "If one or more DNS queries required to perform DMARC validation on the message do not complete [...] the message
    # cannot be considered to pass or fail": those of SPF and DKIM too, where their pass would have been aligned.
    waiting = [check for check in checks if check[0].status == _TEMPERROR]
    possible = [str(domain) for (domain, _), yes in (yield from _alignments(lookups, own, waiting)).items() if yes is not False]
    if possible:
        return _Verdict(DmarcReason.AUTHENTICATION_UNKNOWN, ", ".join(dict.fromkeys(possible)), by_spf, by_dkim)
    if not passing:
        return _Verdict(DmarcReason.NOT_AUTHENTICATED, "", by_spf, by_dkim)
    others = dict.fromkeys(str(identifier.domain) for identifier, _ in passing if identifier.domain is not None)
    return _Verdict(DmarcReason.NOT_ALIGNED, ", ".join(others), by_spf, by_dkim)


def _alignments(
    lookups: Lookups, own: Walk, checks: Sequence[tuple[Identifier, Alignment]]
) -> Dialogue[dict[tuple[Domain | None, Alignment], bool | None]]:
    """Whether each domain is aligned in each mode, every pair looked at once."""
    known: dict[tuple[Domain | None, Alignment], bool | None] = {}
    for (_, domain), mode in checks:
        if domain is not None and (domain, mode) not in known:
            known[domain, mode] = yield from is_aligned(lookups, own, domain, mode)
    return known


def _older(lookups: Lookups, author: Domain, spf: Identifier | None, dkim: Sequence[Identifier]) -> Dialogue[PslResult]:
    by_spf = spf.domain if spf is not None and spf.status == _PASS else None
    by_dkim = [identifier.domain if identifier.status == _PASS else None for identifier in dkim]
    return (yield from evaluate_with_psl(lookups, author, by_spf, by_dkim))


def _domain(text: str) -> Domain | None:
    try:
        return Domain.parse(text)
    except ValueError:
        return None


def _where(lookup: Lookup) -> str:
    return f"{lookup.question.name}: {lookup.rcode}"
