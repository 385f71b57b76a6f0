"""What a DNS question costs: one that is known, one that is asked, one whose answer is hostile. ``python -m bench.dns``.

Beside it, dnspython's own query and reader, and a look-up wrapped in a timer as it would be without the shortcut for what is known. All run
in turns in one process, and the best of many rounds counts, so that the ratios hold on a busy machine. The name server is a process of its
own that sends a ready answer.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import dns.asyncquery
import dns.message
import uvloop

from zegel.adapters import wire
from zegel.adapters.converse import Budget, converse
from zegel.adapters.exchange import Address, exchange
from zegel.adapters.resolver import Resolver
from zegel.ask import Answer, Question, RRType, ask
from zegel.limits import Limits

QUESTION = Question("2026a._domainkey.example.org", RRType.TXT)
_RECORD = b"\xff" + b"x" * 255 + b"\x90" + b"y" * 144
_ANSWER = b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 86_400, len(_RECORD)) + _RECORD
_LIMITS = Limits()


class Figure(NamedTuple):
    """Microseconds of ours and of the other way."""

    what: str
    ours: float
    other: float
    other_way: str


def _serve(here: socket.socket) -> None:
    """Answer each query with the ready record."""
    while True:
        query, sender = here.recvfrom(4096)
        end = query.index(b"\0", 12) + 5
        here.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + _ANSWER, sender)


@contextmanager
def name_server() -> Iterator[Address]:
    """The name server, in a process of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(here,), daemon=True)
        process.start()
        try:
            yield Address(*here.getsockname())
        finally:
            process.terminate()
            process.join()


def hostile_reply(records: int) -> bytes:
    """MX records whose hosts have a hundred labels each, all but one of them shared."""
    wire_ = bytearray(struct.pack("!6H", 1, 0x8180, 1, records, 0, 0) + b"\1q\7example\0" + struct.pack("!HH", 15, 1))
    tail = len(wire_) + 12 + 2 + 6
    for number in range(records):
        label = b"\0\1\5m%04d" % number
        data = label + (b"\1a" * 100 + b"\0" if number == 0 else struct.pack("!H", 0xC000 | tail))
        wire_ += b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 60, len(data)) + data
    return bytes(wire_)


async def _best(works: list[Callable[[], Awaitable[object]]], rounds: int, times: int) -> list[float]:
    """Microseconds of processor time for one call of each, in turns."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for index, work in enumerate(works):
            start = time.process_time()
            for _ in range(times):
                await work()
            best[index] = min(best[index], (time.process_time() - start) / times * 1e6)
    return best


async def _known(address: Address, rounds: int) -> Figure:
    resolver = Resolver([f"{address.host}:{address.port}"])
    await resolver.resolve(QUESTION)
    budget = Budget(Limits(questions=10**9))
    deadline = asyncio.get_running_loop().time() + 1000

    async def ours() -> Answer:
        return await converse(ask(*QUESTION), resolver, budget)

    async def timed() -> Answer:
        async with asyncio.timeout_at(deadline):
            return await resolver.resolve(QUESTION)

    one, other = await _best([ours, timed], rounds, 2000)
    return Figure("a question whose answer is known, dialogue and all", one, other, "the look-up alone, in a timer")


async def _asked(address: Address, rounds: int) -> list[Figure]:
    async def ours() -> Answer:
        return await exchange(address, QUESTION, timeout=2)

    async def whole() -> Answer:
        resolver = Resolver([f"{address.host}:{address.port}"])
        return await converse(ask(*QUESTION), resolver, Budget(_LIMITS))

    async def dnspython() -> object:
        query = dns.message.make_query(QUESTION.name, "TXT", use_edns=0, payload=1232)
        reply, _ = await dns.asyncquery.udp_with_fallback(
            query, address.host, port=address.port, timeout=2, ignore_unexpected=True, ignore_errors=True
        )
        return reply

    one, all_of_it, other = await _best([ours, whole, dnspython], rounds, 200)
    return [
        Figure("a question asked over UDP", one, other, "dnspython"),
        Figure("the same with a new resolver, its budget and dialogue", all_of_it, other, "dnspython, the query alone"),
    ]


async def _hostile(records: int, rounds: int) -> Figure:
    packet, question = hostile_reply(records), Question("q.example", RRType.MX)
    assert len(wire.read(packet, question).records) == records

    async def ours() -> object:
        return wire.read(packet, question)

    async def dnspython() -> object:
        return dns.message.from_wire(packet)

    one, other = await _best([ours, dnspython], rounds, 1)
    return Figure(f"a reply with {records} MX records ({len(packet)} octets), read", one, other, "dnspython")


async def _all(address: Address, rounds: int) -> list[Figure]:
    return [await _known(address, rounds), *await _asked(address, rounds), await _hostile(1000, min(rounds, 3))]


def measure(rounds: int, new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop) -> list[Figure]:
    """All figures, in the loop that the daemon has, or in another."""
    with name_server() as address, asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_all(address, rounds))


def lines(found: list[Figure]) -> list[str]:
    """The figures as a table of Markdown."""
    out = ["| | Zegel, µs | the other way, µs | ratio | the other way |", "|---|---:|---:|---:|---|"]
    return out + [f"| {what} | {ours:.1f} | {other:.1f} | {other / ours:.1f} | {way} |" for what, ours, other, way in found]


def main() -> None:
    """Print the figures, in both loops."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for name, new_loop in (("uvloop", uvloop.new_event_loop), ("asyncio", asyncio.new_event_loop)):
        print("\n".join([f"{name}:", "", *lines(measure(rounds, new_loop)), ""]))


if __name__ == "__main__":
    main()
