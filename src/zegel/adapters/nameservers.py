"""Asks every authoritative server of a name itself, without recursion: what is published, where, and what is not there yet.

Before a record is published nobody may ask a resolver for it: its "no" would be kept for as long as the zone says (RFC 2308 5), and hide
the record when it comes. So a resolver is asked for the name servers of the registered domain and for addresses of servers, never for the
name; from there this room follows the delegations itself (RFC 1034 5.3.3), to the zone that holds the name and all its servers. A CNAME
leads on to the zone of its target, where all servers are asked likewise.

A zone whose servers are listed is not looked for. What strangers choose is bounded: zones, servers, aliases, and seconds in all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zegel.adapters import wire
from zegel.adapters.converse import AsyncResolver
from zegel.adapters.exchange import Address, ask_directly
from zegel.adapters.resolver import address
from zegel.ask import Answer, Question, Rcode, RRType

_MAX_SERVERS = 16  # of one zone; the root has 13
_MAX_ADDRESSES = 4  # of one server
_MAX_ALIASES = 4
_MAX_TARGETS = 4  # that the servers of one zone may disagree about
_MAX_CUTS = 12
_SECONDS = 20.0
_PATIENCE = 0.3  # seconds


@dataclass(frozen=True, slots=True)
class Server:
    """One authoritative server: its name (empty where only the address is known) and its address (None for a zone file)."""

    name: str
    address: Address | None = None

    def __str__(self) -> str:
        if self.address is None:
            return self.name
        host, port = self.address
        where = host if port == 53 else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{self.name} ({where})" if self.name else where


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one server says of ``name``. ``trouble`` is a stable id of why it says nothing of use, and empty otherwise:
    ``timeout``, ``unreachable``, ``refused``, ``lame`` (not a server of that zone), ``servfail``, ``alias_loop``.
    """

    server: Server
    name: str
    answer: Answer
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """A CNAME that one server has."""

    server: Server
    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What all authoritative servers say. Where a server has a CNAME, those of the target's zone stand in its place.

    ``negative_ttl`` is how long a "no" of these zones may be kept, in seconds: the longest of theirs. ``zone`` is the zone that holds the
    name, empty when it was not found; then ``trouble`` says why (``no_delegation`` or ``unavailable``), and ``servers`` is empty.
    """

    zone: str
    servers: tuple[ServerAnswer, ...] = ()
    negative_ttl: int = 0
    aliases: tuple[Alias, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Delegation:
    """A zone, and the servers that it is delegated to."""

    zone: str
    servers: tuple[Server, ...]


class NoDelegationError(Exception):
    """The servers of a name were not found. ``trouble`` is ``no_delegation`` (there are none) or ``unavailable``."""

    def __init__(self, trouble: str) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class Looking(Protocol):
    """What can be asked for what all servers say: :class:`Nameservers`, or :class:`Offline`."""

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        """Ask all authoritative servers of ``name``."""


class Offline:
    """A zone file (or anything that resolves) in place of all servers: for tests and demonstrations, where none can be asked."""

    def __init__(self, resolver: AsyncResolver, name: str = "zone") -> None:
        self._resolver, self._server = resolver, Server(name)

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        """Answer as one server that holds all zones; a domain is the zone of its names."""
        answer = await self._resolver.resolve(Question(name, rrtype))
        labels = name.split(".")
        above = next((place for place in range(len(labels), 0, -1) if labels[place - 1].startswith("_")), 0)
        zone = ".".join(labels[above:])
        trouble = ("timeout" if answer.rcode is Rcode.TIMEOUT else "servfail") if answer.temporary else ""
        return Looked(zone, (ServerAnswer(self._server, name, answer, trouble),), 0 if answer.records else answer.ttl)


class Nameservers:
    """Finds and asks authoritative servers, from one event loop.

    ``resolver`` finds the servers; ``zones`` are those whose servers are listed, by name, as ``192.0.2.1`` or ``192.0.2.1:5353``; ``port``
    is where all others listen; ``timeout`` is in seconds for one try, ``tries`` for each server. Raises ValueError for an address that is
    none.
    """

    def __init__(
        self,
        resolver: AsyncResolver,
        *,
        zones: Mapping[str, Sequence[str]] | None = None,
        timeout: float = 2.0,
        tries: int = 2,
        port: int = 53,
    ) -> None:
        self._resolver, self._timeout, self._tries, self._port = resolver, timeout, tries, port
        self._listed = {zone: tuple(Server("", address(text)) for text in texts) for zone, texts in (zones or {}).items() if texts}

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        """Ask all authoritative servers of ``name`` (lower case, no final dot). Trouble is told in the answer, never raised."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._look(name, rrtype, aliases=0)
        except NoDelegationError as error:
            return Looked("", trouble=error.trouble)
        except TimeoutError:
            return Looked("", trouble="unavailable")

    async def delegation(self, name: str) -> Delegation:
        """Find the zone that holds a name, and its servers. Raises NoDelegationError."""
        listed = max((zone for zone in self._listed if name == zone or name.endswith(f".{zone}")), key=len, default=None)
        if listed is not None:
            return Delegation(listed, self._listed[listed])
        found = await self._registered(name)
        for _ in range(_MAX_CUTS):
            deeper = await self._below(found, name)
            if deeper is None:
                return found
            found = deeper
        raise NoDelegationError("unavailable")

    async def _look(self, name: str, rrtype: RRType, *, aliases: int) -> Looked:
        found = await self.delegation(name)
        apex = Question(found.zone, RRType.SOA)
        said, soa = await asyncio.gather(self._ask_all(found, Question(name, rrtype)), self._first(found, apex))
        holds = max([0, *(one.negative_ttl for one in said if isinstance(one, wire.Said))], default=0)
        holds = max(holds, soa.negative_ttl if soa else 0)
        answers: list[ServerAnswer] = []
        pointers: list[Alias] = []
        for server, one in zip(found.servers, said, strict=True):
            if isinstance(one, wire.Said) and one.authoritative and one.alias and rrtype is not RRType.CNAME and not one.answer.records:
                pointers.append(Alias(server, name, one.alias))
            else:
                answers.append(_judged(server, name, one))
        for target in list(dict.fromkeys(alias.target for alias in pointers))[:_MAX_TARGETS]:
            there = await self._target(target, rrtype, [alias for alias in pointers if alias.target == target], aliases + 1)
            answers += there.servers
            holds = max(holds, there.negative_ttl)
            pointers += there.aliases
        return Looked(found.zone, tuple(answers), holds, tuple(pointers))

    async def _target(self, target: str, rrtype: RRType, pointers: Sequence[Alias], aliases: int) -> Looked:
        """What the servers of an alias's target say; trouble on the way there is the trouble of the servers that point to it."""
        trouble = "alias_loop"
        if aliases <= _MAX_ALIASES:
            try:
                return await self._look(target, rrtype, aliases=aliases)
            except NoDelegationError as error:
                trouble = error.trouble
        absent = Answer(Rcode.SERVFAIL)
        return Looked("", tuple(ServerAnswer(alias.server, target, absent, trouble) for alias in pointers))

    async def _registered(self, name: str) -> Delegation:
        """The zone to begin with: that of the last two labels, or of the last one where those are no zone (co.uk's are one)."""
        labels = name.split(".")
        trouble = "no_delegation"
        for count in (2, 1):
            if len(labels) < count:
                continue
            zone = ".".join(labels[-count:])
            answer = await self._resolver.resolve(Question(zone, RRType.NS))
            if answer.records:
                names = tuple(record for record in answer.records if isinstance(record, str))
                return Delegation(zone, await self._addresses(names))
            if answer.temporary:
                trouble = "unavailable"
        raise NoDelegationError(trouble)

    async def _below(self, above: Delegation, name: str) -> Delegation | None:
        """The next zone on the way down to ``name``, or None when ``above`` holds it itself."""
        wanted = name
        while wanted != above.zone:
            said = await self._first(above, Question(wanted, RRType.SOA))
            if said is None:
                return None  # nobody says so: the servers that are known are asked all the same
            if said.cut and _is_below(said.cut, above.zone):
                return Delegation(said.cut, await self._addresses(said.servers))
            if said.zone and _is_below(said.zone, above.zone) and (wanted == said.zone or wanted.endswith(f".{said.zone}")):
                # The servers above hold the zone below too, and so give no referral.
                below = await self._first(above, Question(said.zone, RRType.NS))
                names = tuple(map(str, below.answer.records)) if below else ()
                return Delegation(said.zone, await self._addresses(names) if names else above.servers)
            if not said.alias:
                return None
            # An alias has no SOA record and is never the top of a zone (RFC 1034 3.6.2): the zone is told by what is above it.
            wanted = wanted.partition(".")[2]
        return None

    async def _addresses(self, names: Sequence[str]) -> tuple[Server, ...]:
        """Where these servers are. Raises NoDelegationError when nobody is found."""
        found = await asyncio.gather(*map(self._address, sorted(names)[:_MAX_SERVERS]))
        servers = [Server(name, Address(host, self._port)) for name, hosts in zip(sorted(names), found, strict=False) for host in hosts]
        if not servers:
            raise NoDelegationError("unavailable")
        return tuple(servers[:_MAX_SERVERS])

    async def _address(self, name: str) -> list[str]:
        """The addresses of one server: by IPv4, and by IPv6 only where it has no other, as not every machine has a way there."""
        for rrtype in (RRType.A, RRType.AAAA):
            answer = await self._resolver.resolve(Question(name, rrtype))
            if answer.records:
                return [record for record in answer.records if isinstance(record, str)][:_MAX_ADDRESSES]
        return []

    async def _ask_all(self, whom: Delegation, question: Question) -> list[wire.Said | str]:
        return await asyncio.gather(*(self._ask(server, question) for server in whom.servers))

    async def _first(self, whom: Delegation, question: Question) -> wire.Said | None:
        """The first answer of use. The next server is asked when the one before takes its time, so that a dead one holds nothing up."""
        asked: set[asyncio.Task[wire.Said | str]] = set()
        left = iter(whom.servers)
        try:
            while True:
                server = next(left, None)
                if server is not None:
                    asked.add(asyncio.create_task(self._ask(server, question)))
                elif not asked:
                    return None
                patience = None if server is None else _PATIENCE
                done, asked = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for said in (task.result() for task in done):
                    if isinstance(said, wire.Said) and (said.authoritative or said.cut) and not said.answer.temporary:
                        return said
        finally:
            for task in asked:
                task.cancel()

    async def _ask(self, server: Server, question: Question) -> wire.Said | str:
        """What one server says, or the trouble with it."""
        trouble = "unreachable"
        if server.address is None:
            return trouble
        for _ in range(self._tries):
            try:
                return await ask_directly(server.address, question, timeout=self._timeout)
            except TimeoutError:
                trouble = "timeout"
            except OSError:
                trouble = "unreachable"
            except ValueError:
                return wire.Said(3, True, Answer(Rcode.NXDOMAIN))  # DNS cannot hold such a name, so nobody has published there
        return trouble


def _is_below(zone: str, above: str) -> bool:
    return zone.endswith(f".{above}")


def _judged(server: Server, name: str, said: wire.Said | str) -> ServerAnswer:
    """An answer of use, or the id of why it is none."""
    if isinstance(said, str):
        return ServerAnswer(server, name, Answer(Rcode.TIMEOUT if said == "timeout" else Rcode.SERVFAIL), said)
    if said.answer.temporary:
        return ServerAnswer(server, name, said.answer, "refused" if said.code == wire.REFUSED else "servfail")
    if not said.authoritative:
        return ServerAnswer(server, name, Answer(Rcode.SERVFAIL), "lame")
    return ServerAnswer(server, name, said.answer)
