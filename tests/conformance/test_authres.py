"""The 40 recorded cases of the DKIM Verifier add-on: the examples of the field's RFC, and what large providers write."""

from __future__ import annotations

import re
from typing import Any

import pytest

import zegel
from support import cases
from zegel.authres.model import AuthenticationResults, MethodResult

INDEX = cases.load(cases.suite("authres") / "lieser.json")["cases"]
# Cases whose calls were not recorded, since they throw. By their names we know what they were; these texts are ours.
UNRECORDED = {
    "Unknown results for DKIM": ["dkim=foo", "dkim=hardfail", "dkim=softfail", "dkim=timeout"],
    "Unknown results for SPF": ["spf=unknown"],
    "Unknown results for DMARC": ["dmarc=policy", "dmarc=bestguesspass"],
    "Comments with mismatching number of brackets": ["dkim=pass (a header.d=x.example", "dkim=pass (a (b) header.d=x.example"],
    "U-label in authserv-id must be in quotes": [],
}
# It reads UTF-8 only when told to; RFC 8601 1.5.2 has it everywhere since.
OTHER = {"Disabled by default", "Wrongly called with normal string"}


def read(call: dict[str, Any]) -> AuthenticationResults:
    """The recorded call: the field, whether to be lenient, and whether its letters are octets of UTF-8."""
    field, lenient, octets = [*call["args"], False, False][:3]
    return zegel.parse_authentication_results(field.encode("latin-1") if octets else field, lenient=lenient)


def found(result: AuthenticationResults, path: str) -> object:
    """The value that the suite names by a path."""
    if path == "authserv_id":
        return result.authserv_id
    if path == "authres_version":
        return result.version
    if path == "resinfo.length":
        return len(result.results)
    match = re.fullmatch(r"resinfo\.(\d+)\.(?:(method|result|reason|method_version)|properties\.(\w+)\.([\w-]+))", path)
    assert match, path
    word: MethodResult = result.results[int(match[1])]
    if match[3]:
        return word.value(match[3], match[4])
    return word.version if match[2] == "method_version" else getattr(word, match[2])


@pytest.mark.parametrize("case", [case for case in INDEX if case["calls"]], ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    answers = iter([read(call) for call in case["calls"]])
    result = next(answers)
    expectations = [(item["path"].removeprefix("result."), item["ops"]) for item in case["expect"]]
    seen: set[str] = set()
    for path, ops in expectations:
        if path == "fn":  # the same field without leniency throws
            assert ops == ["throw", []]
            with pytest.raises(ValueError):
                zegel.parse_authentication_results(case["calls"][0]["args"][0])
            continue
        if path in seen:  # the expectations of the next call follow those of the one before
            seen, result = set(), next(answers)
        seen.add(path)
        assert ops[0] == "equal"
        assert found(result, path) == ops[1][0], path
    assert next(answers, None) is None


@pytest.mark.parametrize(("name", "texts"), UNRECORDED.items(), ids=str)
def test_what_throws_there_throws_here(name: str, texts: list[str]) -> None:
    assert name in {case["name"] for case in INDEX if not case["calls"]}
    fields = [f"example.com; {text}" for text in texts] or ["éxamplé.org; none", "日本語.jp; dkim=pass"]
    for field in fields:
        with pytest.raises(ValueError):
            zegel.parse_authentication_results(f"Authentication-Results: {field}\r\n")


def test_the_list_is_whole() -> None:
    assert len(INDEX) == 40
    assert {case["name"] for case in INDEX if not case["calls"]} == UNRECORDED.keys() | OTHER
