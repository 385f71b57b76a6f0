"""The 32 recorded cases of the DKIM Verifier add-on: variants of the RFC examples, added fields, ``i=`` with ``t=s``."""

from __future__ import annotations

from typing import Any

import pytest

import zegel
from support import cases
from support.cases import Difference

FOLDER = cases.suite("dkim/lieser")
INDEX = cases.load(FOLDER / "cases.json")["cases"]
NOW = 1_700_000_000
DNS = {**cases.RFC_RECORDS, "s.flags._domainkey.example.com": f"v=DKIM1; t=s; p={cases.RFC6376_KEY}"}

# Its names of errors, and our reasons.
REASONS = {
    "DKIM_SIGERROR_MISSING_V": "permerror:version",
    "DKIM_SIGERROR_KEY_REVOKED": "permerror:key_revoked",
    "DKIM_SIGERROR_KEY_HASHNOTINCLUDED": "permerror:key_other_hash",
    "DKIM_SIGERROR_KEY_MISMATCHED_K": "permerror:key_other_type",
    "DKIM_SIGERROR_KEY_NOTEMAILKEY": "permerror:key_other_service",
    "DKIM_SIGERROR_DOMAIN_I": "permerror:key_strict_domain",
    "DKIM_SIGERROR_CORRUPT_BH": "fail:body_changed",
    "DKIM_SIGERROR_BADSIG": "fail:signature_mismatch",
}
_HOUSE = "house rule: more instances of a signed single-instance field than h= names is policy"
EXCEPTIONS = {
    f"Added {name} header": Difference("PERMFAIL DKIM_POLICYERROR_UNSIGNED_HEADER_ADDED", "policy:field_added", _HOUSE)
    for name in ("From", "Subject", "Date", "To")
}
OTHER_ORDER = {"RFC 8463 Appendix A Example"}
# What it checks beyond RFC 6376 (alignment and advice, as warnings) is no part of a DKIM result; the result itself is compared.
_FIELDS = {"sdid": "domain", "auid": "identity", "selector": "selector", "timestamp": "timestamp", "expiration": "expire"}


def judge(call: dict[str, Any]) -> list[zegel.DkimResult]:
    name, dns = call["args"]
    return zegel.verify(cases.message(FOLDER / name), resolver=cases.txt_zone({**DNS, **(dns or {})}), now=NOW)


def compare(expect: dict[str, Any], results: list[zegel.DkimResult]) -> str | None:
    """Check one expectation; what is compared elsewhere, or is no DKIM result, gives its path."""
    path = expect["path"].removeprefix("result.signatures.")
    value = expect["ops"][-1][0] if isinstance(expect["ops"][-1], list) else None
    if path == "length":
        assert len(results) == value
        return None
    number, _, name = path.partition(".")
    result = results[int(number)]
    if name in _FIELDS and value is None and result.status != "pass":
        pass  # it leaves out what it read before the error; we keep it for the report
    elif name in _FIELDS:
        assert getattr(result, _FIELDS[name]) == value
    elif name == "algorithmSignature":
        assert str(result.algorithm).partition("-")[0] == value
    elif name == "algorithmHash":
        assert str(result.algorithm).partition("-")[2] == value
    elif name == "signedHeaders":
        assert list(result.signed_fields) == value
    elif name == "result" and value == "SUCCESS":
        assert result.status == "pass", result
    else:
        return str(name)
    return None


@pytest.mark.parametrize("case", INDEX, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    answers = [judge(call) for call in case["calls"] if call["fn"] == "verify"]
    assert all(cases.words(results) == cases.words(answers[0]) for results in answers), "its settings change warnings only"
    order = [expect["ops"][-1][0] for expect in case["expect"] if expect["path"].endswith(".selector")]
    # It shows the signature that it likes best first; ours come in header order.
    results = sorted(answers[-1], key=lambda result: order.index(result.selector)) if len(order) > 1 else answers[-1]
    assert (results == answers[-1]) is (case["name"] not in OTHER_ORDER)
    rest = {compare(expect, results) for expect in case["expect"]} - {None}
    assert rest <= {"warnings", "result", "errorType", "errorStrParams"}
    errors = [expect["ops"][-1][0] for expect in case["expect"] if expect["path"].endswith("errorType")]
    said = [f"PERMFAIL {error}" for error in errors]
    if case["name"] in EXCEPTIONS:
        difference = EXCEPTIONS[case["name"]]
        assert (said, cases.words(results)) == ([difference.suite], difference.ours)
        (field,) = [expect["ops"][-1][0][0] for expect in case["expect"] if expect["path"].endswith("errorStrParams")]
        assert results[0].detail == field.lower()
    else:
        assert [cases.words([result]) for result in results if result.status != "pass"] == [REASONS[error] for error in errors]


def test_the_list_is_whole() -> None:
    names = [case["name"] for case in INDEX]
    assert len(names) == 32
    added = {case["name"] for case in INDEX if "POLICYERROR" in str(case["expect"])}
    assert added == set(EXCEPTIONS)


def test_the_messages_beside_the_cases() -> None:
    """Real messages whose keys are not in the suite: each signature is read, dated and looked up."""
    now = 1_697_000_000
    paths = sorted((FOLDER / "original").glob("*.eml"))
    assert len(paths) == 5
    for path in paths:
        results = zegel.verify(cases.message(path), resolver=cases.txt_zone({}), now=now)
        assert results
        assert {str(result.reason) for result in results} == {"key_not_found"}
