"""What the suites of a record checker flag in MTA-STS and TLS-RPT, ``zegel check`` flags: whole.

RFC 8461 3.1, 3.2 and 4.1; RFC 8460 3.
"""

from __future__ import annotations

from typing import Any

import pytest

from support import cases, checks
from support.cases import Difference
from zegel.check.item import Area, Level
from zegel.check.report import Report
from zegel.check.transport import Fetched

FOLDER = cases.suite("dmarc")
CASES = [case for name in ("checkdmarc-mta-sts.json", "checkdmarc-tlsrpt.json") for case in cases.load(FOLDER / name)["cases"]]
BASE: dict[tuple[str, str], Any] = {
    ("example.com", "MX"): ["10 mail.example.com"],
    ("example.com", "CAA"): ['0 issue "ca.example"'],
    ("mail.example.com", "A"): ["192.0.2.1"],
}
AREAS = {
    "parse_mta_sts_record": "transport.mta_sts",
    "parse_mta_sts_policy": "transport.mta_sts_policy",
    "parse_smtp_tls_reporting_record": "transport.tls_rpt",
}
DIFFERENCES = {
    "testParseMtaStsPolicyDuplicateKey": Difference(
        "fail", "warn", 'RFC 8461 3.2: of a field that is no "mx" and is duplicated, "all entries except for the first SHALL be ignored"'
    ),
    "testParseMtaStsPolicyUnexpectedKey": Difference(
        "fail", "warn", 'RFC 8461 3.2: extension fields are in the grammar, and "unknown fields SHALL be ignored"'
    ),
}


def run(case: dict[str, Any]) -> Report:
    (text,) = case["args"]
    match case["fn"]:
        case "parse_mta_sts_record":
            return checks.report(BASE | {("_mta-sts.example.com", "TXT"): [text]})
        case "parse_mta_sts_policy":
            return checks.report(BASE | {("_mta-sts.example.com", "TXT"): ["v=STSv1; id=1"]}, sts=Fetched(text))
        case _:
            return checks.report(BASE | {("_smtp._tls.example.com", "TXT"): [text]})


@pytest.mark.parametrize("case", CASES, ids=[case["test"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    found = checks.items(run(case), AREAS[case["fn"]])
    worst = {item.level for item in found}
    if case["test"] in DIFFERENCES:
        assert Level.FAIL not in worst
        assert Level.WARN in worst
    elif case["raises"]:
        assert Level.FAIL in worst
    else:
        assert Level.FAIL not in worst
        assert worst & {Level.PASS, Level.WARN}


def test_both_suites_are_whole_and_the_differences_are_cases() -> None:
    assert len(CASES) == 25
    assert {case["fn"] for case in CASES} == set(AREAS)
    assert set(DIFFERENCES) < {case["test"] for case in CASES if case["raises"]}


def test_only_what_is_flagged_is_flagged() -> None:
    """A record and a policy without fault warn of nothing but the mode."""
    case = next(case for case in CASES if case["test"] == "testParseMtaStsPolicy")
    assert checks.bad(run(case), Area.TRANSPORT) == ["warn transport.tls_rpt"]
