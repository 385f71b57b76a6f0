"""One question to one name server: over UDP, and over TCP when the reply does not fit or others reply. RFC 7766 5.

Every question has a socket of its own, so that its port is as hard to guess as its ID (RFC 5452 9.2); it takes packets of its server only.
Each way has ``timeout`` seconds, however slowly the octets come. RFC 6376 8.5, RFC 7208 11.3 and RFC 9989 11.3 ask for no less of who
fetches keys and policies. Trouble is an rcode, never an exception.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import struct
from typing import NamedTuple

from zegel.adapters import wire
from zegel.ask import Answer, Question, Rcode

_MAX_STRAYS = 8
_BUFFER = 65_535
_Outcome = bytes | OSError | None  # a reply, why there is none, or None: ask over TCP


class Address(NamedTuple):
    """Where a name server is."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: nobody else can forge what comes from there."""
        return ipaddress.ip_address(self.host).is_loopback


async def exchange(server: Address, question: Question, *, timeout: float, authentic: bool = False) -> Answer:
    """Ask a resolver once. ``authentic``: the AD bit of its replies may be believed."""
    try:
        packet = await _packet(server, question, timeout, authentic=authentic)
    except ValueError:
        return Answer(Rcode.NXDOMAIN, ttl=wire.NEGATIVE_TTL)  # DNS cannot hold such a name, so nobody has published there
    except TimeoutError:
        return Answer(Rcode.TIMEOUT)
    except OSError:
        return Answer(Rcode.SERVFAIL)
    return wire.read(packet, question, authentic=authentic)


async def ask_directly(server: Address, question: Question, *, timeout: float) -> wire.Said:
    """Ask an authoritative server once, without recursion. Raises TimeoutError, OSError, and ValueError for what is no name."""
    return wire.read_said(await _packet(server, question, timeout, recurse=False), question)


async def _packet(server: Address, question: Question, timeout: float, *, authentic: bool = False, recurse: bool = True) -> bytes:
    packet = await _reply(server, wire.Query.write(question, _ident(), authentic=authentic, recurse=recurse), timeout)
    if wire.code(packet) != wire.FORMERR:
        return packet
    # RFC 6891 7: so answers who does not know EDNS.
    return await _reply(server, wire.Query.write(question, _ident(), edns=False, authentic=authentic, recurse=recurse), timeout)


def _ident() -> int:
    return int.from_bytes(os.urandom(2))


async def _reply(server: Address, query: wire.Query, timeout: float) -> bytes:
    packet = await _over_udp(server, query, timeout)
    if packet is None:
        async with asyncio.timeout(timeout):
            packet = await _over_tcp(server, query)
    return packet


async def _over_udp(server: Address, query: wire.Query, timeout: float) -> bytes | None:
    """Send a query and wait for its reply; None when it is to be asked over TCP."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as here:
        here.connect((server.host, server.port))
        waiter = _Waiter(here, query, loop.create_future(), believes_icmp=server.is_loopback)
        here.send(query.packet)
        # Its number, not itself: asyncio looks that up in vain first, and would put the socket's two addresses into an error each time.
        number = here.fileno()
        loop.add_reader(number, waiter.receive)
        timer = loop.call_later(timeout, waiter.give_up)
        try:
            outcome = await waiter.outcome
        finally:
            timer.cancel()
            loop.remove_reader(number)
    if isinstance(outcome, OSError):
        raise outcome
    return outcome


class _Waiter:
    """Takes the packets of one socket until the reply is there."""

    __slots__ = ("_believes_icmp", "_query", "_socket", "_strays", "outcome")

    def __init__(self, here: socket.socket, query: wire.Query, outcome: asyncio.Future[_Outcome], *, believes_icmp: bool) -> None:
        self._socket, self._query, self._believes_icmp = here, query, believes_icmp
        self._strays = 0
        self.outcome = outcome

    def receive(self) -> None:
        """Take one packet."""
        try:
            packet = self._socket.recv(_BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            # "Nobody listens" may be forged by whoever finds the port: from elsewhere it does not end the wait.
            if self._believes_icmp:
                self._end(error)
            return
        if self._query.answered_by(packet):
            self._end(None if wire.is_truncated(packet) else packet)
            return
        # RFC 5452 9.3: many replies that do not match are an attempt to guess the one that does. TCP leaves nothing to guess.
        self._strays += 1
        if self._strays == _MAX_STRAYS:
            self._end(None)

    def give_up(self) -> None:
        """The time is over."""
        self._end(TimeoutError())

    def _end(self, outcome: _Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


async def _over_tcp(server: Address, query: wire.Query) -> bytes:
    """Ask over a connection of its own. RFC 1035 4.2.2. Raises OSError for what is no whole reply."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(struct.pack("!H", len(query.packet)) + query.packet)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        packet = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("the reply ends early") from None
    finally:
        writer.transport.abort()
    if not query.answered_by(packet) or wire.is_truncated(packet):
        raise OSError("no reply to the query")
    return packet
