"""From findings to what happens to the message. RFC 9989 5.3.6, 5.4, 7.2 and 7.4.

A domain owner's policy is a request; what is done is the site's. A new site observes: nothing is held or refused until a person says so.
No result of SPF decides anything alone (RFC 7208 8.1 to 8.7, RFC 9989 7.1), nor one of DKIM (RFC 6376 6.3): each counts by way of DMARC.
Local knowledge comes before the policy: a rule, or a sealer on the list. What differs from the policy says why, in the words of RFC 9990,
so that a report can tell it. This room writes no header and sends no reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from zegel.arc import trust
from zegel.dmarc.record import Policy
from zegel.dmarc.result import DmarcStatus
from zegel.grammar.domain import Domain
from zegel.reason import Reason
from zegel.spf.client import Network
from zegel.verdict import rules
from zegel.verdict.evidence import Evidence, Findings
from zegel.verdict.lookalike import LookAlikes
from zegel.verdict.own import Names, imitates_us
from zegel.verdict.rules import Rule, RuleKind
from zegel.words import N_, Sentence


class Mode(StrEnum):
    """How far the site goes: only record, quarantine at most, or refuse."""

    OBSERVE = "observe"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class Action(StrEnum):
    """What happens to a message."""

    ACCEPT = "accept"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"


OWN = "imitates_us"
_HARSHNESS = tuple(Action)
_MILDEST = (Mode.OBSERVE, Mode.QUARANTINE, Mode.REJECT)


class ActionReason(Reason):
    """Why it happens: ``id``, ``section`` and a sentence for people."""

    NOTHING_AGAINST = ("nothing_against", "RFC 9989 5.4", N_("nothing speaks against the message"))
    POLICY_NONE = ("policy_none", "RFC 9989 5.4", N_("the message fails DMARC, and the domain asks for nothing (none)"))
    POLICY_QUARANTINE = ("policy_quarantine", "RFC 9989 5.3.6", N_("the message fails DMARC, and the domain asks for quarantine"))
    POLICY_REJECT = ("policy_reject", "RFC 9989 7.4", N_("the message fails DMARC, and the domain asks to reject"))
    DNS_TROUBLE = ("dns_trouble", "RFC 9989 5.3.6", N_("DNS did not say enough now for DMARC to pass or fail"))
    AUTHOR_UNTRUSTED = ("author_untrusted", "RFC 9989 11.5", N_("From cannot be trusted, so that no policy can be found"))
    LOOK_ALIKE = ("look_alike", "RFC 9989 5.4", N_("the sender looks like a name of ours or of a partner, and is not"))
    LOCAL_RULE = ("local_rule", "RFC 9989 5.4", N_("a rule of this site goes before the policy"))
    TRUSTED_SEALER = ("trusted_sealer", "RFC 8617 7.2.1", N_("a sealer on the list saw it pass before it was changed on the way"))


class OverrideReason(StrEnum):
    """Why the policy of a failing message was not followed: the words of a report. RFC 9990 3.1.1.14."""

    LOCAL_POLICY = "local_policy"
    MAILING_LIST = "mailing_list"
    TRUSTED_FORWARDER = "trusted_forwarder"
    POLICY_TEST_MODE = "policy_test_mode"
    OTHER = "other"


class Override(NamedTuple):
    """The reason, and a comment on it for the report: no address and nothing that a stranger wrote freely."""

    reason: OverrideReason
    comment: str = ""


class Mark(NamedTuple):
    """Something about the message that people should see: it imitates us, or somebody listed. ``told`` is the sentence with its values."""

    id: str
    section: str
    told: Sentence


_OVERRIDES = {
    RuleKind.NETWORK: OverrideReason.LOCAL_POLICY,
    RuleKind.SENDER: OverrideReason.LOCAL_POLICY,
    RuleKind.FORWARDER: OverrideReason.TRUSTED_FORWARDER,
    RuleKind.LIST: OverrideReason.MAILING_LIST,
}


NO_NAMES = Names(())


@dataclass(frozen=True, slots=True)
class Site:
    """What a site has decided. ``modes`` are by domain of the recipient, ``mode`` is for all others.

    ``own_domains`` are ours with all names below them, ``trusted_sealers`` those whose ARC seals count, ``relays`` the networks of our own
    relays and secondary mail servers. ``defer_on_trouble`` answers DNS trouble with 4xx where the mode is reject, instead of accepting.
    ``look_alikes`` are the names that a sender may imitate, and with ``quarantine_look_alikes`` one that does is more than marked.
    """

    mode: Mode = Mode.OBSERVE
    modes: Mapping[Domain, Mode] = field(default_factory=dict)
    own_domains: Names = NO_NAMES
    trusted_sealers: frozenset[Domain] = frozenset()
    relays: tuple[Network, ...] = ()
    rules: tuple[Rule, ...] = ()
    defer_on_trouble: bool = False
    look_alikes: LookAlikes | None = None
    quarantine_look_alikes: bool = False

    def mode_for(self, recipients: tuple[str, ...]) -> Mode:
        """The mode for a message: a message has one action, so the mildest of its recipients' modes holds for all of them."""
        if not self.modes or not recipients:
            return self.mode
        found = {self.modes.get(_domain_of(recipient), self.mode) for recipient in recipients}
        return min(found, key=_MILDEST.index)


