"""DMARC as it is checked: which record holds, what is wrong with it, and the record that would mend it.

RFC 9989 4.4, 4.7, 4.8, 4.10, 5.1.8, 5.2 and 9.3; RFC 7489 3.2 and 6.3.
"""

from __future__ import annotations

from typing import Any

import pytest

from support import checks
from zegel.ask import Rcode
from zegel.check.item import Area
from zegel.check.report import Report

GOOD = "v=DMARC1; p=reject; rua=mailto:a@example.com"


def dmarc(record: str | list[Any] | Rcode, domain: str = "example.com", more: dict[tuple[str, str], Any] | None = None) -> Report:
    value = [record] if isinstance(record, str) and not isinstance(record, Rcode) else record
    zone = {("_dmarc.example.com", "TXT"): value, ("example.com", "TXT"): ["v=spf1 a -all"], **(more or {})}
    return checks.report(zone, domain, ours=True)


@pytest.mark.parametrize(
    ("record", "expected", "mend"),
    [
        (GOOD, [], set()),
        ("v=DMARC1;p=quarantine;rua=mailto:a@example.com", [], set()),
        ("v=DMARC1; p=none; rua=mailto:a@example.com", ["warn dmarc.policy"], {"v=DMARC1; p=quarantine; rua=mailto:a@example.com"}),
        (f"{GOOD}; sp=none", ["warn dmarc.subdomains", "warn dmarc.nonexistent"], {GOOD}),
        (f"{GOOD}; sp=quarantine; np=reject", ["warn dmarc.subdomains"], {"v=DMARC1; p=reject; np=reject; rua=mailto:a@example.com"}),
        (f"{GOOD}; np=none", ["warn dmarc.nonexistent"], {GOOD}),
        (f"{GOOD}; t=y", ["warn dmarc.testing"], {GOOD}),
        ("v=DMARC1; p=quarantine; t=y; rua=mailto:a@example.com", ["warn dmarc.testing", "warn dmarc.policy"], None),
        (f"{GOOD}; pct=100; ri=86400; rf=afrf", ["warn dmarc.historic"] * 3, {GOOD}),
        ("v=DMARC1; p=reject; rua=mailto:a@example.com!10m", ["warn dmarc.size_limit"], {GOOD}),
        ("v=DMARC1; rua=mailto:a@example.com; p=reject", ["warn dmarc.order"], {GOOD}),
        (f"{GOOD}; fo=1", ["warn dmarc.options"], {GOOD}),
        (f"{GOOD}; psd=y", ["fail dmarc.psd"], {GOOD}),
        (f"{GOOD}; adkim=x", ["fail dmarc.syntax"], {GOOD}),
        (f"{GOOD}; P=none", ["warn dmarc.syntax"], {GOOD}),
        (f"{GOOD}; p=none", ["fail dmarc.syntax", "warn dmarc.policy"], None),
        ("v=DMARC1; p=monitor", ["fail dmarc.syntax", "fail dmarc.policy"], None),
        ("v=DMARC1; rua=mailto:a@example.com", ["fail dmarc.syntax", "warn dmarc.policy"], None),
        ("v=DMARC1; p=reject; rua=a@example.com", ["fail dmarc.syntax"], None),
    ],
)
def test_one_record(record: str, expected: list[str], mend: set[str] | None) -> None:
    found = dmarc(record)
    assert checks.bad(found, Area.DMARC) == expected
    if mend is not None:
        lines = {line for item in found.of(Area.DMARC) for line in checks.mends(item)}
        assert lines == {f"_dmarc.example.com TXT {text}" for text in mend}


def test_a_repaired_record_has_nothing_wrong() -> None:
    record = "v=DMARC1; rua=mailto:a@example.com!1m,mailto:b@example.com; pct=50; p=reject; sp=none; np=none; psd=y; adkim=q; x=1; fo=1"
    (line,) = {line for item in dmarc(record).of(Area.DMARC) for line in checks.mends(item)}
    assert line == "_dmarc.example.com TXT v=DMARC1; p=reject; rua=mailto:a@example.com,mailto:b@example.com"
    assert checks.bad(dmarc(line.removeprefix("_dmarc.example.com TXT ")), Area.DMARC) == []


@pytest.mark.parametrize(
    ("records", "domain", "expected"),
    [
        ([], "example.com", ["fail dmarc.record"]),
        ([GOOD, GOOD.replace("reject", "none")], "example.com", ["fail dmarc.record"]),
        ([f" {GOOD}"], "example.com", ["fail dmarc.record", "fail dmarc.version"]),
        (["v=dmarc1; p=reject"], "example.com", ["fail dmarc.record", "fail dmarc.version"]),
        (["v=DMARC1 p=reject"], "example.com", ["fail dmarc.record", "fail dmarc.version"]),
        ([GOOD, "some other text"], "example.com", []),
        ([GOOD], "www.example.com", []),
        ([GOOD], "a.b.c.d.e.f.g.example.com", ["warn dmarc.labels"]),
    ],
)
def test_which_record_holds(records: list[str], domain: str, expected: list[str]) -> None:
    assert checks.bad(dmarc(records, domain, {("www.example.com", "A"): ["192.0.2.1"]}), Area.DMARC) == expected


def test_a_record_from_above_says_whose_it_is() -> None:
    found = dmarc(f"{GOOD}; sp=none; np=quarantine", "www.example.com", {("www.example.com", "A"): ["192.0.2.1"]})
    assert checks.one(found, "dmarc.record").values["policy_domain"] == "example.com"
    assert checks.one(found, "dmarc.policy").values == {"policy": "none", "applied": "none"}
    absent = dmarc(f"{GOOD}; sp=none; np=quarantine", "nowhere.example.com")
    assert checks.one(absent, "dmarc.policy").values["policy"] == "quarantine"
    # RFC 7489 6.6.3 knows no np=.
    assert checks.one(absent, "dmarc.older").values["older_policy"] == "none"


def test_where_the_list_of_public_suffixes_differs() -> None:
    """A record between the name and the organisation is found by the walk alone."""
    more = {("_dmarc.b.example.com", "TXT"): ["v=DMARC1; p=none; psd=n; rua=mailto:a@example.com"]}
    item = checks.one(dmarc(GOOD, "a.b.example.com", more), "dmarc.older")
    assert (item.level, item.values["policy_domain"], item.values["older_policy_domain"]) == ("warn", "b.example.com", "example.com")
    assert checks.one(dmarc(GOOD), "dmarc.older").level == "pass"


def test_a_public_suffix_may_say_that_it_is_one() -> None:
    found = checks.report({("_dmarc.be", "TXT"): ["v=DMARC1; p=reject; psd=y; rua=mailto:a@nic.be"]}, "be")
    assert checks.one(found, "dmarc.psd").level == "pass"


@pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.TIMEOUT])
def test_trouble_is_never_a_verdict(rcode: Rcode) -> None:
    found = dmarc(rcode)
    assert checks.levels(found, Area.DMARC) == ["not_tested dmarc.record"]
    assert found.proof.answer == "unknown"


def test_what_a_stranger_publishes_is_bounded() -> None:
    found = dmarc("v=DMARC1; p=none; " + "; ".join(f"x{'y' * 500}=1" for _ in range(100)))
    assert len(found.of(Area.DMARC)) < 40
    assert max(len(str(item.finding)) for item in found.items) < 2000
