"""The verdict of RFC 9989 5.3: every reason, reached through the front door; alignment; examples; what DNS trouble may and may not do."""

from __future__ import annotations

import re
from typing import Any

import pytest

import zegel
from support.dmarc import NONE, REJECT, Records, asked, check, passing, zone
from zegel.ask import Question, Rcode, rehearse
from zegel.dmarc.evaluate import Evaluation, Identifier
from zegel.dmarc.result import DmarcReason, DmarcStatus
from zegel.grammar.domain import Domain

STRICT = "v=DMARC1; p=reject; adkim=s; aspf=s"
NP = "v=DMARC1; p=reject; sp=quarantine; np=none"
SPF = ("pass", "example.com")
TABLE: dict[DmarcReason, tuple[Any, ...]] = {
    DmarcReason.SPF_AND_DKIM_ALIGNED: ("example.com", {"example.com": REJECT}, SPF, passing("example.com")),
    DmarcReason.DKIM_ALIGNED: ("example.com", {"example.com": REJECT}, ("fail", "example.com"), passing("example.com")),
    DmarcReason.SPF_ALIGNED: ("example.com", {"example.com": REJECT}, SPF, (("fail", "example.com"),)),
    DmarcReason.NOT_AUTHENTICATED: ("example.com", {"example.com": REJECT}, ("softfail", "example.com"), (("policy", "example.com"),)),
    DmarcReason.NOT_ALIGNED: ("example.com", {"example.com": REJECT}, ("pass", "example.net"), passing("example.org")),
    DmarcReason.NO_RECORD: ("example.com", {}, SPF, passing("example.com")),
    DmarcReason.NO_POLICY: ("example.com", {"example.com": "v=DMARC1; sp=x"}, SPF, passing("example.com")),
    DmarcReason.RECORD_UNAVAILABLE: ("example.com", {"example.com": Rcode.SERVFAIL}, SPF, passing("example.com")),
    DmarcReason.EXISTENCE_UNKNOWN: ("mail.example.com", {"example.com": NP, "=mail.example.com": Rcode.TIMEOUT}, None, ()),
    DmarcReason.ALIGNMENT_UNKNOWN: (
        "example.com",
        {"example.com": REJECT, "mail.example.com": Rcode.TIMEOUT},
        ("pass", "mail.example.com"),
        (),
    ),
    DmarcReason.AUTHENTICATION_UNKNOWN: ("example.com", {"example.com": REJECT}, None, (("temperror", "example.com"),)),
    DmarcReason.AUTHOR_DOMAIN_SYNTAX: ("not a domain", {}, SPF, passing("example.com")),
}


@pytest.mark.parametrize("reason", DmarcReason, ids=str)
def test_every_reason(reason: DmarcReason) -> None:
    author, records, spf, dkim = TABLE[reason]
    result = check(author, records, spf=spf, dkim=dkim)
    assert result.reason is reason
    assert result.status is reason.status
    assert result.explanation.startswith(reason.sentence)
    assert len(result.aligned_dkim) == len(dkim)
    assert (result.policy is None) is (reason.status in ("none", "permerror") or reason.id in ("record_unavailable", "existence_unknown"))


def test_the_table_of_reasons() -> None:
    ids = [reason.id for reason in DmarcReason]
    assert len(set(ids)) == len(ids)
    assert {reason.status for reason in DmarcReason} == set(DmarcStatus)
    for reason in DmarcReason:
        assert DmarcReason(reason.id) is reason  # type: ignore[call-arg]
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.id)
        assert re.fullmatch(r"RFC 9989 [\d.]+", reason.section)


# --- RFC 9989 B.1.1 and B.1.2: alignment (RFC 9989 3.2.10.1 and 3.2.10.2), with a record at example.com


@pytest.mark.parametrize(
    ("author", "domain", "relaxed", "strict"),
    [
        ("example.com", "example.com", True, True),
        ("example.com", "child.example.com", True, False),
        ("child.example.com", "example.com", True, False),
        ("child.example.com", "example.net", False, False),
        # RFC 9989 4.4, table 1
        ("news.example.com", "foo.example.com", True, False),
        ("news.example.com", "news.example.com", True, True),
        ("news.example.com", "foo.example.net", False, False),
        # Not by the letters: badexample.com is another domain.
        ("example.com", "badexample.com", False, False),
        ("example.com", "com", False, False),
        ("EXAMPLE.com.", "Example.COM", True, True),
        ("b\u00fccher.example.com", "xn--bcher-kva.example.com", True, True),
    ],
)
def test_alignment(author: str, domain: str, relaxed: bool, strict: bool) -> None:
    for tags, expected in (("", relaxed), ("; adkim=s; aspf=s", strict)):
        result = check(author, {"example.com": REJECT + tags}, spf=("pass", domain), dkim=passing(domain, "other.example"))
        assert (result.aligned_spf, result.aligned_dkim) == (expected, (expected, False))
        assert result.status == ("pass" if expected else "fail")
        if expected:
            assert result.detail == f"DKIM {Domain.parse(domain)}, SPF {Domain.parse(domain)}"


