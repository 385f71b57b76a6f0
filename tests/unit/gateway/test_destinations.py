"""Who takes mail for a domain: the organisation behind its MX records, asked once, and never guessed when DNS is in trouble."""

from __future__ import annotations

import asyncio

import pytest

from zegel.adapters.zone import Zone
from zegel.ask import Answer, Question, Rcode, RRType
from zegel.gateway.destinations import Destinations, first_server
from zegel.grammar.domain import Domain

ZONE = Zone.from_dict(
    {
        ("a.example", "MX"): ["20 backup.other.example", "10 mx1.mail.provider.co.uk"],
        ("null.example", "MX"): ["0 ."],
        ("self.example", "A"): ["192.0.2.1"],
        ("broken.example", "MX"): ["x", "10 bad name!"],
        ("slow.example", "MX"): Rcode.TIMEOUT,
        ("dead.example", "MX"): Rcode.SERVFAIL,
    }
)


class Counting:
    """A zone that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most = 0

    async def resolve(self, question: Question) -> Answer:
        assert question.type is RRType.MX
        self.asked.append(question.name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return await ZONE.resolve(question)


def learnt(destinations: Destinations, *domains: str) -> dict[str, str]:
    destinations.learn(asyncio.run(destinations.ask(domains)))
    return dict(destinations.known)


# Without MX records the domain itself takes its mail (RFC 5321 5.1), with a null MX nobody does (RFC 7505 3).
@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("a.example", "provider.co.uk"),
        ("null.example", ""),
        ("absent.example", ""),
        ("www.self.example", ""),
        ("self.example", "self.example"),
        ("broken.example", ""),
        ("[192.0.2.1]", ""),
        ("not a name", ""),
    ],
)
def test_the_first_server_tells_the_organisation(domain: str, organisation: str) -> None:
    assert learnt(Destinations(lambda: ZONE), domain) == {domain: organisation}


def test_trouble_is_not_taken_for_an_answer() -> None:
    assert learnt(Destinations(lambda: ZONE), "slow.example", "dead.example") == {}


def test_each_domain_is_asked_once_until_it_has_run_out() -> None:
    resolver, now = Counting(), [0.0]
    destinations = Destinations(lambda: resolver, clock=lambda: now[0])
    learnt(destinations, "a.example", "dead.example")
    learnt(destinations, "a.example", "dead.example")
    assert resolver.asked == ["a.example", "dead.example"]
    now[0] = 86_401.0
    assert learnt(destinations) == {}
    learnt(destinations, "a.example")
    assert resolver.asked == ["a.example", "dead.example", "a.example"]


def test_few_are_asked_at_once() -> None:
    resolver = Counting()
    learnt(Destinations(lambda: resolver), *(f"d{number}.example" for number in range(100)))
    assert len(resolver.asked) == 100
    assert resolver.most <= 10


def test_what_is_known_is_bounded() -> None:
    destinations = Destinations(Counting)
    for start in range(0, 45_000, 1000):
        learnt(destinations, *(f"d{number}.example" for number in range(start, start + 1000)))
    assert len(destinations.known) <= 21_000


def test_equal_preferences_give_one_answer() -> None:
    domain = Domain.parse("x.example")
    answers = [Answer(Rcode.NOERROR, order) for order in (("10 b.example", "10 a.example"), ("10 a.example.", "10 b.example"))]
    assert {first_server(domain, answer) for answer in answers} == {"a.example"}
