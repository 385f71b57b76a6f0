"""All protocols on one message, in their stages; none of them can starve another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import zegel
from support import arc, inbound, samples
from support.inbound import BAD, GOOD, changed, judge, signed, site
from zegel.adapters.converse import Budget, converse
from zegel.ask import OUT_OF_BUDGET, Answer, Question, Rcode, rehearse
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason
from zegel.dmarc.result import DmarcReason
from zegel.grammar.message import split_message
from zegel.limits import Limits
from zegel.spf.client import Network
from zegel.spf.result import SpfReason
from zegel.verdict.authenticate import Authentication, Verdict
from zegel.verdict.author import AuthorReason
from zegel.verdict.evidence import Evidence


def words(verdict: Verdict) -> str:
    dkim = " ".join(result.status for result in verdict.dkim)
    return f"{verdict.spf.mail_from.status} {verdict.spf.helo.status} [{dkim}] {verdict.arc.status} {verdict.dmarc.status}"


def test_the_front_door() -> None:
    """RFC 9989 4.3: both mechanisms give DMARC a domain."""
    options: dict[str, Any] = {
        "ip": GOOD,
        "helo": "mx.example.org",
        "mail_from": inbound.SENDER,
        "resolver": inbound.zone(),
        "now": samples.NOW,
    }
    verdict = zegel.authenticate(signed(), **options)
    assert words(verdict) == "pass pass [pass] none pass"
    assert (verdict.action, verdict.dmarc.aligned_spf, verdict.dmarc.aligned_dkim) == ("accept", True, (True,))
    assert isinstance(verdict.story, list)
    assert isinstance(verdict.action, zegel.Action)
    again = asyncio.run(zegel.aio.authenticate(signed(), **options))
    assert (again.findings, again.disposition, again.story) == (verdict.findings, verdict.disposition, verdict.story)
    with_lf = zegel.authenticate(signed().replace(b"\r\n", b"\n"), **options)
    assert words(with_lf) == words(verdict)
    assert (with_lf.dkim[0].normalized, with_lf.arc.normalized, verdict.dkim[0].normalized) == (True, True, False)


@pytest.mark.parametrize("mode", ["observe", "quarantine", "reject"])
def test_the_mode_changes_the_action_only(mode: str) -> None:
    verdict = judge(changed(), ip=BAD, settings=site(mode))
    assert verdict.action == {"observe": "accept"}.get(mode, mode)
    assert words(verdict) == "fail fail [fail] none fail"
    assert verdict.disposition.would == "reject"
    other = judge(changed(), ip=BAD, settings=site("observe"))
    assert verdict.findings == other.findings
    steps = [[item for item in one.story if item["about"] != "action"] for one in (verdict, other)]
    assert steps[0] == steps[1]


def test_misuse_raises_and_nothing_else_does() -> None:
    good: dict[str, Any] = {"ip": GOOD, "helo": "x", "mail_from": "", "resolver": inbound.zone()}
    wrong: dict[str, Any]
    for wrong in ({"mode": "off"}, {"own_domains": ("no domain",)}, {"trusted_sealers": ("..",)}):
        with pytest.raises(ValueError, match=r"\w"):
            zegel.authenticate(b"", **{**good, **wrong})
    for wrong in ({"ip": None}, {"helo": b"x"}, {"mail_from": 5}, {"rules": ("all",)}):
        with pytest.raises(TypeError):
            zegel.authenticate(b"", **{**good, **wrong})
    with pytest.raises(TypeError):
        zegel.authenticate("text", **good)  # type: ignore[arg-type]
    for message in (b"", b"\r\n", b"\x00" * 99, b"From: a", b"From:\r\n\r\n"):
        assert zegel.authenticate(message, **good).dmarc.reason is DmarcReason.NO_AUTHOR


def stages(message: bytes, evidence: Evidence, dns: zegel.Zone, cut: int) -> Verdict:
    checking = Authentication(evidence, site(), Limits())
    rehearse(checking.ask_sender(), dns.answer)
    split = split_message(message, header_bytes=Limits().header_bytes)
    checking.read_header(Header(split.header))
    rehearse(checking.ask_header(), dns.answer)
    for start in range(0, len(split.body), cut):
        checking.feed(split.body[start : start + cut])
    return rehearse(checking.finish(), dns.answer)


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_the_stages_are_those_of_the_whole(cut: int) -> None:
    sealed = arc.sealed(signed(), "a.example", "b.example", resolver=(dns := both("a.example", "b.example")))
    whole = judge(sealed, dns)
    evidence = Evidence(GOOD, "mx.example.org", inbound.SENDER, (), "mail.example.com", samples.NOW)
    apart = stages(sealed, evidence, dns, cut)
    assert (apart.findings, apart.disposition, apart.story) == (whole.findings, whole.disposition, whole.story)
    assert words(whole) == "pass pass [pass] pass pass"


def test_the_end_of_the_body_comes_once_for_all_who_share_it() -> None:
    """A body that does not end in CRLF gets one (RFC 6376 3.4.3 and 3.4.4), not one for each protocol."""
    for cut in (b"\r\n", b"no end of line", b""):
        text = samples.SIMPLE_HEADER + b"\r\nbody \r\n" + cut
        for form in ("simple/simple", "relaxed/relaxed"):
            message = zegel.sign(text, samples.ed25519(), now=samples.NOW, canonicalization=form) + text
            sealed = arc.sealed(message, "a.example", resolver=both("a.example"))
            assert words(judge(sealed, both("a.example"))) == "pass pass [pass] pass pass"


def test_a_stranger_names_at_most_four_domains_to_walk_from() -> None:
    """Each signature may name another one below the author's; until one of them passes, four are looked at."""
    names = [f"s{n}.example.org" for n in range(9)]
    fields = b"".join(b"DKIM-Signature: v=1; a=ed25519-sha256; d=%s; s=s; h=from; bh=MTIz; b=MTIz\r\n" % name.encode() for name in names)
    asked: list[Question] = []
    verdict = judge(fields + samples.MESSAGE, mail_from="x@attack.example", asked=asked)
    assert len(verdict.dkim) == 9
    walked = [name for name in names if any(question.name == f"_dmarc.{name}" for question in asked)]
    assert walked == names[:3]  # the sender of the envelope is the first of the four


