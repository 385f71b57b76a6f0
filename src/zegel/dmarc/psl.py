"""The answer of RFC 7489 with the public suffix list, beside that of RFC 9989: for those who are told where the two differ.

RFC 7489 3.2 and 6.6.3. It never decides about a message. The list is the one that the library ``publicsuffixlist`` carries, private section
included; it is loaded when first asked for, which takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from zegel.ask import Dialogue
from zegel.dmarc.discover import Lookups, Outcome
from zegel.dmarc.record import Alignment, Policy, PolicyRecord
from zegel.dmarc.result import DmarcReason, PslResult
from zegel.grammar.domain import Domain

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def organizational_domain(domain: Domain) -> Domain:
    """The public suffix and one label more; of a public suffix, itself. RFC 7489 3.2."""
    found = _list().privatesuffix(domain)
    return domain if found is None else Domain(found)


def evaluate(lookups: Lookups, author: Domain, spf: Domain | None, dkim: Sequence[Domain | None]) -> Dialogue[PslResult]:
    """Judge as a reader of RFC 7489 would. ``spf`` and ``dkim`` are the domains that pass, None for what does not."""
    organization = organizational_domain(author)
    nothing = PslResult(DmarcReason.NO_RECORD, organization, aligned_dkim=(False,) * len(dkim))
    domain, lookup = author, (yield from lookups.record_at(author))
    # 6.6.3, step 3: only an empty set sends it on; several records end it (step 5).
    if lookup.outcome is Outcome.NO_RECORD and organization != author:
        domain, lookup = organization, (yield from lookups.record_at(organization))
    if lookup.outcome is Outcome.TROUBLE:
        return nothing._replace(reason=DmarcReason.RECORD_UNAVAILABLE)
    if lookup.record is None:
        return nothing
    record = lookup.record
    nothing = nothing._replace(policy_domain=domain)
    policy = _policy(record, subdomain=domain != author)
    if policy is None:
        return nothing._replace(reason=DmarcReason.NO_POLICY)
    by_spf = _aligned(spf, author, organization, record.aspf)
    by_dkim = tuple(_aligned(signer, author, organization, record.adkim) for signer in dkim)
    return nothing._replace(
        reason=_reason(spf, dkim, by_spf=by_spf, by_dkim=any(by_dkim)),
        policy=policy,
        applied=policy.lowered if record.percentage == 0 else policy,
        percentage=record.percentage,
        aligned_spf=by_spf,
        aligned_dkim=by_dkim,
    )


def _policy(record: PolicyRecord, *, subdomain: bool) -> Policy | None:
    """p=, or sp= below; np=, psd= and t= are tags that RFC 7489 does not know. 6.6.3, step 6."""
    if record.invalid & {"p", "sp"}:
        return Policy.NONE if record.rua else None
    return record.sp if subdomain and record.sp is not None else record.p


def _aligned(domain: Domain | None, author: Domain, organization: Domain, mode: Alignment) -> bool:
    if domain is None or mode is Alignment.STRICT:
        return domain == author
    return domain.within(organization) and organizational_domain(domain) == organization


def _reason(spf: Domain | None, dkim: Sequence[Domain | None], *, by_spf: bool, by_dkim: bool) -> DmarcReason:
    if by_spf:
        return DmarcReason.SPF_AND_DKIM_ALIGNED if by_dkim else DmarcReason.SPF_ALIGNED
    if by_dkim:
        return DmarcReason.DKIM_ALIGNED
    return DmarcReason.NOT_AUTHENTICATED if spf is None and not any(dkim) else DmarcReason.NOT_ALIGNED


@cache
def _list() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
