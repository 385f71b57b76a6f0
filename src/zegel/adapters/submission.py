"""The submission server: listens for the programs that hand in mail, and gives each connection to a handler.

Three kinds of listeners: with STARTTLS, below TLS from the first octet (RFC 8314 3), and on this machine's loopback without either. It
bounds connections, in all and for each address (an IPv6 client has a /64), and the time that each may take. It knows no site and no mail:
who may send is the handler's to say. ``smtpconnection`` has the way of one connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from zegel.adapters.certificate import Certificate
from zegel.adapters.draining import OpenConnections
from zegel.adapters.smtpconnection import SmtpConnection
from zegel.smtp.auth import Credentials
from zegel.smtp.conversation import Terms
from zegel.smtp.events import MailFrom, Recipient, Reply

_BACKLOG: Final = 512
_ACCEPT_PAUSE: Final = 0.1
_V6_PREFIX: Final = 64  # what one customer has


class Handler(Protocol):
    """What the server calls for one connection, in the order of the session's events."""

    @property
    def known(self) -> bool:
        """Whether it may send without a login. Asked once, first."""

    def login(self, credentials: Credentials) -> Coroutine[Any, Any, Reply]:
        """Look at a login: 235, or a refusal."""

    def mail_from(self, event: MailFrom) -> Reply | None:
        """A message begins; a refusal, or None."""

    def recipient(self, event: Recipient) -> Reply | None:
        """It has one recipient more; a refusal, or None."""

    def content(self, data: bytes) -> None:
        """Octets of the message."""

    def end_of_message(self) -> Coroutine[Any, Any, Reply]:
        """The message is whole; the reply to it."""

    def aborted(self, reason: str) -> None:
        """The message has no end; ``reason`` is empty when the client gave it up."""

    def misused(self, reason: str) -> None:
        """The connection ends, for what the client did (a stable id)."""

    def closed(self) -> None:
        """The connection has ended, maybe within a message. Called once, last."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for the next line of a stranger, for that of a client that is known, for a whole message from MAIL on, for a handshake; and
    without a word until somebody else may have the place.
    """

    stranger: float = 60.0
    line: float = 300.0
    transaction: float = 900.0
    handshake: float = 30.0
    idle: float = 5.0


@dataclass(frozen=True, slots=True)
class Door:
    """What one listener does: its terms, whether TLS comes first, and whether it is for this machine, where networks tell who comes.

    Without a certificate there is neither TLS nor a login.
    """

    terms: Terms
    implicit: bool = False
    loopback: bool = False
    certificate: Certificate | None = None


class Submission:
    """A submission server on any number of sockets of one event loop."""

    def __init__(
        self,
        handler_factory: Callable[[str, bool], Handler],
        *,
        on_fault: Callable[[Exception], None],
        connection_cap: int = 200,
        address_cap: int = 20,
        patience: Patience | None = None,
    ) -> None:
        """Serve each connection by ``handler_factory(address, loopback)``; ``loopback`` is the door's.

        Beyond ``connection_cap`` in all, where none is idle, and ``address_cap`` of one address, a connection is answered with 421 and
        counted in ``refused``; those of this machine itself have no cap of their own.
        """
        self.handler_factory, self.on_fault = handler_factory, on_fault
        self.connection_cap, self.address_cap = connection_cap, address_cap
        self.patience = patience or Patience()
        self.connections: OpenConnections[SmtpConnection] = OpenConnections()
        self.by_address: Counter[str] = Counter()
        self.refused = 0
        self._servers: list[asyncio.AbstractServer] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int, door: Callable[[], Door]) -> tuple[str, int]:
        """Listen on an address and return the bound one (port 0 chooses); each connection has the door of its time. Raises OSError."""
        loop = asyncio.get_running_loop()
        if door().implicit:
            listening = await _listening(host, port)
            self._accepting.append(loop.create_task(self._accept(listening, door)))
            bound = listening.getsockname()
        else:
            server = await loop.create_server(lambda: SmtpConnection(self, door(), loop), host, port, backlog=_BACKLOG)
            self._servers.append(server)
            bound = server.sockets[0].getsockname()
        return bound[0], bound[1]

    def admits(self, address: str) -> bool:
        """Tell if one more connection of that address is taken."""
        if self.connections.draining or (self.by_address[network_of(address)] >= self.address_cap and not is_loopback(address)):
            return False
        return len(self.connections) + len(self._handshakes) < self.connection_cap or self._make_room()

    def _make_room(self) -> bool:
        """End the connection that has been idle longest, strangers before those that are known; False when there is none.

        So those who only hold connections open, from however many addresses, keep nobody out.
        """
        idle = [(connection.session.known, connection.heard, connection) for connection in self.connections if connection.is_idle]
        long = [one for one in idle if asyncio.get_running_loop().time() - one[1] >= self.patience.idle]
        if not long:
            return False
        min(long, key=lambda one: one[:2])[2].end_for_another()
        return True

    async def _accept(self, listening: socket.socket, door: Callable[[], Door]) -> None:
        """Accept for TLS from the first octet: each handshake has the certificate of its time, and who has no place gets none."""
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    accepted, peer = await loop.sock_accept(listening)
                except OSError as error:  # no more files, or the client has gone already
                    self.on_fault(error)
                    await asyncio.sleep(_ACCEPT_PAUSE)
                    continue
                if not self.admits(peer[0]):
                    self.refused += 1
                    accepted.close()
                    continue
                task = loop.create_task(self._shake_hands(accepted, peer[0], door()))
                self._handshakes.add(task)
                task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, accepted: socket.socket, address: str, door: Door) -> None:
        loop, network = asyncio.get_running_loop(), network_of(address)
        if door.certificate is None:
            raise RuntimeError("a door with TLS has a certificate")
        context = door.certificate.context(loop.time())
        self.by_address[network] += 1
        try:
            await loop.connect_accepted_socket(
                lambda: SmtpConnection(self, door, loop), accepted, ssl=context, ssl_handshake_timeout=self.patience.handshake
            )
        except OSError:  # ssl.SSLError, a reset, and the time that is over are all of them
            accepted.close()
        finally:
            self._uncount(network)

    def enter(self, connection: SmtpConnection, address: str) -> None:
        """Count a connection."""
        self.connections.enter(connection)
        self.by_address[network_of(address)] += 1

    def leave(self, connection: SmtpConnection, address: str) -> None:
        """Count it no more."""
        self._uncount(network_of(address))
        self.connections.leave(connection)

    def _uncount(self, network: str) -> None:
        self.by_address[network] -= 1
        if self.by_address[network] <= 0:
            del self.by_address[network]

    async def drain(self, seconds: float) -> int:
        """Stop listening, end what is idle, let messages in progress end, cut the rest after ``seconds``; return how many were cut."""
        self.connections.draining = True
        for server in self._servers:
            server.close()
        for task in (*self._accepting, *self._handshakes):
            task.cancel()
        return await self.connections.drain(seconds)


async def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    listening.setblocking(False)
    return listening


def network_of(address: str) -> str:
    """Whom an address counts for: an IPv6 client has a whole /64 to come from."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, _V6_PREFIX), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def is_loopback(address: str) -> bool:
    """Tell if an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
