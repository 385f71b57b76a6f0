"""The resolver against a name server of an attacker, and against packets that are not its server's: what it holds, and what it believes."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.message
import dns.rrset
import pytest

import zegel
from zegel import Question, Rcode, RRType
from zegel.adapters import answers

Play = Callable[[socket.socket, bytes, tuple[str, int]], None]


@contextmanager
def name_server(play: Play) -> Iterator[str]:
    """A socket whose packets are answered by ``play`` in a thread of its own; gives its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        address = here.getsockname()

        def serve() -> None:
            while (packet := here.recvfrom(65535))[0] != b"stop":
                play(here, *packet)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{address[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"stop", address)
            thread.join()


def reply(query: bytes, *records: str) -> bytes:
    """An answer to that query; ``records`` are lines of "name ttl IN type data", {q} being the name asked for."""
    asked = dns.message.from_wire(query)
    made = dns.message.make_response(asked)
    name = asked.question[0].name.to_text()
    for record in records:
        owner, ttl, _, kind, data = record.replace("{q}", name).split(" ", 4)
        made.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    return made.to_wire(max_size=65535)


def answering(*records: str) -> Play:
    def play(here: socket.socket, query: bytes, sender: tuple[str, int]) -> None:
        here.sendto(reply(query, *records), sender)

    return play


def ask(address: str, name: str = "k._domainkey.example.org") -> zegel.Answer:
    return asyncio.run(zegel.Resolver([address], timeout=1, tries=1).resolve(Question(name, RRType.TXT)))


def test_packets_of_others_and_other_answers_do_not_end_the_wait() -> None:
    """RFC 6376 8.5, RFC 7208 11.3, RFC 9989 11.3: a forged answer is not believed for coming first."""

    def play(here: socket.socket, query: bytes, sender: tuple[str, int]) -> None:
        forged = reply(query, '{q} 60 IN TXT "forged"')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(forged, sender)  # the right id from another port
            other.sendto(b"junk", sender)
        here.sendto(bytes((query[0] ^ 1,)) + forged[1:], sender)  # another id
        here.sendto(b"\0", sender)
        here.sendto(query, sender)  # no answer at all
        here.sendto(reply(query, '{q} 60 IN TXT "true"'), sender)

    with name_server(play) as address:
        assert ask(address).records == (b"true",)


def test_the_cache_is_bounded_in_octets() -> None:
    """A stranger who signs with names of his own makes us keep what his server says, for as long as he says."""
    big = " ".join(['"' + "x" * 255 + '"'] * 120)
    wanted = 40

    async def run(resolver: zegel.Resolver) -> None:
        first, newest = (Question(f"n{number}.example", RRType.TXT) for number in (0, wanted - 1))
        for number in range(wanted):
            answer = await resolver.resolve(Question(f"n{number}.example", RRType.TXT))
            assert len(answer.records[0]) == 255 * 120
            assert resolver.cached(first), "what is in use stays"
        kept = resolver._answers
        assert sum(answers.size(answer) for *_, answer in kept._kept.values()) == kept.octets <= answers._MAX_OCTETS
        assert 0 < len(kept) < wanted
        assert resolver.cached(newest)
        assert resolver.asked == wanted

    with pytest.MonkeyPatch.context() as patch, name_server(answering("{q} 86400 IN TXT " + big)) as address:
        patch.setattr(answers, "_MAX_OCTETS", 300_000)
        asyncio.run(run(zegel.Resolver([address])))


def test_a_flood_of_questions_does_not_use_up_the_files_of_the_process() -> None:
    """Without a bound the next socket fails, ours to the name server as well as the mail server's to us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with name_server(answering('{q} 60 IN TXT "x"')) as address:

            async def run(resolver: zegel.Resolver) -> set[Rcode]:
                questions = [Question(f"n{number}.example", RRType.TXT) for number in range(600)]
                return {answer.rcode for answer in await asyncio.gather(*map(resolver.resolve, questions))}

            assert asyncio.run(run(zegel.Resolver([address], timeout=10))) == {Rcode.NOERROR}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nobody_waiting_means_nobody_asking() -> None:
    """A client that hangs up, again and again, must not leave a queue of questions behind."""

    async def run(resolver: zegel.Resolver) -> None:
        question = Question("k.example", RRType.TXT)
        for _ in range(3):
            waiting = [asyncio.create_task(resolver.resolve(question)) for _ in range(2)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert not resolver._flying
        fresh = asyncio.create_task(resolver.resolve(question))  # not the one that was just given up
        await asyncio.sleep(0.05)
        assert [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == "Resolver._look_up"] == [  # type: ignore[union-attr]
            flight.task for flight in resolver._flying.values()
        ]
        assert not fresh.done()
        fresh.cancel()
        await asyncio.gather(fresh, return_exceptions=True)

    with name_server(lambda here, query, sender: None) as address:
        asyncio.run(run(zegel.Resolver([address], timeout=30)))
