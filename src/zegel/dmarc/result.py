"""What became of DMARC for one author domain: a reason, and the status that the reason forces.

The status words are those of RFC 9989 9.2. A reason is a stable id; it names the section that it comes from, and one table below decides
its status, so that the two cannot disagree.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zegel.ask import Question
from zegel.dmarc.discover import Lookup
from zegel.dmarc.record import Policy, PolicyRecord
from zegel.grammar.domain import Domain
from zegel.reason import StatusReason
from zegel.words import N_


class DmarcStatus(StrEnum):
    """The result words of the Authentication-Results field. RFC 9989 9.2."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - the header's own word, not a password
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_NONE, _PASS, _FAIL, _TEMP, _PERM = DmarcStatus


class DmarcReason(StatusReason):
    """Why a message has its status: ``id``, ``status``, ``section`` and a sentence for people."""

    SPF_AND_DKIM_ALIGNED = ("spf_and_dkim_aligned", _PASS, "RFC 9989 5.3.5", N_("both SPF and DKIM pass for an aligned domain"))
    DKIM_ALIGNED = ("dkim_aligned", _PASS, "RFC 9989 5.3.5", N_("a DKIM signature passes for an aligned domain"))
    SPF_ALIGNED = ("spf_aligned", _PASS, "RFC 9989 5.3.5", N_("SPF passes for an aligned domain"))

    NOT_AUTHENTICATED = ("not_authenticated", _FAIL, "RFC 9989 5.3.5", N_("neither SPF nor a DKIM signature passes"))
    NOT_ALIGNED = ("not_aligned", _FAIL, "RFC 9989 5.3.5", N_("what passes is not aligned with the author's domain"))

    NO_RECORD = ("no_record", _NONE, "RFC 9989 4.10.1", N_("the author's domain has no DMARC record"))
    NO_POLICY = (
        "no_policy",
        _NONE,
        "RFC 9989 4.10.1",
        N_("the DMARC record has no valid policy and no address for reports, so that it does not apply"),
    )

    RECORD_UNAVAILABLE = ("record_unavailable", _TEMP, "RFC 9989 5.3.6", N_("DNS did not give the DMARC record now"))
    EXISTENCE_UNKNOWN = (
        "existence_unknown",
        _TEMP,
        "RFC 9989 5.3.6",
        N_("DNS did not say now whether the author's domain exists, and the policy depends on it"),
    )
    ALIGNMENT_UNKNOWN = ("alignment_unknown", _TEMP, "RFC 9989 5.3.6", N_("DNS did not say now whether what passes is aligned"))
    AUTHENTICATION_UNKNOWN = (
        "authentication_unknown",
        _TEMP,
        "RFC 9989 5.3.6",
        N_("a check of SPF or DKIM that could have been aligned had a temporary error"),
    )

    NO_AUTHOR = ("no_author", _PERM, "RFC 9989 5.3.1", N_("From does not name one author, for whom a policy could be found"))
    AUTHOR_DOMAIN_SYNTAX = ("author_domain_syntax", _PERM, "RFC 9989 4.2", N_("the author's domain is no domain name"))

    status: DmarcStatus


class PslResult(NamedTuple):
    """What a reader of RFC 7489, with the public suffix list, makes of the same message.

    ``reason`` is in the words of RFC 9989. ``policy`` is what it finds in p= or sp=; ``applied`` is one level lower at ``pct=0``, otherwise
    the policy, which then holds for ``percentage`` in a hundred of the failing messages: no dice are rolled here (RFC 7489 6.6.4).
    """

    reason: DmarcReason
    organizational_domain: Domain
    policy_domain: Domain | None = None
    policy: Policy | None = None
    applied: Policy | None = None
    percentage: int = 100
    aligned_spf: bool = False
    aligned_dkim: tuple[bool, ...] = ()

    @property
    def status(self) -> DmarcStatus:
        """The header's own word, forced by the reason."""
        return self.reason.status


class DmarcResult(NamedTuple):
    """The result for one author domain (None when it is no domain name).

    ``policy`` is the p=, sp= or np= that applies, ``applied`` the same after ``t=``; both are None when no record applies, or when DNS did
    not say which of them it is. ``policy_domain`` is where ``record`` was found. ``aligned_spf`` and ``aligned_dkim`` (in the order of the
    signatures given) tell what both passes and is aligned. ``lookups`` is the way taken; ``psl`` the answer of RFC 7489, where asked for.
    """

    reason: DmarcReason
    author_domain: Domain | None = None
    detail: str = ""
    policy: Policy | None = None
    applied: Policy | None = None
    policy_domain: Domain | None = None
    organizational_domain: Domain | None = None
    record: PolicyRecord | None = None
    aligned_spf: bool = False
    aligned_dkim: tuple[bool, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    psl: PslResult | None = None

    @property
    def status(self) -> DmarcStatus:
        """The header's own word, forced by the reason."""
        return self.reason.status

    @property
    def explanation(self) -> str:
        """The reason as one line: a sentence, and what it is about."""
        return f"{self.reason.sentence} ({self.detail})" if self.detail else self.reason.sentence

    @property
    def questions(self) -> tuple[Question, ...]:
        """What was asked of DNS, in the order asked, each once."""
        return tuple(lookup.question for lookup in self.lookups)

    @property
    def differences(self) -> tuple[str, ...]:
        """The fields in which the answer of RFC 7489 is another one; () when it is the same, or was not asked for."""
        if self.psl is None:
            return ()
        names = ("status", "organizational_domain", "policy_domain", "policy", "applied", "aligned_spf", "aligned_dkim")
        return tuple(name for name in names if getattr(self, name) != getattr(self.psl, name))