def test_the_two_modes_are_apart() -> None:
    # RFC 9989 4.4.1 and 4.4.2: each mechanism has a mode of its own.
    only_spf = check("example.com", {"example.com": REJECT + "; adkim=s"}, spf=("pass", "a.example.com"), dkim=passing("a.example.com"))
    only_dkim = check("example.com", {"example.com": REJECT + "; aspf=s"}, spf=("pass", "a.example.com"), dkim=passing("a.example.com"))
    assert (only_spf.reason, only_dkim.reason) == (DmarcReason.SPF_ALIGNED, DmarcReason.DKIM_ALIGNED)
    assert (only_spf.aligned_dkim, only_dkim.aligned_spf) == ((False,), False)


@pytest.mark.parametrize("word", ["fail", "softfail", "neutral", "none", "permerror", "temperror", "policy", "PASS", ""])
def test_only_pass_counts(word: str) -> None:
    result = check("example.com", {"example.com": REJECT}, spf=(word, "example.com"), dkim=((word, "example.com"),))
    assert result.status == ("temperror" if word == "temperror" else "fail")
    assert (result.aligned_spf, result.aligned_dkim) == (False, (False,))


def test_what_is_no_domain_name_is_not_aligned() -> None:
    for text in ("", "a b", "exa\x00mple.com", "a@example.com", ".example.com", "x" * 5000, "\ud800", "\u2024com"):
        result = check("example.com", {"example.com": REJECT}, spf=("pass", text), dkim=passing(text))
        assert (result.reason, result.aligned_spf, result.aligned_dkim) == (DmarcReason.NOT_ALIGNED, False, (False,))
        assert result.detail == ""
        assert check(text, {}, spf=SPF, dkim=passing("example.com")).status == "permerror"


# --- RFC 9989 B.4.1 to B.4.3, by hand; 5.1.8 and 11.8


def test_b_4_1() -> None:
    records: Records = {"example.com": REJECT, "signing.example.com": REJECT}
    result = check("example.com", records, spf=("pass", "example.com"), dkim=passing("signing.example.com"))
    assert (result.reason, result.policy_domain, result.organizational_domain) == (
        DmarcReason.SPF_AND_DKIM_ALIGNED,
        "example.com",
        "example.com",
    )
    assert asked(result) == ["example.com", "com", "signing.example.com"]


def test_b_4_2() -> None:
    records: Records = {"example.com": REJECT, "signing.example.com": REJECT}
    result = check("a.b.c.d.e.f.g.h.i.j.k.example.com", records, spf=("pass", "example.com"), dkim=passing("signing.example.com"))
    assert (result.status, result.policy_domain, result.aligned_spf, result.aligned_dkim) == ("pass", "example.com", True, (True,))
    assert asked(result) == [
        "a.b.c.d.e.f.g.h.i.j.k.example.com",
        *("g.h.i.j.k.example.com", "h.i.j.k.example.com", "i.j.k.example.com", "j.k.example.com", "k.example.com", "example.com", "com"),
        "signing.example.com",
    ]


def test_b_4_3() -> None:
    records: Records = {"bank.example": REJECT + "; psd=y", "giant.bank.example": "v=DMARC1; p=quarantine"}
    result = check("giant.bank.example", records, spf=("pass", "mail.giant.bank.example"), dkim=passing("mail.mega.bank.example"))
    assert (result.reason, result.aligned_dkim, result.policy_domain) == (DmarcReason.SPF_ALIGNED, (False,), "giant.bank.example")
    assert check("mail.mega.bank.example", records).organizational_domain == "mega.bank.example"
    assert check("giant.bank.example", records, dkim=passing("bank.example")).aligned_dkim == (False,)


def test_a_zone_cut_below_eight_labels_is_not_found() -> None:
    """RFC 9989 5.1.8."""
    records: Records = {"example.com": NONE, "b.c.d.e.f.g.example.com": REJECT + "; psd=n"}
    assert check("mail.a.b.c.d.e.f.g.example.com", records).policy_domain == "example.com"


def test_a_sub_organisation_is_another_one() -> None:
    """RFC 9989 11.8: with psd=n at mail.example.com the evil neighbour is not aligned, without it is."""
    for tag, aligned in (("", True), ("; psd=n", False)):
        records: Records = {"mail.example.com": NONE + tag, "example.com": REJECT}
        assert check("evil.example.com", records, dkim=passing("mail.example.com")).aligned_dkim == (aligned,)
        assert check("a.mail.example.com", records, dkim=passing("mail.example.com")).aligned_dkim == (True,)


