"""One connection of the MTA: bytes to the session, its events to the handler, the replies back in one write.

Nothing is buffered without a bound: bytes that come while a message is being concluded stop the reading, and so does an MTA that does not
read our replies. The time and the sockets are the event loop's; what is said is the handler's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from zegel.milter import codec, events
from zegel.milter.codec import ProtocolError
from zegel.milter.edits import FAULT, Outcome, render_action
from zegel.milter.events import BodyChunk, EndOfHeaders, EndOfMessage, Event, Headers, MailFrom, Recipient

from .paced import Paced
from .silence import Silence

if TYPE_CHECKING:
    from .pump import Handler, Pump

E = TypeVar("E")
_FAULT_REPLY: Final = render_action(FAULT.action)
_LINGER_SECONDS: Final = 10.0


class Connection(Paced):
    """One connection of the MTA: its transport, session and handler."""

    def __init__(self, pump: Pump, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.session = pump.session_factory()
        self._pump = pump
        self._loop = loop
        self._handler: Handler | None = None
        self._silence: Silence | None = None
        self._progress_timer: asyncio.TimerHandle | None = None
        self._unusable = False  # the handler does not know its client, so that all messages are answered with 451
        self._faulty = False  # this message will be answered with 451
        self._told = False  # the handler has a message in hand
        self._overdue = False  # its outcome has taken too long
        self._deadline = 0.0
        self._body_wanted = True

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it at once when there are too many."""
        transport = self._take(transport)
        pump = self._pump
        if pump.connections.draining or len(pump.connections) >= pump.connection_cap:
            pump.refused += 1
            transport.abort()
            return
        pump.accepted += 1
        pump.connections.enter(self)
        self._wait_for_no_more(transport)
        self._silence = Silence(self._loop, pump.idle_seconds, busy=lambda: self._task is not None, end=self._close)
        self._new_handler()

    def data_received(self, data: bytes) -> None:
        """Handle what came, or keep it until the message at hand is concluded."""
        if self._silence is not None:
            self._silence.heard()
        self._acknowledge()
        if self._task is None:
            self._advance(data)
            return
        # The MTA should be waiting. Reading goes on up to here, so that its going away is seen.
        self._pause()
        try:
            self.session.receive(data)
        except ProtocolError as error:
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is under way and tell the handler."""
        for timer in (self._silence, self._progress_timer):
            if timer is not None:
                timer.cancel()
        if self._task is None:
            self._leave()
        else:
            # closed() is the handler's last call, so it waits for the task's own end.
            self._task.add_done_callback(self._task_ended)
            self._task.cancel()

    # The pump's calls.

    @property
    def in_message(self) -> bool:
        """Whether a message is in progress."""
        return self.session.in_message

    def end_if_idle(self) -> None:
        """Close the connection unless a message is in progress."""
        if not self.session.in_message:
            self._close()

    # The way of the events.

    def _advance(self, data: bytes) -> None:
        """Handle all events that ``data`` completes, then write all replies at once."""
        try:
            for event in self.session.receive(data):
                self._dispatch(event)
        except ProtocolError as error:
            self._flush()
            self._refuse(error)
            return
        self._flush()
        if self._pump.connections.draining:
            self.end_if_idle()

    def _dispatch(self, event: Event) -> None:
        kind = type(event)
        handler = self._handler
        if handler is None:
            return  # none could be made, and the connection is being closed
        if kind is Headers or kind is BodyChunk or kind is EndOfHeaders or kind is Recipient:
            if self._faulty:
                self.session.respond(_FAULT_REPLY)
                return
            try:
                if isinstance(event, Headers):
                    handler.headers(event)
                elif isinstance(event, BodyChunk):
                    self._body(handler, event.data)
                elif isinstance(event, Recipient):
                    handler.recipient(event)
                else:
                    handler.end_of_headers()
            except Exception as error:
                self._fault(error)
        elif isinstance(event, MailFrom):
            self._begin(handler, event)
        elif isinstance(event, EndOfMessage):
            self._end(handler, event.data)
        elif isinstance(event, events.Aborted):
            self._tell_aborted()
        elif isinstance(event, events.Connected):
            self._unusable = not self._guarded(handler.connected, event)
        elif isinstance(event, events.Reset):
            self._close_handler()
            self._new_handler()
        elif isinstance(event, events.Closed):
            self._close()

    def _guarded(self, call: Callable[[E], object], argument: E) -> bool:
        """Make one call of the handler; False when it failed, which is reported."""
        try:
            call(argument)
        except Exception as error:
            self._fault(error)
            return False
        return True

    def _begin(self, handler: Handler, event: MailFrom) -> None:
        self._body_wanted = True
        self._faulty = self._unusable
        if self._faulty:
            self.session.respond(_FAULT_REPLY)
            return
        self._told = True
        self._guarded(handler.mail_from, event)

    def _body(self, handler: Handler, data: bytes) -> None:
        if self._body_wanted and handler.body(data):
            self._body_wanted = False
        if not self._body_wanted and self.session.can_skip:
            self.session.respond(codec.SKIP)

    def _end(self, handler: Handler, data: bytes) -> None:
        if data and self._body_wanted and not self._faulty:
            self._guarded(handler.body, data)
        if self._faulty:
            self.session.finish(FAULT)
            self._pump.messages += 1
            return
        try:
            outcome = handler.end_of_message(self.session)
            if isinstance(outcome, Outcome):
                self._say(outcome)
                return
        except Exception as error:
            self._conclude_with_fault(error)
            return
        pump = self._pump
        self._overdue = False
        self._deadline = self._loop.time() + pump.outcome_seconds
        self._progress_timer = self._loop.call_later(min(pump.progress_seconds, pump.outcome_seconds), self._progress)
        self._task = self._loop.create_task(self._conclude(outcome))

    async def _conclude(self, outcome: Coroutine[Any, Any, Outcome]) -> None:
        """Await the outcome, say it, and go on with what has come meanwhile."""
        try:
            await self._await(outcome)
            if self._progress_timer is not None:
                self._progress_timer.cancel()
            self._task = None
            self._advance(b"")
            self._resume()
        except BaseException:
            # Cancelled, or the report of a fault failed in its turn: the MTA finds its milter gone and defers the message.
            self.abort()
            raise

    async def _await(self, outcome: Coroutine[Any, Any, Outcome]) -> None:
        try:
            self._say(await outcome)
            return
        except asyncio.CancelledError:
            task = self._task
            if not self._overdue or task is None:
                raise
            task.uncancel()
            error: Exception = TimeoutError(f"no outcome of a message within {self._pump.outcome_seconds:g} seconds")
        except Exception as fault:
            error = fault
        self._conclude_with_fault(error)

    def _say(self, outcome: Outcome) -> None:
        self.session.finish(outcome)
        self._told = False
        self._pump.messages += 1

    def _conclude_with_fault(self, error: Exception) -> None:
        self._fault(error)
        if self.session.awaiting_finish:
            self.session.finish(FAULT)
        self._pump.messages += 1

    def _progress(self) -> None:
        if self._task is None:
            return
        left = self._deadline - self._loop.time()
        if left <= 0:
            self._overdue = True
            self._task.cancel()
            return
        if self.session.progress():
            self._flush()
        self._progress_timer = self._loop.call_later(min(self._pump.progress_seconds, left), self._progress)

    # Endings.

    def _fault(self, error: Exception) -> None:
        """Report a fault of ours; its message is answered with 451, now where the MTA waits for a reply, else at its end."""
        self._faulty = True
        self._pump.fault(error)
        self._tell_aborted()
        self.session.respond(_FAULT_REPLY)

    def _tell_aborted(self) -> None:
        if not self._told or self._handler is None:
            return
        self._told = False
        try:
            self._handler.aborted()
        except Exception as error:
            self._pump.fault(error)

    def _refuse(self, error: ProtocolError) -> None:
        self._pump.fault(error)
        self._close()

    def _new_handler(self) -> None:
        self._unusable = self._faulty = self._told = False
        try:
            self._handler = self._pump.handler_factory(self.session)
        except Exception as error:
            self._handler = None
            self._pump.fault(error)
            self.abort()

    def _close_handler(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        try:
            handler.closed()
        except Exception as error:
            self._pump.fault(error)

    def _close(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.close()
        if transport.get_write_buffer_size():
            self._loop.call_later(_LINGER_SECONDS, transport.abort)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._loop.call_exception_handler({"message": "the report of a fault failed", "exception": error, "task": task})
        self._leave()

    def _leave(self) -> None:
        try:
            self._close_handler()
        finally:
            self._pump.connections.leave(self)

    def _flush(self) -> None:
        data = self.session.outgoing()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