class Disposition(NamedTuple):
    """What happens to a message, and why. ``marks`` are what people should see of it.

    ``action`` is what the mode lets happen and ``would`` what the mode reject would have done. ``domain`` is the author's, None where there
    is none to trust; ``override`` says why a failing message is not treated as its policy asks, ``rule`` by which rule.
    """

    action: Action
    would: Action
    reason: ActionReason
    mode: Mode
    domain: Domain | None = None
    override: Override | None = None
    rule: Rule | None = None
    marks: tuple[Mark, ...] = ()


class _Wish(NamedTuple):
    """What should happen before the mode is looked at."""

    action: Action
    reason: ActionReason
    override: Override | None = None
    rule: Rule | None = None


def decide(findings: Findings, evidence: Evidence, site: Site) -> Disposition:
    """Decide what happens to a message. The mode changes the action, and nothing else but the override that tells of it."""
    mode = site.mode_for(evidence.recipients)
    wish = _wish(findings, evidence, site)
    marks = _marks(findings, wish, site)
    if site.quarantine_look_alikes and wish.action is Action.ACCEPT and any(mark.id != OWN for mark in marks):
        wish = _Wish(Action.QUARANTINE, ActionReason.LOOK_ALIKE, Override(OverrideReason.OTHER, "look-alike"))
    action = _in_mode(wish.action, mode)
    override = wish.override or _lowered(findings, action, mode)
    domain = findings.author.domain
    return Disposition(action, wish.action, wish.reason, mode, domain, override, wish.rule, marks)


def _wish(findings: Findings, evidence: Evidence, site: Site) -> _Wish:
    dmarc, author = findings.dmarc, findings.author
    if author.domain is not None and dmarc.status in (DmarcStatus.PASS, DmarcStatus.NONE):
        return _Wish(Action.ACCEPT, ActionReason.NOTHING_AGAINST)
    rule = rules.first(site.rules, findings, evidence.now)
    if author.domain is None:
        if rule is not None and rule.kind is RuleKind.NETWORK:
            return _by(rule)
        return _Wish(Action.REJECT if author.reason.refuse else Action.QUARANTINE, ActionReason.AUTHOR_UNTRUSTED)
    if rule is not None:
        return _by(rule)
    if dmarc.status is not DmarcStatus.FAIL:
        # RFC 9989 5.3.6: the policy "cannot be applied to the message"; 7.2: a deferral "is best done with a 4xy SMTP reply code".
        defers = site.defer_on_trouble and dmarc.applied is not Policy.NONE
        return _Wish(Action.DEFER if defers else Action.ACCEPT, ActionReason.DNS_TROUBLE)
    found = None
    if site.trusted_sealers:
        found = trust.override(findings.arc, site.trusted_sealers, author.domain, remote_ip=findings.client.ip)
    if found is not None:
        return _Wish(Action.ACCEPT, ActionReason.TRUSTED_SEALER, Override(OverrideReason(found.reason), found.comment))
    return _by_policy(findings)


