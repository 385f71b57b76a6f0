"""The DNS resolver: kept answers in front, the same question in flight asked once, and a fair turn for every zone.

It asks resolvers (RFC 1034 5.3.1, a stub): they follow delegations, and they check DNSSEC. What a stranger can make it hold is bounded:
kept answers, sockets at a time, questions in the queue, and no question that nobody waits for any more. Trouble is an rcode, never an
exception. The AD bit is believed only when asked for and only from a loopback server: anything else on the way could have set it
(RFC 4035 4.9.3).
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

from zegel.adapters.answers import Answers
from zegel.adapters.exchange import Address, exchange
from zegel.adapters.turns import Turns, zone_of
from zegel.ask import Answer, Question, Rcode

_MAX_SOCKETS = 4096
_SILENCE, _REST = 3, 30.0  # a server that let so many questions in a row pass is asked last, for so many seconds


@dataclass(slots=True)
class _Server:
    """A name server, and whether it is there."""

    address: Address
    silent: int = 0
    rests_until: float = 0.0

    def heard(self, answer: Answer) -> None:
        """Note whether it said anything."""
        self.silent = self.silent + 1 if answer.rcode is Rcode.TIMEOUT else 0
        self.rests_until = time.monotonic() + _REST if self.silent >= _SILENCE else 0.0


@dataclass(slots=True)
class _Flight:
    """A question on its way, and how many wait for its answer."""

    task: asyncio.Task[Answer]
    waiting: int = 0


class Resolver:
    """An async resolver of one event loop.

    ``nameservers`` are addresses, ``address:port`` or ``[v6]:port``, asked in order (None: the system's); ``timeout`` is in seconds for one
    try, ``tries`` for each server. Raises ValueError for an address that is none, TypeError for one text instead of a list.
    """

    def __init__(self, nameservers: Sequence[str] | None = None, *, timeout: float = 2.0, tries: int = 2, trust_ad: bool = False) -> None:
        if isinstance(nameservers, str):
            raise TypeError('nameservers is a list of addresses: ["127.0.0.1"]')
        self._servers = [_Server(address(text)) for text in (_system_nameservers() if nameservers is None else nameservers)]
        if not self._servers:
            raise ValueError("no name server is known; give one, for example 127.0.0.1")
        self._timeout, self._tries = timeout, tries
        self.trusts_ad = trust_ad and all(server.address.is_loopback for server in self._servers)
        self._answers = Answers()
        self._flying: dict[Question, _Flight] = {}
        self._turns = Turns(_socket_cap())
        self.asked = 0  # questions sent, for the metrics
        self.cached = self._answers.get  # without a wait: who drives a dialogue asks here first

    async def resolve(self, question: Question) -> Answer:
        """Answer one question from the cache or the servers. Never raises for trouble with DNS."""
        cached = self._answers.get(question)
        if cached is not None:
            return cached
        flight = self._flying.get(question)
        if flight is None:
            flight = self._flying[question] = _Flight(asyncio.get_running_loop().create_task(self._look_up(question)))
            flight.task.add_done_callback(lambda _: self._landed(question, flight))
        flight.waiting += 1
        try:
            # One caller's budget may end while another still waits for the same answer.
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._landed(question, flight)
                flight.task.cancel()

    def _landed(self, question: Question, flight: _Flight) -> None:
        if self._flying.get(question) is flight:
            del self._flying[question]

    async def _look_up(self, question: Question) -> Answer:
        answer, zone = Answer(Rcode.TIMEOUT), zone_of(question.name)
        for _ in range(self._tries):
            for server in self._in_order():
                if not await self._turns.take(zone):
                    return answer  # our own trouble, which is not kept
                said = False
                try:
                    self.asked += 1
                    answer = await exchange(server.address, question, timeout=self._timeout, authentic=self.trusts_ad)
                    said = answer.rcode is not Rcode.TIMEOUT
                finally:
                    self._turns.give_back(zone, answered=said)
                server.heard(answer)
                if not answer.temporary:
                    self._answers.keep(question, answer)
                    return answer
        self._answers.keep(question, answer)
        return answer

    def _in_order(self) -> Sequence[_Server]:
        """The servers in the order given, those that rest last: one dead server does not cost every question its time."""
        if len(self._servers) == 1:
            return self._servers
        now = time.monotonic()
        return sorted(self._servers, key=lambda server: server.rests_until > now)


class SystemResolver:
    """The system's name servers, looked for when the first question comes: who asks nothing needs none."""

    def __init__(self) -> None:
        self._resolver: Resolver | None = None

    def cached(self, question: Question) -> Answer | None:
        """The answer that is known already."""
        return self._resolver.cached(question) if self._resolver else None

    async def resolve(self, question: Question) -> Answer:
        """Answer one question. Raises ValueError when the system names no server."""
        self._resolver = self._resolver or Resolver()
        return await self._resolver.resolve(question)


def _socket_cap() -> int:
    """Half of the files that this process may have open; the other half is for the mail servers that connect."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MAX_SOCKETS if files == resource.RLIM_INFINITY else max(1, min(_MAX_SOCKETS, files // 2))


def _system_nameservers() -> list[str]:
    import dns.resolver  # loading dnspython costs more than a message; who never asks, never pays

    try:
        return [str(server) for server in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration:
        return []


def address(text: str) -> Address:
    """Read ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``."""
    host, port = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "53")
        host = host.removeprefix("[").removesuffix("]")
    try:
        if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return Address(str(ipaddress.ip_address(host)), int(port))
        raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is no address of a name server; write 127.0.0.1 or 127.0.0.1:5353") from None