# --- Policy


@pytest.mark.parametrize(
    ("record", "policy", "applied"),
    [
        (REJECT, "reject", "reject"),
        (REJECT + "; t=y", "reject", "quarantine"),
        ("v=DMARC1; p=quarantine; t=y", "quarantine", "none"),
        ("v=DMARC1; p=none; t=y", "none", "none"),
        (REJECT + "; t=n; pct=0", "reject", "reject"),
    ],
)
def test_testing(record: str, policy: str, applied: str) -> None:
    for dkim in ((), passing("example.com")):
        result = check("example.com", {"example.com": record}, dkim=dkim)
        assert (result.policy, result.applied, str(result.record)) == (policy, applied, record)


def test_testing_lowers_what_holds_for_subdomains_too() -> None:
    record = "v=DMARC1; p=none; sp=reject; np=quarantine; t=y"
    absent = check("a.example.com", {"example.com": record})
    existing = check("a.example.com", {"example.com": record, "=a.example.com": "x"})
    assert [(one.policy, one.applied) for one in (absent, existing)] == [("quarantine", "none"), ("reject", "quarantine")]


# --- What need not be asked


def test_one_question_for_the_common_message() -> None:
    """RFC 9989 4.10.2: all is one domain with a record, and "this common domain is treated as the Organizational Domain"."""
    result = check("mail.example.com", {"mail.example.com": REJECT, "example.com": NONE}, spf=("pass", "mail.example.com"))
    assert asked(result) == ["mail.example.com"]
    assert result.organizational_domain == "mail.example.com"
    # What did not pass is no Authenticated Identifier.
    more = check("example.com", {"example.com": REJECT}, spf=("fail", "x.example.com"), dkim=passing("example.com"))
    assert asked(more) == ["example.com"]


def test_no_walk_in_strict_mode_and_for_strangers() -> None:
    strict = check("example.com", {"example.com": STRICT}, spf=("pass", "a.example.com"), dkim=passing("b.example.com", "example.net"))
    assert (strict.reason, asked(strict)) == (DmarcReason.NOT_ALIGNED, ["example.com", "com"])
    strangers = check("example.com", {"example.com": REJECT}, spf=("pass", "a.example.net"), dkim=passing("example.org", "com", "b.com"))
    assert (strangers.reason, asked(strangers)) == (DmarcReason.NOT_ALIGNED, ["example.com", "com"])


def test_no_alignment_is_looked_at_without_a_record() -> None:
    result = check("a.example.com", {}, spf=("pass", "b.example.com"), dkim=passing("c.example.com"))
    assert (result.organizational_domain, asked(result)) == ("a.example.com", ["a.example.com", "example.com", "com"])


def test_a_domain_that_signed_ten_times_is_walked_once() -> None:
    result = check("example.com", {"example.com": REJECT}, dkim=passing(*["a.example.com"] * 10, "b.example.com"))
    assert asked(result) == ["example.com", "com", "a.example.com", "b.example.com"]
    assert result.aligned_dkim == (True,) * 11
    assert result.detail == "DKIM a.example.com, DKIM b.example.com"


# --- DNS trouble


def test_a_stranger_s_dead_name_server_changes_nothing() -> None:
    """Or else whoever forges a domain with p=reject could make it a temporary error, by a signature of a domain of his own."""
    for records in ({"evil.net": Rcode.TIMEOUT}, {"net": Rcode.SERVFAIL}, {"evil.com": Rcode.TIMEOUT}):
        result = check("example.com", {"example.com": REJECT, **records}, spf=("pass", "evil.net"), dkim=passing("evil.net", "evil.com"))
        assert result.reason is DmarcReason.NOT_ALIGNED
    waiting = check("example.com", {"example.com": REJECT}, spf=("temperror", "evil.net"), dkim=(("temperror", "evil.com"),))
    assert waiting.reason is DmarcReason.NOT_AUTHENTICATED


def test_trouble_that_cannot_matter() -> None:
    records: Records = {"example.com": REJECT, "com": Rcode.TIMEOUT, "x.example.com": Rcode.TIMEOUT}
    # Nothing passes: whatever the organisation is, it fails.
    assert check("example.com", records).reason is DmarcReason.NOT_AUTHENTICATED
    # The same domain is aligned in any organisation, and one pass is enough.
    passed = check("example.com", records, spf=("pass", "x.example.com"), dkim=passing("example.com"))
    assert (passed.reason, passed.aligned_spf, passed.organizational_domain) == (DmarcReason.DKIM_ALIGNED, False, None)
    # Strict mode compares names.
    assert check("example.com", {**records, "example.com": STRICT}, dkim=passing("x.example.com")).reason is DmarcReason.NOT_ALIGNED
    # No two domains of different top levels have one organisation.
    assert check("example.com", records, dkim=passing("example.net")).reason is DmarcReason.NOT_ALIGNED