def both(*sealers: str) -> zegel.Zone:
    """The DNS of the sample, with the keys of sealers."""
    keys = {(arc.key(domain).name, "TXT"): [arc.key(domain).record] for domain in sealers}
    return inbound.zone(more=keys)


def test_the_end_asks_nothing_more_when_what_passes_is_a_subdomain() -> None:
    """RFC 9989 4.10.2: the walks that alignment needs are made while the others still wait."""
    key = zegel.Key("mail.example.org", "s", samples.ed25519().pem)
    message = zegel.sign(samples.MESSAGE, key, now=samples.NOW) + samples.MESSAGE
    dns = inbound.zone(more={(key.name, "TXT"): [key.record], ("bounce.example.org", "TXT"): ["v=spf1 +all"]})
    evidence = Evidence(BAD, "x", "b@bounce.example.org", (), "mail.example.com", samples.NOW)
    checking = Authentication(evidence, site(), Limits())
    checking.read_header(Header(split_message(message, header_bytes=9999).header))
    rehearse(checking.ask_sender(), dns.answer)
    rehearse(checking.ask_header(), dns.answer)
    checking.feed(message.partition(b"\r\n\r\n")[2])
    verdict = rehearse(checking.finish(), lambda question: OUT_OF_BUDGET)
    assert verdict.dmarc.reason is DmarcReason.SPF_AND_DKIM_ALIGNED


def test_a_bounce_is_judged_by_its_helo_name() -> None:
    """RFC 9989 4.4.2: with an empty MAIL FROM (RFC 5321 4.5.5) the SPF identity is the HELO name."""
    verdict = judge(samples.MESSAGE, mail_from="<>")
    assert (verdict.dmarc.reason, verdict.spf.mail_from.domain) == (DmarcReason.SPF_ALIGNED, "mx.example.org")
    # With a sender, a HELO name that passes is no proof: the name after MAIL FROM may be one that nobody has.
    verdict = judge(samples.MESSAGE, mail_from="any@nowhere.example.org")
    assert (verdict.spf.helo.status, verdict.dmarc.status) == ("pass", "fail")


