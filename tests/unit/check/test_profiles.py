"""What others ask: each list over whole zones, with what cannot be seen from here never taken for a pass."""

from __future__ import annotations

from typing import Any

import pytest

from support.testmail import MAIL, report, signed
from zegel.adapters.zone import Zone
from zegel.ask import rehearse
from zegel.check.dkim import Selector
from zegel.check.profiles.internetnl import takes_for_no_mail
from zegel.check.profiles.known import PROFILES, of_domain, of_message
from zegel.check.profiles.profile import Need, Outcome, Result
from zegel.check.report import Options, check
from zegel.grammar.domain import Domain

GOOD: dict[tuple[str, str], Any] = {
    ("example.be", "MX"): ["10 mx.example.be."],
    ("mx.example.be", "A"): ["192.0.2.1"],
    ("mx.example.be", "AAAA"): ["2001:db8::1"],
    ("example.be", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("_dmarc.example.be", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@example.be; ruf=mailto:dmarc@example.be"],
    ("s1._domainkey.example.be", "TXT"): [],
    ("_smtp._tls.example.be", "TXT"): ["v=TLSRPTv1; rua=mailto:tls@example.be"],
}
PARKED: dict[tuple[str, str], Any] = {
    ("parked.be", "MX"): ["0 ."],
    ("parked.be", "TXT"): ["v=spf1 -all"],
    ("_dmarc.parked.be", "TXT"): ["v=DMARC1; p=reject"],
}


def key() -> str:
    from support import samples

    return samples.rsa().record


def outcome(name: str, records: dict[tuple[str, str], Any], domain: str = "example.be", *, selector: str = "s1") -> Outcome:
    records = {**records}
    if ("s1._domainkey.example.be", "TXT") in records and not records["s1._domainkey.example.be", "TXT"]:
        records["s1._domainkey.example.be", "TXT"] = [key()]
    options = Options((Selector(selector),) if selector else ())
    found = rehearse(check(Domain.parse(domain), options), Zone.from_dict(records).answer)
    (result,) = of_domain(found, [PROFILES[name]])
    return result


def results(found: Outcome) -> dict[str, str]:
    return {line.test.id: str(line.result) for line in found.lines}


def changed(**records: Any) -> dict[tuple[str, str], Any]:
    """GOOD with other TXT records: ``dmarc=...``, ``spf=...``."""
    names = {"dmarc": ("_dmarc.example.be", "TXT"), "spf": ("example.be", "TXT")}
    return {**GOOD, **{names[name]: value for name, value in records.items()}}


def test_every_profile_has_ids_of_its_own_and_says_where_they_are_from() -> None:
    for profile in PROFILES.values():
        ids = [test.id for test in profile.tests]
        assert len(set(ids)) == len(ids)
        assert profile.source
        for test in profile.tests:
            assert test.items or test.note, f"{test.id} is answered from nothing, and does not say why"


def test_internet_nl_of_a_good_domain() -> None:
    found = results(outcome("internet.nl", GOOD))
    for id in ("dmarc_exist", "dmarc_policy", "dmarc_policy_only", "dmarc_ext_destination", "dkim_exist", "spf_exist", "spf_policy"):
        assert found[f"mail_auth_{id}"] == "pass", id
    assert found["mail_ipv6_mx_address"] == "pass"
    assert (found["tlsrpt"], found["caa"]) == ("pass", "fail")
    assert results(outcome("internet.nl", GOOD | {("example.be", "CAA"): ['0 issue "ca.example"']}))["caa"] == "pass"
    untested = {id for id, result in found.items() if result == "not_tested"}
    assert {"mail_starttls_tls_available", "mail_starttls_cert_chain", "mail_rpki_exists", "mail_dnssec_mailto_exist"} <= untested
    assert found["mail_starttls_dane_exist"] == "fail"
    assert "pass" not in {result for id, result in found.items() if id.startswith(("mail_starttls", "mail_rpki", "mail_mx_ns"))}


@pytest.mark.parametrize(
    ("records", "failed", "passed"),
    [
        (changed(dmarc=["v=DMARC1; p=none; rua=mailto:a@example.be"]), "mail_auth_dmarc_policy", "mail_auth_dmarc_exist"),
        (changed(dmarc=["v=DMARC1; p=quarantine; t=y; rua=mailto:a@example.be"]), "mail_auth_dmarc_policy", "mail_auth_dmarc_exist"),
        (
            changed(dmarc=["v=DMARC1; p=reject; rua=mailto:a@other.example"]),
            "mail_auth_dmarc_ext_destination",
            "mail_auth_dmarc_policy_only",
        ),
        (changed(dmarc=["v=DMARC1; p=reject; rua=mailto:a@other.example"]), "mail_auth_dmarc_policy", "mail_auth_dmarc_exist"),
        (changed(dmarc=["v=DMARC1; p=reject", "v=DMARC1; p=reject"]), "mail_auth_dmarc_exist", "mail_auth_spf_policy"),
        (changed(spf=["v=spf1 ip4:192.0.2.1 ?all"]), "mail_auth_spf_policy", "mail_auth_spf_exist"),
        (changed(spf=["v=spf1 ip4:192.0.2.1"]), "mail_auth_spf_policy", "mail_auth_spf_exist"),
        (changed(spf=["v=spf1 include:no.example -all"]), "mail_auth_spf_policy", "mail_auth_spf_exist"),
        (changed(spf=["v=spf1 " + "a:x.example.be " * 11 + "-all"]), "mail_auth_spf_policy", "mail_auth_spf_exist"),
        (changed(spf=[]), "mail_auth_spf_exist", "mail_auth_dmarc_exist"),
        ({**GOOD, ("_smtp._tls.example.be", "TXT"): []}, "tlsrpt", "mail_auth_dmarc_exist"),
        ({**GOOD, ("mx.example.be", "AAAA"): []}, "mail_ipv6_mx_address", "mail_auth_dmarc_exist"),
    ],
)
def test_internet_nl_finds_the_fault(records: dict[tuple[str, str], Any], failed: str, passed: str) -> None:
    found = results(outcome("internet.nl", records))
    assert found[failed] == "fail"
    assert found[passed] == "pass"


def test_softfail_satisfies_internet_nl_and_not_the_directive() -> None:
    records = changed(spf=["v=spf1 ip4:192.0.2.1 ~all"])
    assert results(outcome("internet.nl", records))["mail_auth_spf_policy"] == "pass"
    assert results(outcome("bod-18-01", records))["MS.EXO.2.2v3"] == "fail"


def test_a_parked_domain_needs_no_dkim_where_p_comes_second() -> None:
    assert results(outcome("internet.nl", PARKED, "parked.be", selector=""))["mail_auth_dkim_exist"] == "not_applicable"
    other = {**PARKED, ("_dmarc.parked.be", "TXT"): ["v=DMARC1; sp=reject; p=reject"]}
    assert results(outcome("internet.nl", other, "parked.be", selector=""))["mail_auth_dkim_exist"] == "fail"
    wildcard = {**other, ("*._domainkey.parked.be", "TXT"): ["v=DKIM1; p="]}
    assert results(outcome("internet.nl", wildcard, "parked.be", selector=""))["mail_auth_dkim_exist"] == "pass"


@pytest.mark.parametrize(
    ("record", "none"),
    [
        (b"v=DMARC1; p=reject", True),
        (b"v=DMARC1;p=reject; rua=mailto:a@b.be", True),
        (b"v=DMARC1;    p=reject;", True),
        (b"v=DMARC1; rua=mailto:a@b.be; p=reject", False),
        (b"v=DMARC1; p=quarantine", False),
    ],
)
def test_the_pattern_of_internet_nl(record: bytes, none: bool) -> None:
    assert takes_for_no_mail(record, spf_refuses_all=True) is none
    assert not takes_for_no_mail(record, spf_refuses_all=False)


def test_the_directive() -> None:
    found = outcome("bod-18-01", GOOD)
    assert results(found) == {
        "MS.EXO.2.2v3": "pass",
        "MS.EXO.3.1v1": "pass",
        "MS.EXO.4.1v1": "pass",
        "MS.EXO.4.2v1": "pass",
        "MS.EXO.4.3v1": "not_applicable",
        "MS.EXO.4.4v1": "pass",
        "BOD 18-01 STARTTLS": "not_tested",
        "BOD 18-01 SSLv2, SSLv3": "not_tested",
        "BOD 18-01 3DES, RC4": "not_tested",
    }
    assert found.result is Result.NOT_TESTED
    assert "all 5 tests pass that can be done from here" in str(found.told)
    weak = results(outcome("bod-18-01", changed(dmarc=["v=DMARC1; p=quarantine; rua=mailto:a@example.be"])))
    assert (weak["MS.EXO.4.2v1"], weak["MS.EXO.4.4v1"]) == ("fail", "not_tested")
    assert results(outcome("bod-18-01", changed(dmarc=[])))["MS.EXO.4.2v1"] == "fail"


def test_the_directive_for_those_it_is_for() -> None:
    records = {
        ("agency.gov", "TXT"): ["v=spf1 -all"],
        ("_dmarc.agency.gov", "TXT"): ["v=DMARC1; p=reject; rua=mailto:reports@dmarc.cyber.dhs.gov, mailto:own@agency.gov"],
    }
    found = results(outcome("bod-18-01", records, "agency.gov"))
    assert found["MS.EXO.4.3v1"] == "pass"
    records["_dmarc.agency.gov", "TXT"] = ["v=DMARC1; p=reject; rua=mailto:own@agency.gov"]
    assert results(outcome("bod-18-01", records, "agency.gov"))["MS.EXO.4.3v1"] == "fail"


def test_an_unknown_selector_is_not_a_missing_key() -> None:
    for name in ("bod-18-01", "belgium", "google"):
        found = results(outcome(name, GOOD, selector=""))
        id = {"bod-18-01": "MS.EXO.3.1v1", "belgium": "DKIM", "google": "4.7.30"}[name]
        assert found[id] == "not_tested"


def test_no_key_at_all_is_a_fault() -> None:
    records = {name: value for name, value in GOOD.items() if "_domainkey" not in name[0]}
    assert results(outcome("belgium", records, selector=""))["DKIM"] == "fail"
    assert results(outcome("internet.nl", records, selector=""))["mail_auth_dkim_exist"] == "fail"


@pytest.mark.parametrize("name", ["google", "yahoo", "microsoft"])
def test_of_a_domain_alone_a_provider_sees_little(name: str) -> None:
    """DNS may show what is wrong; that mail passes is shown by a message only."""
    found = outcome(name, GOOD)
    assert found.result is Result.NOT_TESTED
    assert found.count(Result.FAIL) == 0
    without = outcome(name, changed(dmarc=[], spf=[]))
    assert without.result is Result.FAIL
    assert without.count(Result.FAIL, Need.MUST) == 2


def test_a_message_answers_the_rest() -> None:
    (found,) = of_message(report(MAIL), [PROFILES["google"]])
    got = results(found)
    assert {id: got[id] for id in ("4.7.27", "4.7.30", "4.7.31", "4.7.32", "4.7.23")} == {
        "4.7.27": "pass",
        "4.7.30": "not_tested",
        "4.7.31": "pass",
        "4.7.32": "pass",
        "4.7.23": "pass",
    }
    (found,) = of_message(report(signed()), [PROFILES["google"]])
    got = results(found)
    assert (got["4.7.30"], got["rfc5322"], got["one-click"], got["spam-rate"]) == ("pass", "pass", "not_tested", "not_tested")


def test_the_belgian_measures() -> None:
    found = outcome("belgium", GOOD)
    assert results(found) == {"SPF": "pass", "DKIM": "pass", "DMARC": "pass", "DMARC (enforced)": "pass", "DNSSEC": "not_tested"}
    none = outcome("belgium", changed(dmarc=["v=DMARC1; p=none; rua=mailto:a@example.be"]))
    assert results(none)["DMARC (enforced)"] == "fail"
    assert none.result is Result.NOT_TESTED
