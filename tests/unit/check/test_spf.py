"""SPF as it is checked: the tree and its counts, what leads nowhere, whom it lets in, and the record that would mend it.

RFC 7208 2.1, 3.1, 3.4, 4.5, 4.6, 4.6.4, 5, 5.1, 5.2, 5.5, 6, 6.1, 6.2, 7.2 and 11.4.
"""

from __future__ import annotations

from typing import Any

import pytest

import zegel
from support import checks
from zegel.ask import Question, Rcode, RRType
from zegel.check.item import Area
from zegel.check.report import Report
from zegel.check.spftree import MAX_QUESTIONS, MAX_TERMS

OTHERS: dict[tuple[str, str], Any] = {
    ("one.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("example.com", "A"): ["192.0.2.2"],
    ("example.com", "AAAA"): ["2001:db8::2"],
}


def spf(record: str | list[Any], more: dict[tuple[str, str], Any] | None = None, **options: Any) -> Report:
    records = record if isinstance(record, list) else [record]
    return checks.report({("example.com", "TXT"): records, **OTHERS, **(more or {})}, **options)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", []),
        ("v=spf1 ip4:192.0.2.1 ~all", []),
        ("V=SPF1 IP4:192.0.2.1 -ALL", []),
        ("v=spf1 redirect=one.example", []),
        ("v=spf1 ip4:192.0.2.1 ?all", ["fail spf.all"]),
        ("v=spf1 +all", ["fail spf.all", "fail spf.size"]),
        ("v=spf1 all", ["fail spf.all", "fail spf.size"]),
        ("v=spf1 ip4:192.0.2.1", ["warn spf.all"]),
        ("v=spf1", ["warn spf.all"]),
        ("v=spf1 -all ip4:192.0.2.1", ["warn spf.after_all"]),
        ("v=spf1 -all redirect=one.example", ["warn spf.after_all"]),
        ("v=spf1 ptr -all", ["warn spf.ptr"]),
        ("v=spf1 -all google-site-verification=x", ["warn spf.modifier"]),
        ("v=spf1 ip4:192.0.2.300 -all", ["fail spf.syntax"]),
        ("v=spf1 include: one.example -all", ["fail spf.syntax"]),
        ("v=spf1 ip4:10.0.0.0/8 -all", ["warn spf.size"]),
        ("v=spf1 ip4:16.0.0.0/4 -all", ["fail spf.size"]),
        ("v=spf1 exists:%{h}.b.example -all", ["warn spf.macros"]),
        ("v=spf1 include:gone.example -all", ["fail spf.include"]),
        ("v=spf1 include:empty.example -all", ["fail spf.include"]),
        ("v=spf1 include:example.com -all", ["fail spf.include"]),
        ("v=spf1 redirect=gone.example", ["fail spf.include"]),
        ("v=spf1 redirect=soft.example", ["fail spf.all"]),
        ("v=spf1 a:gone.example -all", ["warn spf.term"]),
        ("v=spf1 mx -all", ["warn spf.term"]),
        ("v=spf1 a mx:gone.example -all exp=gone.example", ["warn spf.explanation", "warn spf.term"]),
    ],
)
def test_one_record(record: str, expected: list[str]) -> None:
    more = {("empty.example", "TXT"): ["no SPF"], ("soft.example", "TXT"): ["v=spf1 ?all"]}
    assert checks.bad(spf(record, more), Area.SPF) == expected


@pytest.mark.parametrize(
    ("records", "expected", "mend"),
    [
        ([], ["fail spf.record"], "v=spf1 mx ~all"),
        (
            ["v=spf1 ip4:192.0.2.1 -all", "v=spf1 include:one.example ~all"],
            ["fail spf.record"],
            "v=spf1 ip4:192.0.2.1 include:one.example ~all",
        ),
        ([" v=spf1 ip4:192.0.2.1 -all"], ["fail spf.record", "fail spf.version"], "v=spf1 ip4:192.0.2.1 -all"),
        (['"v=spf1 ip4:192.0.2.1 -all"'], ["fail spf.record", "fail spf.version"], "v=spf1 ip4:192.0.2.1 -all"),
        (["v=spf10 -all"], ["fail spf.record", "fail spf.version"], "v=spf1 mx ~all"),
        (["v=spf1 ip4:192.0.2.1 -all", "spf2.0/pra -all"], ["warn spf.leftover"], None),
        (["v=spf1 ip4:192.0.2.1 -all", "v=DMARC1; p=none", "x"], [], None),
    ],
)
def test_the_records_of_a_name(records: list[str], expected: list[str], mend: str | None) -> None:
    found = spf(records, {("example.com", "MX"): ["10 example.com"]})
    assert checks.bad(found, Area.SPF) == expected
    assert {line for item in found.of(Area.SPF) for line in checks.mends(item)} == ({f"example.com TXT {mend}"} if mend else set())