def _by(rule: Rule) -> _Wish:
    return _Wish(Action.ACCEPT, ActionReason.LOCAL_RULE, Override(_OVERRIDES[rule.kind], f"{rule.kind} rule"), rule)


def _by_policy(findings: Findings) -> _Wish:
    """What the domain asks for, after ``t=``. RFC 9989 4.7: one that tests asks for one level less, and the report says so."""
    dmarc = findings.dmarc
    tested = Override(OverrideReason.POLICY_TEST_MODE, "t=y") if dmarc.applied is not dmarc.policy else None
    if dmarc.applied is Policy.REJECT:
        return _Wish(Action.REJECT, ActionReason.POLICY_REJECT, tested)
    if dmarc.applied is Policy.QUARANTINE:
        return _Wish(Action.QUARANTINE, ActionReason.POLICY_QUARANTINE, tested)
    return _Wish(Action.ACCEPT, ActionReason.POLICY_NONE, tested)


def _in_mode(action: Action, mode: Mode) -> Action:
    """What the mode lets happen. RFC 9989 7.4, without other knowledge: "as if the policy were "p=quarantine" rather than "p=reject"".

    To refuse is a site's own decision, taken with the mode; its rules and trusted sealers are the other knowledge.
    """
    if mode is Mode.OBSERVE:
        return Action.ACCEPT
    if mode is Mode.QUARANTINE:
        return Action.QUARANTINE if action is Action.REJECT else Action.ACCEPT if action is Action.DEFER else action
    return action


def _lowered(findings: Findings, action: Action, mode: Mode) -> Override | None:
    """Where the mode asks for less than the policy of a failing message does: that is local policy."""
    dmarc = findings.dmarc
    if dmarc.status is not DmarcStatus.FAIL or dmarc.applied is None:
        return None
    asked = {Policy.REJECT: Action.REJECT, Policy.QUARANTINE: Action.QUARANTINE}.get(dmarc.applied, Action.ACCEPT)
    if _HARSHNESS.index(action) >= _HARSHNESS.index(asked):
        return None
    return Override(OverrideReason.LOCAL_POLICY, f"mode {mode}")


def _marks(findings: Findings, wish: _Wish, site: Site) -> tuple[Mark, ...]:
    """What people should see. A message of ours from outside needs a proof, also where we publish no policy (RFC 9989 5.4)."""
    author = findings.author.domain
    if author is None or wish.rule is not None:
        return ()
    own = site.own_domains.holding(author)
    if own is not None:
        proven = findings.dmarc.status is DmarcStatus.PASS
        if findings.dmarc.status is DmarcStatus.NONE:
            # Without a record nothing was compared: a proof for a name of ours is one.
            proven = any(domain.within(own) for domain in findings.authenticated)
        found = imitates_us(author, site.own_domains, aligned=proven)
        return () if found is None else (Mark(OWN, found.section, found.told),)
    if site.look_alikes is None:
        return ()
    return tuple(Mark(like.kind.id, like.kind.section, like.told) for like in site.look_alikes.find(author, findings.author.display_name))


def _domain_of(recipient: str) -> Domain:
    """The domain of a forward-path; one that is none has no mode of its own."""
    try:
        return Domain.parse(recipient.strip("<>").rpartition("@")[2])
    except ValueError:
        return Domain("")
