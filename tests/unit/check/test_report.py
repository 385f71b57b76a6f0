"""The whole of a check: the one answer, the bounds, the values for programs, and the tables of points."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support import cases, checks
from zegel.ask import Question, Rcode
from zegel.check.bimi import BimiPoint
from zegel.check.dkim import Selector
from zegel.check.dkimpoints import DkimPoint
from zegel.check.dmarcpoints import DmarcPoint
from zegel.check.item import Area
from zegel.check.mx import MxPoint
from zegel.check.parked import ParkedPoint
from zegel.check.plain import as_plain
from zegel.check.report import LIMITS
from zegel.check.reports import ReportsPoint
from zegel.check.spfpoints import SpfPoint
from zegel.check.transportpoints import TransportPoint

from .test_mail import MX

KEY = f"v=DKIM1; k=rsa; p={cases.RFC8463_RSA_KEY}"
GOOD: dict[tuple[str, str], Any] = MX | {
    ("example.com", "CAA"): ['0 issue "ca.example"'],
    ("example.com", "TXT"): ["v=spf1 mx -all"],
    ("z1._domainkey.example.com", "TXT"): [KEY],
    ("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject; rua=mailto:a@example.com"],
}
Z1 = (Selector("z1"),)
REJECT, NONE = "v=DMARC1; p=reject; rua=mailto:a@example.com", "v=DMARC1; p=none; rua=mailto:a@example.com"


@pytest.mark.parametrize(
    ("change", "selectors", "answer", "against"),
    [
        ({}, Z1, "yes", ()),
        ({}, (), "unknown", ("dkim.selectors",)),
        ({("_dmarc.example.com", "TXT"): [NONE]}, Z1, "no", ("dmarc.policy",)),
        ({("_dmarc.example.com", "TXT"): [REJECT.replace("reject", "quarantine; t=y")]}, Z1, "no", ("dmarc.policy",)),
        ({("_dmarc.example.com", "TXT"): []}, Z1, "no", ("dmarc.record",)),
        ({("_dmarc.example.com", "TXT"): Rcode.TIMEOUT}, Z1, "unknown", ("dmarc.record",)),
        ({("z1._domainkey.example.com", "TXT"): ["v=DKIM1; p=x"]}, Z1, "no", ("dkim.syntax",)),
        ({("z1._domainkey.example.com", "TXT"): ["v=DKIM1; p="]}, Z1, "unknown", ("dkim.selectors",)),
        ({("z1._domainkey.example.com", "TXT"): Rcode.SERVFAIL}, Z1, "unknown", ("dkim.selectors",)),
        ({("example.com", "TXT"): []}, Z1, "yes", ()),
        ({("_domainkey.example.com", "*"): Rcode.NXDOMAIN}, (), "no", ("dkim.domainkey",)),
    ],
)
def test_is_it_dkim_proof(change: dict[tuple[str, str], Any], selectors: Any, answer: str, against: tuple[str, ...]) -> None:
    """RFC 9989 8: with a policy of reject a domain "MUST NOT rely solely on SPF"."""
    found = checks.report(GOOD | change, selectors=selectors)
    assert (found.proof.answer, found.proof.against) == (answer, against)


def test_a_domain_in_order_warns_of_nothing_but_short_keys_and_transport() -> None:
    found = checks.report(GOOD, selectors=Z1)
    assert checks.bad(found) == ["warn dkim.bits", "warn transport.mta_sts"]
    assert not found.failed()
    assert found.failed(strict=True)


def test_when_dns_is_down_nothing_is_judged() -> None:
    names = ("example.com", "_dmarc.example.com", "_domainkey.example.com", "*._domainkey.example.com", "z1._domainkey.example.com")
    found = checks.report({(name, "*"): Rcode.TIMEOUT for name in names}, selectors=Z1)
    assert checks.bad(found) == []
    assert not any(item.level == "pass" for item in found.items)
    assert found.proof.answer == "unknown"


def test_the_questions_of_one_domain_are_bounded() -> None:
    """All at once, each as hostile as its room knows: what one domain costs stays below its budget, or is cut there and said."""
    zone: dict[tuple[str, str], Any] = {
        ("example.com", "MX"): [f"{at} mx{at}.example.com" for at in range(300)],
        ("example.com", "TXT"): ["v=spf1 " + " ".join(f"mx:n{at}.example" for at in range(500))],
        ("_dmarc.example.com", "TXT"): ["v=DMARC1; p=none; rua=" + ",".join(f"mailto:a@d{at}.example" for at in range(300))],
    }
    zone |= {(f"n{at}.example", "MX"): [f"10 h{host}.n{at}.example" for host in range(10)] for at in range(500)}
    zone |= {(f"mx{at}.example.com", "A"): [f"192.0.2.{one}" for one in range(200)] for at in range(300)}
    asked: list[Question] = []
    found = checks.report(zone, selectors=tuple(Selector(f"s{at}") for at in range(1000)), asked=asked)
    assert len(asked) <= LIMITS.questions
    assert len(found.items) < 700
    assert len(json.dumps(as_plain(found))) < 1_000_000


def test_values_for_programs() -> None:
    plain = json.loads(json.dumps(as_plain(checks.report(GOOD | {("_dmarc.example.com", "TXT"): [NONE]}, selectors=Z1))))
    assert (plain["domain"], plain["dkim_proof"], plain["against"]) == ("example.com", "no", ["dmarc.policy"])
    (policy,) = (item for item in plain["items"] if item["id"] == "dmarc.policy")
    assert policy["mend"] == [{"name": "_dmarc.example.com", "type": "TXT", "value": "v=DMARC1; p=quarantine; rua=mailto:a@example.com"}]
    assert (policy["level"], policy["section"]) == ("warn", "RFC 9989 4.7")
    assert plain["spf_tree"]["terms"] == [{"text": "mx", "lookups": 1, "name": "example.com", "trouble": None, "record": None}]
    assert sum(plain["counts"].values()) == len(plain["items"])


def test_every_point_has_an_id_of_its_area_and_is_one_of_a_kind() -> None:
    tables = {
        Area.MX: MxPoint,
        Area.SPF: SpfPoint,
        Area.DKIM: DkimPoint,
        Area.DMARC: DmarcPoint,
        Area.REPORTS: ReportsPoint,
        Area.TRANSPORT: TransportPoint,
        Area.BIMI: BimiPoint,
        Area.PARKED: ParkedPoint,
    }
    for area, table in tables.items():
        assert {point.id.partition(".")[0] for point in table} == {str(area)}
    assert set(tables) == set(Area) - {Area.PATH, Area.ARC, Area.MESSAGE}  # those of a message have no table


def test_a_name_that_does_not_exist_is_asked_about_and_nothing_is_advised() -> None:
    zone = GOOD | {("dkim.other.example", "TXT"): ["x"]}
    found = checks.report(zone, "exmaple.com", selectors=Z1)
    assert checks.levels(found) == ["fail mx.domain"]
    assert (found.proof.answer, found.proof.against, found.failed()) == ("unknown", ("mx.domain",), True)
    assert str(found.proof.sentence) == "The name does not exist: is it typed right?"
    assert checks.mends(checks.one(found, "mx.domain")) == []
    assert not as_plain(found)["spf_tree"]["terms"]
    # A name that has something below it is one, and so is one that is ours, or said to be parked.
    assert len(checks.report(zone, "other.example").items) > 5
    for known in (checks.report(zone, "exmaple.com", ours=True), checks.report(zone, "exmaple.com", parked=True)):
        assert [item for item in known.items if item.mend]


@pytest.mark.parametrize(("name", "record"), [("_dmarc.lying.example", REJECT), ("z1._domainkey.lying.example", KEY)])
def test_a_server_that_denies_a_name_and_has_records_below_it_is_not_believed(name: str, record: str) -> None:
    """RFC 8020 2: below a name that does not exist is nothing; some servers say so of a name that only has others below it."""
    found = checks.report({("lying.example", "*"): Rcode.NXDOMAIN, (name, "TXT"): [record]}, "lying.example", selectors=Z1)
    assert len(found.items) > 5


def test_a_name_of_which_dns_says_nothing_is_not_called_missing() -> None:
    found = checks.report({("example.com", "MX"): Rcode.NXDOMAIN, ("example.com", "TXT"): Rcode.TIMEOUT})
    assert str(found.proof.sentence) != "The name does not exist: is it typed right?"
