"""The attacks of "Composition Kills" through the whole library: no aligned pass for whom they imitate, nothing of theirs in our field.

Byte-level cases are judged as they are; the rest goes through Postfix as well (tests/system).
"""

from __future__ import annotations

import re
from typing import Any

import pytest

import zegel
from support import cases, spoofing
from zegel.authres.parse import parse
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.milter.edits import Reject
from zegel.verdict.authenticate import Verdict
from zegel.verdict.edits import Claims, outcome, verdict_field

CASES = list(spoofing.suite().items())
NAMES = [name for name, _ in CASES]


def zone() -> zegel.Zone:
    """The DNS of the attacks."""
    return cases.txt_zone(spoofing.records())


def judge(case: dict[str, Any], **options: Any) -> Verdict:
    return zegel.authenticate(
        spoofing.message(case),
        ip=spoofing.IP,
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
    assert verdict.author.reason.id == spoofing.AUTHORS.get(name, "one_author")
    assert verdict.dmarc.status == ("permerror" if name in spoofing.AUTHORS else "fail")
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
        assert words.isprintable()


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 10
    assert set(spoofing.AUTHORS) <= set(NAMES)


def test_the_dns_of_these_tests_lets_the_honest_pass() -> None:
    """Else no attack would pass for want of an answer."""
    honest = b"From: <admin@legitimate.com>\r\nSubject: x\r\n\r\nx\r\n"
    verdict = zegel.authenticate(honest, ip=spoofing.HONEST, helo="legitimate.com", mail_from="<admin@legitimate.com>", resolver=zone())
    assert (verdict.dmarc.status, verdict.dmarc.author_domain) == ("pass", Domain.parse("legitimate.com"))
    own = judge({**dict(CASES)["server_a4"], "mailfrom": "<any@attack.com>"}, limits=Limits())
    assert own.spf.mail_from.status == "pass", "the attacker's own name passes: only alignment stands in his way"