def test_a_sender_that_spf_proves_proves_no_author() -> None:
    """RFC 7208 11.2: "the message can easily list other identities in its header"."""
    verdict = judge(samples.MESSAGE, helo="attack.example", mail_from="x@attack.example")
    assert words(verdict) == "pass pass [] none fail"
    assert (verdict.dmarc.aligned_spf, verdict.action) == (False, "reject")


def test_a_key_that_only_tests_proves_nothing() -> None:
    """RFC 6376 3.6.1: mail of a signer in testing mode is as unsigned."""
    key = samples.ed25519()
    dns = inbound.zone(more={(key.name, "TXT"): [key.record + "; t=y"]})
    verdict = judge(signed(), dns, ip=BAD)
    assert (verdict.dkim[0].status, verdict.dkim[0].testing) == ("pass", True)
    assert (verdict.dmarc.status, verdict.dmarc.aligned_dkim) == ("fail", (False,))
    assert [item["about"] for item in verdict.story if item.get("testing")] == ["dkim"]


def test_a_header_that_is_too_large_is_believed_in_nothing() -> None:
    message = b"X: " + b"x" * 2000 + b"\r\n" + signed()
    verdict = judge(message, limits=Limits(header_bytes=1024))
    assert [result.reason for result in verdict.dkim] == [DkimReason.HEADER_TOO_LARGE]
    assert (verdict.arc.status, verdict.author.reason, verdict.dmarc.status) == ("fail", AuthorReason.TOO_LONG, "permerror")
    assert (verdict.spf.mail_from.status, verdict.action) == ("pass", "reject")


# --- behind a relay of ours: RFC 7208 2.5

RELAYS = (Network.parse("203.0.113.0/28"),)
RECEIVED = b"Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby relay.example.com (Postfix) with ESMTP id 4T;\r\n\tx\r\n"


def test_behind_a_relay_the_first_host_outside_is_checked() -> None:
    settings = site(relays=RELAYS)
    asked: list[Question] = []
    verdict = judge(RECEIVED + signed(), ip="203.0.113.1", helo="relay.example.com", settings=settings, asked=asked)
    assert (verdict.spf.mail_from.status, verdict.spf.helo.status, verdict.findings.client.ip) == ("pass", "pass", GOOD)
    assert verdict.story[0]["relay"] == "203.0.113.1"
    unclear = judge(signed(), ip="203.0.113.1", helo="relay.example.com", settings=settings)
    assert unclear.spf.mail_from.reason is SpfReason.BEHIND_RELAY
    assert unclear.dmarc.reason is DmarcReason.DKIM_ALIGNED
    oversized = judge(RECEIVED + b"X: " + b"x" * 2000, ip="203.0.113.1", settings=settings, limits=Limits(header_bytes=1024))
    assert oversized.spf.mail_from.reason is SpfReason.BEHIND_RELAY


def test_spf_is_asked_at_mail() -> None:
    """RFC 7208 2.5: "at the time of the MAIL command", before anything of the message is there."""
    asked: list[Question] = []
    checking = Authentication(Evidence(GOOD, "mx.example.org", inbound.SENDER), site(relays=RELAYS), Limits())
    rehearse(checking.ask_sender(), inbound.zone().answer, asked)
    assert {question.name for question in asked} == {"example.org", "mx.example.org"}


def test_behind_a_relay_nothing_is_asked_at_mail() -> None:
    evidence = Evidence("203.0.113.1", "relay.example.com", inbound.SENDER)
    asked: list[Question] = []
    checking = Authentication(evidence, site(relays=RELAYS), Limits())
    rehearse(checking.ask_sender(), inbound.zone().answer, asked)
    assert (asked, checking.behind_relay) == ([], True)
    with pytest.raises(RuntimeError):
        rehearse(checking.finish(), inbound.zone().answer)
    assert not Authentication(Evidence("unknown", "", ""), site(relays=RELAYS), Limits()).behind_relay


# --- no protocol starves another

HOSTILE = "v=spf1 " + " ".join(f"mx:m{n}.attack.example" for n in range(10)) + " -all"


def hostile() -> zegel.Zone:
    """An SPF record that asks for 111 names; example.org still answers."""
    more: dict[tuple[str, str], object] = {("attack.example", "TXT"): [HOSTILE]}
    for n in range(10):
        more[f"m{n}.attack.example", "MX"] = [f"10 h{n}{k}.attack.example" for k in range(10)]
    more |= {(f"h{n}{k}.attack.example", "A"): ["203.0.113.9"] for n in range(10) for k in range(10)}
    return inbound.zone(more=more)


