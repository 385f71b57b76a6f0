"""The attacks of "Composition Kills" through the whole library: no aligned pass for whom they imitate, nothing of theirs in our field.

STANDARDS 3.2. Byte-level cases are judged as they are; the rest goes through Postfix as well (tests/system).
"""

from __future__ import annotations

import re
from typing import Any

import pytest

import zegel
from support import cases
from zegel.authres.parse import parse
from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.milter.edits import Reject
from zegel.verdict.authenticate import Verdict
from zegel.verdict.edits import Claims, outcome, verdict_field

FOLDER = cases.suite("attacks")
SUITE = cases.load(FOLDER / "spoofing.json")
CASES: list[Any] = SUITE["cases"] if isinstance(SUITE["cases"], list) else list(SUITE["cases"].items())
NAMES = [name for name, _ in CASES]
IP = "198.51.100.66"
# What is wrong with the From of a case, in our words; with all others it is one author, who is not proven.
AUTHORS = {"server_a8": "several_fields", "server_a9": "hidden_field", "client_a1": "several_fields"}


def zone() -> zegel.Zone:
    """The attacker may send for his own domains, and has keys; whom he imitates publishes all that there is."""
    key = Key.generate("attack.com", "selector", "rsa2048")
    return zegel.Zone.from_dict(
        {
            ("legitimate.com", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
            ("_dmarc.legitimate.com", "TXT"): ["v=DMARC1; p=reject"],
            ("example.com", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
            ("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject"],
            **{
                (name, "TXT"): ["v=spf1 +all"]
                for name in ("attack.com", "helo.attack.com", "33.attack.com", "any.attack.com", "a.attack.com")
            },
            ("selector._domainkey.attack.com", "TXT"): [key.record],
            ("selector._domainkey.legitimate.com'a.attack.com", "TXT"): [key.record],
            ("selector._domainkey.a.attack.com", "TXT"): [key.record],
        }
    )


def message(case: dict[str, Any]) -> bytes:
    """The bytes of a case, with its DKIM-Signature as it would be written: d= and s= are the attack, the rest is well-formed."""
    data = case["data"]
    header = "".join(data[name] for name in ("from_header", "to_header", "subject_header"))
    text = header + data["other_headers"] + data["body"]
    signature = ""
    if para := case.get("dkim_para"):
        tags = f"v=1; a=rsa-sha256; c=simple/simple; d={para['d']}; s={para['s']}; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        signature = f"DKIM-Signature: {tags}; b=AAAA\r\n"
    return str(signature + text).encode("latin-1")


def judge(case: dict[str, Any], **options: Any) -> Verdict:
    return zegel.authenticate(
        message(case),
        ip=IP,
        helo=case["helo"],
        mail_from=case["mailfrom"],
        authserv_id="mail.victim.com",
        resolver=zone(),
        now=1_600_000_000,
        **options,
    )


@pytest.mark.parametrize(("name", "case"), CASES, ids=NAMES)
def test_no_aligned_pass_and_nothing_injected(name: str, case: dict[str, Any]) -> None:
    verdict = judge(case, mode="reject")
    assert verdict.dmarc.status != "pass"
    assert not verdict.dmarc.aligned_spf
    assert not any(verdict.dmarc.aligned_dkim)
    assert verdict.author.reason.id == AUTHORS.get(name, "one_author")
    assert verdict.dmarc.status == ("permerror" if name in AUTHORS else "fail")
    refused = outcome(verdict, Claims()).action
    assert isinstance(refused, Reject)
    field = verdict_field(verdict).value
    # What is written reads back as the results that there are, for a strict reader and for a careless one.
    told = parse(field)
    counted = 2 + max(1, len(verdict.dkim)) + 1
    assert [item.method for item in told.results] == ["dkim"] * max(1, len(verdict.dkim)) + ["spf"] * 2 + ["dmarc"]
    assert field.count(b";") == counted
    assert not set(field) & set(b"()\x00\\")
    assert not set(re.sub(rb'reason="[^"]*"', b"", field)) & set(b"\"',")
    assert b"dmarc=pass" not in field
    assert not any(item.result == "pass" and any("legitimate" in one.value for one in item.properties) for item in told.results)
    for words in (refused.text, *(str(value) for item in verdict.story for value in item.values())):
        assert words.isprintable() or "\x00" in words


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 10
    assert set(AUTHORS) <= set(NAMES)


def test_the_dns_of_these_tests_lets_the_honest_pass() -> None:
    """Else no attack would pass for want of an answer."""
    honest = b"From: <admin@legitimate.com>\r\nSubject: x\r\n\r\nx\r\n"
    verdict = zegel.authenticate(honest, ip="192.0.2.1", helo="legitimate.com", mail_from="<admin@legitimate.com>", resolver=zone())
    assert (verdict.dmarc.status, verdict.dmarc.author_domain) == ("pass", Domain.parse("legitimate.com"))
    own = judge({**dict(CASES)["server_a4"], "mailfrom": "<any@attack.com>"}, limits=Limits())
    assert own.spf.mail_from.status == "pass", "the attacker's own name passes: only alignment stands in his way"
