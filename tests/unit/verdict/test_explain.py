"""The story is rebuilt from what the protocols ask, are answered and say when each runs alone; and it is told in sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support import arc, inbound, samples
from support.inbound import BAD, GOOD, changed, judge, signed, site
from zegel.arc.verify import verify_message as verify_chain
from zegel.ask import Answer, Dialogue, Question, Rcode, rehearse
from zegel.dkim.verify import verify_message
from zegel.dmarc.evaluate import Evaluation
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.spf.client import Network
from zegel.spf.evaluate import check
from zegel.verdict.authenticate import Verdict
from zegel.verdict.evidence import sender, signer
from zegel.verdict.explain import ABOUT, MAX_QUESTIONS, sentence
from zegel.verdict.rules import Rule

KEYS = {(arc.key("lists.example.net").name, "TXT"): [arc.key("lists.example.net").record]}
DNS = inbound.zone(more=KEYS)


def recorded(dialogue: Dialogue[Any], answer: Callable[[Question], Answer]) -> tuple[Any, list[dict[str, object]]]:
    """What a dialogue comes to by itself, and its questions and answers as the story has them."""
    seen: list[dict[str, object]] = []

    def tap(question: Question) -> Answer:
        found = answer(question)
        seen.append({"name": question.name, "type": question.type, "rcode": found.rcode, "records": len(found.records)})
        return found

    return rehearse(dialogue, tap), seen


def questions(verdict: Verdict, about: str) -> list[dict[str, object]]:
    return [
        {name: value for name, value in item.items() if name not in ("step", "about")}
        for item in verdict.story
        if (item["step"], item["about"]) == ("question", about)
    ]


def results(verdict: Verdict, about: str) -> list[tuple[object, object]]:
    return [(item["status"], item["reason"]) for item in verdict.story if (item["step"], item["about"]) == ("result", about)]


MESSAGES = {
    "signed": signed(),
    "changed": changed(),
    "unsigned": samples.MESSAGE,
    "sealed": arc.sealed(signed(), "lists.example.net", resolver=DNS),
    "twice": b"DKIM-Signature: v=1; a=x\r\n" + signed(),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("ip", [GOOD, BAD])
def test_the_story_is_what_the_protocols_ask_and_say(name: str, ip: str) -> None:
    message = MESSAGES[name]
    verdict = judge(message, DNS, ip=ip)
    receiver = "mail.example.com"
    spf, asked = recorded(check(ip=ip, helo="mx.example.org", mail_from=inbound.SENDER, receiver=receiver, now=samples.NOW), DNS.answer)
    assert questions(verdict, "spf") == asked
    assert results(verdict, "spf") == [(one.status, one.reason.id) for one in (spf.mail_from, spf.helo)]
    dkim, asked = recorded(verify_message(message, now=samples.NOW, limits=Limits()), DNS.answer)
    assert questions(verdict, "dkim") == asked
    assert results(verdict, "dkim") == [(one.status, one.reason.id) for one in dkim]
    assert any(item["step"] == "unsigned" for item in verdict.story) is (not dkim)
    chain, asked = recorded(verify_chain(message, now=samples.NOW, limits=Limits()), DNS.answer)
    assert questions(verdict, "arc") == asked
    assert results(verdict, "arc") == [(chain.status, chain.reason.id)] * (chain.status != "none")

    def dmarc() -> Dialogue[Any]:
        evaluation = Evaluation(Domain.parse("example.org"))
        yield from evaluation.prepare([Domain.parse("example.org")])
        return (yield from evaluation.finish(sender(spf), list(map(signer, dkim))))

    judged, asked = recorded(dmarc(), DNS.answer)
    assert questions(verdict, "dmarc") == asked
    assert results(verdict, "dmarc") == [(judged.status, judged.reason.id)]
    last = verdict.story[-1]
    assert (last["action"], last["reason"]) == (verdict.action, verdict.disposition.reason.id)
    places = [ABOUT.index(str(item["about"])) for item in verdict.story]
    assert places == sorted(places)


def many() -> list[Verdict]:
    """Verdicts with every kind of item in their stories."""
    rule = Rule.read("forwarder", who="Jan", why="alumni", networks=["198.51.100.7"], until=samples.NOW + 1)
    received = b"Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby relay.example.com (Postfix) id 4T; x\r\n"
    trouble = inbound.zone(more={("example.org", "TXT"): Rcode.TIMEOUT})
    relay = site(relays=(Network.parse("203.0.113.1"),))
    ten = "v=spf1 " + " ".join(f"mx:m{n}.example.org" for n in range(10))
    wide: dict[tuple[str, str], Any] = {("example.org", "TXT"): [ten]}
    wide |= {(f"m{n}.example.org", "MX"): [f"1 h{n}{k}.example.org" for k in range(10)] for n in range(10)}
    wide |= {(f"h{n}{k}.example.org", "A"): ["203.0.113.1"] for n in range(10) for k in range(10)}
    key = samples.ed25519()
    return [
        *(
            judge(message, DNS, ip=ip, settings=site(mode))
            for message in MESSAGES.values()
            for ip in (GOOD, BAD)
            for mode in ("observe", "reject")
        ),
        judge(changed(), ip=BAD, settings=site("quarantine", own=("example.org",))),
        judge(changed(), ip=BAD, settings=site(rules=(rule,))),
        judge(b"From: a@b.example, c@d.example\r\n\r\n", settings=site("reject")),
        judge(b"Subject: x\r\n\r\n", settings=site("observe")),
        judge(samples.MESSAGE, trouble, settings=site("reject", defer_on_trouble=True)),
        judge(samples.MESSAGE, trouble, settings=site("observe", defer_on_trouble=True)),
        judge(received + signed(), ip="203.0.113.1", settings=relay),
        judge(signed(), inbound.zone(more=wide), ip=BAD),
        judge(signed(), inbound.zone(more=wide), ip=BAD, limits=Limits(questions=30)),
        judge(signed(), inbound.zone("v=DMARC1; p=reject; t=y", {(key.name, "TXT"): [key.record + "; t=y"]}), ip=BAD),
    ]


def test_every_item_is_json_and_has_a_sentence() -> None:
    steps = set()
    for verdict in many():
        assert json.loads(json.dumps(verdict.story)) == verdict.story
        for item in verdict.story:
            steps.add(item["step"])
            told = str(sentence(item))
            assert "{" not in told, item
            assert told.isprintable()
            # What is told comes back after JSON: a story from the store is told as well.
            assert sentence(json.loads(json.dumps(item))) == sentence(item)
    assert steps == {"client", "question", "more", "result", "unsigned", "author", "mark", "rule", "override", "action"}


def test_it_is_told_which_of_the_two_identities_spf_judged() -> None:
    verdict = judge(signed(), inbound.zone(), ip=GOOD)
    told = [str(sentence(item)) for item in verdict.story if (item["step"], item["about"]) == ("result", "spf")]
    assert [" MAIL FROM " in text for text in told] == [True, False]
    assert [" HELO " in text for text in told] == [False, True]
    (dkim,) = [str(sentence(item)) for item in verdict.story if (item["step"], item["about"]) == ("result", "dkim")]
    assert dkim.startswith("pass example.org: ")


def test_sentences_are_translated_with_what_is_in_them() -> None:
    (verdict,) = [one for one in many() if one.disposition.rule is not None]
    asked = []

    def translate(text: str) -> str:
        asked.append(text)
        return text

    for item in verdict.story:
        sentence(item).told(translate)
    assert "a rule of this site goes before the policy" in asked
    assert "the body is not the one that was signed" in asked
    assert not any("example" in text for text in asked), "values are no part of a sentence"


def test_what_strangers_write_is_cut_and_counted() -> None:
    long = judge(b"From: " + b"x" * 9000 + b"\r\n\r\n", helo="h" * 9000, mail_from="m" * 9000)
    assert all(len(value) <= 255 for item in long.story for value in item.values() if isinstance(value, str))
    wide = next(verdict for verdict in many() if any(item["step"] == "more" for item in verdict.story))
    more = next(item for item in wide.story if item["step"] == "more")
    assert len(questions(wide, "spf")) == MAX_QUESTIONS
    assert more["count"] == len(wide.trails.spf.asked) - MAX_QUESTIONS
