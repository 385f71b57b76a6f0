"""check_host() through the front door: every reason, the way that led to it, and the RFC's rules for what surrounds it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

import zegel
from zegel.ask import Question, RRType, Together, rehearse
from zegel.spf.evaluate import check
from zegel.spf.result import SpfReason, SpfStatus

IP, IP6 = "192.0.2.1", "2001:db8::1"
Records = dict[tuple[str, str], Any]


def records(**names: str) -> Records:
    """A zone from keyword arguments: the SPF record of ``NAME.example``."""
    return {(f"{name.rstrip('_')}.example", "TXT"): [text] for name, text in names.items()}


def judge(text: str, more: Records | None = None, *, ip: str = IP, sender: str = "joe@a.example", **options: Any) -> zegel.SpfResult:
    """The MAIL FROM result with that record at a.example."""
    zone = zegel.Zone.from_dict({**records(a=text), **(more or {})})
    given = {"helo": "helo.invalid", "now": 1_700_000_000, **options}
    return zegel.check_spf(ip=ip, mail_from=sender, resolver=zone, **given).mail_from


def asked(text: str, more: Records | None = None, *, ip: str = IP, sender: str = "joe@a.example", helo: str = "x") -> list[str]:
    """The questions for that record, in order."""
    zone, questions = zegel.Zone.from_dict({**records(a=text), **(more or {})}), list[Question]()
    rehearse(check(ip=ip, helo=helo, mail_from=sender), zone.answer, questions)
    return [f"{question.type} {question.name}" for question in questions]


MX11: Records = {("a.example", "MX"): [f"{n} mx{n}.a.example" for n in range(11)]}
TABLE: dict[SpfReason, tuple[str, Records, tuple[tuple[str, str], ...]]] = {
    SpfReason.PERMITTED: ("v=spf1 ip4:192.0.2.0/24 -all", {}, (("a.example", "ip4:192.0.2.0/24"),)),
    SpfReason.NOT_PERMITTED: ("v=spf1 -ALL", {}, (("a.example", "-ALL"),)),
    SpfReason.PROBABLY_NOT: ("v=spf1 ~all", {}, (("a.example", "~all"),)),
    SpfReason.NOT_ASSERTED: ("v=spf1 ?ip4:192.0.2.1 -all", {}, (("a.example", "?ip4:192.0.2.1"),)),
    SpfReason.NO_MATCH: ("v=spf1 ip4:192.0.2.2", {}, (("a.example", ""),)),
    SpfReason.NO_RECORD: ("v=spf2.0/pra -all", {}, (("a.example", ""),)),
    SpfReason.RECORD_UNAVAILABLE: (
        "v=spf1 include:b.example -all",
        {("b.example", "TXT"): zegel.Rcode.SERVFAIL},
        (("a.example", "include:b.example"), ("b.example", "")),
    ),
    SpfReason.TERM_UNAVAILABLE: ("v=spf1 a:b.example -all", {("b.example", "*"): zegel.Rcode.TIMEOUT}, (("a.example", "a:b.example"),)),
    SpfReason.SEVERAL_RECORDS: (
        "v=spf1 redirect=b.example",
        {("b.example", "TXT"): ["v=spf1", "V=spf1 a"]},
        (("a.example", "redirect=b.example"), ("b.example", "")),
    ),
    SpfReason.RECORD_TOO_LONG: ("v=spf1 " + "a " * 5000, {}, (("a.example", ""),)),
    SpfReason.NOT_ASCII: ("v=spf1 é -all", {}, (("a.example", ""),)),
    SpfReason.TERM_UNKNOWN: ("v=spf1 -all moo", {}, (("a.example", "moo"),)),
    SpfReason.TERM_SYNTAX: ("v=spf1 -all all/8", {}, (("a.example", "all/8"),)),
    SpfReason.DOMAIN_SYNTAX: ("v=spf1 -all a:museum", {}, (("a.example", "a:museum"),)),
    SpfReason.MACRO_SYNTAX: ("v=spf1 -all x=%", {}, (("a.example", "x=%"),)),
    SpfReason.NETWORK_SYNTAX: ("v=spf1 -all ip4:1.2.3", {}, (("a.example", "ip4:1.2.3"),)),
    SpfReason.MODIFIER_TWICE: ("v=spf1 exp=a.b exp=c.d -all", {}, (("a.example", "exp=c.d"),)),
    SpfReason.INCLUDE_NONE: ("v=spf1 include:b.example -all", {}, (("a.example", "include:b.example"), ("b.example", ""))),
    SpfReason.REDIRECT_NONE: ("v=spf1 redirect=b.example", {}, (("a.example", "redirect=b.example"), ("b.example", ""))),
    SpfReason.TOO_MANY_TERMS: ("v=spf1 include:a.example", {}, (("a.example", "include:a.example"),) * 11),
    SpfReason.TOO_MANY_VOID: ("v=spf1 a:x.example a:y.example a:z.example -all", {}, (("a.example", "a:z.example"),)),
    SpfReason.TOO_MANY_MX: ("v=spf1 mx -all", MX11, (("a.example", "mx"),)),
}
ELSEWHERE = {SpfReason.BUDGET_SPENT, SpfReason.NO_ADDRESS, SpfReason.NO_DOMAIN, SpfReason.NO_SUCH_DOMAIN, SpfReason.BEHIND_RELAY}


@pytest.mark.parametrize("reason", TABLE, ids=str)
def test_every_reason_and_the_way_to_it(reason: SpfReason) -> None:
    text, more, path = TABLE[reason]
    result = judge(text, more)
    assert (result.reason, result.cause.path) == (reason, path)
    assert result.status is reason.status
    assert (result.domain, result.sender) == ("a.example", "joe@a.example")
    assert all(term in str(result.cause) and domain in str(result.cause) for domain, term in path)


def test_reasons_without_a_record() -> None:
    assert judge("v=spf1", sender="joe@nowhere.example").reason is SpfReason.NO_SUCH_DOMAIN
    for sender in (
        "joe@a",
        "joe",
        "joe@",
        "joe@[192.0.2.1]",
        "joe@192.0.2.1",
        "joe@a..example",
        "joe@a.example ",
        f"{'x' * 1025}@a.example",
    ):
        assert judge("v=spf1 +all", sender=sender).reason is SpfReason.NO_DOMAIN, sender
    for ip in ("", "unknown", "192.0.2", "/run/socket", "192.0.2.1\x00"):
        result = judge("v=spf1 +all", ip=ip)
        assert (result.reason, result.status, result.domain) == (SpfReason.NO_ADDRESS, "none", "a.example")


@pytest.mark.parametrize(
    ("text", "questions", "reason"),
    [
        ("v=spf1 ptr -all", 1, SpfReason.BUDGET_SPENT),
        ("v=spf1 ptr -all", 2, SpfReason.BUDGET_SPENT),
        ("v=spf1 ptr -all", 3, SpfReason.NOT_PERMITTED),
        ("v=spf1 exists:%{p}.b.example -all", 1, SpfReason.BUDGET_SPENT),
        ("v=spf1 a -all", 1, SpfReason.TERM_UNAVAILABLE),
        ("v=spf1 -all exp=e.example", 1, SpfReason.NOT_PERMITTED),
        ("v=spf1 -all exp=e%{p}.example", 1, SpfReason.NOT_PERMITTED),
    ],
)
def test_a_budget_that_is_used_up_is_no_fail(text: str, questions: int, reason: SpfReason) -> None:
    """RFC 7208 4.6.4: "If such a limit is exceeded, the result of authorization SHOULD be "temperror"."""
    more: Records = {("1.2.0.192.in-addr.arpa", "PTR"): ["b.example"], ("b.example", "A"): ["192.0.2.9"]}
    result = judge(text, more, limits=zegel.Limits(questions=questions), helo="x")
    assert result.reason is reason


