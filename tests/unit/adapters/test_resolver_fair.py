"""One dead key server, or many, do not delay or starve the rest: over real sockets, before a name server that says nothing about keys."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest

import zegel
from support.lyingdns import Lying, Play, lying_dns, octets, reply
from zegel import Limits, Question, Rcode, RRType
from zegel.adapters import answers
from zegel.adapters.converse import Budget, converse
from zegel.adapters.zone import Zone
from zegel.ask import Answer, Dialogue, ask, together


@pytest.fixture
def lying() -> Iterator[Lying]:
    with lying_dns(spf=lambda query: Play([octets(reply(query, '{q} 60 TXT "v=spf1 -all"'))])) as server:
        yield server


def asks(*names: str, done: list[str]) -> Dialogue[list[Rcode]]:
    """Ask for TXT records, one after the other."""
    found = []
    for name in names:
        answer = yield from ask(name, RRType.TXT)
        found.append(answer.rcode)
        done.append(name)
    return found


def test_spf_ends_while_the_key_server_is_dead(lying: Lying) -> None:
    """Of one message: the budget ends for the keys, and SPF has had its answers long before."""
    done: list[str] = []
    spf = asks("spf.example", "true.example", "gone.example", done=done)
    dkim = asks("silent._domainkey.example", "silent._domainkey.other.example", done=done)

    async def run() -> tuple[list[Rcode], list[Rcode]]:
        resolver = zegel.Resolver([lying.address], timeout=30)
        return await converse(together(dkim, spf), resolver, Budget(Limits(dns_seconds=0.5)))

    keys, records = asyncio.run(run())
    assert records == [Rcode.NOERROR, Rcode.NOERROR, Rcode.NXDOMAIN]
    assert keys == [Rcode.TIMEOUT, Rcode.TIMEOUT]
    assert done[:3] == ["spf.example", "true.example", "gone.example"]


def test_many_messages_with_dead_keys_do_not_starve_spf(lying: Lying) -> None:
    """A thousand keys of one domain, each asked for and none answered, with no more sockets than a hundred."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:

        async def run() -> Rcode:
            resolver = zegel.Resolver([lying.address], timeout=30)
            dead = [asyncio.create_task(resolver.resolve(Question(f"silent.s{n}._domainkey.example.org", RRType.TXT))) for n in range(1000)]
            async with asyncio.timeout(5):
                answer = await resolver.resolve(Question("spf.example.org", RRType.TXT))
            assert 0 < resolver._turns.out <= 100 // 16
            assert not any(task.done() for task in dead)
            for task in dead:
                task.cancel()
            await asyncio.gather(*dead, return_exceptions=True)
            assert (resolver._turns.out, resolver._turns.waiting, resolver._flying) == (0, 0, {})
            return answer.rcode

        assert asyncio.run(run()) is Rcode.NOERROR
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_full_queue_is_a_time_out_that_is_not_kept(lying: Lying) -> None:
    """Ours is the trouble then, and it may be over with the next question."""

    async def run() -> None:
        resolver = zegel.Resolver([lying.address], timeout=30)
        names = [Question(f"silent.n{number}.example.org", RRType.TXT) for number in range(3000)]
        waiting = [asyncio.create_task(resolver.resolve(question)) for question in names]
        for _ in range(10):
            await asyncio.sleep(0)
        refused = [question for question, task in zip(names, waiting, strict=True) if task.done()]
        assert 0 < len(refused) <= 3000 - 1024
        assert {task.result().rcode for task in waiting if task.done()} == {Rcode.TIMEOUT}
        assert not any(map(resolver.cached, refused))
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (await resolver.resolve(Question("true.example", RRType.TXT))).rcode is Rcode.NOERROR

    asyncio.run(run())


