"""One SMTP submission without a socket: bytes in, events out, replies as bytes. RFC 5321, RFC 6409.

With STARTTLS (RFC 3207), AUTH (RFC 4954), PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and enhanced
status codes (RFC 2034); the parameters of DSN (RFC 3461) and AUTH= are read and left out. ``receive`` is lazy: while an event is in hand,
the state is that of the event, however the bytes were cut, and ``refuse`` answers MailFrom and Recipient otherwise than with 250.

    state       taken                                    leads to
    GREETED     EHLO HELO                                READY
    READY       MAIL                                     ENVELOPE, unless it is refused
                STARTTLS, where offered, in the clear    HANDSHAKE
                AUTH, below TLS, once, after EHLO        EXCHANGE or VERIFYING
    EXCHANGE    a response                               EXCHANGE, VERIFYING, or READY when it is no response
    VERIFYING   finish()                                 READY
    ENVELOPE    RCPT                                     (same)
                DATA, with a recipient                   CONTENT
                RSET EHLO HELO                           READY, after Aborted
    CONTENT     octets                                   (same)
                CRLF.CRLF                                DECIDING, or READY after Aborted when its form is refused
    DECIDING    finish()                                 READY
    HANDSHAKE   secured()                                GREETED
    and         NOOP RSET VRFY HELP in GREETED, READY and ENVELOPE; QUIT there leads to CLOSED
                Misuse, too many errors, QUIT            CLOSED, with Closed as the last event

Each MailFrom that is not refused is followed by one EndOfMessage or one Aborted, unless the connection ends. EHLO, AUTH with its responses,
STARTTLS and DATA end a group of commands (RFC 2920 3.1): octets that come before their reply has been taken out are no mistake of timing
but what an attacker injects (RFC 3207 6), or a client that would send its mail to whatever answers; the connection ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from zegel.smtp.codec import DataStream, LineError, Lines, reply
from zegel.smtp.conversation import Conversation, State, Terms
from zegel.smtp.events import Aborted, Closed, Content, EndOfMessage, Event

__all__ = ["Session", "Terms"]

_MAX_WAITING: Final = 524_288  # octets that may come while the client is to wait for the outcome of a message
_SLACK: Final = 1_048_576  # octets that a message may go on beyond its limit before the connection ends


class Session:
    """The server's side of one connection; see the table above. ``secure``: below TLS from the start; ``known``: no login is needed."""

    __slots__ = ("_data", "_lines", "_octets", "_talk", "_told_end")

    def __init__(self, terms: Terms, *, secure: bool = False, known: bool = False) -> None:
        self._talk = Conversation(terms, secure=secure, known=known)
        self._lines = Lines()
        self._data = DataStream()
        self._octets = 0
        self._told_end = False

    @property
    def helo(self) -> str:
        """The name that the client gave, since the handshake."""
        return self._talk.helo

    @property
    def secure(self) -> bool:
        """True below TLS."""
        return self._talk.secure

    @property
    def known(self) -> bool:
        """True once the client may send."""
        return self._talk.known

    @property
    def in_message(self) -> bool:
        """True from MAIL until the outcome or the abort."""
        return self._talk.state in (State.ENVELOPE, State.CONTENT, State.DECIDING)

    @property
    def awaiting_finish(self) -> bool:
        """True while the client waits for the outcome of its login or its message."""
        return self._talk.state in (State.VERIFYING, State.DECIDING)

    @property
    def closed(self) -> bool:
        """True when nothing more is read."""
        return self._talk.state == State.CLOSED

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take in octets of the client, and read events from them one by one. Each is to be handled before the next is asked for."""
        talk = self._talk
        if talk.state == State.CONTENT and not talk.must_wait:
            return self._events(data)
        if talk.state != State.CLOSED:
            self._lines.feed(data)
        return self._events()

    def refuse(self, code: str, enhanced: str, text: str) -> None:
        """Answer the MailFrom or Recipient in hand with a refusal."""
        self._talk.refusal = reply(code, enhanced, text)

    def finish(self, code: str, enhanced: str, text: str) -> None:
        """Say the outcome of a login (235: it is known from now on) or of a message. What came meanwhile is read by ``receive(b"")``.

        Raises RuntimeError when nothing waits for an outcome.
        """
        self._talk.finish(code, enhanced, text)

    def secured(self) -> None:
        """Say that the handshake has ended well. Raises RuntimeError when none is under way."""
        self._talk.secured()

    def bye(self, text: str, enhanced: str = "4.4.2") -> None:
        """End the connection from our side: 421. ``receive(b"")`` then tells that it is over."""
        self._talk.bye(text, enhanced)

    def outgoing(self) -> bytes:
        """Take out what is to be written to the client."""
        talk = self._talk
        talk.must_wait = False
        if not talk.out:
            return b""
        data = b"".join(talk.out)
        talk.out.clear()
        return data

    def _events(self, content: bytes = b"") -> Iterator[Event]:
        """Read on as far as it goes. ``content`` is of a message, and goes past the lines."""
        talk, lines = self._talk, self._lines
        if content:
            yield from self._content(content)
        while True:
            state, waiting = talk.state, lines.waiting
            if state == State.CLOSED:
                lines.rest()
                if not self._told_end:
                    self._told_end = True
                    yield Closed()
                return
            if not waiting:
                return
            if talk.must_wait or state in (State.VERIFYING, State.HANDSHAKE) or (state == State.DECIDING and waiting > _MAX_WAITING):
                yield talk.misuse("starttls_injection" if state == State.HANDSHAKE else "pipelining")
                continue
            if state == State.DECIDING:
                return
            if state == State.CONTENT:
                yield from self._content(lines.rest())
                continue
            try:
                line = lines.take()
            except LineError as fault:
                talk.error("500", "5.5.2", str(fault))
                continue
            if line is None:
                return
            yield from talk.take(line)
            if talk.state == State.CONTENT:
                self._data, self._octets = DataStream(mend=talk.terms.mend), 0

    def _content(self, data: bytes) -> Iterator[Event]:
        talk, stream = self._talk, self._data
        piece = stream.feed(data)
        self._octets += len(piece)
        excess = self._octets - talk.terms.size
        if excess > _SLACK:
            yield talk.misuse("too_large")
            return
        if piece and excess <= 0:
            yield Content(piece)
        if not stream.ended:
            return
        self._lines.feed(stream.rest)
        if excess > 0:
            talk.state = State.READY
            talk.error("552", "5.3.4", f"the message is larger than {talk.terms.size} octets")
            yield Aborted("too_large")
        elif stream.bare and not talk.terms.mend:
            # RFC 5321 2.3.8: "SMTP client implementations MUST NOT transmit these characters except when they are intended as line
            # terminators and then MUST [...] transmit them only as a <CRLF> sequence."
            talk.state = State.READY
            talk.error("550", "5.5.2", "a CR or LF stands alone in the message; every line ends in CRLF")
            yield Aborted("bare_line_end")
        else:
            talk.state = State.DECIDING
            yield EndOfMessage()
