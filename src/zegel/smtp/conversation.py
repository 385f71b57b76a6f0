"""The commands of an SMTP client and our replies to them: all of a submission but its octets. RFC 5321 4.1, RFC 6409.

The table of states is that of :mod:`zegel.smtp.session`, which reads the lines and the message. This room keeps counts and the names of
things, and no part of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from zegel.smtp.auth import MECHANISMS, AuthError, Credentials, Exchange
from zegel.smtp.codec import reply
from zegel.smtp.events import Aborted, Event, Login, MailFrom, Misuse, Recipient, StartTls
from zegel.smtp.parameters import check_rcpt, read_mail
from zegel.smtp.path import PathError, read

_MAX_ERRORS: Final = 20  # since the last message
_MAX_IDLE_COMMANDS: Final = 100  # of those that bring no message nearer, since the last message
_MAX_OVERSHOOT: Final = 1000  # recipients beyond the limit, each answered with 452
_MAX_LOGINS: Final = 3
_MAX_HELO: Final = 255
# What a browser says: a page that somebody was lured to must not reach a mail server through it.
_FOREIGN_VERBS = frozenset((b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH", b"TRACE"))


class State(IntEnum):
    """Where a connection is; see the table of the session."""

    GREETED = 0
    READY = 1
    EXCHANGE = 2
    VERIFYING = 3
    ENVELOPE = 4
    CONTENT = 5
    DECIDING = 6
    HANDSHAKE = 7
    CLOSED = 8


@dataclass(frozen=True, slots=True)
class Terms:
    """What one listener offers: its name, octets of a message, recipients, whether STARTTLS is there, whether bare line ends are mended."""

    hostname: str
    size: int = 26_214_400
    recipients: int = 100
    starttls: bool = False
    mend: bool = False


class Conversation:
    """The state of one connection. ``out`` are the replies; ``must_wait`` tells that the last one ends a group of commands."""

    def __init__(self, terms: Terms, *, secure: bool, known: bool) -> None:
        self.terms = terms
        self.secure, self.known = secure, known
        self.helo = ""
        self.state = State.GREETED
        self.out = [reply("220", "", f"{terms.hostname} ESMTP")]
        self.must_wait = False
        self.refusal: bytes | None = None  # of the event in hand
        self._exchange: Exchange | None = None
        self._extended = self._logged_in = self._utf8 = False
        self._recipients = self._overshoot = 0
        self._errors = self._idle = self._failed_logins = 0

    def take(self, line: bytes) -> Iterator[Event]:
        """Take one line: a command, or a response of AUTH."""
        if self.state == State.EXCHANGE:
            exchange = self._exchange
            if exchange is None:
                raise RuntimeError("no AUTH is under way")
            yield from self._exchanged(lambda: exchange.respond(line))
            return
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        step = _STEPS.get(verb)
        if step is None:
            if verb in _FOREIGN_VERBS:
                yield self.misuse("http")
            else:
                self.error("502", "5.5.1", "this command is not known here")
            return
        states, take = step
        if self.state not in states:
            self.error("503", "5.5.1", "this command has no place here; begin with EHLO" if self.state == State.GREETED else "not now")
            return
        yield from take(self, argument.strip(b" "))

    def finish(self, code: str, enhanced: str, text: str) -> None:
        """Say the outcome of a login or of a message. Raises RuntimeError when nothing waits for one."""
        if self.state == State.VERIFYING:
            self.known = self._logged_in = code == "235"
            self._failed_logins += not self.known
        elif self.state == State.DECIDING:
            self._idle = self._errors = 0
        else:
            raise RuntimeError("nothing waits for its outcome")
        self.state = State.READY
        self.out.append(reply(code, enhanced, text))

    def secured(self) -> None:
        """The handshake has ended: the client begins anew, and what it said before counts for nothing. RFC 3207 4.2."""
        if self.state != State.HANDSHAKE:
            raise RuntimeError("no handshake is under way")
        self.secure, self.helo, self._extended = True, "", False
        self.state = State.GREETED

    def bye(self, text: str, enhanced: str) -> None:
        """End the connection from our side: 421."""
        if self.state != State.CLOSED:
            self.state = State.CLOSED
            self.out.append(reply("421", enhanced, f"{self.terms.hostname} {text}"))

    # The commands.

    def _greet(self, argument: bytes, *, extended: bool) -> Iterator[Event]:
        """EHLO and HELO. RFC 5321 4.1.1.1; either begins anew (RFC 5321 4.1.4)."""
        name = argument.decode("ascii", "replace")
        if not name or len(name) > _MAX_HELO or not name.isprintable() or " " in name:
            self.error("501", "5.5.4", "tell your name")
            return
        if not self._count_idle():
            return
        if self.state == State.ENVELOPE:
            yield Aborted()
        self.helo, self._extended, self.state, self.must_wait = name, extended, State.READY, True
        terms = self.terms
        if not extended:
            self.out.append(reply("250", "", terms.hostname))
            return
        words = [terms.hostname, "PIPELINING", f"SIZE {terms.size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if terms.starttls and not self.secure:
            words.append("STARTTLS")
        if self.secure:
            words.append(f"AUTH {' '.join(MECHANISMS)}")
        self.out += [f"250-{word}\r\n".encode() for word in words[:-1]]
        self.out.append(f"250 {words[-1]}\r\n".encode())

    def _starttls(self, argument: bytes) -> Iterator[Event]:
        if argument:
            self.error("501", "5.5.4", "STARTTLS has no parameters")
        elif self.secure or not self.terms.starttls:
            self.error("503" if self.secure else "502", "5.5.1", "STARTTLS is not offered here")
        else:
            self.must_wait = True
            self.out.append(reply("220", "2.0.0", "begin TLS"))
            self.state = State.HANDSHAKE
            yield StartTls()

    def _auth(self, argument: bytes) -> Iterator[Event]:
        """AUTH. RFC 4954 4."""
        if not self.secure:
            self.error("538", "5.7.11", "AUTH needs TLS: say STARTTLS first" if self.terms.starttls else "AUTH needs TLS")
            return
        if self._logged_in or not self._extended:
            self.error("503", "5.5.1", "you are logged in already" if self._logged_in else "AUTH needs EHLO")
            return
        if self._failed_logins >= _MAX_LOGINS:
            self.bye("too many logins that failed", "4.7.0")
            return
        mechanism, _, initial = argument.partition(b" ")
        yield from self._exchanged(lambda: self._begin(mechanism.decode("ascii", "replace"), initial or None))

    def _begin(self, mechanism: str, initial: bytes | None) -> bytes | Credentials:
        self._exchange = Exchange(mechanism)
        return self._exchange.begin(initial)

    def _exchanged(self, step: Callable[[], bytes | Credentials]) -> Iterator[Event]:
        self.must_wait = True
        try:
            answer = step()
        except AuthError as fault:
            self.state, self._exchange = State.READY, None
            self.error(fault.code, fault.enhanced, fault.text)
            return
        if isinstance(answer, bytes):
            self.state = State.EXCHANGE
            self.out.append(b"334 " + answer + b"\r\n")
        else:
            self.state, self._exchange = State.VERIFYING, None
            yield Login(answer)

    def _mail(self, argument: bytes) -> Iterator[Event]:
        if not self.known:
            self.error("530", "5.7.0", "log in first" if self.secure or not self.terms.starttls else "say STARTTLS and log in first")
            return
        try:
            path = read(argument, "FROM", hostname=self.terms.hostname)
            declared = read_mail(path, limit=self.terms.size)
        except PathError as fault:
            self.error(fault.code, fault.enhanced, fault.text)
            return
        self._utf8 = declared.utf8
        yield MailFrom(path.address, declared.size, declared.utf8, self.helo, self._protocol)
        if not self._refused():
            self.state = State.ENVELOPE
            self._recipients = self._overshoot = 0
            self.out.append(_SENDER_OK)

    @property
    def _protocol(self) -> str:
        """What stands behind "with" in a trace: RFC 5321 4.4, RFC 3848, RFC 6531 4.3."""
        if not self._extended:
            return "SMTP"
        return f"{'UTF8' if self._utf8 else 'E'}SMTP{'S' if self.secure else ''}{'A' if self._logged_in else ''}"

    def _rcpt(self, argument: bytes) -> Iterator[Event]:
        if self._recipients >= self.terms.recipients:
            # RFC 5321 4.5.3.1.10: the client sends the message again, to the others.
            self._overshoot += 1
            if self._overshoot > _MAX_OVERSHOOT:
                self.bye("too many recipients", "4.5.3")
            else:
                self.out.append(_TOO_MANY)
            return
        try:
            path = read(argument, "TO", hostname=self.terms.hostname)
            if not path.address:
                raise PathError("501", "5.1.3", "a recipient has an address")
            check_rcpt(path, utf8=self._utf8)
        except PathError as fault:
            self.error(fault.code, fault.enhanced, fault.text)
            return
        yield Recipient(path.address)
        if not self._refused():
            self._recipients += 1
            self.out.append(_RECIPIENT_OK)

    def _data_begins(self, argument: bytes) -> Iterator[Event]:
        if argument:
            self.error("501", "5.5.4", "DATA has no parameters")
        elif not self._recipients:
            self.error("554", "5.5.1", "no recipients")
        else:
            self.state, self.must_wait = State.CONTENT, True
            self.out.append(_GO_ON)
        yield from ()

    def _reset(self, argument: bytes) -> Iterator[Event]:
        if self._count_idle():
            if self.state == State.ENVELOPE:
                self.state = State.READY
                yield Aborted()
            self.out.append(_OK)

    def _idle_command(self, text: bytes) -> Iterator[Event]:
        if self._count_idle():
            self.out.append(text)
        yield from ()

    def _quit(self, argument: bytes) -> Iterator[Event]:
        self.out.append(reply("221", "2.0.0", "goodbye"))
        self.state = State.CLOSED
        yield from ()

    # Replies and counts.

    def _refused(self) -> bool:
        """Whether the event in hand was refused; the refusal is said then."""
        refusal, self.refusal = self.refusal, None
        if refusal is None:
            return False
        self.out.append(refusal)
        self._count_error()
        return True

    def error(self, code: str, enhanced: str, text: str) -> None:
        """Answer with a refusal, and count it."""
        self.out.append(reply(code, enhanced, text))
        self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= _MAX_ERRORS:
            self.bye("too many errors", "4.7.0")

    def _count_idle(self) -> bool:
        self._idle += 1
        if self._idle > _MAX_IDLE_COMMANDS:
            self.bye("too many commands without a message", "4.7.0")
        return self.state != State.CLOSED

    def misuse(self, reason: str) -> Misuse:
        """End the connection; replies that have not gone out never do."""
        self.out.clear()
        self.bye(_MISUSES[reason], "4.7.0")
        return Misuse(reason)


_OK = reply("250", "2.0.0", "OK")
_SENDER_OK, _RECIPIENT_OK = reply("250", "2.1.0", "OK"), reply("250", "2.1.5", "OK")
_TOO_MANY = reply("452", "4.5.3", "too many recipients")
_GO_ON = reply("354", "", "end with CRLF.CRLF")
_MISUSES = {
    "pipelining": "commands came before their turn (RFC 2920)",
    "starttls_injection": "octets came before the handshake (RFC 3207)",
    "too_large": "the message goes on far beyond its limit",
    "http": "this is no web server",
}
_CALM = (State.GREETED, State.READY, State.ENVELOPE)
# verb: (the states that take it, what it does)
_STEPS: Final[dict[bytes, tuple[tuple[int, ...], Callable[[Conversation, bytes], Iterator[Event]]]]] = {
    b"EHLO": (_CALM, lambda talk, argument: talk._greet(argument, extended=True)),
    b"HELO": (_CALM, lambda talk, argument: talk._greet(argument, extended=False)),
    b"STARTTLS": ((State.READY,), Conversation._starttls),
    b"AUTH": ((State.READY,), Conversation._auth),
    b"MAIL": ((State.READY,), Conversation._mail),
    b"RCPT": ((State.ENVELOPE,), Conversation._rcpt),
    b"DATA": ((State.ENVELOPE,), Conversation._data_begins),
    b"RSET": (_CALM, Conversation._reset),
    b"NOOP": (_CALM, lambda talk, _: talk._idle_command(_OK)),
    b"HELP": (_CALM, lambda talk, _: talk._idle_command(reply("214", "2.0.0", "see RFC 5321 and RFC 6409"))),
    b"VRFY": (_CALM, lambda talk, _: talk._idle_command(reply("252", "2.5.2", "send some mail, and see"))),
    b"QUIT": (_CALM, Conversation._quit),
}