def test_the_old_record_type_is_a_leftover() -> None:
    found = spf("v=spf1 -all", {("example.com", "SPF"): ["v=spf1 -all"]})
    assert checks.bad(found, Area.SPF) == ["warn spf.leftover"]


def mended(record: str) -> str:
    (line,) = {line for item in spf(record).of(Area.SPF) for line in checks.mends(item)}
    return line.removeprefix("example.com TXT ")


def test_a_mended_record_has_nothing_wrong() -> None:
    """What is mended is fit to be published: checked again, nothing of what was wrong is left."""
    record = "v=spf1 a:gone.example include:gone.example ptr ip4:192.0.2.1 ip4:192.0.2.1 include:one.example x=y exp=x.example"
    record += " ?all ip4:192.0.2.9"
    better = mended(record)
    assert better == "v=spf1 ip4:192.0.2.1 include:one.example ip4:192.0.2.9 ~all exp=x.example"
    assert checks.bad(spf(better, {("x.example", "TXT"): ["why"]}), Area.SPF) == []


def test_what_cannot_be_read_is_left_out_and_said() -> None:
    record = "v=spf1 ip4:192.0.2.1 ip4:8.8.8.8~all include: include:one.example -all"
    assert mended(record) == "v=spf1 ip4:192.0.2.1 include:one.example -all"
    assert "ip4:8.8.8.8~all, include:" in str(checks.one(spf(record), "spf.syntax").step)


def test_a_term_that_is_not_ascii_is_left_out() -> None:
    """RFC 7208 12: a domain-spec of visible ASCII; the record proposed in its place is to be one that DNS can hold."""
    assert (
        mended("v=spf1 include:b\N{LATIN SMALL LETTER E WITH ACUTE}.example include:one.example -all") == "v=spf1 include:one.example -all"
    )


def test_look_ups_are_counted_through_includes_and_redirects() -> None:
    more = {
        ("b.example", "TXT"): ["v=spf1 a:one.example mx:one.example include:c.example -all"],
        ("c.example", "TXT"): ["v=spf1 exists:%{i}.x.example redirect=d.example"],
        ("d.example", "TXT"): ["v=spf1 ptr ip4:192.0.2.1 -all a:after.example"],
    }
    found = spf("v=spf1 ip4:192.0.2.1 a include:b.example include:b.example ~all exp=x.example", more)
    tree = found.facts.spf.tree
    # a, twice include:b with a, mx, include:c with exists, redirect, ptr; exp= and what stands behind all cost nothing.
    assert tree.lookups == 1 + 2 * (1 + 2 + 1 + 3)
    assert checks.one(found, "spf.lookups").level == "fail"
    assert [(depth, term.text) for depth, _, term in tree.walk()][:5] == [
        (0, "ip4:192.0.2.1"),
        (0, "a"),
        (0, "include:b.example"),
        (1, "a:one.example"),
        (1, "mx:one.example"),
    ]


@pytest.mark.parametrize(("count", "level"), [(10, "pass"), (11, "fail")])
def test_ten_look_ups_are_allowed(count: int, level: str) -> None:
    more = {(f"n{number}.example", "A"): ["192.0.2.1"] for number in range(count)}
    found = spf("v=spf1 " + " ".join(f"a:n{number}.example" for number in range(count)) + " -all", more)
    item = checks.one(found, "spf.lookups")
    assert (item.level, item.values["count"]) == (level, count)


@pytest.mark.parametrize(
    ("hosts", "level"),
    [
        ({}, "fail"),
        ({("n0.example", "A"): ["192.0.2.1"], ("n0.example", "AAAA"): ["2001:db8::1"]}, "pass"),
        ({("n0.example", "A"): ["192.0.2.1"]}, "warn"),
    ],
)
def test_voids_are_counted_for_each_family(hosts: dict[tuple[str, str], Any], level: str) -> None:
    found = spf("v=spf1 a:n0.example a:n1.example a:n2.example -all", hosts)
    assert checks.one(found, "spf.voids").level == level


def test_a_dead_include_that_anybody_could_register() -> None:
    free = checks.one(spf("v=spf1 include:spf.gone.example -all"), "spf.include")
    assert free.values["unregistered"] is True
    assert "Anybody could register spf.gone.example" in str(free.step)
    kept = checks.one(spf("v=spf1 include:spf.there.example -all", {("there.example", "NS"): ["ns.there.example"]}), "spf.include")
    assert kept.values["unregistered"] is False
    assert kept.level == "fail"


@pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.TIMEOUT])
def test_trouble_is_never_a_verdict(rcode: Rcode) -> None:
    found = checks.report({("example.com", "TXT"): rcode})
    assert checks.levels(found, Area.SPF) == ["not_tested spf.record"]
    deeper = spf("v=spf1 include:slow.example a:slow.example -all", {("slow.example", "*"): rcode})
    assert checks.bad(deeper, Area.SPF) == []
    assert [line for line in checks.levels(deeper, Area.SPF) if "not_tested" in line] == ["not_tested spf.include", "not_tested spf.term"]
    assert checks.one(deeper, "spf.size").values["terms"] == 2


def test_shared_services_are_named_once() -> None:
    record = (
        "v=spf1 include:spf.protection.outlook.com include:eu._netblocks.mimecast.com include:secureserver.net ?include:sendgrid.net -all"
    )
    names = ("spf.protection.outlook.com", "eu._netblocks.mimecast.com", "secureserver.net", "sendgrid.net")
    found = spf(record, {(name, "TXT"): ["v=spf1 ip4:192.0.2.1 -all"] for name in names})
    shared = [(item.level, item.values["service"]) for item in checks.items(found, "spf.shared")]
    assert shared == [("info", "Microsoft 365"), ("info", "Mimecast"), ("warn", "GoDaddy")]


def test_what_a_stranger_makes_us_ask_is_bounded() -> None:
    """Twice the terms, and records of records: the questions stay where they are."""
    counts = []
    for width in (100, 200, 400):
        names = [f"n{number}.example" for number in range(width)]
        zone: dict[tuple[str, str], Any] = {("example.com", "TXT"): ["v=spf1 " + " ".join(f"mx:{name}" for name in names)]}
        for name in names:
            zone[name, "MX"] = [f"10 h{number}.{name}" for number in range(10)]
        asked: list[Question] = []
        found = checks.report(zone, asked=asked)
        counts.append(len(asked))
        assert checks.one(found, "spf.lookups").values["count"] == width
    assert counts[0] == counts[1] == counts[2] <= MAX_QUESTIONS + 60
    asked = []
    names = [f"n{number}.example" for number in range(5)]
    every = "v=spf1 " + " ".join(f"include:{name}" for name in names) + " -all"
    zone = {("example.com", "TXT"): [every]} | {(name, "TXT"): [every.replace(f"include:{name} ", "")] for name in names}
    found = checks.report(zone, asked=asked)
    assert sum(question.type == "TXT" and question.name in names for question in asked) <= MAX_TERMS
    assert "fail spf.lookups" in checks.bad(found)


def test_the_names_of_mail_servers_have_spf_of_their_own() -> None:
    """RFC 7208 10.1.3 and 2.4: the name in HELO is all that there is to check of a bounce."""
    more = {("example.com", "MX"): ["10 mx.example.com", "20 mx.other.example"], ("mx.example.com", "A"): ["192.0.2.1"]}
    item = checks.one(spf("v=spf1 mx -all", more), "spf.helo")
    assert (item.level, checks.mends(item)) == ("info", ["mx.example.com TXT v=spf1 a -all"])
    more[("mx.example.com", "TXT")] = ["v=spf1 a -all"]
    assert checks.one(spf("v=spf1 mx -all", more), "spf.helo").level == "pass"


def test_long_records_cost_no_more_than_their_length() -> None:
    """RFC 7208 3.4: a record longer than what is read is none, and the report of it is bounded."""
    found = spf("v=spf1 " + "ip4:192.0.2.1 " * 5000 + "-all")
    assert "fail spf.syntax" in checks.bad(found)
    assert max(len(text) for item in found.items for text in item.seen) <= 1003
    long = spf("v=spf1 " + " ".join(f"ip4:192.0.2.{number}" for number in range(40)) + " -all")
    assert checks.bad(long, Area.SPF) == ["warn spf.length"]


def test_a_zone_answers_for_the_type_spf_and_tlsa() -> None:
    digest, certificate = "ab" * 32, "cd" * 80
    tlsa, ds = f"_25._tcp.x.example. TLSA 3 0 0 {certificate}", f"x.example. DS 1 13 2 {digest[:8].upper()} {digest[8:]}"
    text = f'x.example. SPF "v=spf1 -all"\n{tlsa}\n{ds}\n'
    zone = zegel.Zone.parse(text)
    assert zone.answer(Question("x.example", RRType.SPF)).records == (b"v=spf1 -all",)
    assert zone.answer(Question("_25._tcp.x.example", RRType.TLSA)).records == (f"3 0 0 {certificate}",)
    assert zone.answer(Question("x.example", RRType.DS)).records == (f"1 13 2 {digest}",)
