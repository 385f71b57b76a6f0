"""Keys as they are checked: what is known, what is wrong with a record, and the record that would mend it.

RFC 6376 3.1, 3.6.1 and 3.6.2.2, RFC 8301 3.2, RFC 8463 3, RFC 8020 2.
"""

from __future__ import annotations

from typing import Any

import pytest

from support import cases, checks
from zegel.ask import Question, Rcode
from zegel.check.dkim import MAX_SELECTORS, Selector, Source
from zegel.check.item import Area
from zegel.check.report import Report

RSA1024 = cases.RFC6376_KEY
ED25519 = cases.RFC8463_ED25519_KEY
RSA512 = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL0k9BjzTBJpjz4xd8cfHM7vSPWwk0JPp9FzwTTkqIzVxW3VSWc2Y6nUrbKPaTGPgUJb1BgPs0q0gxXVfHRPKZ8CAwEAAQ=="


def key(value: Any, name: str = "z1", **options: Any) -> Report:
    records = value if isinstance(value, (list, Rcode)) else [value]
    kind = {} if isinstance(records, Rcode) else {("example.com", "MX"): ["10 example.com"], ("example.com", "A"): ["192.0.2.1"]}
    options.setdefault("selectors", (Selector(name),))
    return checks.report({(f"{name}._domainkey.example.com", "TXT"): records, **kind}, **options)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (f"v=DKIM1; k=rsa; p={RSA1024}", ["warn dkim.bits"]),
        (f"v=DKIM1; k=rsa; p={RSA512}", ["fail dkim.bits"]),
        (f"v=DKIM1; k=ed25519; p={ED25519}", ["warn dkim.algorithm"]),
        (f"p={RSA1024}", ["warn dkim.bits", "warn dkim.version"]),
        (f"v=DKIM1; t=y; p={RSA1024}", ["warn dkim.bits", "warn dkim.testing"]),
        (f"v=DKIM1; h=sha1; p={RSA1024}", ["warn dkim.bits", "fail dkim.hash"]),
        (f"v=DKIM1; h=sha1:sha256; s=email; t=s; p={RSA1024}", ["warn dkim.bits"]),
        (f"v=DKIM1; s=tlsrpt; p={RSA1024}", ["warn dkim.bits", "fail dkim.service"]),
        (f"v=DKIM1; g=*; p={RSA1024}", ["warn dkim.bits", "warn dkim.granularity"]),
        ("v=DKIM1; p=", []),
        ("v=DKIM1", ["fail dkim.syntax"]),
        ("v=DKIM1; p=not base64!", ["fail dkim.syntax"]),
        (f"v=DKIM2; p={RSA1024}", ["fail dkim.syntax"]),
        (f"k=rsa; v=DKIM1; p={RSA1024}", ["fail dkim.syntax"]),
        (f"v=DKIM1; k=dsa; p={RSA1024}", ["fail dkim.syntax"]),
        (f"v=DKIM1; k=ed25519; p={RSA1024}", ["fail dkim.syntax"]),
        ([f"v=DKIM1; p={RSA1024}", f"v=DKIM1; p={ED25519}"], ["fail dkim.key"]),
        ([], ["fail dkim.key"]),
    ],
)
def test_one_record(record: Any, expected: list[str]) -> None:
    assert checks.bad(key(record), Area.DKIM) == expected


def test_a_mended_record_has_the_same_key_and_no_restrictions() -> None:
    found = key(f"v=DKIM1; t=y; h=sha1; s=other; g=; p={RSA1024}")
    lines = {line for item in found.of(Area.DKIM) for line in checks.mends(item)}
    assert lines == {f"z1._domainkey.example.com TXT v=DKIM1; k=rsa; p={RSA1024}"}
    assert found.facts.dkim.sound == ()
    assert len(key(f"v=DKIM1; p={RSA1024}").facts.dkim.sound) == 1


def test_nothing_known_is_not_tested_and_says_how_to_give_one() -> None:
    found = key([], selectors=())
    item = checks.one(found, "dkim.selectors")
    assert item.level == "not_tested"
    assert "zegel check example.com --selector NAME" in str(item.step)
    assert found.proof.answer != "yes"


def test_a_guess_that_hits_nothing_is_no_fault() -> None:
    found = key(f"v=DKIM1; p={RSA1024}", "mail", selectors=tuple(Selector(name, Source.GUESSED) for name in ("mail", "google", "s1")))
    assert checks.levels(found, Area.DKIM) == ["pass dkim.domainkey", "info dkim.selectors", "warn dkim.bits"]
    nothing = key([], "other", selectors=(Selector("mail", Source.GUESSED),))
    assert "not_tested dkim.selectors" in checks.levels(nothing)
    # A wildcard answers for every name: that is no selector either.
    parked = checks.report({("*._domainkey.example.com", "TXT"): ["v=DKIM1; p="]}, selectors=(Selector("mail", Source.GUESSED),))
    assert "not_tested dkim.selectors" in checks.levels(parked)
    assert parked.facts.dkim.all_revoked


def test_the_name_above_the_keys() -> None:
    zone = {("example.com", "MX"): ["10 example.com"], ("example.com", "A"): ["192.0.2.1"]}
    assert "fail dkim.domainkey" in checks.bad(checks.report(zone))
    lying = {("_domainkey.example.com", "*"): Rcode.NXDOMAIN, ("z1._domainkey.example.com", "TXT"): [f"v=DKIM1; p={RSA1024}"]}
    assert "warn dkim.domainkey" in checks.bad(checks.report(zone | lying, selectors=(Selector("z1"),)))


def test_an_alias_that_leads_nowhere() -> None:
    zone = {("z1._domainkey.example.com", "CNAME"): ["z1.gone.example"]}
    item = checks.one(checks.report(zone, selectors=(Selector("z1"),)), "dkim.key")
    assert (item.level, item.values["alias"]) == ("fail", "z1.gone.example")


@pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.TIMEOUT])
def test_trouble_is_never_a_verdict(rcode: Rcode) -> None:
    assert "not_tested dkim.key" in checks.levels(key(rcode))


def test_selectors_are_bounded_and_each_is_asked_once() -> None:
    asked: list[Question] = []
    selectors = (*(Selector(f"s{number % 150}") for number in range(400)), Selector("x" * 63 + "." + "y" * 180))
    key([], selectors=selectors, asked=asked)
    names = [question.name for question in asked if question.type == "TXT" and question.name.startswith("s")]
    assert len(names) == len(set(names)) == MAX_SELECTORS
