"""The whole verdict: how the body is cut, and in what order answers come, changes nothing."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from support import arc, inbound, samples
from support.inbound import GOOD, SENDER, site
from zegel.adapters.converse import Budget, converse
from zegel.ask import Answer, Question, rehearse
from zegel.dkim.header import Header
from zegel.grammar.message import split_message
from zegel.limits import Limits
from zegel.verdict.authenticate import Authentication, Verdict, authenticate_message
from zegel.verdict.evidence import Evidence

EVIDENCE = Evidence(GOOD, "mx.example.org", SENDER, (), "mail.example.com", samples.NOW)
DNS = inbound.zone(more={(arc.key(domain).name, "TXT"): [arc.key(domain).record] for domain in ("a.example", "b.example")})
MESSAGES = (
    inbound.signed(),
    inbound.changed(),
    samples.MESSAGE,
    arc.sealed(inbound.signed(), "a.example", "b.example", resolver=DNS),
    inbound.signed().replace(b"d=example.org", b"d=example.org; l=5"),
)
WHOLE = [rehearse(authenticate_message(message, EVIDENCE, site(), Limits()), DNS.answer) for message in MESSAGES]


@given(st.integers(0, len(MESSAGES) - 1), st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=150)
def test_any_chunking_of_the_body_gives_one_verdict(which: int, cuts: list[int]) -> None:
    split = split_message(MESSAGES[which], header_bytes=99_999)
    checking = Authentication(EVIDENCE, site(), Limits())
    rehearse(checking.ask_sender(), DNS.answer)
    checking.read_header(Header(split.header))
    rehearse(checking.ask_header(), DNS.answer)
    places = sorted({min(cut, len(split.body)) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(split.body)], strict=True):
        checking.feed(split.body[start:end])
    same(rehearse(checking.finish(), DNS.answer), WHOLE[which])


class Shuffled:
    """DNS whose answers come after some turns of the loop."""

    def __init__(self, turns: list[int]) -> None:
        self._turns = turns
        self._asked = 0

    async def resolve(self, question: Question) -> Answer:
        self._asked += 1
        for _ in range(self._turns[self._asked % len(self._turns)]):
            await asyncio.sleep(0)
        return DNS.answer(question)


@given(st.integers(0, len(MESSAGES) - 1), st.lists(st.integers(0, 9), min_size=1, max_size=9))
@settings(max_examples=60)
def test_the_order_of_answers_changes_nothing(which: int, turns: list[int]) -> None:
    async def run() -> Verdict:
        return await converse(authenticate_message(MESSAGES[which], EVIDENCE, site(), Limits()), Shuffled(turns), Budget(Limits()))

    same(asyncio.run(run()), WHOLE[which])


def same(one: Verdict, other: Verdict) -> None:
    assert (one.findings, one.disposition, one.story) == (other.findings, other.disposition, other.story)
