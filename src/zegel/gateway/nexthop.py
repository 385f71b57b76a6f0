"""Where a message goes next: the one server that the configuration names, or those of the recipient's domain. RFC 5321 5.1.

Servers are tried in the order of their preference, those of one preference in an order thrown anew. A domain that takes no mail (RFC 7505),
that does not exist, or whose mail would come back to us is refused for good; while DNS does not answer, it is tried again.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence
from typing import NamedTuple

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.whose import Whose, whose
from zegel.ask import Answer as DnsAnswer
from zegel.ask import Question, Rcode, RRType
from zegel.grammar.domain import Domain
from zegel.smtp.answer import Answer

# Of one domain: RFC 5321 5.1 wants at least two addresses tried.
_MAX_SERVERS, _MAX_ADDRESSES = 10, 8
_SECONDS = 30.0


class Server(NamedTuple):
    """A server by its name and one of its addresses."""

    name: str
    address: str
    port: int


class NoRouteError(Exception):
    """There is no server to send to; ``answer`` says why, as a server would."""

    def __init__(self, code: int, enhanced: str, said: str) -> None:
        super().__init__(said)
        self.answer = Answer(code, enhanced, (said,))


async def of_host(host: str, port: int) -> list[Server]:
    """The addresses of the one next hop, by the system's resolver: it may be a name of /etc/hosts. Raises NoRouteError (temporary)."""
    try:
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise NoRouteError(451, "4.4.3", f"{host} has no address that can be found: {str(error) or 'no answer'}") from None
    return [Server(host, str(where[0]), port) for _family, _type, _proto, _name, where in found][:_MAX_ADDRESSES]


async def of_domain(
    route: str, resolver: AsyncResolver, *, ours: frozenset[str], port: int = 25, nearest: Whose = Whose.INTERNET
) -> list[Server]:
    """The servers that take mail for a domain, in the order in which they are tried. ``ours`` are names of this machine; none that is
    nearer than ``nearest`` is tried.

    Raises NoRouteError: for good, or for now.
    """
    if route.startswith("["):
        raise NoRouteError(550, "5.1.2", f"{route} is an address of a machine, which mail is not sent to")
    try:
        domain = Domain.parse(route)
    except ValueError:
        raise NoRouteError(550, "5.1.2", f"{route} is no domain name") from None
    answer = await resolver.resolve(Question(domain, RRType.MX))
    if answer.temporary:
        raise NoRouteError(451, "4.4.3", f"DNS does not answer for {domain} MX now")
    if answer.rcode is Rcode.NXDOMAIN:
        raise NoRouteError(550, "5.1.2", f"there is no domain {domain}")
    names = _names(domain, _exchanges(answer), ours)
    found = await asyncio.gather(*(_addresses(name, resolver) for name in names))
    servers = [
        Server(name, address, port)
        for name, (addresses, _later) in zip(names, found, strict=True)
        for address in addresses
        if whose(address) >= max(nearest, Whose.MACHINE)
    ]
    if servers:
        return servers[:_MAX_ADDRESSES]
    if any(later for _addresses, later in found):
        raise NoRouteError(451, "4.4.3", f"DNS does not answer for the mail servers of {domain} now")
    raise NoRouteError(550, "5.4.4", f"no mail server of {domain} has an address that can be used")


def _exchanges(answer: DnsAnswer) -> list[tuple[int, str]]:
    found = []
    for record in answer.records:
        preference, _, host = str(record).partition(" ")
        if preference.isdecimal():
            found.append((int(preference), host.strip().removesuffix(".").lower()))
    return found


def _names(domain: Domain, exchanges: Sequence[tuple[int, str]], ours: frozenset[str]) -> list[str]:
    """The names of the servers, in order."""
    if not exchanges:
        exchanges = [(0, domain)]  # RFC 5321 5.1: the domain is its own server
    if all(not host for _preference, host in exchanges):
        raise NoRouteError(556, "5.1.10", f"{domain} takes no mail (null MX)")  # RFC 7505 4.1
    mine = [preference for preference, host in exchanges if host in ours]
    # RFC 5321 5.1: those that are no better than ourselves would send it back here.
    usable = [(preference, host) for preference, host in exchanges if host and (not mine or preference < min(mine))]
    if not usable:
        raise NoRouteError(550, "5.4.6", f"mail for {domain} comes back to this machine; name its mail server in outbox.next_hop")
    random.shuffle(usable)
    usable.sort(key=lambda exchange: exchange[0])
    return list(dict.fromkeys(host for _preference, host in usable))[:_MAX_SERVERS]


async def _addresses(name: str, resolver: AsyncResolver) -> tuple[list[str], bool]:
    """The addresses of a server, and whether DNS may know more later."""
    answers = await asyncio.gather(*(resolver.resolve(Question(name, kind)) for kind in (RRType.AAAA, RRType.A)))
    found = [str(record) for answer in answers for record in answer.records]
    return found, any(answer.temporary for answer in answers)
