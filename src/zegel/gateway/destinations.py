"""Who takes mail for the domains that we send to: the organisation behind a domain's MX records. RFC 5321 5.1.

It is asked after a message has gone, once for each domain and never in the way of mail; what is known is kept for a while. DNS trouble
leaves it unknown. The organisation of a mail server is told by its name, with the public suffix list: that is what people mean by "hosted
at", and no verdict hangs on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from zegel.adapters.converse import AsyncResolver
from zegel.ask import Answer, Question, Rcode, RRType
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain

_AT_ONCE = 10
_SECONDS = 10.0
_SHORTEST, _LONGEST = 300, 86_400
_MAX_KNOWN = 20_000
_NULL_MX = ""


class Reply(NamedTuple):
    """What DNS said of a domain: its first mail server ("" when it takes no mail), and for how many seconds that holds."""

    domain: str
    server: str
    seconds: int


class Destinations:
    """What is known of the domains that we send to. The writer's thread reads ``known``; all else is of the loop."""

    def __init__(self, resolver: Callable[[], AsyncResolver], clock: Callable[[], float] = time.monotonic) -> None:
        self._resolver, self._clock = resolver, clock
        self._known: dict[str, str] = {}
        self._until: dict[str, float] = {}

    @property
    def known(self) -> Mapping[str, str]:
        """The organisation that takes mail for a domain; "" for one that takes none."""
        return self._known

    async def ask(self, domains: Iterable[str]) -> list[Reply]:
        """Ask for the mail servers of domains that nothing is known of; those that DNS did not tell of now are left out."""
        now = self._clock()
        wanted = [domain for domain in domains if self._until.get(domain, 0.0) <= now]
        self._forget(now)
        gate = asyncio.Semaphore(_AT_ONCE)
        return [reply for reply in await asyncio.gather(*(self._ask(domain, gate) for domain in wanted)) if reply is not None]

    def learn(self, replies: Iterable[Reply]) -> None:
        """Keep what was told. Slow at its first call, which loads the public suffix list: for the writer's thread."""
        for reply in replies:
            self._known[reply.domain] = _organisation(reply.server)
            self._until[reply.domain] = self._clock() + min(max(reply.seconds, _SHORTEST), _LONGEST)

    async def _ask(self, domain: str, gate: asyncio.Semaphore) -> Reply | None:
        try:
            name = Domain.parse(domain)
        except ValueError:
            return Reply(domain, _NULL_MX, _LONGEST)  # an address literal
        # Until there is an answer, and while DNS has none, nobody asks again.
        self._until[domain] = self._clock() + _SHORTEST
        try:
            async with gate, asyncio.timeout(_SECONDS):
                answer = await self._resolver().resolve(Question(name, RRType.MX))
        except TimeoutError:
            return None
        return None if answer.temporary else Reply(domain, first_server(name, answer), answer.ttl)

    def _forget(self, now: float) -> None:
        """Forget what has run out; all of it when there is too much."""
        over = len(self._until) >= _MAX_KNOWN
        for domain in [domain for domain, until in list(self._until.items()) if over or until <= now]:
            del self._until[domain]
            self._known.pop(domain, None)


def first_server(domain: Domain, answer: Answer) -> str:
    """The mail server that is tried first; "" for a domain that takes no mail, or does not exist."""
    if answer.rcode is not Rcode.NOERROR:
        return _NULL_MX
    found = []
    for record in answer.records:
        preference, _, host = str(record).partition(" ")
        if preference.isdecimal():
            found.append((int(preference), host.strip().removesuffix(".")))
    # RFC 5321 5.1: without MX records, the domain is its own mail server. RFC 7505 3: a single "." takes no mail.
    return min(found)[1] if found else str(domain)


def _organisation(server: str) -> str:
    try:
        return str(organizational_domain(Domain.parse(server))) if server else ""
    except ValueError:
        return ""
