"""The milter server: moves bytes between sockets and milter sessions, and events to handlers.

One :class:`Handler` for each connection of the MTA. Its calls are plain functions; the one at the end of a message may give a coroutine,
which is awaited while the MTA waits too (SMFIR_PROGRESS keeps it patient). A fault of ours in any of them is answered with 451 for that
message, reported, and never taken for a verdict; a fault of the peer closes the connection. ``connection`` has the way of one connection,
``listener`` the unix socket. It knows no mail: no field is looked into here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from zegel.milter.edits import Outcome
from zegel.milter.events import Connected, Headers, MailFrom, Recipient
from zegel.milter.session import Session

from .connection import Connection
from .draining import OpenConnections
from .listener import bind_unix, identity_of, unlink_if_same

T = TypeVar("T")

_BACKLOG: Final = 512


class Handler(Protocol):
    """What the pump calls, in the order of the session's events. One handler serves one SMTP client, message after message."""

    def connected(self, event: Connected) -> None:
        """An SMTP client has come."""

    def mail_from(self, event: MailFrom) -> None:
        """A message begins."""

    def recipient(self, event: Recipient) -> None:
        """It has one recipient more."""

    def headers(self, event: Headers) -> None:
        """Some of its fields, in order."""

    def end_of_headers(self) -> None:
        """Its field list is closed."""

    def body(self, data: bytes) -> bool:
        """Take a piece of its body; True when no more is needed, and no more is given then."""

    def end_of_message(self, session: Session) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Say the outcome, or give a coroutine that will. It is cancelled when the MTA goes away meanwhile."""

    def aborted(self) -> None:
        """The message will have no outcome of this handler: the MTA gave it up, or an earlier call failed."""

    def closed(self) -> None:
        """The connection has ended, maybe within a message. Called once, last."""


class Pump:
    """A milter server on any number of sockets of one event loop."""

    def __init__(
        self,
        handler_factory: Callable[[Session], Handler],
        *,
        on_fault: Callable[[Exception], None],
        session_factory: Callable[[], Session] = Session,
        idle_seconds: float = 7200.0,
        connection_cap: int = 1000,
        progress_seconds: float = 10.0,
        outcome_seconds: float = 300.0,
    ) -> None:
        """Serve each connection by a handler of its own; ``on_fault`` hears of every failure, ours or (ProtocolError) the peer's.

        A connection that is silent for ``idle_seconds`` is closed (Postfix keeps one as long as its SMTP client stays); one beyond
        ``connection_cap`` is closed at once and counted in ``refused``. The MTA is kept patient every ``progress_seconds``; an outcome that
        takes ``outcome_seconds`` is a fault of ours.
        """
        self.handler_factory = handler_factory
        self.session_factory = session_factory
        self.on_fault = on_fault
        self.idle_seconds = idle_seconds
        self.connection_cap = connection_cap
        self.progress_seconds = progress_seconds
        self.outcome_seconds = outcome_seconds
        self.accepted = 0
        self.refused = 0
        self.messages = 0
        self.faults = 0
        self.connections: OpenConnections[Connection] = OpenConnections()
        self._servers: list[asyncio.AbstractServer] = []
        self._paths: list[tuple[str, tuple[int, int]]] = []

    @property
    def active(self) -> int:
        """How many connections are open."""
        return len(self.connections)

    async def listen_tcp(self, host: str, port: int) -> tuple[str, int]:
        """Listen on a TCP address and return the bound one (port 0 chooses). Raises OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self, loop), host, port, backlog=_BACKLOG)
        self._servers.append(server)
        bound = server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def listen_unix(self, path: str, *, mode: int = 0o660, group: str | int | None = None) -> None:
        """Listen on a unix socket; a stale one is replaced, a living one is not. Raises OSError, or LookupError for an unknown group."""
        loop = asyncio.get_running_loop()
        bound = bind_unix(path, mode=mode, group=group)
        self._paths.append((path, identity_of(path)))
        self._servers.append(await loop.create_unix_server(lambda: Connection(self, loop), sock=bound, backlog=_BACKLOG))

    async def drain(self, seconds: float) -> int:
        """Stop listening, close what is idle, let messages in progress end, cut the rest after ``seconds``; return how many were cut."""
        self.connections.draining = True
        for server in self._servers:
            server.close()
        for path, identity in self._paths:
            unlink_if_same(path, identity)
        return await self.connections.drain(seconds)

    def fault(self, exception: Exception) -> None:
        """Count and report a failure."""
        self.faults += 1
        self.on_fault(exception)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a programme on a new event loop, uvloop's where it is installed, and return its result."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
