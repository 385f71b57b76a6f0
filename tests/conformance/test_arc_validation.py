"""The 171 validation cases of the sealers' own suite, by the RFC that its drafts became."""

from __future__ import annotations

import pytest

import zegel
from support import arc, cases
from support.arc import Case
from support.cases import Difference

FOLDER = cases.suite("arc")
CASES = arc.suite(FOLDER / "arc-draft-validation-tests.yml")
NOW = 20_000  # the suite's t= are 12345 and a little more
_STEP_2 = 'RFC 8617 5.2, 2: "If the Chain Validation Status of the highest instance value ARC Set is "fail", then [it] is "fail""'
EXCEPTIONS = {
    # The drafts had no word for these.
    "cv_fail_i1_as_cv_fail": Difference("", "fail:failed_before", _STEP_2),
    "cv_fail_i2_as2_fail": Difference("", "fail:failed_before", _STEP_2),
    "cv_fail_i2_as1_fail": Difference(
        "", "fail:chain_value", 'RFC 8617 5.2, 3C: "The "cv" value for all ARC-Seal header fields MUST NOT be "fail""'
    ),
    # RFC 8617 4.1.2: an AMS "has the same syntax and semantics as the DKIM-Signature field [...], with three (3) differences", none of
    # them in c= or h=.
    "ams_fields_c_na": Difference(
        "Pass", "fail:message_mismatch", "RFC 6376 3.5: c= is OPTIONAL, default is simple/simple; they took relaxed"
    ),
    "ams_fields_h_empty": Difference(
        "Pass", "fail:tag_syntax", 'RFC 6376 3.5: hdr-name *( [FWS] ":" [FWS] hdr-name ), and From among them'
    ),
    "ams_fields_h_mis_hdr": Difference(
        "Pass", "fail:tag_syntax", 'RFC 6376 3.5: hdr-name *( [FWS] ":" [FWS] hdr-name ), none of them empty'
    ),
}


def words(result: zegel.ArcResult) -> str:
    return f"{result.status}:{result.reason}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}{'-shadowed' if case.shadowed else ''}")
def test_case(case: Case) -> None:
    result = zegel.verify_arc(case.message, resolver=case.zone, now=NOW)
    wanted = str(case.content["cv"]).strip()
    difference = EXCEPTIONS.get(case.name)
    if difference is not None:
        assert (wanted, words(result)) == (difference.suite, difference.ours)
    else:
        assert result.status == wanted.lower(), words(result)


def test_the_list_is_whole() -> None:
    assert len(CASES) == 171 + 4
    assert len([case for case in CASES if not case.shadowed]) == 171
    # A YAML reader takes the later of two, so nobody has run these since they were given the names of others.
    assert [case.name for case in CASES if case.shadowed] == [
        "as_fields_b_head_case",
        "as_fields_b_head_unfold",
        "as_fields_b_eol_wsp",
        "as_fields_b_inl_wsp",
    ]
    assert set(EXCEPTIONS) <= {case.name for case in CASES}
    assert [str(case.content["cv"]).strip() for case in CASES].count("Pass") > 50


def test_what_a_chain_tells() -> None:
    (case,) = [case for case in CASES if case.name == "cv_pass_i2_1_ams1_invalid"]
    result = zegel.verify_arc(case.message, resolver=case.zone, now=NOW)
    assert [(item.instance, item.chain, item.domain, item.selector) for item in result.instances] == [
        (1, "none", "example.org", "dummy"),
        (2, "pass", "example.org", "dummy"),
    ]
    assert result.oldest_pass == 2
    (case,) = [case for case in CASES if case.name == "cv_pass_i5_1"]
    result = zegel.verify_arc(case.message, resolver=case.zone, now=NOW)
    assert [item.instance for item in result.instances] == [1, 2, 3, 4, 5]
    assert all(item.results is not None and item.results.authserv_id == "lists.example.org" for item in result.instances)


def test_two_domains_in_one_set() -> None:
    (case,) = [case for case in CASES if case.name == "ams_as_diff_s_d"]
    (item,) = zegel.verify_arc(case.message, resolver=case.zone, now=NOW).instances
    assert {(item.domain, item.selector), (item.message_domain, item.message_selector)} == {
        ("example.org", "dummy"),
        ("example2.org", "dummy2"),
    }
