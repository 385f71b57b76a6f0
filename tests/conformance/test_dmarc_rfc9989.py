"""RFC 9989: its tree-walk examples with their exact queries, and the 29 recorded cases of mailauth with those that it skips itself."""

from __future__ import annotations

from typing import Any

import pytest

import zegel
from support import cases
from support.cases import Difference

FOLDER = cases.suite("dmarc")
EXAMPLES = cases.load(FOLDER / "rfc9989-b4.json")["cases"]
CASES = cases.load(FOLDER / "rfc9989-compliance.json")["cases"]


def zone(records: dict[str, dict[str, Any]]) -> zegel.Zone:
    """A zone of ``{name: {type: [record]}}``: a TXT record is a text or the list of its strings, an MX record an object."""
    found: dict[tuple[str, str], Any] = {}
    for name, types in records.items():
        for kind, values in types.items():
            if kind == "MX":
                found[name, kind] = [f"{value['priority']} {value['exchange']}" for value in values]
            else:
                found[name, kind] = [tuple(value) if isinstance(value, list) else value for value in values]
    return zegel.Zone.from_dict(found)


def names(result: zegel.DmarcResult) -> list[str]:
    return [question.name for question in result.questions]


# --- The examples of RFC 9989 B.4.1 to B.4.3


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: case["id"])
def test_example(case: dict[str, Any]) -> None:
    expect, resolver, author = case["expect"], zone(case["zone"]), case["author_domain"]
    spf = (case["spf"]["result"], case["spf"]["domain"])
    result = zegel.check_dmarc(author, spf=spf, dkim=[(one["result"], one["domain"]) for one in case["dkim"]], resolver=resolver)
    assert result.status == expect["result"]
    assert result.policy_domain == expect["policy_domain"]
    assert result.organizational_domain == expect["org_domain"][author]
    assert result.aligned_spf is expect["spf_aligned"]
    assert list(result.aligned_dkim) == expect["dkim_aligned"]
    queries = expect.get("queries", {})
    # The whole evaluation asks the queries of the author's walk, and then of the others what is not known yet: no name twice.
    for domain in (author, spf[1], *(one["domain"] for one in case["dkim"])):
        for name in queries.get(domain, ()):
            assert name in names(result)
    assert names(result)[: len(queries.get(author, ()))] == queries.get(author, [])
    assert len(set(names(result))) == len(names(result))
    # A walk of its own for each domain, with exactly its queries.
    for domain, organization in expect["org_domain"].items():
        alone = zegel.check_dmarc(domain, resolver=resolver)
        assert alone.organizational_domain == organization
        if domain in queries:
            assert names(alone) == queries[domain]


def test_the_examples_are_all_here() -> None:
    assert [case["id"] for case in EXAMPLES] == ["b41-simple", "b42-deep", "b43-psd"]
    assert sum(len(case["expect"].get("queries", ())) for case in EXAMPLES) == 3


# --- The recorded cases

_DISCARD = 'RFC 9989 4.10: "If multiple DMARC Policy Records are returned for a single target, they are all discarded.", and step 4 goes on'
CONTRADICTIONS = {
    "does not inherit the org policy when the author domain publishes multiple records (§4.10 step 2)": Difference(
        "none None", "fail none", _DISCARD
    ),
}


def judge(call: dict[str, Any]) -> zegel.DmarcResult:
    (given,) = call["args"]
    author = given["headerFrom"].rpartition("@")[2]
    # It is given domains that passed; SPF's may be one at most.
    spf = [("pass", one["domain"]) for one in given.get("spfDomains", ())]
    assert len(spf) <= 1
    dkim = [("pass", one["domain"]) for one in given["dkimDomains"]]
    return zegel.check_dmarc(author, spf=spf[0] if spf else None, dkim=dkim, resolver=zone(given["resolver"]["zone"]))


def value(path: str, result: zegel.DmarcResult) -> Any:
    """What the suite calls by ``path``, of ours."""
    record = result.record
    known: dict[str, Any] = {
        "result.status.result": str(result.status),
        # Its policy is the one after t=.
        "result.policy": result.applied,
        "result.domain": result.policy_domain,
        "result.rr": str(record),
        # The Organizational Domain of what is aligned.
        "result.alignment.spf.result": result.organizational_domain if result.aligned_spf else None,
        "result.alignment.dkim.result": result.organizational_domain if any(result.aligned_dkim) else None,
        "result.alignment.dkim.strict": record is not None and record.adkim == "s",
        "result": {name for name in result._fields if getattr(result, name) is not None},
    }
    return [name for name in names(result) if name.startswith("_dmarc.")] if path.startswith("queries.filter") else known[path]


def holds(ops: list[Any], ours: Any) -> bool:
    """Whether one expectation chain holds of our value."""
    match ops:
        case ["equal", [wanted]] | ["deep", "equal", [wanted]]:
            return bool(ours == wanted)
        case ["not", "ok"]:
            return not ours
        case ["true"]:
            return ours is True
        case ["contain", [part]]:
            return part in ours
        case ["not", "property", [name]]:
            return name not in ours
    raise AssertionError(f"an expectation that is not read: {ops}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any]) -> None:
    results = [judge(call) for call in case["calls"]]
    if case["name"] in CONTRADICTIONS:
        difference = CONTRADICTIONS[case["name"]]
        wanted = [expect["ops"][-1][0] for expect in case["expect"] if expect["path"] == "result.status.result"]
        assert ([f"{word} None" for word in wanted], f"{results[0].status} {results[0].policy}") == ([difference.suite], difference.ours)
        return
    # One expectation for each call where there are several calls, all of them for the one call otherwise.
    pairs = zip(case["expect"], results if len(results) > 1 else results * len(case["expect"]), strict=True)
    for expect, result in pairs:
        assert holds(expect["ops"], value(expect["path"], result)), (expect, result)


def test_the_list_is_whole() -> None:
    known = {case["name"] for case in CASES}
    assert len(CASES) == len(known) == 29
    assert sum("[SKIP]" in case["group"] for case in CASES) == 12
    assert set(CONTRADICTIONS) <= known