def test_a_reverse_zone_that_is_dead_is_no_match() -> None:
    """RFC 7208 5.5: its owner must not turn a fail into "perhaps"."""
    more: Records = {("1.2.0.192.in-addr.arpa", "PTR"): zegel.Rcode.TIMEOUT}
    assert judge("v=spf1 ptr -all", more).reason is SpfReason.NOT_PERMITTED


def test_the_table_is_whole_and_reasons_force_their_status() -> None:
    # RFC 7208 2.6.1 to 2.6.7
    assert TABLE.keys() | ELSEWHERE == set(SpfReason)
    assert {SpfReason.__members__[reason.id.upper()] for reason in SpfReason} == set(SpfReason)
    assert {reason for reason in SpfReason if reason.status is SpfStatus.PASS} == {SpfReason.PERMITTED}
    assert {reason for reason in SpfReason if reason.status is SpfStatus.FAIL} == {SpfReason.NOT_PERMITTED}
    assert {str(status) for status in SpfStatus} == {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
    for reason in SpfReason:
        assert re.fullmatch(r"RFC \d{4} [\d.]+", reason.section)


# --- identities: RFC 7208 2.3, 2.4, 4.3


def test_two_identities_two_results_each_with_its_own_limits() -> None:
    ten = "v=spf1 " + "a:x.a.example " * 10
    zone = zegel.Zone.from_dict({**records(a=ten + "-all", b=ten + "ip4:192.0.2.1"), ("x.a.example", "A"): ["192.0.2.9"]})
    checked = zegel.check_spf(ip=IP, helo="a.example", mail_from="joe@b.example", resolver=zone)
    assert (checked.helo.status, checked.mail_from.status) == ("fail", "pass")
    assert (checked.helo.identity, checked.mail_from.identity) == ("helo", "mailfrom")
    assert (checked.helo.sender, checked.helo.domain) == ("postmaster@a.example", "a.example")


@pytest.mark.parametrize("empty", ["", "<>"])
def test_an_empty_sender_is_postmaster_at_the_helo_name(empty: str) -> None:
    zone = zegel.Zone.from_dict(
        {**records(a="v=spf1 exists:%{l}.%{o}.b.example -all"), ("postmaster.a.example.b.example", "A"): ["127.0.0.1"]}
    )
    questions: list[Question] = []
    checked = rehearse(check(ip=IP, helo="A.example.", mail_from=empty), zone.answer, questions)
    assert (checked.mail_from.status, checked.mail_from.sender, checked.mail_from.identity) == ("pass", "postmaster@a.example", "mailfrom")
    assert checked.helo == checked.mail_from._replace(identity=zegel.SpfIdentity.HELO)
    assert len(questions) == 2, "asked once for both"


@pytest.mark.parametrize(
    "helo",
    ["", "mail", "[192.0.2.1]", "[IPv6:::1]", "192.0.2.1", "a b.example", "x" * 5000, "a..example", "localhost.", "\x00", "-a-.example"],
)
def test_a_helo_that_is_no_full_name_is_none(helo: str) -> None:
    checked = zegel.check_spf(ip=IP, helo=helo, mail_from="", resolver=zegel.Zone.from_dict({("example", "TXT"): ["v=spf1 +all"]}))
    assert [(result.status, result.reason) for result in checked] == [("none", SpfReason.NO_DOMAIN)] * 2


@pytest.mark.parametrize(
    ("sender", "local_part", "domain"),
    [
        ("<joe@a.example>", "joe", "a.example"),
        ("@a.example", "postmaster", "a.example"),
        ('"a@b"@A.EXAMPLE', '"a@b"', "a.example"),
        ("@x.org,@y.org:joe@a.example", "joe", "a.example"),
        ("user%b.org@a.example", "user%b.org", "a.example"),
        ("b.org!user@a.example", "b.org!user", "a.example"),
    ],
)
def test_the_domain_is_what_follows_the_last_at(sender: str, local_part: str, domain: str) -> None:
    """RFC 7208 2.2 and 4.1, RFC 5321 C: source routes, the %-hack and bang paths have been used to bypass security systems."""
    result = judge("v=spf1 -all exp=x.example", {("x.example", "TXT"): ["%{l} %{o}"]}, sender=sender)
    assert (result.status, result.explanation) == ("fail", f"{local_part} {domain}")


def test_internationalised_names_are_asked_as_a_labels() -> None:
    zone = zegel.Zone.from_dict(
        {
            ("xn--bcher-kva.example", "TXT"): ["v=spf1 exists:%{o}.%{h}.example -all"],
            ("xn--bcher-kva.example.helo.example", "A"): ["127.0.0.1"],
        }
    )
    result = zegel.check_spf(ip=IP, helo="helo", mail_from="jörg@BÜCHER.example", resolver=zone).mail_from
    assert (result.status, result.domain, result.sender) == ("pass", "xn--bcher-kva.example", "jörg@xn--bcher-kva.example")
    assert asked("v=spf1 exists:%{h} -all", helo="É.example")[-1] == "A xn--9ca.example"


def test_a_local_part_beyond_ascii_matches_nothing() -> None:
    """RFC 8616 4: terms that contain %{s} or %{l} do not match anything."""
    b: Records = {("b.example", "TXT"): ["v=spf1 +all"], ("%6a%c3%b6.example", "A"): ["127.0.0.1"], ("j%c3%b6.example", "A"): ["127.0.0.1"]}
    for term in (
        "exists:%{l}.example",
        "exists:%{L}.example",
        "a:%{s}.example",
        "include:%{l}.example",
        "ptr:%{l}.example",
        "mx:%{S}.b.example",
    ):
        assert asked(f"v=spf1 {term} -all", b, sender="jö@a.example") == ["TXT a.example"]
        assert judge(f"v=spf1 {term} -all", b, sender="jö@a.example").status == "fail"
    assert judge("v=spf1 redirect=%{l}.example", b, sender="jö@a.example").reason is SpfReason.REDIRECT_NONE
    assert judge("v=spf1 include:%{l}.example -all", b, sender="b@a.example").status == "pass"


def test_ipv4_mapped_clients_are_ipv4() -> None:
    # RFC 4291 2.5.5.2, RFC 7208 5
    assert judge("v=spf1 ip4:192.0.2.1 -all", ip="::ffff:192.0.2.1").status == "pass"
    assert judge("v=spf1 ip6:::ffff:192.0.2.1 ip6:::/0 -all", ip="::ffff:192.0.2.1").status == "fail"
    assert asked("v=spf1 a -all", ip="::ffff:192.0.2.1")[-1] == "A a.example"
    assert asked("v=spf1 a exists:%{d} -all", ip=IP6)[-2:] == ["AAAA a.example", "A a.example"]


# --- mechanisms: RFC 7208 5


def test_include_by_the_table_of_5_2() -> None:
    more = records(
        pass_="v=spf1 +all", fail="v=spf1 -all", softfail="v=spf1 ~all", neutral="v=spf1 ?all", permerror="v=spf1 moo", none="v=spf3"
    )
    more["temperror.example", "*"] = zegel.Rcode.TIMEOUT
    found = {
        name: str(judge(f"v=spf1 ~include:{name}.example -all", more).status)
        for name in ("pass", "fail", "softfail", "neutral", "temperror", "permerror", "none", "absent")
    }
    assert found == {
        "pass": "softfail",
        "fail": "fail",
        "softfail": "fail",
        "neutral": "fail",
        "temperror": "temperror",
        "permerror": "permerror",
        "none": "permerror",
        "absent": "permerror",
    }
    result = judge("v=spf1 include:fail.example -include:pass.example ?all", more)
    assert result.cause.path == (("a.example", "-include:pass.example"), ("pass.example", "+all"))
    assert (result.status, result.cause.mechanism) == ("fail", "-include:pass.example")


def test_an_error_ends_the_evaluation_at_any_depth() -> None:
    more = records(b="v=spf1 include:c.example +all", c="v=spf1 moo")
    result = judge("v=spf1 include:b.example +all", more)
    assert result.cause.path == (("a.example", "include:b.example"), ("b.example", "include:c.example"), ("c.example", "moo"))


def test_redirect() -> None:
    more = records(b="v=spf1 ip4:192.0.2.1 redirect=c.example", c="v=spf1 a:%{d} -all")
    more["c.example", "A"] = ["198.51.100.1"]
    result = judge("v=spf1 redirect=b.example ip4:192.0.2.9", more, ip="198.51.100.1")
    assert result.cause.path == (("a.example", "redirect=b.example"), ("b.example", "redirect=c.example"), ("c.example", "a:%{d}"))
    assert (result.status, result.cause.mechanism) == ("pass", "a:%{d}")
    assert asked("v=spf1 redirect=b.example ?all", more) == ["TXT a.example"]
    assert judge("v=spf1 redirect=%{d}..example", more).reason is SpfReason.REDIRECT_NONE


def test_a_malformed_target_is_no_match_and_is_not_asked_for() -> None:
    """RFC 7208 4.8 leaves it open. A single label, a backslash and letters beyond ASCII are no names to ask for either.

    RFC 7208 11.5.3: "It is necessary to be prepared for hostile or unexpected content".
    """
    for helo in ("[192.0.2.1]..", "x" * 64 + ".y", "a\\.b", "é", "\x01.b"):
        zone = zegel.Zone.from_dict(records(a="v=spf1 a:%{h} mx:%{h} exists:%{h} ptr:%{h} -all"))
        questions: list[Question] = []
        result = rehearse(check(ip=IP, helo=helo, mail_from="joe@a.example"), zone.answer, questions).mail_from
        assert (result.status, questions) == ("fail", [Question("a.example", RRType.TXT)]), helo
    assert judge("v=spf1 include:%{d}..b ?all").reason is SpfReason.INCLUDE_NONE


@pytest.mark.parametrize(
    ("term", "ip", "matches"),
    [
        ("a/24", "192.0.2.99", True),
        ("a/32", "192.0.2.99", False),
        ("a/0", "203.0.113.5", True),
        ("a//0", "203.0.113.5", False),
        ("a/24//64", "2001:db8::ffff", True),
        ("a/24", "2001:db8::ffff", False),
        ("a//128", IP6, True),
        ("mx", "198.51.100.4", True),
        ("mx/24//48", "2001:db8:0:1::1", True),
        ("mx/24", "198.51.100.77", True),
        ("mx:b.example", IP, False),
        ("mx:null.example/0", IP, False),
    ],
)
def test_prefixes(term: str, ip: str, matches: bool) -> None:
    more: Records = {
        ("a.example", "A"): ["192.0.2.1", "not an address"],
        ("a.example", "AAAA"): [IP6],
        ("a.example", "MX"): ["10 MX.a.example.", "20 mx2.a.example"],
        ("mx.a.example", "A"): ["198.51.100.4"],
        ("mx2.a.example", "AAAA"): ["2001:db8::2"],
        ("b.example", "A"): [IP],
        ("null.example", "MX"): ["0 ."],  # RFC 7505
    }
    assert judge(f"v=spf1 {term} -all", more, ip=ip).status == ("pass" if matches else "fail")


def test_mx_hosts_are_asked_together_and_a_match_outweighs_a_dead_server() -> None:
    more: Records = {
        ("a.example", "MX"): ["10 dead.example", "20 mx.example", "30 mx.example"],
        ("dead.example", "*"): zegel.Rcode.TIMEOUT,
        ("mx.example", "A"): [IP],
    }
    assert asked("v=spf1 mx -all", more) == ["TXT a.example", "MX a.example", "A dead.example", "A mx.example"]
    assert judge("v=spf1 mx -all", more).status == "pass"
    result = judge("v=spf1 mx -all", more, ip="192.0.2.2")
    assert (result.reason, result.cause.detail) == (SpfReason.TERM_UNAVAILABLE, "dead.example: TIMEOUT")


def test_both_identities_are_asked_of_together() -> None:
    """One dead name server holds up neither; where HELO has no domain there is nothing to wait for."""
    first = next(check(ip=IP, helo="mail.b.example", mail_from="joe@a.example"))
    assert isinstance(first, Together)
    assert len(first.branches) == 2
    assert next(check(ip=IP, helo="[192.0.2.1]", mail_from="joe@a.example")) == (Question("a.example", RRType.TXT),)


def test_ptr_validates_names_and_errors_are_no_match() -> None:
    more: Records = {
        ("1.2.0.192.in-addr.arpa", "PTR"): ["forged.b.example", "dead.b.example", "Mail.B.example."],
        ("forged.b.example", "A"): ["192.0.2.2"],
        ("dead.b.example", "*"): zegel.Rcode.SERVFAIL,
        ("mail.b.example", "A"): [IP],
    }
    assert judge("v=spf1 ptr:B.example -all", more).status == "pass"
    assert judge("v=spf1 ptr:mail.b.example -all", more).status == "pass"
    for target in ("forged.b.example", "dead.b.example", "bad-b.example", "x.mail.b.example"):
        assert judge(f"v=spf1 ptr:{target} -all", more).status == "fail", target
    assert judge("v=spf1 ptr:b.example -all", {("1.2.0.192.in-addr.arpa", "PTR"): zegel.Rcode.TIMEOUT}).status == "fail"
    assert asked("v=spf1 ptr:x.org exists:%{p}.x.org ptr:y.org -all", more).count("PTR 1.2.0.192.in-addr.arpa") == 1


def test_mail_bad_example_com_is_not_within_example_com() -> None:
    """RFC 7208 5.5."""
    more: Records = {("1.2.0.192.in-addr.arpa", "PTR"): ["mail.bad-b.example"], ("mail.bad-b.example", "A"): [IP]}
    assert judge("v=spf1 ptr:b.example -all", more).status == "fail"
    assert judge("v=spf1 ptr:bad-b.example -all", more).status == "pass"


def test_the_name_of_p() -> None:
    """RFC 7208 7.3: the domain, else a name below it, else any."""
    names = ["bada.example", "mail.a.example", "a.example"]
    for count, expected in ((3, "a.example"), (2, "mail.a.example"), (1, "bada.example"), (0, "unknown")):
        more: Records = {
            ("1.2.0.192.in-addr.arpa", "PTR"): names[:count],
            ("why.example", "TXT"): ["%{p}"],
            **{(name, "A"): [IP] for name in names},
        }
        assert judge("v=spf1 -all exp=why.example", more).explanation == expected


# --- explanations: RFC 7208 6.2


def explained(text: str | bytes, *, sender: str = "joe@a.example", helo: str = "h.example", default: str | None = "DEFAULT") -> str:
    zone = zegel.Zone.from_dict({**records(a="v=spf1 -all exp=why.example"), ("why.example", "TXT"): [text]})
    return zegel.check_spf(
        ip=IP, helo=helo, mail_from=sender, resolver=zone, receiver="mta.example", now=1.5, default_explanation=default
    ).mail_from.explanation


def test_explanations() -> None:
    assert explained("%{i} %{c} %{r} %{t} %{h}") == f"{IP} {IP} mta.example 1 h.example"
    assert explained("See http://%{d}/why.html?s=%{S}&i=%{I}") == f"See http://a.example/why.html?s=joe%40a.example&i={IP}"
    for bad in ("%{x}", "%", b"\xef\xbb\xbf", "a\nb", "x" * 2049):
        assert explained(bad) == "DEFAULT"
        assert explained(bad, default=None) == ""
    assert judge("v=spf1 -all", default_explanation="no").explanation == "no"
    assert judge("v=spf1 ~all exp=why.example", {("why.example", "TXT"): ["x"]}).explanation == ""
    assert asked("v=spf1 ~all exp=why.example") == ["TXT a.example"]


def test_nothing_of_a_stranger_ends_the_reply() -> None:
    # RFC 5321 4.2 and 4.5.3.1.5
    told = explained("%{l}|%{h}", sender='"a\r\n250 ok\x00\x7fé"@a.example', helo="x\r\n221 bye\u2028")
    assert told == '"a250 ok?"|x221 bye?'
    assert len(explained("%{l}" * 400, sender=f"{'y' * 900}@a.example")) == 500


def test_whose_explanation_counts() -> None:
    more = records(b="v=spf1 -all exp=b-why.example", p="v=spf1 +all exp=b-why.example")
    more |= {("why.example", "TXT"): ["ours, %{d}"], ("b-why.example", "TXT"): ["theirs, %{d}"]}
    assert judge("v=spf1 include:b.example -all exp=why.example", more).explanation == "ours, a.example"
    assert judge("v=spf1 -include:p.example exp=why.example", more).explanation == "ours, a.example"
    assert judge("v=spf1 redirect=b.example exp=why.example", more).explanation == "theirs, b.example"
    assert judge("v=spf1 -include:p.example", more, default_explanation="D").explanation == "D"


# --- the front door


def test_the_async_twin_says_the_same() -> None:
    zone = zegel.Zone.from_dict(records(a="v=spf1 -all", b="v=spf1 +all"))
    options: dict[str, Any] = {"ip": IP, "helo": "b.example", "mail_from": "joe@a.example", "resolver": zone, "default_explanation": "no"}
    assert asyncio.run(zegel.aio.check_spf(**options)) == zegel.check_spf(**options)
    assert zegel.check_spf(**options).mail_from.explanation == "no"


class Silent:
    """A resolver whose servers never answer, or only for some names."""

    def __init__(self, zone: zegel.Zone, dead: str) -> None:
        self.zone, self.dead = zone, dead

    async def resolve(self, question: Question) -> zegel.Answer:
        if question.name.endswith(self.dead):
            await asyncio.sleep(3600)
        return self.zone.answer(question)


def test_a_dead_server_is_temperror_when_the_time_is_up_and_holds_up_only_its_own() -> None:
    zone = zegel.Zone.from_dict(records(a="v=spf1 a:x.dead.example -all", b="v=spf1 -all"))
    limits = zegel.Limits(dns_seconds=0.05)
    checked = zegel.check_spf(ip=IP, helo="b.example", mail_from="joe@a.example", resolver=Silent(zone, "dead.example"), limits=limits)
    assert [str(result.reason) for result in checked] == ["not_permitted", "term_unavailable"]
    checked = zegel.check_spf(ip=IP, helo="b.example", mail_from="joe@a.example", resolver=Silent(zone, "example"), limits=limits)
    assert [str(result.reason) for result in checked] == ["record_unavailable", "record_unavailable"]


def test_over_the_number_of_questions_it_is_temperror() -> None:
    zone = zegel.Zone.from_dict({**records(a="v=spf1 a:x.example a:y.example -all"), ("x.example", "A"): ["198.51.100.1"]})
    options: dict[str, Any] = {"ip": IP, "helo": "x", "mail_from": "joe@a.example", "resolver": zone}
    found = [str(zegel.check_spf(**options, limits=zegel.Limits(questions=number)).mail_from.reason) for number in (1, 2, 3)]
    assert found == ["term_unavailable", "term_unavailable", "not_permitted"]


@pytest.mark.parametrize("wrong", ["ip", "helo", "mail_from"])
def test_misuse_raises(wrong: str) -> None:
    options: dict[str, Any] = {"ip": IP, "helo": "b.example", "mail_from": "joe@a.example", wrong: b"x"}
    with pytest.raises(TypeError, match="must be str"):
        zegel.check_spf(resolver=zegel.Zone.from_dict({}), **options)