def test_policy_discovery_has_a_share_of_its_own(lying: Lying) -> None:
    """Whoever makes SPF and DKIM slow would otherwise end every policy in a temperror, his own forgeries' too."""
    done: list[str] = []

    def message(leave: float) -> Dialogue[object]:
        slow = asks("silent.example", done=done)
        many = asks(*(f"a{number}.many.example" for number in range(50)), done=done)
        evidence = yield from together(slow, many, leave=leave)
        return evidence[0], (yield from asks("true.example", done=done))

    class Names(zegel.Resolver):
        async def resolve(self, question: Question) -> Answer:
            return Answer(Rcode.NOERROR) if "many" in question.name else await super().resolve(question)

    async def run(leave: float) -> object:
        return await converse(message(leave), Names([lying.address], timeout=30), Budget(Limits(dns_seconds=1.0, questions=20)))

    assert asyncio.run(run(0.0)) == ([Rcode.TIMEOUT], [Rcode.TIMEOUT])
    assert asyncio.run(run(0.5)) == ([Rcode.TIMEOUT], [Rcode.NOERROR])


def test_the_share_in_questions() -> None:
    done: list[str] = []
    zone = Zone.from_dict({("example.org", "TXT"): ["x"]})

    def message() -> Dialogue[object]:
        first = yield from together(asks(*["example.org"] * 5, done=done), asks(*["example.org"] * 5, done=done), leave=0.3)
        return first, (yield from asks(*["example.org"] * 5, done=done))

    yes, no = Rcode.NOERROR, Rcode.TIMEOUT
    result = asyncio.run(converse(message(), zone, Budget(Limits(questions=10))))
    assert result == (([yes] * 5, [yes] * 2 + [no] * 3), [yes] * 3 + [no] * 2)


def test_what_is_known_is_answered_without_a_wait(lying: Lying) -> None:
    """Also after the seconds are over: it costs none."""
    done: list[str] = []

    async def run() -> object:
        resolver = zegel.Resolver([lying.address], timeout=30)
        await resolver.resolve(Question("true.example", RRType.TXT))
        names = ("true.example", "silent.example", "true.example", "spf.example")
        result = await converse(asks(*names, done=done), resolver, Budget(Limits(dns_seconds=0.1)))
        before = asyncio.all_tasks()
        dialogue = converse(asks("true.example", done=done), resolver, Budget(Limits()))
        with pytest.raises(StopIteration) as end:
            dialogue.send(None)  # to its end in one step: no task, no timer
        assert end.value.value == [Rcode.NOERROR]
        assert asyncio.all_tasks() == before
        return result

    assert asyncio.run(run()) == [Rcode.NOERROR, Rcode.TIMEOUT, Rcode.NOERROR, Rcode.TIMEOUT]


def test_trouble_is_kept_longer_each_time_and_never_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9520 3.2: at least a second, at most five minutes. An answer starts anew."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    kept, question = answers.Answers(), Question("k.example", RRType.TXT)
    seen = []
    for answer in [Answer(Rcode.TIMEOUT), Answer(Rcode.SERVFAIL)] * 5 + [Answer(Rcode.NXDOMAIN, ttl=7), Answer(Rcode.TIMEOUT)]:
        kept.keep(question, answer)
        start = now
        while kept.get(question) is not None:
            now += 1
        seen.append(now - start)
    assert seen == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 7, 5]


def test_a_dead_name_server_is_asked_last(lying: Lying) -> None:
    """Not for every question again: after three that it let pass, the other is asked first, for a while."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))

        async def run() -> list[int]:
            resolver = zegel.Resolver([f"127.0.0.1:{silent.getsockname()[1]}", lying.address], timeout=1.0)
            asked = []
            for number in range(5):
                before = resolver.asked
                assert (await resolver.resolve(Question(f"true.n{number}.example", RRType.TXT))).rcode is Rcode.NOERROR
                asked.append(resolver.asked - before)
            resolver._servers[0].rests_until = 0.0  # the while is over
            await resolver.resolve(Question("true.last.example", RRType.TXT))
            asked.append(resolver.asked - before - 1)
            return asked

        assert asyncio.run(run()) == [2, 2, 2, 1, 1, 2]
