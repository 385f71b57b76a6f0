"""Checks domains with a real resolver: one, or thousands in the order given, so many at a time.

It drives the dialogue of :mod:`zegel.check.report`, and fetches the MTA-STS policy and meets the mail servers where that is asked for.
What waits is bounded: reports that are ready wait for those before them, and no further domain begins when too many do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace

from zegel.adapters import policyfile
from zegel.adapters.converse import AsyncResolver, Budget, converse
from zegel.adapters.mailhost import MailHosts
from zegel.check import mtasts
from zegel.check.report import LIMITS, Options, Report, check, judged
from zegel.check.transport import MAX_HOSTS, Fetched
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.words import Sentence

AT_ONCE = 64
_AHEAD = 256


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a check goes beyond DNS: ``fetch`` gets the policy file of MTA-STS, where its record says that there is one; ``hosts`` meets
    the mail servers.
    """

    fetch: bool = False
    hosts: MailHosts | None = None


DNS_ONLY = Reach()


async def check_one(
    domain: Domain, resolver: AsyncResolver, options: Options, reach: Reach = DNS_ONLY, *, limits: Limits = LIMITS
) -> Report:
    """Check one domain."""
    report = await converse(check(domain, options), resolver, Budget(limits))
    facts = report.facts
    if not facts.mx.hosts:
        return report
    if reach.fetch and any(isinstance(text, bytes) and mtasts.is_record(text) for text in facts.transport.sts.records):
        options = replace(options, sts=await _policy(domain, resolver))
    if reach.hosts is not None:
        met = [reach.hosts.meet(host.name, host.addresses) for host in facts.mx.hosts[:MAX_HOSTS] if host.addresses]
        options = replace(options, met=tuple(await asyncio.gather(*met)))
    return judged(domain, facts, options)


async def _policy(domain: Domain, resolver: AsyncResolver) -> Fetched:
    try:
        return Fetched(await policyfile.fetch(f"mta-sts.{domain}", "/.well-known/mta-sts.txt", resolver))
    except policyfile.FetchError as error:
        return Fetched(None, Sentence(error.sentence, **error.values))


async def check_many(
    domains: Iterable[Domain], resolver: AsyncResolver, options: Callable[[Domain], Options], reach: Reach = DNS_ONLY
) -> AsyncIterator[Report]:
    """Check domains, :data:`AT_ONCE` at a time, and give their reports in the order of the domains."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(domain: Domain) -> Report:
        async with turn:
            return await check_one(domain, resolver, options(domain), reach)

    waiting: deque[asyncio.Task[Report]] = deque()
    try:
        for domain in domains:
            waiting.append(asyncio.create_task(one(domain)))
            if len(waiting) == _AHEAD:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
