"""Mail servers, report destinations, transport, BIMI and domains without mail, as they are checked.

RFC 5321 5.1, RFC 7505 3, RFC 2181 10.3, RFC 1912 2.1, RFC 3596 2.1; RFC 9990 4 and RFC 9991 2; RFC 8461 3.1, 3.2, 4.1, 4.2 and 5,
RFC 8460 3, RFC 7672 2.1, 3.1 and 3.1.3, RFC 4035 4.9.3; RFC 7208 10.1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import zegel
from support import cases, checks
from zegel.ask import Answer, Question, Rcode, rehearse
from zegel.check.item import Area
from zegel.check.mx import host_of
from zegel.check.report import Options, Report, check
from zegel.check.transport import Fetched
from zegel.grammar.domain import Domain

MX: dict[tuple[str, str], Any] = {
    ("example.com", "MX"): ["10 mx.example.com"],
    ("mx.example.com", "A"): ["192.0.2.1"],
    ("mx.example.com", "AAAA"): ["2001:db8::1"],
    ("example.com", "CAA"): ['0 issue "ca.example"'],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["mx.example.com"],
    ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["mx.example.com"],
}
HOST: dict[tuple[str, str], Any] = {("mx.example.com", "A"): ["192.0.2.1"]}
REJECT = "v=DMARC1; p=reject; rua=mailto:a@example.com"


def of(area: Area, more: Mapping[tuple[str, str], Any] = {}, base: Mapping[tuple[str, str], Any] = MX, **options: Any) -> list[str]:
    return checks.bad(checks.report({**base, **more}, **options), area)


# --- mail servers


def test_a_mail_server_that_is_as_it_should_be() -> None:
    assert of(Area.MX) == []
    assert checks.one(checks.report(MX), "mx.host").level == "pass"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({}, ["fail mx.domain"]),
        ({("example.com", "TXT"): ["x"]}, ["warn mx.record"]),
        ({("example.com", "A"): ["192.0.2.1"]}, ["warn mx.record"]),
        ({("example.com", "MX"): ["0 ."]}, []),
        (
            {("example.com", "MX"): ["0 .", "10 mx.example.com"], ("mx.example.com", "A"): ["192.0.2.1"]},
            ["fail mx.null", "warn mx.reverse"],
        ),
        ({("example.com", "MX"): ["10 mx.gone.example"]}, ["fail mx.host"]),
        ({("example.com", "MX"): ["10 192.0.2.1"]}, ["fail mx.host"]),
        ({("example.com", "MX"): ["10 a.example.com"], ("a.example.com", "TXT"): ["x"]}, ["fail mx.host"]),
        (
            {
                ("example.com", "MX"): ["10 a.example.com"],
                ("a.example.com", "CNAME"): ["b.example.com"],
                ("b.example.com", "A"): ["192.0.2.1"],
            },
            ["warn mx.alias", "warn mx.reverse"],
        ),
        ({("example.com", "MX"): Rcode.SERVFAIL}, []),
    ],
)
def test_mail_servers(zone: dict[tuple[str, str], Any], expected: list[str]) -> None:
    assert of(Area.MX, base=zone) == expected


def test_the_null_mx_is_what_mends_it() -> None:
    item = checks.one(checks.report({("example.com", "TXT"): ["x"]}), "mx.record")
    assert checks.mends(item) == ["example.com MX 0 ."]


def test_names_that_do_not_lead_back() -> None:
    item = checks.items(checks.report(MX | {("1.2.0.192.in-addr.arpa", "PTR"): ["other.example"]}), "mx.reverse")[0]
    assert (item.level, item.values["name"]) == ("warn", "other.example")
    sender = {("example.com", "TXT"): ["v=spf1 ip4:198.51.100.7 -all"]}
    addresses = [item.values["address"] for item in checks.items(checks.report({**MX, **sender}), "mx.reverse")]
    assert addresses == ["198.51.100.7", "192.0.2.1", "2001:db8::1"]


def test_servers_and_addresses_are_bounded() -> None:
    counts = []
    for number in (50, 100, 200):
        zone: dict[tuple[str, str], Any] = {("example.com", "MX"): [f"{at} mx{at}.example.com" for at in range(number)]}
        zone |= {(f"mx{at}.example.com", "A"): [f"192.0.2.{one}" for one in range(number)] for at in range(number)}
        asked: list[Question] = []
        checks.report(zone, asked=asked)
        counts.append(len(asked))
    assert counts[0] == counts[1] == counts[2] < 150


def test_the_null_mx_of_a_zone_file_and_of_the_wire() -> None:
    for record in ("0 .", "0 ", "0"):
        assert host_of(record) == ""
    found = checks.report("example.com. MX 0 .\n")
    assert found.facts.mx.null
    assert not found.facts.mx.receives


# --- report destinations


@pytest.mark.parametrize(
    ("rua", "more", "expected"),
    [
        ("mailto:a@example.com", {}, []),
        ("mailto:a@mail.example.com", {("mail.example.com", "A"): ["192.0.2.1"]}, []),
        ("mailto:a@other.example", {}, ["fail reports.consent"]),
        ("mailto:a@other.example", {("example.com._report._dmarc.other.example", "TXT"): ["v=DMARC1"]}, []),
        ("mailto:a@other.example", {("*._report._dmarc.other.example", "TXT"): ["v=DMARC1;"]}, []),
        ("mailto:a@other.example", {("*._report._dmarc.other.example", "TXT"): ["v=DMARC1; rua=mailto:b@other.example"]}, []),
        (
            "mailto:a@other.example",
            {("*._report._dmarc.other.example", "TXT"): ["v=DMARC1; rua=mailto:b@third.example"]},
            ["fail reports.consent"],
        ),
        ("mailto:a@other.example", {("*._report._dmarc.other.example", "TXT"): ["p=none; v=DMARC1"]}, ["fail reports.consent"]),
        ("mailto:a@other.example", {("*._report._dmarc.other.example", "TXT"): Rcode.TIMEOUT}, []),
        (
            "mailto:a@null.example",
            {("*._report._dmarc.null.example", "TXT"): ["v=DMARC1"], ("null.example", "MX"): ["0 ."]},
            ["fail reports.deliverable"],
        ),
        ("mailto:a@none.example", {("*._report._dmarc.none.example", "TXT"): ["v=DMARC1"]}, ["fail reports.deliverable"]),
    ],
)
def test_destinations(rua: str, more: dict[tuple[str, str], Any], expected: list[str]) -> None:
    zone = {("_dmarc.example.com", "TXT"): [f"v=DMARC1; p=reject; rua={rua}"], ("other.example", "MX"): ["10 other.example"]}
    assert of(Area.REPORTS, zone | more) == expected


def test_the_consent_that_is_missing_is_spelled_out() -> None:
    zone = {("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@other.example"]}
    item = checks.one(checks.report(MX | zone), "reports.consent")
    assert checks.mends(item) == ["example.com._report._dmarc.other.example TXT v=DMARC1;"]
    assert "other.example" in str(item.step)


def test_nobody_gets_reports() -> None:
    assert of(Area.REPORTS, {("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject"]}) == ["fail reports.rua"]


def test_destinations_are_bounded() -> None:
    counts = []
    for number in (20, 40, 80):
        uris = ",".join(f"mailto:a@d{at}.example" for at in range(number))
        asked: list[Question] = []
        checks.report(MX | {("_dmarc.example.com", "TXT"): [f"v=DMARC1; p=none; rua={uris}"]}, asked=asked)
        counts.append(len(asked))
    assert counts[0] == counts[1] == counts[2]


# --- transport


def signed(zone: Mapping[tuple[str, str], Any], *names: str, trusted: bool = True) -> Report:
    """Checked with a resolver that says of these names that DNSSEC signs their answers."""
    found = zegel.Zone.from_dict(zone)

    def answer(question: Question) -> Answer:
        return replace(found.answer(question), authentic=any(question.name.endswith(name) for name in names))

    return rehearse(check(Domain.parse("example.com"), Options(trusted=trusted)), answer)


TLSA = {("_25._tcp.mx.example.com", "TLSA"): ["3 1 1 " + "ab" * 32]}


def test_dnssec_and_dane() -> None:
    assert {"pass transport.dnssec", "pass transport.tlsa"} <= set(checks.levels(signed(MX | TLSA, "example.com")))
    assert {"warn transport.dnssec", "warn transport.tlsa"} <= set(checks.levels(signed(MX | TLSA)))
    untrusted = signed(MX | TLSA, trusted=False)
    assert {"not_tested transport.dnssec", "not_tested transport.tlsa"} <= set(checks.levels(untrusted))
    wrong = {("_25._tcp.mx.example.com", "TLSA"): ["1 1 1 " + "ab" * 32]}
    assert "fail transport.tlsa" in checks.levels(signed(MX | wrong, "example.com"))
    assert "not_tested transport.starttls" in checks.levels(untrusted)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (["v=STSv1; id=20261124"], ["warn transport.tls_rpt"]),
        (["v=STSv1;id=1;"], ["warn transport.tls_rpt"]),
        (["v=STSv1; id=1; future=1"], ["warn transport.mta_sts", "warn transport.tls_rpt"]),
        (["v=STSv1; id=2026-11-24"], ["fail transport.mta_sts", "warn transport.tls_rpt"]),
        (["v=STSv1; id=1", "v=STSv1; id=2"], ["fail transport.mta_sts", "warn transport.tls_rpt"]),
        (["v=STSv2; id=1"], ["fail transport.mta_sts"]),
        ([], ["warn transport.mta_sts"]),
    ],
)
def test_mta_sts(record: list[str], expected: list[str]) -> None:
    assert of(Area.TRANSPORT, {("_mta-sts.example.com", "TXT"): record}) == expected


@pytest.mark.parametrize(
    ("mode", "mx", "level"),
    [
        ("enforce", "mx.example.com", "pass"),
        ("enforce", "*.example.com", "pass"),
        ("enforce", "*.com", "fail"),
        ("enforce", "other.example", "fail"),
        ("testing", "other.example", "warn"),
        ("testing", "mx.example.com", "warn"),
        ("none", "mx.example.com", "warn"),
    ],
)
def test_the_policy_and_the_mail_servers(mode: str, mx: str, level: str) -> None:
    text = f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"
    found = checks.report(MX | {("_mta-sts.example.com", "TXT"): ["v=STSv1; id=1"]}, sts=Fetched(text))
    assert checks.one(found, "transport.mta_sts_policy").level == level


def test_a_policy_that_was_not_fetched_or_cannot_be_had() -> None:
    zone = MX | {("_mta-sts.example.com", "TXT"): ["v=STSv1; id=1"]}
    assert checks.one(checks.report(zone), "transport.mta_sts_policy").level == "not_tested"
    item = checks.one(checks.report(zone, sts=Fetched(None, "no")), "transport.mta_sts_policy")
    assert (item.level, str(item.finding)) == ("fail", "the policy file of MTA-STS cannot be had: no")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (["v=TLSRPTv1; rua=mailto:a@example.com"], []),
        (["v=TLSRPTv1;rua=https://example.com/x,mailto:a@example.com"], []),
        (["v=TLSRPTv1; rua=http://example.com"], ["fail transport.tls_rpt"]),
        (["v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv1; rua=mailto:b@example.com"], ["fail transport.tls_rpt"]),
        (["v=TLSRPTv2; rua=mailto:a@example.com"], ["fail transport.tls_rpt"]),
    ],
)
def test_tls_rpt(record: list[str], expected: list[str]) -> None:
    assert [line for line in of(Area.TRANSPORT, {("_smtp._tls.example.com", "TXT"): record}) if "mta_sts" not in line] == expected


# --- BIMI


@pytest.mark.parametrize(
    ("record", "dmarc", "expected"),
    [
        ([], REJECT, []),
        (["v=BIMI1; l=https://example.com/logo.svg; a=https://example.com/vmc.pem"], REJECT, []),
        (["v=BIMI1; l=http://example.com/logo.svg"], REJECT, ["fail bimi.logo"]),
        (["v=BIMI1; l=https://example.com/logo.svg"], REJECT.replace("reject", "none"), ["warn bimi.policy"]),
        (["v=BIMI1; l=https://example.com/logo.svg"], f"{REJECT}; sp=none", ["warn bimi.policy"]),
        (["v=BIMI1; l=https://example.com/logo.svg"], f"{REJECT}; pct=50", ["warn bimi.policy"]),
        (["v=BIMI1"], REJECT, ["fail bimi.record"]),
        (["v=BIMI1; l=a; l=b"], REJECT, ["fail bimi.record"]),
        (["v=BIMI1; l=", "v=BIMI1; l="], REJECT, ["fail bimi.record"]),
    ],
)
def test_bimi(record: list[str], dmarc: str, expected: list[str]) -> None:
    assert of(Area.BIMI, {("default._bimi.example.com", "TXT"): record, ("_dmarc.example.com", "TXT"): [dmarc]}) == expected


# --- domains without mail

PARKED: dict[tuple[str, str], Any] = {
    ("example.com", "MX"): ["0 ."],
    ("example.com", "TXT"): ["v=spf1 -all"],
    ("*._domainkey.example.com", "TXT"): ["v=DKIM1; p="],
    ("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@other.example"],
    ("*._report._dmarc.other.example", "TXT"): ["v=DMARC1"],
    ("other.example", "MX"): ["10 other.example"],
}


def test_a_parked_domain_that_says_so_everywhere_is_proof() -> None:
    found = checks.report(PARKED)
    assert checks.bad(found) == []
    assert [item.level for item in found.of(Area.PARKED)] == ["pass"] * 4
    assert (found.proof.answer, found.facts.parked) == ("yes", True)


@pytest.mark.parametrize(
    ("without", "expected", "mend"),
    [
        (("example.com", "MX"), "warn parked.mx", "example.com MX 0 ."),
        (("example.com", "TXT"), "fail parked.spf", "example.com TXT v=spf1 -all"),
        (("*._domainkey.example.com", "TXT"), "warn parked.dkim", "*._domainkey.example.com TXT v=DKIM1; p="),
        (
            ("_dmarc.example.com", "TXT"),
            "fail parked.dmarc",
            "_dmarc.example.com TXT v=DMARC1; p=reject; rua=mailto:dmarc-reports@example.com",
        ),
    ],
)
def test_what_a_parked_domain_lacks(without: tuple[str, str], expected: str, mend: str) -> None:
    found = checks.report({key: value for key, value in PARKED.items() if key != without})
    assert expected in checks.bad(found)
    assert mend in checks.mends(checks.one(found, expected.split()[1]))


def test_a_wildcard_with_a_key_in_it_revokes_nothing() -> None:
    for record in ("v=DKIM1; p=AAAA", f"v=DKIM1; p={cases.RFC6376_KEY}", "no key"):
        found = checks.report(PARKED | {("*._domainkey.example.com", "TXT"): [record]})
        assert checks.one(found, "parked.dkim").level == "warn"


def test_a_domain_with_mail_is_not_parked() -> None:
    assert checks.report(MX).of(Area.PARKED) == ()
    assert checks.report(MX | {("example.com", "TXT"): ["v=spf1 -all"]}).of(Area.PARKED) == ()
    # Unless its owner says so.
    assert "fail parked.spf" in checks.bad(checks.report(MX | {("example.com", "TXT"): ["v=spf1 mx -all"]}, parked=True))
