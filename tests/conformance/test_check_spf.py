"""What the suite of a record checker flags in SPF records, ``zegel check`` flags: whole, each case by the id and level of an item.

The suite asks live DNS, or answers of its own that it does not write down: what each case needs is written here from its own words. Its
cases are about RFC 7208 3.4, 4.5, 4.6, 4.6.4, 5, 5.1, 5.2, 5.5, 6, 6.1, 6.2 and 7.2.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

import zegel
from support import cases, checks
from support.cases import Difference
from zegel.check.item import Area

CASES: list[dict[str, Any]] = cases.load(cases.suite("spf") / "record-lint.json")["cases"]
Zone = dict[tuple[str, str], Any]
TIMEOUT, NXDOMAIN = zegel.Rcode.TIMEOUT, zegel.Rcode.NXDOMAIN

_SALESFORCE: Zone = {("_spf.salesforce.com", "TXT"): ["v=spf1 exists:%{i}._spf.mta.salesforce.com -all"]}
_ELEVEN: Zone = {
    (name, "TXT"): [text]
    for name, text in {
        "_spf.salesforce.com": "v=spf1 exists:%{i}._spf.mta.salesforce.com -all",
        "spf.protection.outlook.com": "v=spf1 ip4:192.0.2.0/25 -all",
        "spf.constantcontact.com": "v=spf1 ip4:192.0.2.128/26 ~all",
        "_spf.elasticemail.com": "v=spf1 ip4:192.0.2.192/27 ~all",
        "servers.mcsv.net": "v=spf1 ip4:192.0.2.224/28 ?all",
        "_spf.google.com": "v=spf1 include:_netblocks.google.com include:_netblocks2.google.com ~all",
        "_netblocks.google.com": "v=spf1 ip4:192.0.2.240/28 ~all",
        "_netblocks2.google.com": "v=spf1 ip6:2001:db8::/36 ~all",
        "service-now.com": "v=spf1 ip4:198.51.100.1 ~all",
    }.items()
} | {("example.com", "A"): ["192.0.2.1"]}
_A: Zone = {("example.com", "A"): ["192.0.2.1"], ("example.com", "AAAA"): ["2001:db8::1"]}


def _served(domain: str, host: str) -> Zone:
    return {(domain, "MX"): [f"10 {host}"], (host, "A"): ["192.0.2.1"], (host, "AAAA"): ["2001:db8::1"]}


_MX, _PROTON = _served("example.com", "mx.example.com"), _served("proton.me", "mail.protonmail.ch")
_D_SPF: Zone = {("example.com._spf.example.com", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"]}
_OTHER: Zone = {("other.example", "TXT"): ["v=spf1 -all"]}

# What DNS has in each case beside the record itself.
DNS: dict[str, Zone] = {
    "testSplitSPFRecord": _SALESFORCE,
    "testSplitSPFRecordMocked": _SALESFORCE,
    "testTooManySPFDNSLookups": _ELEVEN,
    "testTooManySPFDNSLookupsMocked": _ELEVEN,
    "testSPFIncludeLoop": {},
    "testSPFMXMechanism": _PROTON,
    "testSPFMXMechanismMocked": _PROTON,
    "testSPFAMechanism": _A,
    "testAWithCidrParsesWithoutError": _A,
    "testSPFValidMXMechanismMacro": _MX,
    "testSPFValidIncludeMechanismMacro": _D_SPF,
    "testSPFValidRedirectModifierMacro": _D_SPF,
    "testSPFRedirectWithMacro": _D_SPF,
    "testRedirectFollowed": _OTHER,
    "testRedirectTargetDnsException": {("other.example", "TXT"): TIMEOUT},
    "testSPFValidExpModifierMacro": {},
    "testExpAfterAllValidDomain": {("exp.example", "TXT"): ["no mail from %{i}"]},
    "testExpAfterAllNoTxtRecords": {},
    "testExpAfterAllTooManyTxtRecords": {("exp.example", "TXT"): ["one", "two"]},
    "testExpAfterAllExceptionWarning": {("exp.example", "TXT"): TIMEOUT},
    "testTooManyMxRecords": {("example.com", "MX"): [f"10 mx{number}.example.com" for number in range(11)]},
    "testMxHostMissingARecords": {("example.com", "MX"): [f"10 mx{number}.example.com" for number in range(4)]},
}

# What the suite raises, as an item of ours.
RAISED = {
    "SPFSyntaxError": "fail spf.syntax",
    "SPFTooManyDNSLookups": "fail spf.lookups",
    "SPFTooManyVoidDNSLookups": "fail spf.voids",
    "SPFIncludeLoop": "fail spf.include",
    "SPFRedirectLoop": "fail spf.include",
}
# What it warns of, as an item of ours.
WARNED = {
    "testJunkAfterAll": "warn spf.modifier",
    "testJunkAfterAllMocked": "warn spf.modifier",
    "testIncludeMissingSPF": "fail spf.include",
    "testIncludeMissingSPFMocked": "fail spf.include",
    "testSPFMissingMXRecord": "warn spf.term",
    "testSPFMissingMXRecordMocked": "warn spf.term",
    "testSPFMissingARecord": "warn spf.term",
    "testSPFMissingARecordMocked": "warn spf.term",
    "testSPFValidPTRMechanismMacro": "warn spf.ptr",
    "testPtrEmitsWarning": "warn spf.ptr",
    "testPtrWithExplicitDomain": "warn spf.ptr",
    "testPtrMissingARecords": "warn spf.ptr",
    "testSPFParkedDomainWarning": "fail parked.spf",
    "testRedirectTargetDnsException": "not_tested spf.include",
    "testExpAfterAllNoTxtRecords": "warn spf.explanation",
    "testExpAfterAllTooManyTxtRecords": "warn spf.explanation",
    "testExpAfterAllExceptionWarning": "warn spf.explanation",
    "testTextAfterExpValueWarns": "fail spf.syntax",
}

DIFFERENCES = {
    "testTooManyMxRecords": Difference(
        "fail spf.lookups",
        "fail spf.term",
        "RFC 7208 4.6.4: more than ten MX records for one mx is a limit of its own, which MUST produce a permerror; the terms are one",
    ),
    "testMxHostMissingARecords": Difference(
        "fail spf.voids",
        "warn spf.voids",
        'RFC 7208 4.6.4 limits "the number of "terms" for which DNS queries return" nothing: one mx is one term however many hosts it has; '
        "some receivers count each look-up, and the item says so",
    ),
    "testSPFValidAMechanismMacro": Difference(
        "no warning",
        "warn spf.macros",
        "RFC 7208 7.2: %{l} is the local part, which the sender writes; so it is flagged",
    ),
    "testSPFNeutralAll": Difference("no warning asked for", "fail spf.all", "RFC 7208 2.6.2: neutral MUST be treated exactly like none"),
}


def zone(case: dict[str, Any]) -> Zone:
    """The record, its quoted strings as strings of one TXT record, and the rest of DNS."""
    text, domain = case["args"][:2]
    strings = tuple(re.findall(r'"([^"]*)"', text)) if text.startswith('"') else (text,)
    return {(domain, "TXT"): [strings]} | DNS.get(case["test"], {})


def run(case: dict[str, Any]) -> Any:
    return checks.report(zone(case), case["args"][1], parked=case.get("kw", {}).get("parked"))


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['test']}" for number, case in enumerate(CASES)])
def test_case(case: dict[str, Any]) -> None:
    found, name = run(case), case["test"]
    told = checks.levels(found)
    expected = DIFFERENCES[name].ours if name in DIFFERENCES else RAISED[case["raises"]] if case["raises"] else WARNED.get(name)
    if expected:
        assert expected in told
    asserts = " ".join(case.get("asserts", ()))
    if "len(results['warnings']), 0" in asserts and name not in DIFFERENCES:
        assert checks.bad(found, Area.SPF) == []
    lookups = re.search(r"dns_lookups'\], (\d+)", asserts)
    if lookups:
        assert found.facts.spf.tree.lookups == int(lookups[1])
    every = re.search(r"\['all'\], '(\w+)'", asserts)
    if every:
        (item,) = checks.items(found, "spf.all")
        assert item.values["qualifier"] == {"fail": "-", "softfail": "~", "neutral": "?"}[every[1]]


def test_every_case_that_flags_something_is_asked_about() -> None:
    flags = {
        case["test"]
        for case in CASES
        if not case["raises"] and "warning" in " ".join(case["asserts"]) and ", 0)" not in " ".join(case["asserts"])
    }
    silent = {"testExpAfterAllValidDomain"}  # asserts that a warning is not there
    snippets = {"testSPFMissingARecord", "testSPFMissingARecordMocked", "testTextAfterExpValueWarns", "testSPFValidPTRMechanismMacro"}
    assert flags - silent <= set(WARNED)
    assert set(WARNED) <= flags | snippets
    assert {case["raises"] for case in CASES if case["raises"]} == set(RAISED)
    assert len(CASES) == 68


def test_the_differences_are_differences() -> None:
    """Each of them still holds: who removes one changes this list."""
    for name, difference in DIFFERENCES.items():
        case = next(case for case in CASES if case["test"] == name)
        told = checks.levels(run(case))
        assert difference.ours in told
        assert difference.suite not in told
