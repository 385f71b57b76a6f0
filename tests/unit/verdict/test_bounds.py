"""What a stranger sends and publishes is bounded for the whole verdict: twice the input at most 2.5 times the work, counted in calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support import arc, inbound, samples
from support.inbound import judge, signed
from support.work import calls
from zegel.ask import Question
from zegel.limits import Limits
from zegel.verdict.edits import Claims, outcome
from zegel.verdict.explain import MAX_ITEMS

WIDE = Limits(signatures=10_000, header_bytes=4_000_000)


def work(run: Callable[[], object]) -> int:
    """The calls made, once the tables that are kept between messages are warm."""
    run()
    return calls(run)


SIGNATURE = b"DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=s; h=from; bh=MTIz; b=MTIz\r\n"
SET = b"ARC-Seal: i=%d; a=ed25519-sha256; cv=pass; d=a.example; s=s; b=MTIz\r\n"
PARTS: dict[str, Callable[[int], bytes]] = {
    "signatures": lambda n: SIGNATURE * n + signed(),
    "half of an ARC set": lambda n: b"".join(SET % (k % 50 + 1) for k in range(n)) + signed(),
    "From fields": lambda n: b"From: a@b.example\r\n" * n + signed(),
    "addresses": lambda n: b"From: " + b", ".join([b"a@b.example"] * n) + b"\r\n\r\n",
    "Received": lambda n: b"Received: from a (b [192.0.2.1]) by c; x\r\n" * n + signed(),
    "folds": lambda n: b"X:" + b"\r\n From: x" * n + b"\r\n" + signed(),
    "lines of body": lambda n: signed() + b"x  y \r\n" * n,
    "lines that are no field": lambda n: b"no field\r\n" * n + signed(),
}


@pytest.mark.parametrize("name", PARTS)
def test_twice_the_input_is_at_most_two_and_a_half_times_the_work(name: str) -> None:
    def run(size: int) -> Callable[[], object]:
        message = PARTS[name](size)
        return lambda: outcome(judge(message, limits=WIDE), Claims())

    once, twice = work(run(200)), work(run(400))
    assert twice <= 2.5 * once, (once, twice)


@pytest.mark.parametrize("name", PARTS)
def test_questions_story_and_field_have_a_most(name: str) -> None:
    asked: list[Question] = []
    verdict = judge(PARTS[name](400), limits=Limits(questions=25), asked=asked)
    assert len(asked) <= 4 * 25
    assert len(verdict.story) <= MAX_ITEMS
    (field,) = outcome(verdict, Claims()).edits
    assert len(getattr(field, "value", b"")) < 20_000


def test_more_sets_than_are_read_cost_no_question() -> None:
    sealers = [f"s{n}.example" for n in range(6)]
    dns = inbound.zone(more={(arc.key(domain).name, "TXT"): [arc.key(domain).record] for domain in sealers})
    message = arc.sealed(signed(), *sealers, resolver=dns)
    for most, expected in ((6, 6), (5, 0)):
        asked: list[Question] = []
        judge(message, dns, limits=Limits(arc_sets=most), asked=asked)
        assert sum(question.name.startswith("arc._domainkey") for question in asked) == expected


def test_the_sample_costs_what_it_did() -> None:
    """A usual message asks four questions, each once."""
    asked: list[Question] = []
    judge(signed(), asked=asked)
    assert [question.name for question in asked] == [
        "mx.example.org",
        "example.org",
        samples.ed25519().name,
        "_dmarc.example.org",
    ]