def test_a_hostile_spf_record_takes_no_question_from_dkim_and_dmarc() -> None:
    asked: list[Question] = []
    verdict = judge(signed(), hostile(), helo="attack.example", mail_from="x@attack.example", asked=asked)
    assert len(asked) <= 2 * 111 + 20
    few: list[Question] = []
    verdict = judge(signed(), hostile(), helo="attack.example", mail_from="x@attack.example", limits=Limits(questions=20), asked=few)
    assert verdict.spf.mail_from.status == "temperror"
    assert verdict.dmarc.reason is DmarcReason.DKIM_ALIGNED
    assert sum("attack.example" in question.name and "_" not in question.name for question in few) == 20
    assert len(few) <= 4 * 20
    assert any(item.get("asked") is False for item in verdict.story)


class Slow:
    """DNS in which some names never answer."""

    def __init__(self, dns: zegel.Zone, dead: str) -> None:
        self._dns, self._dead = dns, dead
        self.asked: list[str] = []

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question.name)
        if self._dead in question.name:
            await asyncio.Event().wait()
        return self._dns.answer(question)


@pytest.mark.parametrize(
    ("dead", "expected"),
    [
        ("._domainkey", "pass pass [temperror] none pass"),
        ("mx.example.org", "pass temperror [pass] none pass"),
        ("_dmarc", "pass pass [pass] none temperror"),
    ],
)
def test_a_dead_server_costs_one_result(dead: str, expected: str) -> None:
    async def run() -> Verdict:
        resolver = Slow(inbound.zone(), dead)
        verdict = await zegel.aio.authenticate(
            signed(),
            ip=GOOD,
            helo="mx.example.org",
            mail_from=inbound.SENDER,
            resolver=resolver,
            now=samples.NOW,
            limits=Limits(dns_seconds=0.05),
        )
        assert f"_dmarc.{'example.org'}" in resolver.asked
        return verdict

    assert words(asyncio.run(run())) == expected


def test_all_questions_of_the_header_leave_together() -> None:
    """The policy is asked for before any key has come."""

    async def run() -> list[str]:
        resolver = Slow(both("a.example"), "")
        checking = Authentication(Evidence(GOOD, "x", inbound.SENDER), site(), Limits())
        message = arc.sealed(signed(), "a.example", resolver=both("a.example"))
        checking.read_header(Header(split_message(message, header_bytes=99_999).header))
        task = asyncio.create_task(converse(checking.ask_header(), resolver, Budget(Limits())))
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        return resolver.asked

    names = asyncio.run(run())
    assert {"ed._domainkey.example.org", "arc._domainkey.a.example", "_dmarc.example.org"} <= set(names)


# --- bounds: counted


def test_no_sender_decides_how_long_a_story_is() -> None:
    from zegel.verdict.explain import MAX_ITEMS

    signatures = b"".join(b"DKIM-Signature: v=1; a=rsa-sha256; d=a%d.example; s=s; h=from; bh=; b=\r\n" % n for n in range(500))
    sets = arc.sealed(signed(), *(f"s{n}.example" for n in range(12)), resolver=both(*(f"s{n}.example" for n in range(12))))
    for message in (signatures + signed(), sets, signatures + sets):
        verdict = judge(message, hostile(), helo="h" * 3000, mail_from="x@attack.example", limits=Limits(signatures=50))
        assert len(verdict.story) <= MAX_ITEMS
        assert all(len(value) <= 255 for item in verdict.story for value in item.values() if isinstance(value, str))


def test_temporary_trouble_of_a_stranger_is_no_escape_from_a_fail() -> None:
    """RFC 9989 5.3.6: only what could have been aligned makes the verdict uncertain."""
    dns = inbound.zone(more={("attack.example", "TXT"): Rcode.TIMEOUT})
    assert judge(samples.MESSAGE, dns, ip=BAD, mail_from="x@attack.example").dmarc.status == "fail"
    dns = inbound.zone(more={("example.org", "TXT"): Rcode.TIMEOUT})
    assert judge(samples.MESSAGE, dns, ip=BAD).dmarc.reason is DmarcReason.AUTHENTICATION_UNKNOWN
