"""The DNS resolver: dnspython for the wire, an answer cache in front.

A look-up through dnspython costs some 400 microseconds, so answers are cached by their TTL (negative ones too, RFC 2308 5) and the same
question in flight is asked once. What a stranger can make it hold is bounded: octets in the cache, sockets at a time, and no question that
nobody waits for any more. Trouble is an rcode, never an exception. The AD bit is believed only when asked for and only from a
loopback server: anything else on the way could have set it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zegel.ask import Answer, Question, Rcode, RRType

if TYPE_CHECKING:
    import dns.message
    import dns.rrset

_CACHE_SIZE = 20_000
_CACHE_OCTETS = 32 * 1024 * 1024  # a stranger's TXT records may have 64 kB each, and a TTL of a day
_MAX_SOCKETS = 4096
_TTL_CAP = 86_400
_NEGATIVE_TTL = 60
_NEGATIVE_CAP = 900  # a key that was just published should not be missing for hours
_TROUBLE_TTL = 5  # SERVFAIL and time-outs: long enough to spare a dead server, short enough for the next try
_MAX_CNAMES = 8
_PAYLOAD = 1232


@dataclass(slots=True)
class _Flight:
    """A question on its way, and how many wait for its answer."""

    task: asyncio.Task[Answer]
    waiting: int = 0


class Resolver:
    """An async resolver of one event loop.

    ``nameservers`` are addresses, ``address:port`` or ``[v6]:port``, asked in order (None: the system's); ``timeout`` is in seconds for one
    try, ``tries`` for each server. Raises ValueError for an address that is none.
    """

    def __init__(self, nameservers: Sequence[str] | None = None, *, timeout: float = 2.0, tries: int = 2, trust_ad: bool = False) -> None:
        self._servers = [_server(text) for text in (_system_nameservers() if nameservers is None else nameservers)]
        if not self._servers:
            raise ValueError("no name server is known; give one, for example 127.0.0.1")
        self._timeout, self._tries = timeout, tries
        self._trust_ad = trust_ad and all(ipaddress.ip_address(host).is_loopback for host, _ in self._servers)
        self._cache: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()
        self._cached_octets = 0
        self._flying: dict[Question, _Flight] = {}
        self._sockets = asyncio.Semaphore(_socket_cap())
        self.asked = 0  # questions sent, for the metrics

    async def resolve(self, question: Question) -> Answer:
        """Answer one question from the cache or the servers. Never raises for trouble with DNS."""
        loop = asyncio.get_running_loop()
        cached = self._cache.get(question)
        if cached is not None and cached[0] > loop.time():
            return cached[1]
        flight = self._flying.get(question)
        if flight is None:
            flight = self._flying[question] = _Flight(loop.create_task(self._look_up(question)))
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
        answer = Answer(Rcode.TIMEOUT)
        for _ in range(self._tries):
            for host, port in self._servers:
                async with self._sockets:
                    self.asked += 1
                    answer = await self._ask(question, host, port)
                if not answer.temporary:
                    return self._remember(question, answer, answer.ttl)
        return self._remember(question, answer, _TROUBLE_TTL)

    def _remember(self, question: Question, answer: Answer, ttl: int) -> Answer:
        self._forget(question)
        self._cache[question] = (asyncio.get_running_loop().time() + ttl, answer)
        self._cached_octets += _size(answer)
        while len(self._cache) > _CACHE_SIZE or self._cached_octets > _CACHE_OCTETS:
            self._forget(next(iter(self._cache)))
        return answer

    def _forget(self, question: Question) -> None:
        if question in self._cache:
            _, answer = self._cache.pop(question)
            self._cached_octets -= _size(answer)

    async def _ask(self, question: Question, host: str, port: int) -> Answer:
        """Ask one server once; over TCP when the answer was cut. RFC 7766 5."""
        import dns.asyncquery  # loading dnspython costs more than a message; who never asks, never pays
        import dns.exception
        import dns.flags
        import dns.message

        try:
            query = dns.message.make_query(question.name, str(question.type), use_edns=0, payload=_PAYLOAD, want_dnssec=self._trust_ad)
            # A packet of another sender is passed over: whoever only finds the port must not end the wait. RFC 6376 8.5.
            reply, _ = await dns.asyncquery.udp_with_fallback(
                query, host, timeout=self._timeout, port=port, ignore_unexpected=True, ignore_errors=True
            )
        except dns.exception.Timeout:
            return Answer(Rcode.TIMEOUT)
        except (dns.exception.DNSException, OSError, EOFError, ValueError):
            return Answer(Rcode.SERVFAIL)
        return _read(reply, question, authentic=self._trust_ad and bool(reply.flags & dns.flags.AD))


class SystemResolver:
    """The system's name servers, looked for when the first question comes: who asks nothing needs none."""

    def __init__(self) -> None:
        self._resolver: Resolver | None = None

    async def resolve(self, question: Question) -> Answer:
        """Answer one question. Raises ValueError when the system names no server."""
        self._resolver = self._resolver or Resolver()
        return await self._resolver.resolve(question)


def _socket_cap() -> int:
    """Half of the files that this process may have open; the other half is for the mail servers that connect."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MAX_SOCKETS if files == resource.RLIM_INFINITY else max(1, min(_MAX_SOCKETS, files // 2))


def _size(answer: Answer) -> int:
    return sum(map(len, answer.records))


def _read(reply: dns.message.Message, question: Question, *, authentic: bool) -> Answer:
    """A reply as an answer, CNAMEs followed within it."""
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Answer(Rcode.SERVFAIL)
    name, wanted, ttl = dns.name.from_text(question.name), dns.rdatatype.from_text(question.type), _TTL_CAP
    for _ in range(_MAX_CNAMES):
        found = reply.get_rrset(reply.answer, name, dns.rdataclass.IN, wanted)
        if found is not None:
            return Answer(Rcode.NOERROR, _records(found, question.type), min(ttl, found.ttl), authentic)
        alias = reply.get_rrset(reply.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if alias is None:
            break
        name, ttl = next(iter(alias)).target, min(ttl, alias.ttl)
    else:
        return Answer(Rcode.SERVFAIL)  # a loop, or a chain as long as one: nothing was said of what stands at its end
    rcode = Rcode.NXDOMAIN if reply.rcode() == dns.rcode.NXDOMAIN else Rcode.NOERROR
    return Answer(rcode, (), min(ttl, _negative_ttl(reply)), authentic)


def _negative_ttl(reply: dns.message.Message) -> int:
    """How long "no" holds: the lesser of the SOA's TTL and its last field. RFC 2308 5."""
    import dns.rdatatype

    for rrset in reply.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return min(rrset.ttl, int(next(iter(rrset)).minimum), _NEGATIVE_CAP)
    return _NEGATIVE_TTL


def _records(rrset: dns.rrset.RRset, rrtype: RRType) -> tuple[bytes | str, ...]:
    if rrtype is RRType.TXT:
        return tuple(b"".join(record.strings) for record in rrset)
    return tuple(record.to_text().lower().removesuffix(".") for record in rrset)


def _system_nameservers() -> list[str]:
    import dns.resolver

    try:
        return [str(server) for server in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration:
        return []


def _server(text: str) -> tuple[str, int]:
    """Read ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``."""
    host, port = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "53")
        host = host.removeprefix("[").removesuffix("]")
    try:
        if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return str(ipaddress.ip_address(host)), int(port)
        raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is no address of a name server; write 127.0.0.1 or 127.0.0.1:5353") from None
