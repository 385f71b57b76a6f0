"""One milter connection without a socket: bytes in, events out, replies as bytes.

After milter-protocol.txt and its extras, version 6 (versions 2 to 5 are served with what they offer). ``receive`` is lazy: while an event
is in hand, the state and the macros are those of that event, however the bytes were cut. Where the MTA waits for a reply, ``respond`` may
give one while the event is in hand; else CONTINUE is given. After ``EndOfMessage`` nothing more is read until ``finish`` has said the
outcome.

    state        taken                                  leads to
    START        OPTNEG                                 NEGOTIATED
    NEGOTIATED   CONNECT                                IDLE
    IDLE         MAIL                                   ENVELOPE
                 HELO                                   (same)
    ENVELOPE     RCPT DATA HELO                         (same)
                 MAIL                                   ENVELOPE, after Aborted
                 HEADER                                 HEADERS
                 EOH                                    BODY
    HEADERS      HEADER                                 (same)
                 EOH                                    BODY
    BODY         BODY                                   (same)
                 BODYEOB                                REPLY
    REPLY        finish()                               IDLE
    and          UNKNOWN up to ENVELOPE                 (same)
                 MACRO in all but START                 (same)
                 ABORT                                  IDLE from later states, else the same
                 QUIT_NC in all but START               NEGOTIATED
                 QUIT                                   CLOSED
                 a refusal by respond() to MAIL, HEADER, EOH or BODY leads to IDLE; anything else raises ProtocolError and leads to CLOSED

Each MailFrom is followed by one EndOfMessage or one Aborted, unless the connection ends. The session keeps the macros and no part of a
message: those of CONNECT and HELO for the connection, all others for the message, so that a second message never sees the first one's. It
refuses commands out of order, and macros beyond a number and a size.

A milter may answer a body chunk with SKIP only where the MTA waits for that answer, so SMFIP_SKIP and SMFIP_NR_BODY exclude each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from . import codec
from .codec import ProtocolError
from .edits import Outcome, render, required_actions
from .events import (
    Aborted,
    BodyChunk,
    Closed,
    Connected,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Headers,
    Helo,
    Negotiated,
    Reset,
    read_connect,
    read_field,
    read_helo,
    read_mail,
    read_recipient,
    read_unknown,
)
from .macros import Macros

_START, _NEGOTIATED, _IDLE, _ENVELOPE, _HEADERS, _BODY, _REPLY, _CLOSED = (1 << bit for bit in range(8))
_ANY = _NEGOTIATED | _IDLE | _ENVELOPE | _HEADERS | _BODY
_STATES = ("START", "NEGOTIATED", "IDLE", "ENVELOPE", "HEADERS", "BODY", "REPLY", "CLOSED")

# command: (states that take it, the next state or 0, the flag that spares the reply or None where none is given by itself, the reader)
_STEPS: Final[dict[int, tuple[int, int, int | None, Callable[[bytes], Event]]]] = {
    codec.SMFIC_CONNECT: (_NEGOTIATED, _IDLE, codec.SMFIP_NR_CONN, read_connect),
    codec.SMFIC_HELO: (_IDLE | _ENVELOPE, 0, codec.SMFIP_NR_HELO, read_helo),
    codec.SMFIC_MAIL: (_IDLE | _ENVELOPE, _ENVELOPE, codec.SMFIP_NR_MAIL, read_mail),
    codec.SMFIC_RCPT: (_ENVELOPE, 0, codec.SMFIP_NR_RCPT, read_recipient),
    codec.SMFIC_DATA: (_ENVELOPE, 0, codec.SMFIP_NR_DATA, lambda _: Data()),
    codec.SMFIC_UNKNOWN: (_NEGOTIATED | _IDLE | _ENVELOPE, 0, codec.SMFIP_NR_UNKN, read_unknown),
    codec.SMFIC_EOH: (_ENVELOPE | _HEADERS, _BODY, codec.SMFIP_NR_EOH, lambda _: EndOfHeaders()),
    codec.SMFIC_BODY: (_BODY, 0, codec.SMFIP_NR_BODY, BodyChunk),
    codec.SMFIC_BODYEOB: (_BODY, _REPLY, None, EndOfMessage),
    codec.SMFIC_QUIT_NC: (_ANY, _NEGOTIATED, None, lambda _: Reset()),
    codec.SMFIC_QUIT: (_ANY | _START, _CLOSED, None, lambda _: Closed()),
}
_ENDS_MESSAGE = frozenset((codec.SMFIC_MAIL, codec.SMFIC_HEADER, codec.SMFIC_EOH, codec.SMFIC_BODY))
_ACTION_NAMES = {codec.SMFIF_ADDHDRS: "ADDHDRS", codec.SMFIF_CHGHDRS: "CHGHDRS", codec.SMFIF_QUARANTINE: "QUARANTINE"}
_NO_REPLIES = (
    codec.SMFIP_NR_CONN
    | codec.SMFIP_NR_HELO
    | codec.SMFIP_NR_MAIL
    | codec.SMFIP_NR_RCPT
    | codec.SMFIP_NR_DATA
    | codec.SMFIP_NR_UNKN
    | codec.SMFIP_NR_HDR
    | codec.SMFIP_NR_EOH
)
_SKIPPABLE = codec.SMFIP_NOHELO | codec.SMFIP_NORCPT | codec.SMFIP_NODATA | codec.SMFIP_NOUNKNOWN


class Session:
    """The milter's side of one connection; see the table above."""

    __slots__ = (
        "_actions_required",
        "_actions_wanted",
        "_command",
        "_decoder",
        "_due",
        "_macros",
        "_out",
        "_skip_body",
        "_state",
        "_steps_skipped",
        "actions",
        "connection",
        "helo",
        "leading_space",
        "protocol",
        "version",
    )

    def __init__(
        self,
        *,
        actions: int = codec.SMFIF_ADDHDRS | codec.SMFIF_CHGHDRS | codec.SMFIF_QUARANTINE,
        required: int = codec.SMFIF_ADDHDRS | codec.SMFIF_CHGHDRS,
        skip: int = codec.SMFIP_NODATA | codec.SMFIP_NOUNKNOWN,
        skip_body: bool = False,
    ) -> None:
        """Want ``actions`` (SMFIF_*) as far as offered and insist on ``required``; let the MTA leave out the steps ``skip`` (SMFIP_NO*).

        ``skip_body`` asks for the right to answer SKIP, at one reply per chunk of 64 kB. Without it the MTA waits for no reply to a chunk,
        which spares both sides a turn for each message.
        Raises ValueError for a step that cannot be left out.
        """
        if skip & ~_SKIPPABLE:
            raise ValueError("only the steps HELO, RCPT, DATA and UNKNOWN can be skipped")
        self._actions_wanted = actions | required
        self._actions_required = required
        self._steps_skipped = skip
        self._skip_body = skip_body
        self._decoder = codec.Decoder()
        self._state = _START
        self._command = 0
        self._due = False
        self._out: list[bytes] = []
        self._macros = Macros()
        self.version = 0
        self.actions = 0
        self.protocol = 0
        self.leading_space = False
        self.connection: Connected | None = None
        self.helo: bytes | None = None

    @property
    def in_message(self) -> bool:
        """True from MAIL until the outcome or the abort."""
        return bool(self._state & (_ENVELOPE | _HEADERS | _BODY | _REPLY))

    @property
    def awaiting_finish(self) -> bool:
        """True while the MTA waits for the outcome of a message."""
        return self._state == _REPLY

    @property
    def can_skip(self) -> bool:
        """True when SKIP is an answer to a body chunk."""
        return self.protocol & (codec.SMFIP_SKIP | codec.SMFIP_NR_BODY) == codec.SMFIP_SKIP

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take in bytes of the MTA at once and read events from them one by one. Raises ProtocolError; the session is then closed.

        Each event is to be handled before the next is asked for.
        """
        if self._state == _REPLY and self._decoder.waiting + len(data) > codec.PACKET_CAP:
            self._state = _CLOSED
            raise ProtocolError("the MTA sends on without waiting for the outcome")
        self._decoder.feed(data)
        return self._events()

    def respond(self, reply: bytes) -> bool:
        """Answer the event in hand otherwise than with CONTINUE; False when the MTA waits for no answer. A refusal may end the message."""
        if not self._due:
            return False
        self._due = False
        self._out.append(reply)
        if self._command in _ENDS_MESSAGE and reply not in (codec.CONTINUE, codec.SKIP):
            self._end_message()
        return True

    def finish(self, outcome: Outcome) -> None:
        """Say the outcome of the message: its edits, then its action.

        Raises ValueError for edits that cannot be sent (nothing is said then) and RuntimeError when no message waits for an outcome.
        """
        if self._state != _REPLY:
            raise RuntimeError("no message waits for its outcome")
        missing = required_actions(outcome.edits) & ~self.actions
        if missing:
            raise ValueError(f"the MTA did not offer {_action_names(missing)}")
        self._out.append(render(outcome, leading_space=self.leading_space))
        self._end_message()

    def progress(self) -> bool:
        """Ask the MTA for patience; False when it waits for nothing."""
        if self._state != _REPLY:
            return False
        self._out.append(codec.PROGRESS)
        return True

    def outgoing(self) -> bytes:
        """Take out what is to be written to the MTA."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def macro(self, name: bytes) -> bytes | None:
        """Look a macro up (``i`` and ``{i}`` are one name), the latest stage first; None when the MTA did not send it."""
        return self._macros.get(name)

    def _events(self) -> Iterator[Event]:
        take = self._decoder.take
        try:
            while True:
                if self._due:
                    self._due = False
                    self._out.append(codec.CONTINUE)
                if self._state >= _REPLY:
                    return
                packet = take()
                if packet is None:
                    return
                command, payload = packet
                if command == codec.SMFIC_MACRO:
                    if self._state == _START:
                        self._out_of_order(command)
                    self._macros.keep(payload)
                    continue
                self._command = command
                if command == codec.SMFIC_HEADER:
                    if not self._state & (_ENVELOPE | _HEADERS):
                        self._out_of_order(command)
                    yield from self._headers(payload)
                elif command == codec.SMFIC_ABORT:
                    if self._abort():
                        yield Aborted()
                elif command == codec.SMFIC_OPTNEG:
                    yield self._negotiate(payload)
                else:
                    if command == codec.SMFIC_MAIL and self._state == _ENVELOPE:
                        self._state = _IDLE  # begin_message() drops the old macros
                        yield Aborted()
                    yield self._step(command, payload)
        except ProtocolError:
            self._state = _CLOSED
            raise

    def _headers(self, first: bytes) -> Iterator[Event]:
        """One event for all fields that are here, where the MTA waits for no reply between them. They are half of all packets."""
        self._state = _HEADERS
        payloads = [first]
        if self.protocol & codec.SMFIP_NR_HDR:
            payloads += self._decoder.take_run(codec.SMFIC_HEADER, self._macros.of_headers)
        fields: list[tuple[bytes, bytes]] = []
        trouble: ProtocolError | None = None
        try:
            fields.extend(read_field(payload, self.leading_space) for payload in payloads)
        except ProtocolError as error:
            trouble = error  # those before it have come all the same
        if fields:
            self._due = not self.protocol & codec.SMFIP_NR_HDR
            yield Headers(fields)
        if trouble is not None:
            raise trouble

    def _step(self, command: int, payload: bytes) -> Event:
        step = _STEPS.get(command)
        if step is None:
            raise ProtocolError(f"the unknown command {bytes((command,))!r}")
        allowed, following, no_reply, read = step
        if not self._state & allowed:
            self._out_of_order(command)
        event = read(payload)
        if following:
            self._state = following
        self._due = no_reply is not None and not self.protocol & no_reply
        if command == codec.SMFIC_MAIL:
            self._macros.begin_message()
        elif command == codec.SMFIC_QUIT_NC:
            self._macros.clear()
            self.connection = self.helo = None
        elif isinstance(event, Connected):
            self.connection = event
        elif isinstance(event, Helo):
            self.helo = event.name
        return event

    def _negotiate(self, payload: bytes) -> Negotiated:
        if self._state != _START:
            self._out_of_order(codec.SMFIC_OPTNEG)
        version, actions, protocol = codec.parse_optneg(payload)
        if version < 2:
            raise ProtocolError(f"milter protocol version {version} (2 or later is needed; see milter_protocol in Postfix)")
        missing = self._actions_required & ~actions
        if missing:
            raise ProtocolError(f"the MTA does not offer {_action_names(missing)}, which is needed here")
        wanted = self._steps_skipped | _NO_REPLIES | codec.SMFIP_HDR_LEADSPC
        wanted |= codec.SMFIP_SKIP if self._skip_body and protocol & codec.SMFIP_SKIP else codec.SMFIP_NR_BODY
        self.version = min(version, codec.VERSION)
        self.actions = actions & self._actions_wanted
        self.protocol = protocol & wanted
        self.leading_space = bool(self.protocol & codec.SMFIP_HDR_LEADSPC)
        self._state = _NEGOTIATED
        self._out.append(codec.optneg(self.version, self.actions, self.protocol))
        return Negotiated(self.version, self.actions, self.protocol)

    def _abort(self) -> bool:
        if not self._state & _ANY:
            self._out_of_order(codec.SMFIC_ABORT)
        in_message = self.in_message
        if in_message:
            self._state = _IDLE
        self._macros.end_message()
        return in_message

    def _end_message(self) -> None:
        self._state = _IDLE
        self._macros.end_message()

    def _out_of_order(self, command: int) -> None:
        raise ProtocolError(f"the command {chr(command)!r} in the state {_STATES[self._state.bit_length() - 1]}")


def _action_names(bits: int) -> str:
    return ", ".join(f"SMFIF_{name}" for bit, name in _ACTION_NAMES.items() if bits & bit) or hex(bits)
