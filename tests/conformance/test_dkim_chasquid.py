"""chasquid's DKIM cases, all eleven: RFC 8463's example, DNS trouble, several key records, ``l=``, strict domains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zegel
from support import cases
from support.cases import Difference

FOLDER = cases.suite("dkim/chasquid")
NOW = 1_710_000_000
NUMBERS = sorted(FOLDER.glob("*.msg"))

EXCEPTIONS = {
    "03-bad_message": Difference(
        "error", "none", "zegel.verify gives [] for what is unsigned, and a text without a signature is that; only misuse raises"
    ),
    "09-limited_body": Difference(
        "pass pass pass",
        "policy:body_partly_signed pass pass",
        "house rule: l= that leaves part of the body unsigned is policy; RFC 6376 6.1.3 lets verifiers "
        '"choose to treat the signature as if it were invalid"',
    ),
}
_STATES = {"SUCCESS": "pass", "TEMPFAIL": "temperror", "PERMFAIL": "permerror"}


def expected(name: str) -> dict[str, Any] | None:
    text = cases.chasquid_file(FOLDER / f"{name}.result")
    return None if text is None else json.loads(text)


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = cases.chasquid(path)
    suite = expected(case.name)
    # Its verifier stops after five signatures; ours takes the bound as a parameter.
    results = zegel.verify(case.message, resolver=case.zone, now=NOW, limits=zegel.Limits(signatures=5))
    if case.name == "02-too_many_headers":
        assert [str(result.reason) for result in results[5:]] == ["too_many_signatures"] * 2
        results = results[:5]
    said = "error" if suite is None else " ".join(_STATES[item["State"]] for item in suite["Results"])
    if case.name in EXCEPTIONS:
        difference = EXCEPTIONS[case.name]
        assert (said, cases.words(results)) == (difference.suite, difference.ours)
        assert said != cases.words(results), "the suite agrees: this is no exception"
        return
    assert suite is not None
    assert [str(result.status) for result in results] == said.split()
    for result, item in zip(results, suite["Results"], strict=True):
        if item["Domain"]:
            assert (result.domain, result.selector) == (item["Domain"], item["Selector"])
            assert result.signature_start == item["B"][:8]


def test_all_are_there() -> None:
    assert len(NUMBERS) == 11
    assert set(EXCEPTIONS) <= {path.stem for path in NUMBERS}


def test_reasons() -> None:
    """The suite gives states only; these are the reasons that they must have."""
    found = [cases.chasquid(path) for path in NUMBERS]
    reasons = {case.name: cases.words(zegel.verify(case.message, resolver=case.zone, now=NOW)) for case in found}
    assert reasons["04-bad_dkim_signature_header"] == "permerror:version"
    assert reasons["05-dns_temp_error"] == "temperror:key_unavailable pass"
    assert reasons["06-dns_perm_error"] == "permerror:key_not_found pass"
    assert reasons["07-algo_mismatch"] == "pass pass"
    assert reasons["11-strict_domain_check_fail"] == "permerror:key_strict_domain"
