"""One connection of a program that hands in mail: octets to the session, its events to the handler, the replies back in one write.

Nothing is kept without a bound. Octets that come while a message is being decided stop the reading, and so does a client that does not read
our replies. A line has its time, and a message as a whole, however steadily its octets drip in. A fault of ours is answered with 451.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from zegel.adapters.paced import Paced
from zegel.smtp.codec import reply
from zegel.smtp.events import Aborted, Content, EndOfMessage, Event, Login, MailFrom, Misuse, Recipient, Reply, StartTls
from zegel.smtp.session import Session

if TYPE_CHECKING:
    from zegel.adapters.submission import Door, Handler, Submission

_FAULT: Final = Reply("451", "4.3.0", "something is wrong here; try again later")
_FULL: Final = reply("421", "4.7.0", "too many connections; try again later")
_LINGER_SECONDS: Final = 10.0
_MAX_EARLY: Final = 65_536  # octets below TLS before the handshake has been told of


class SmtpConnection(Paced):
    """One connection: its transport, session and handler."""

    session: Session
    _handler: Handler

    def __init__(self, server: Submission, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._server, self._door, self._loop = server, door, loop
        self._address = ""
        self._entered = False
        self._timer: asyncio.TimerHandle | None = None
        self._line_until = self._message_until = float("inf")
        self.heard = loop.time()  # of the last word on either side
        self._handshaking = False
        self._early = bytearray()
        self._starting_tls = False
        self._faulty = False  # this message will be answered with 451

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it when there are too many."""
        transport = self._take(transport)
        server = self._server
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        if not self._door.implicit and not server.admits(self._address):
            server.refused += 1
            transport.write(_FULL)
            transport.close()
            return
        self._entered = True
        server.enter(self, self._address)
        self._wait_for_no_more(transport)
        try:
            self._handler = server.handler_factory(self._address, self._door.loopback)
        except Exception as error:
            server.on_fault(error)
            self._entered = False
            server.leave(self, self._address)
            transport.abort()
            return
        self.session = Session(self._door.terms, secure=self._door.implicit, known=self._handler.known)
        self._progressed()
        self._watch()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Handle what came, or keep it until the message at hand is decided."""
        if not self._entered:
            return
        if self._handshaking:
            # Below TLS already: the layer gives us octets before it gives us its transport.
            self._early += data
            if len(self._early) > _MAX_EARLY:
                self.abort()
            return
        self._acknowledge()
        if self._task is not None:
            # Reading goes on up to here, so that its going away is seen.
            self._pause()
        self._advance(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is under way and tell the handler."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._leave()

    # The server's calls.

    @property
    def in_message(self) -> bool:
        """Whether a message is in progress."""
        return self.session.in_message

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in progress: no message, no login, no handshake, no end."""
        return not self.session.in_message and self._task is None and not self.session.closed

    def end_if_idle(self) -> None:
        """End the connection unless something is in progress."""
        if self.is_idle:
            self._end("this server is stopping", "4.3.2")

    def end_for_another(self) -> None:
        """End a connection that is idle: somebody else wants its place."""
        self._end("too many connections, and nothing came over this one", "4.7.0")

    # The way of the events.

    def _advance(self, data: bytes) -> None:
        """Handle all events that ``data`` completes, then write all replies at once."""
        for event in self.session.receive(data):
            try:
                self._dispatch(event)
            except Exception as error:
                self._faulty = True
                self._server.on_fault(error)
                if isinstance(event, (MailFrom, Recipient)):
                    self.session.refuse(*_FAULT)
        self._flush()
        if self.session.closed:
            self._close()
        elif self._starting_tls:
            self._begin_handshake()
        elif self._server.connections.draining:
            self.end_if_idle()

    def _dispatch(self, event: Event) -> None:
        handler = self._handler
        if isinstance(event, Content):
            self._progressed()
            if not self._faulty:
                handler.content(event.data)
        elif isinstance(event, Recipient):
            self._refuse(handler.recipient(event))
        elif isinstance(event, MailFrom):
            self._faulty = False
            self._message_until = self._loop.time() + self._server.patience.transaction
            self._refuse(handler.mail_from(event))
        elif isinstance(event, EndOfMessage):
            self._message_until = float("inf")
            self._task = self._loop.create_task(self._conclude(_fault if self._faulty else handler.end_of_message))
        elif isinstance(event, Login):
            self._task = self._loop.create_task(self._conclude(partial(handler.login, event.credentials)))
        elif isinstance(event, StartTls):
            self._starting_tls = True
        elif isinstance(event, Aborted):
            self._message_until = float("inf")
            handler.aborted(event.reason)
        elif isinstance(event, Misuse):
            handler.misused(event.reason)
        elif self._task is not None:  # Closed, while something is decided that nobody waits for any more
            self._task.cancel()

    def _refuse(self, refusal: Reply | None) -> None:
        if refusal is not None:
            self.session.refuse(*refusal)

    async def _conclude(self, decide: Callable[[], Coroutine[Any, Any, Reply]]) -> None:
        """Await an outcome, say it, and go on with what has come meanwhile."""
        try:
            said = await decide()
        except Exception as error:
            self._server.on_fault(error)
            said = _FAULT
        self._task = None
        if self.session.awaiting_finish:
            self.session.finish(*said)
            self._advance(b"")
            self._resume()

    # TLS.

    def _begin_handshake(self) -> None:
        """From here on the octets of the socket are TLS's. What a client sent in the clear behind STARTTLS is no handshake, and fails."""
        self._starting_tls = False
        self._pause()
        self._handshaking = True
        self._task = self._loop.create_task(self._handshake())

    async def _handshake(self) -> None:
        certificate, transport = self._door.certificate, self._transport
        if certificate is None or transport is None:
            raise RuntimeError("a door with TLS has a certificate")
        context = certificate.context(self._loop.time())
        seconds = self._server.patience.handshake
        try:
            self._transport = await self._loop.start_tls(transport, self, context, server_side=True, ssl_handshake_timeout=seconds)
        except OSError:  # ssl.SSLError, a reset, and the time that is over are all of them
            transport.abort()
            self._leave()
            return
        finally:
            self._task = None
        self._handshaking = self._read_paused = False
        self.session.secured()
        self._progressed()
        early, self._early = bytes(self._early), bytearray()
        self._advance(early)

    # Time.

    def _progressed(self) -> None:
        patience = self._server.patience
        self.heard = self._loop.time()
        self._line_until = self.heard + (patience.line if self.session.known else patience.stranger)

    def _watch(self) -> None:
        """Look if a line or a message has taken too long; while we decide, nobody is late."""
        now = self._loop.time()
        until = min(self._line_until, self._message_until)
        if until <= now and not self.session.awaiting_finish:
            self._end("this took too long", "4.4.2")
            return
        patience = self._server.patience
        self._timer = self._loop.call_later(min(max(until - now, 1.0), patience.line, patience.transaction), self._watch)

    # Endings.

    def _end(self, text: str, enhanced: str) -> None:
        self.session.bye(text, enhanced)
        if self._handshaking:
            self.abort()
            return
        self._advance(b"")

    def _leave(self) -> None:
        if not self._entered:
            return
        self._entered = False
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._handler.closed()
        except Exception as error:
            self._server.on_fault(error)
        finally:
            self._server.leave(self, self._address)

    def _close(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.close()
        self._loop.call_later(_LINGER_SECONDS, transport.abort)

    def _flush(self) -> None:
        data = self.session.outgoing()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            self._progressed()


async def _fault() -> Reply:
    """The outcome of a message that a fault of ours has spoilt."""
    return _FAULT
