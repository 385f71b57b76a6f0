"""What happens to a message: every policy in every mode, and what a site knows before that."""

from __future__ import annotations

import pytest

from support import arc, inbound, samples
from support.inbound import BAD, GOOD, changed, judge, signed, site
from zegel.ask import Rcode
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain
from zegel.verdict.lookalike import LookAlikes
from zegel.verdict.policy import Action, ActionReason, Mode, OverrideReason
from zegel.verdict.rules import Rule, RuleKind

MODES = ("observe", "quarantine", "reject")
TWO = "accept accept accept"
# The policy; the actions in the three modes; what the mode reject would do; why; and the words of a report in each mode.
POLICIES = {
    "v=DMARC1; p=none": (TWO, "accept", ActionReason.POLICY_NONE, (None, None, None)),
    "v=DMARC1; p=quarantine": (
        "accept quarantine quarantine",
        "quarantine",
        ActionReason.POLICY_QUARANTINE,
        ("local_policy", None, None),
    ),
    "v=DMARC1; p=reject": ("accept quarantine reject", "reject", ActionReason.POLICY_REJECT, ("local_policy", "local_policy", None)),
    "v=DMARC1; p=reject; t=y": (
        "accept quarantine quarantine",
        "quarantine",
        ActionReason.POLICY_QUARANTINE,
        ("policy_test_mode",) * 3,
    ),
    "v=DMARC1; p=quarantine; t=y": (TWO, "accept", ActionReason.POLICY_NONE, ("policy_test_mode",) * 3),
    "": (TWO, "accept", ActionReason.NOTHING_AGAINST, (None, None, None)),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_message_that_fails(policy: str) -> None:
    """RFC 9989 5.4: p=none changes nothing. RFC 9989 7.4: without other knowledge reject is as quarantine."""
    actions, would, reason, reported = POLICIES[policy]
    for mode, action, word in zip(MODES, actions.split(), reported, strict=True):
        verdict = judge(changed(), inbound.zone(policy or None), ip=BAD, settings=site(mode))
        made = verdict.disposition
        assert (verdict.action, made.would, made.reason, made.mode) == (action, would, reason, mode)
        assert (made.override and made.override.reason) == word
        assert made.domain == "example.org"


SPF = {
    "none": [],
    "neutral": ["v=spf1 ?all"],
    "pass": ["v=spf1 +all"],
    "fail": ["v=spf1 -all"],
    "softfail": ["v=spf1 ~all"],
    "temperror": Rcode.SERVFAIL,
    "permerror": ["v=spf1 moo"],
}


@pytest.mark.parametrize("status", SPF)
def test_no_result_of_spf_decides_alone(status: str) -> None:
    """RFC 7208 8.1 to 8.7: where the author's domain asks for nothing nobody is held or refused, and where it does DMARC decides.

    RFC 7208 8.2: "A "neutral" result MUST be treated exactly like the "none" result"; 8.5: "SHOULD NOT reject the message based solely on
    this result".
    """
    for policy in (None, "v=DMARC1; p=reject"):
        verdict = judge(samples.MESSAGE, inbound.zone(policy, {("example.org", "TXT"): SPF[status]}), settings=site(defer_on_trouble=True))
        aligned = {"pass": Action.ACCEPT, "temperror": Action.DEFER}.get(status, Action.REJECT)
        assert (verdict.spf.mail_from.status, verdict.action) == (status, aligned if policy else Action.ACCEPT)
    # RFC 9989 7.1: an SPF fail says nothing against an aligned signature.
    assert judge(signed(), inbound.zone(more={("example.org", "TXT"): SPF[status]})).action == "accept"
    stranger = {("other.example", "TXT"): SPF[status]}
    verdict = judge(samples.MESSAGE, inbound.zone(more=stranger), mail_from="x@other.example", settings=site(defer_on_trouble=True))
    assert (verdict.spf.mail_from.status, verdict.action) == (status, Action.REJECT)


@pytest.mark.parametrize("mode", MODES)
def test_a_message_that_passes(mode: str) -> None:
    made = judge(inbound.signed(), settings=site(mode)).disposition
    assert (made.action, made.would, made.reason, made.override) == ("accept", "accept", ActionReason.NOTHING_AGAINST, None)


@pytest.mark.parametrize(
    ("header", "would"),
    [
        (b"", "reject"),
        (b"From: a@example.org\r\nFrom: b@example.org\r\n", "reject"),
        (b"From : a@example.org\r\n", "reject"),
        (b"From: a@example.org, b@attack.example\r\n", "quarantine"),
        (b"From: friends: a@example.org;\r\n", "quarantine"),
        (b"From: =?utf-8?q?a=40example.org?= <\r\n", "reject"),
    ],
)
def test_a_from_that_cannot_be_trusted(header: bytes, would: str) -> None:
    """RFC 9989 11.5: nothing is picked from it, whoever passes."""
    for mode, action in zip(MODES, ("accept", "quarantine", would), strict=True):
        verdict = judge(header + b"Subject: x\r\n\r\nx\r\n", settings=site(mode))
        assert (verdict.action, verdict.disposition.would) == (action, would)
        assert (verdict.disposition.reason, verdict.disposition.domain) == (ActionReason.AUTHOR_UNTRUSTED, None)
        assert (verdict.dmarc.status, verdict.spf.mail_from.status) == ("permerror", "pass")


@pytest.mark.parametrize(
    ("policy", "defers", "action"),
    [("v=DMARC1; p=reject", False, "accept"), ("v=DMARC1; p=reject", True, "defer"), ("v=DMARC1; p=none", True, "accept")],
)
def test_dns_trouble_is_4xx_or_accept_by_setting(policy: str, defers: bool, action: str) -> None:
    """RFC 9989 5.3.6 and 7.2."""
    dns = inbound.zone(policy, {("example.org", "TXT"): Rcode.SERVFAIL})
    verdict = judge(samples.MESSAGE, dns, settings=site("reject", defer_on_trouble=defers))
    assert (verdict.dmarc.status, verdict.action, verdict.disposition.reason) == ("temperror", action, ActionReason.DNS_TROUBLE)
    for mode in ("observe", "quarantine"):
        assert judge(samples.MESSAGE, dns, settings=site(mode, defer_on_trouble=defers)).action == "accept"


def test_a_policy_that_dns_does_not_give_is_deferred_too() -> None:
    dns = inbound.zone(None, {("_dmarc.example.org", "TXT"): Rcode.TIMEOUT})
    assert judge(changed(), dns, ip=BAD, settings=site("reject", defer_on_trouble=True)).action == "defer"


def test_the_mildest_mode_of_the_recipients_holds() -> None:
    modes = {Domain.parse("careful.example"): Mode.OBSERVE, Domain.parse("hard.example"): Mode.REJECT}
    settings = site("quarantine", modes=modes)
    table = {
        (): "quarantine",
        ("a@hard.example",): "reject",
        ("<a@HARD.example>", "b@hard.example"): "reject",
        ("a@hard.example", "b@other.example"): "quarantine",
        ("a@hard.example", "b@careful.example"): "accept",
        ("postmaster",): "quarantine",
    }
    for recipients, action in table.items():
        assert judge(changed(), ip=BAD, recipients=recipients, settings=settings).action == action, recipients


# --- local rules


def rule(kind: str, **matching: object) -> Rule:
    return Rule.read(kind, who="Jan", why="an alumni office that forwards", **matching)  # type: ignore[arg-type]


RULES = [
    (rule("network", networks=["198.51.100.0/24"]), "local_policy"),
    (rule("forwarder", networks=["198.51.100.7"]), "trusted_forwarder"),
    (rule("forwarder", domains=["attack.example"]), "trusted_forwarder"),
    (rule("list", domains=["Attack.Example."]), "mailing_list"),
    (rule("sender", networks=["198.51.100.7"], senders=["example.org"]), "local_policy"),
    (rule("sender", domains=["attack.example"], senders=["joe@EXAMPLE.org"]), "local_policy"),
]


@pytest.mark.parametrize(("made", "reason"), RULES, ids=str)
def test_a_rule_goes_before_the_policy(made: Rule, reason: str) -> None:
    """RFC 7208 D.3: mail by a mediator that somebody trusts; RFC 9989 7.4: what the site knows of mailing lists."""
    verdict = judge(changed(), ip=BAD, mail_from="x@attack.example", settings=site(rules=(made,)))
    assert (verdict.dmarc.status, verdict.action, verdict.disposition.would) == ("fail", "accept", "accept")
    assert (verdict.disposition.reason, verdict.disposition.rule) == (ActionReason.LOCAL_RULE, made)
    assert verdict.disposition.override is not None
    assert verdict.disposition.override.reason == reason


@pytest.mark.parametrize(
    "made",
    [
        rule("network", networks=["203.0.113.0/24"]),
        rule("forwarder", domains=["example.org"]),  # whom the message names is not who sent it
        rule("forwarder", domains=["example"]),
        rule("list", domains=["sub.attack.example"]),
        rule("sender", networks=["198.51.100.7"], senders=["jan@example.org", "example"]),
        rule("sender", networks=["203.0.113.7"], senders=["example.org"]),
        rule("network", networks=["198.51.100.0/24"], until=samples.NOW),
        rule("network", networks=["198.51.100.0/24"], since=samples.NOW + 1),
    ],
    ids=str,
)
def test_a_rule_that_is_about_another_message_does_nothing(made: Rule) -> None:
    verdict = judge(changed(), ip=BAD, mail_from="x@attack.example", settings=site(rules=(made,)))
    assert (verdict.action, verdict.disposition.rule) == ("reject", None)


def test_an_address_in_a_rule_keeps_the_case_of_its_local_part() -> None:
    """RFC 5321 2.4: a domain has none."""
    upper = rule("sender", networks=["198.51.100.7"], senders=["JOE@example.org"])
    assert judge(changed(), ip=BAD, settings=site(rules=(upper,))).action == "reject"


def test_of_a_from_that_cannot_be_trusted_only_a_network_is_believed() -> None:
    message = b"From: a@example.org\r\nFrom: b@example.org\r\n\r\n"
    for made, reason in RULES:
        verdict = judge(message, ip=BAD, mail_from="x@attack.example", settings=site(rules=(made,)))
        assert verdict.action == ("accept" if made.kind is RuleKind.NETWORK else "reject"), reason


def test_a_signature_that_only_tests_opens_no_rule_and_proves_no_name_of_ours() -> None:
    """RFC 6376 3.6.1: it is as none."""
    key = samples.ed25519()
    dns = inbound.zone(None, {(key.name, "TXT"): [key.record + "; t=y"]})
    assert judge(inbound.signed(), dns, ip=BAD, settings=site(own=("example.org",))).disposition.marks
    dns = inbound.zone(more={(key.name, "TXT"): [key.record + "; t=y"]})
    forwarder = rule("forwarder", domains=["example.org"])
    assert judge(inbound.signed(), dns, ip=BAD, settings=site(rules=(forwarder,))).action == "reject"


def test_a_rule_for_what_anybody_can_write_cannot_be_made() -> None:
    for kind, wrong in (
        ("sender", {"senders": ["example.org"]}),
        ("sender", {"networks": ["192.0.2.0/24"]}),
        ("list", {}),
        ("list", {"domains": ["a.example"], "senders": ["b.example"]}),
        ("network", {"domains": ["a.example"]}),
        ("network", {"networks": ["192.0.2.0/33"]}),
        ("forwarder", {"domains": ["no domain"]}),
        ("everything", {"networks": ["192.0.2.0/24"]}),
        ("network", {"networks": ["192.0.2.0/24"], "since": 5, "until": 5}),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            rule(kind, **wrong)
    with pytest.raises(ValueError, match="who made it"):
        Rule.read("network", who=" ", why="x", networks=["192.0.2.1"])


# --- sealers on the list: RFC 8617 7.2.1


def test_a_trusted_sealer_that_saw_a_pass_overrides() -> None:
    keys = {(arc.key("lists.example.net").name, "TXT"): [arc.key("lists.example.net").record]}
    dns = inbound.zone(more=keys)
    message = arc.sealed(changed(), "lists.example.net", resolver=dns)
    trusted = judge(message, dns, ip=BAD, settings=site(sealers=("lists.example.net",)))
    assert (trusted.arc.status, trusted.dmarc.status, trusted.action) == ("pass", "fail", "accept")
    assert trusted.disposition.reason is ActionReason.TRUSTED_SEALER
    assert trusted.disposition.override is not None
    assert trusted.disposition.override.reason is OverrideReason.TRUSTED_FORWARDER
    assert trusted.disposition.override.comment.startswith("arc=pass as[1].d=lists.example.net")
    assert judge(message, dns, ip=BAD, settings=site(sealers=("example.net",))).action == "reject"
    broken = message.replace(b"another", b"third")
    assert judge(broken, dns, ip=BAD, settings=site(sealers=("lists.example.net",))).action == "reject"
    said = arc.sealed(changed(), "lists.example.net", results={1: arc.said("fail")}, resolver=dns)
    assert judge(said, dns, ip=BAD, settings=site(sealers=("lists.example.net",))).action == "reject"


# --- our own names, and those that look like them


@pytest.mark.parametrize(
    ("policy", "ip", "message", "marked"),
    [
        ("v=DMARC1; p=none", BAD, "changed", True),
        (None, BAD, "changed", True),  # "even where we publish no policy yet"
        (None, GOOD, "changed", False),
        (None, BAD, "signed", False),
        ("v=DMARC1; p=none", BAD, "signed", False),
    ],
)
def test_our_own_domain_from_outside_needs_a_proof(policy: str | None, ip: str, message: str, marked: bool) -> None:
    verdict = judge(getattr(inbound, message)(), inbound.zone(policy), ip=ip, settings=site(own=("example.org",)))
    assert [mark.id for mark in verdict.disposition.marks] == ["imitates_us"] * marked
    assert verdict.action == "accept"
    trusted = site(own=("example.org",), rules=(rule("network", networks=["198.51.100.0/24"]),))
    if policy and marked:
        assert not judge(changed(), inbound.zone(policy), ip=ip, settings=trusted).disposition.marks


def test_a_look_alike_is_marked_and_by_setting_quarantined() -> None:
    alike = LookAlikes([Domain.parse("example-bank.org")], organizational=organizational_domain)
    message = b"From: Bank <info@examp1e-bank.org>\r\nSubject: x\r\n\r\nx\r\n"
    dns = inbound.zone(more={("examp1e-bank.org", "TXT"): ["v=spf1 +all"], ("_dmarc.examp1e-bank.org", "TXT"): ["v=DMARC1; p=reject"]})
    marked = judge(message, dns, mail_from="a@examp1e-bank.org", settings=site(look_alikes=alike))
    assert (marked.dmarc.status, marked.action, len(marked.disposition.marks)) == ("pass", "accept", 1)
    held = judge(message, dns, mail_from="a@examp1e-bank.org", settings=site(look_alikes=alike, quarantine_look_alikes=True))
    assert (held.action, held.disposition.reason) == ("quarantine", ActionReason.LOOK_ALIKE)
    assert held.disposition.override is not None
    assert held.disposition.override.reason is OverrideReason.OTHER
    observed = site("observe", look_alikes=alike, quarantine_look_alikes=True)
    assert judge(message, dns, mail_from="a@examp1e-bank.org", settings=observed).action == "accept"


def test_the_words_are_those_of_the_rfc() -> None:
    """RFC 9990 3.1.1.14."""
    words = "local_policy mailing_list trusted_forwarder policy_test_mode other"
    assert {str(reason) for reason in OverrideReason} == set(words.split())
    assert [str(action) for action in Action] == ["accept", "defer", "quarantine", "reject"]
    assert len({reason.id for reason in ActionReason}) == len(ActionReason)
