"""CAA, from the mail servers up: which record set holds, what is wrong with it, and the record that is missing.

RFC 8659 3, 4.1, 4.2, 4.3 and 4.4.
"""

from __future__ import annotations

from typing import Any

import dns.rdata
import pytest

import zegel
from support import checks
from zegel.adapters import wire
from zegel.ask import Question, Rcode, RRType
from zegel.check.caa import read

BASE: dict[tuple[str, str], Any] = {("example.com", "MX"): ["10 mx.in.example.com"], ("mx.in.example.com", "A"): ["192.0.2.1"]}


def found(*records: str, at: str = "example.com") -> list[str]:
    report = checks.report({**BASE, (at, "CAA"): list(records)})
    return [f"{item.level} {item.finding}" for item in checks.items(report, "transport.caa")]


def test_the_first_record_set_on_the_way_up_holds() -> None:
    for at in ("mx.in.example.com", "in.example.com", "example.com", "com"):
        assert found('0 issue "ca.example"', at=at) == ["pass only ca.example may make certificates for mx.in.example.com (CAA)"]
    nearer = {("in.example.com", "CAA"): ['0 issue "near.example"'], ("example.com", "CAA"): ['0 issue "far.example"']}
    asked: list[Question] = []
    assert "near.example" in str(checks.one(checks.report({**BASE, **nearer}, asked=asked), "transport.caa").finding)
    assert [question.name for question in asked if question.type is RRType.CAA] == ["mx.in.example.com", "in.example.com"]
    assert found('0 issue "ca.example"', at="other.example.com") != found('0 issue "ca.example"')


def test_without_any_the_record_is_told() -> None:
    item = checks.one(checks.report(BASE), "transport.caa")
    assert (item.level, checks.mends(item)) == ("warn", ['mx.in.example.com CAA 0 issue "letsencrypt.org"'])
    # The record that is proposed is one that is good.
    (record,) = item.mend
    assert read(record.strings[0]).trouble is None
    elsewhere = {("example.com", "MX"): ["10 mx.provider.example", "20 mx2.provider.example"]}
    hosts = {(f"mx{number}.provider.example", "A"): ["192.0.2.1"] for number in ("", "2")}
    item = checks.one(checks.report(elsewhere | hosts), "transport.caa")
    assert (item.level, item.mend) == ("info", ())


@pytest.mark.parametrize(
    ("records", "levels"),
    [
        (['0 issue ";"'], ["pass nobody"]),
        (['0 ISSUE "Ca.Example; accounturi=https://ca.example/1; validationmethods=dns-01"'], ["pass only ca.example may"]),
        (['0 issue "b.example"', '0 issue "a.example"', '0 iodef "mailto:a@example.com"'], ["pass only a.example, b.example may"]),
        (['128 issue "ca.example"'], ["pass only"]),
        (['0 iodef "mailto:a@example.com"'], ["warn CAA at example.com names nobody"]),
        (['0 issuewild "ca.example"'], ["warn CAA at example.com names nobody"]),
        (['0 issue "ca.example"', '0 iodef "a@example.com"'], ["warn the CAA record", "pass only"]),
        (['0 issue "ca.example"', '1 issue "two.example"'], ["warn the CAA record", "pass only ca.example, two.example"]),
        (['0 issue "ca.example"', '0 unknown "x"'], ["warn the CAA record", "pass only"]),
        # What keeps every authority away is no pass, whatever stands beside.
        (['0 issue "ca.example"', '128 unknown "x"'], ["fail the CAA record"]),
        (['0 issue "https://ca.example"'], ["fail the CAA record"]),
        (['0 issue ""'], ["fail the CAA record"]),
        (['0 issue "ca.example; policy"'], ["fail the CAA record"]),
        (['0 issue "ca..example"'], ["fail the CAA record"]),
        (["nonsense"], ["fail the CAA record"]),
    ],
)
def test_what_a_record_set_says(records: list[str], levels: list[str]) -> None:
    said = found(*records)
    assert len(said) == len(levels)
    assert [line.startswith(wanted) for line, wanted in zip(said, levels, strict=True)] == [True] * len(levels), said


def test_trouble_is_not_absence_and_a_long_name_is_not_climbed() -> None:
    report = checks.report({**BASE, ("in.example.com", "CAA"): Rcode.TIMEOUT, ("example.com", "CAA"): ['0 issue "ca.example"']})
    assert checks.one(report, "transport.caa").level == "not_tested"
    asked: list[Question] = []
    deep = "a." * 60 + "example.com"
    report = checks.report({("example.com", "MX"): [f"10 {deep}"], (deep, "A"): ["192.0.2.1"]}, asked=asked)
    assert checks.one(report, "transport.caa").level == "not_tested"
    assert not any(question.type is RRType.CAA for question in asked)


@pytest.mark.parametrize("text", ['0 issue "ca.example; a=b"', '128 iodef "mailto:a@example.com"', '0 issue "a\\"b\\\\c\\010"'])
def test_a_record_is_spelt_alike_from_the_wire_and_from_a_zone_file(text: str) -> None:
    data = dns.rdata.from_text("IN", "CAA", text).to_wire()
    assert data is not None
    head = b"\x12\x34\x81\x80" + bytes((0, 1, 0, 1, 0, 0, 0, 0)) + b"\x01x\x00\x01\x01\x00\x01"
    packet = head + b"\xc0\x0c\x01\x01\x00\x01\x00\x00\x00\x3c" + len(data).to_bytes(2) + data
    read_ = wire.read(packet, Question("x", RRType.CAA)).records
    assert read_ == zegel.Zone.parse(f"x. CAA {text}").answer(Question("x", RRType.CAA)).records == (text,)