def test_trouble_that_can() -> None:
    records: Records = {"example.com": REJECT, "com": Rcode.TIMEOUT}
    assert check("example.com", records, dkim=passing("a.example.com")).reason is DmarcReason.ALIGNMENT_UNKNOWN
    assert check("example.com", records, dkim=passing("b.com")).detail == "b.com"
    for where in ("a.b.example.com", "b.example.com"):
        result = check("example.com", {"example.com": REJECT, where: Rcode.SERVFAIL}, spf=("pass", "a.b.example.com"))
        assert (result.reason, result.policy) == (DmarcReason.ALIGNMENT_UNKNOWN, "reject")


@pytest.mark.parametrize(
    ("tags", "domain", "status"),
    [
        ("", "example.com", "temperror"),
        ("", "a.example.com", "temperror"),
        ("; aspf=s; adkim=s", "example.com", "temperror"),
        ("; aspf=s; adkim=s", "a.example.com", "fail"),
        ("", "example.net", "fail"),
        ("", "not a name", "fail"),
    ],
)
def test_a_temporary_error_of_spf_or_dkim(tags: str, domain: str, status: str) -> None:
    """RFC 9989 5.3.6: neither pass nor fail, where their pass would have been aligned."""
    records: Records = {"example.com": REJECT + tags}
    assert check("example.com", records, spf=("temperror", domain)).status == status
    assert check("example.com", records, dkim=(("fail", "example.com"), ("temperror", domain))).status == status
    assert check("example.com", records, spf=("temperror", domain), dkim=passing("example.com")).status == "pass"
    assert check("example.com", records, spf=("temperror", domain), dkim=passing("example.org")).status == status


def test_a_temporary_error_of_a_domain_that_may_be_aligned() -> None:
    records: Records = {"example.com": REJECT, "a.example.com": Rcode.TIMEOUT}
    result = check("example.com", records, spf=("temperror", "a.example.com"))
    assert (result.reason, result.detail) == (DmarcReason.AUTHENTICATION_UNKNOWN, "a.example.com")


def test_a_pass_needs_no_policy() -> None:
    records: Records = {"example.com": NP, "=mail.example.com": Rcode.TIMEOUT}
    result = check("mail.example.com", records, dkim=passing("example.com"))
    assert (result.status, result.policy, result.applied, str(result.record)) == ("pass", None, None, NP)


def test_the_budget_ends_in_a_temporary_error() -> None:
    limits = zegel.Limits(questions=3)
    resolver = zone({"example.com": REJECT})
    dkim = passing("a.b.c.example.com")
    assert zegel.check_dmarc("example.com", dkim=dkim, resolver=resolver, limits=limits).reason is DmarcReason.ALIGNMENT_UNKNOWN
    assert zegel.check_dmarc("example.com", dkim=dkim, resolver=resolver).status == "pass"
    assert zegel.check_dmarc("a.b.c.example.com", resolver=resolver, limits=limits).reason is DmarcReason.RECORD_UNAVAILABLE


# --- Both stages, and misuse


def test_the_policy_can_be_looked_for_before_spf_and_dkim_are_done() -> None:
    # RFC 9989 5.3.2 and 5.3.4
    evaluation, early, late = Evaluation(Domain("example.com")), list[Question](), list[Question]()
    answer = zone({"example.com": REJECT}).answer
    rehearse(evaluation.discover(), answer, early)
    result = rehearse(evaluation.finish(None, [Identifier("pass", Domain("a.example.com"))]), answer, late)
    assert (result.status, [question.name for question in early]) == ("pass", ["_dmarc.example.com"])
    assert result.questions == (*early, *late)
    with pytest.raises(RuntimeError, match="discover"):
        rehearse(Evaluation(Domain("example.com")).finish(None, []), answer)


@pytest.mark.parametrize(
    "arguments",
    [
        {"author_domain": b"example.com"},
        {"author_domain": None},
        {"spf": "pass"},
        {"spf": ("pass",)},
        {"spf": ("pass", None)},
        {"spf": ("pass", b"x")},
        {"dkim": ["pass"]},
        {"dkim": ("pass", "example.com")},
        {"dkim": [("pass", "example.com", "more")]},
    ],
)
def test_misuse(arguments: dict[str, Any]) -> None:
    given = {"author_domain": "example.com", **arguments}
    with pytest.raises(TypeError, match=r"must be text|pairs of texts"):
        zegel.check_dmarc(given.pop("author_domain"), resolver=zone({}), **given)
