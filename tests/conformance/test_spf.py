"""The RFC 7208 suite of OpenSPF, whole: the result of every case, its explanation, and that it has a cause.

Its cases are written for RFC 7208 3.1, 4.3 to 4.7, 4.6.1 to 4.6.4, 4.8, 5.1 to 5.7, 6.1, 6.2, and 7.1 to 7.3.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import zegel
from support import cases

FILE = cases.suite("spf") / "rfc7208-tests.yml"
NOW = 1_700_000_000
DEFAULT = "DEFAULT"


def load() -> list[dict[str, Any]]:
    return [scenario for scenario in yaml.safe_load_all(FILE.read_text("utf-8")) if scenario]


SCENARIOS = load()
CASES = [(scenario, name, case) for scenario in SCENARIOS for name, case in scenario["tests"].items()]


def octets(value: Any) -> tuple[bytes, ...]:
    """The strings of a TXT record; the suite writes octets as Latin-1 letters."""
    return tuple(part.encode("latin-1") for part in ([value] if isinstance(value, str) else value))


def zone(data: dict[str, list[Any]]) -> zegel.Zone:
    """The zone of a scenario. SPF entries serve as TXT unless the name has TXT of its own; TIMEOUT is for every type that is not there."""
    records: dict[tuple[str, str], Any] = {}
    for name, entries in data.items():
        given = [next(iter(entry.items())) for entry in entries if isinstance(entry, dict)]
        own_txt = any(kind == "TXT" for kind, _ in given)
        for kind, value in given:
            if value == "NONE":
                continue
            if kind == "MX":
                value = f"{value[0]} {value[1]}"
            elif kind in ("TXT", "SPF"):
                value = octets(value)
            if kind != "SPF":
                records.setdefault((name, kind), []).append(value)
            elif not own_txt:
                records.setdefault((name, "TXT"), []).append(value)
        if "TIMEOUT" in entries:
            records[name, "*"] = zegel.Rcode.TIMEOUT
        elif not given or all(kind == "SPF" and own_txt for kind, _ in given):
            records.setdefault((name, "TXT"), [])
    return zegel.Zone.from_dict(records)


@pytest.mark.parametrize(("scenario", "name", "case"), CASES, ids=[name for _, name, _ in CASES])
def test_case(scenario: dict[str, Any], name: str, case: dict[str, Any]) -> None:
    checked = zegel.check_spf(
        ip=case["host"],
        helo=case["helo"],
        mail_from=case["mailfrom"],
        resolver=zone(scenario["zonedata"]),
        now=NOW,
        default_explanation=DEFAULT,
    )
    result = checked.mail_from
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert result.status in allowed, str(result.cause)
    assert result.cause.reason.sentence in str(result.cause)
    if result.status == "fail":
        if "explanation" in case:
            assert result.explanation == case["explanation"]
    else:
        assert result.explanation == ""


def test_the_list_is_whole() -> None:
    assert (len(CASES), len(SCENARIOS)) == (203, 16)
    assert sum("explanation" in case for _, _, case in CASES) > 20
