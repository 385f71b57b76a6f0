"""An SMTP client: one session with one server, and messages over it, byte for byte. RFC 5321.

Commands go in a group where the server offers that (RFC 2920); 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and SIZE (RFC 1870) are used as it
offers them, and what it lacks is told before anything is sent: nothing is ever converted here, a signature would break. Every wait is
bounded (RFC 5321 4.5.3.2). Where an answer to the end of a message is missing, nobody knows whether it was taken, and the error says so.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from zegel.adapters.smtpwire import Wire, WireError, connect
from zegel.smtp.answer import Answer, extensions

_BLOCK = 1 << 16
_END = b".\r\n"


@dataclass(frozen=True, slots=True)
class Times:
    """How long each wait may be, in seconds. RFC 5321 4.5.3.2; to connect, what people have patience for."""

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0
    quit: float = 2.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to connect to. ``tls`` is off, opportunistic, required or implicit; ``login`` is a name and a password."""

    name: str
    address: str
    port: int
    tls: str = "off"
    context: ssl.SSLContext | None = None
    login: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        where = f"[{self.address}]:{self.port}"
        return where if self.name == self.address else f"{self.name}{where}"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it goes out; CRLF line ends and no other CR or LF."""

    sender: str
    recipients: Sequence[str]
    data: bytes
    utf8: bool
    eight_bit: bool


class UnreachableError(Exception):
    """No session with this server: the text says why. Nothing was said about any message."""


class LostError(Exception):
    """The session ended within a message. ``doubt``: its end had been sent, so it may have been taken; ``early``: no answer came at all."""

    def __init__(self, said: str, *, doubt: bool, early: bool) -> None:
        super().__init__(said)
        self.doubt, self.early = doubt, early


class WithdrawnError(Exception):
    """Who had the message sent took it back before its end."""


class Session:
    """A session that is ready for messages. Made by :meth:`open`."""

    def __init__(self, wire: Wire, peer: Peer, times: Times) -> None:
        self.peer = peer
        self._wire, self._times = wire, times
        self._offers: dict[str, str] = {}
        self._leaving = self._dirty = False
        self.encrypted = False
        self.messages = 0

    @classmethod
    async def open(cls, peer: Peer, *, hello: str, times: Times) -> Self:
        """Connect, greet, and go under TLS and log in where that is wanted. Raises UnreachableError."""
        try:
            return await cls._opened(peer, hello, times, plain=peer.tls == "off")
        except _TlsTroubleError as error:
            if peer.tls != "opportunistic":
                raise UnreachableError(f"{peer}: {error}") from error
        # RFC 7435 3: what would go in clear to a server without TLS may do so to one whose TLS is broken.
        return await cls._opened(peer, hello, times, plain=True)

    @classmethod
    async def _opened(cls, peer: Peer, hello: str, times: Times, *, plain: bool) -> Self:
        wire: Wire | None = None
        try:
            implicit = peer.context if peer.tls == "implicit" else None
            wire = await connect(peer.address, peer.port, times.connect, implicit, peer.name)
            session = cls(wire, peer, times)
            session.encrypted = implicit is not None
            _wanted(await wire.answer(times.greeting), "greets with")
            await session._hello(hello)
            if not plain and not session.encrypted:
                await session._start_tls(hello)
            if peer.login is not None:
                await session._log_in(*peer.login)
        except BaseException as error:
            if wire is not None:
                wire.abort()
            if isinstance(error, (WireError, _RefusedError)):
                raise UnreachableError(f"{peer}: {error}") from error
            raise
        return session

    @property
    def alive(self) -> bool:
        """Whether another message can be tried over it."""
        return self._wire.alive and not self._leaving

    def unfit(self, mail: Mail) -> Answer | None:
        """Why this server cannot take that message as it is, in the words of a refusal; None when it can."""
        if mail.utf8 and "SMTPUTF8" not in self._offers:
            # RFC 6531 3.2, RFC 3463 3.7 and its registry: it is returned, never made into something else.
            return Answer(550, "5.6.7", ("the address or header needs SMTPUTF8, which the server does not offer",))
        if mail.eight_bit and "8BITMIME" not in self._offers:
            return Answer(554, "5.6.3", ("the message needs 8BITMIME, which the server does not offer",))  # RFC 6152 3
        most = self._offers.get("SIZE", "")
        if most.isdecimal() and 0 < int(most) < len(mail.data):
            return Answer(552, "5.3.4", (f"the message is larger than the {most} octets that the server takes",))  # RFC 1870 6.1
        return None

    async def send(self, mail: Mail, before_end: Callable[[], Awaitable[bool]]) -> list[Answer]:
        """Send one message; the answer for each recipient.

        ``before_end`` is awaited before the end of the message leaves; where it says no, the session is cut. Raises LostError,
        WithdrawnError.
        """
        heard = doubt = False
        self.messages += 1
        try:
            answers, data = await self._envelope(mail)
            heard = True
            if not any(answer.ok for answer in answers) or data.refused:
                self._refused(data)
                return [data if answer.ok else answer for answer in answers]
            if data.code != 354:
                raise self._broken(f"the server answers DATA with {data.text}")
            await self._text(mail.data)
            if not await before_end():
                self._wire.abort()
                raise WithdrawnError
            if self._wire.unasked:
                # Its next answer would be taken for the one to the message.
                raise self._broken("the server answers what it was not asked")
            doubt = True
            self._wire.write(_END)
            last = self._noted(await self._wire.answer(self._times.end))
            self._dirty = False
            return [last if answer.ok else answer for answer in answers]
        except WireError as error:
            raise LostError(f"{self.peer}: {error}", doubt=doubt, early=not heard) from error
        except BaseException:
            self._wire.abort()
            raise

    async def quit(self) -> None:
        """Say goodbye, and wait a moment for the answer. Never raises."""
        with contextlib.suppress(WireError):
            if self._wire.alive:
                self._wire.write(b"QUIT\r\n")
                await self._wire.answer(self._times.quit)
        self._wire.close()

    # -- the beginning ---------------------------------------------------------------------------------------------------------------

    async def _hello(self, name: str) -> None:
        answer = await self._ask(f"EHLO {name}")
        if answer.final and answer.code != 554:  # RFC 5321 3.2: an old server
            _wanted(await self._ask(f"HELO {name}"), "answers HELO with")
            self._offers = {}
            return
        self._offers = extensions(_wanted(answer, "answers EHLO with"))

    async def _start_tls(self, hello: str) -> None:
        peer = self.peer
        if "STARTTLS" not in self._offers:
            if peer.tls == "required":
                raise _TlsTroubleError("the server offers no TLS (STARTTLS)")
            return
        answer = await self._ask("STARTTLS")
        if answer.code != 220:
            raise _TlsTroubleError(f"the server refuses TLS: {answer.text}")
        assert peer.context is not None
        try:
            await self._wire.start_tls(peer.context, peer.name, self._times.connect)
        except WireError as error:
            raise _TlsTroubleError(str(error)) from error
        self.encrypted = True
        await self._hello(hello)  # RFC 3207 4.2: what was offered before counts no more

    async def _log_in(self, user: str, password: str) -> None:
        methods = self._offers.get("AUTH", "").upper().split()
        if "PLAIN" in methods:
            secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            answer = await self._ask(f"AUTH PLAIN {secret}")  # RFC 4954 4, RFC 4616 2
        elif "LOGIN" in methods:
            answer = await self._ask("AUTH LOGIN")
            for text in (user, password):
                if answer.code == 334:
                    answer = await self._ask(base64.b64encode(text.encode()).decode())
        else:
            raise _RefusedError("the server offers no login that we know (AUTH PLAIN, LOGIN)")
        if answer.code != 235:
            # Not its text: a server may say back what it was told.
            raise _RefusedError(f"the server refuses our login ({answer.code} {answer.enhanced or '-'}); look at outbox.password_file")

    async def _ask(self, command: str) -> Answer:
        self._wire.write(f"{command}\r\n".encode())
        return await self._wire.answer(self._times.command)

    # -- a message -------------------------------------------------------------------------------------------------------------------

    async def _envelope(self, mail: Mail) -> tuple[list[Answer], Answer]:
        """The answers for each recipient, and the one to DATA."""
        commands = [self._mail(mail), *(f"RCPT TO:<{address}>\r\n" for address in mail.recipients), "DATA\r\n"]
        reset = ["RSET\r\n"] if self._dirty else []
        self._dirty = True
        if "PIPELINING" in self._offers:
            self._wire.write("".join([*reset, *commands]).encode())
            await self._wire.drain(self._times.block)
            for _ in reset:
                await self._answer(self._times.command)
            answers = [await self._answer(self._times.command) for _ in commands[:-1]]
            data = await self._answer(self._times.data)
        else:
            for command in reset:
                await self._one(command)
            answers = [await self._one(commands[0])]
            if answers[0].ok:
                answers += [await self._one(command) for command in commands[1:-1]]
            data = await self._one("DATA\r\n") if any(answer.ok for answer in answers[1:]) else answers[0]
        first, *of_each = answers
        if not first.ok:
            of_each = [first] * len(mail.recipients)
        return of_each, data

    def _mail(self, mail: Mail) -> str:
        words = [f"MAIL FROM:<{mail.sender}>"]
        if "SIZE" in self._offers:
            words.append(f"SIZE={len(mail.data)}")
        if "8BITMIME" in self._offers and (mail.eight_bit or mail.utf8):
            words.append("BODY=8BITMIME")
        if mail.utf8:
            words.append("SMTPUTF8")
        return " ".join(words) + "\r\n"

    async def _text(self, data: bytes) -> None:
        """All but the end, with its dots doubled: RFC 5321 4.5.2."""
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        for start in range(0, len(stuffed), _BLOCK):
            self._wire.write(stuffed[start : start + _BLOCK])
            await self._wire.drain(self._times.block)

    async def _one(self, command: str) -> Answer:
        self._wire.write(command.encode())
        return await self._answer(self._times.command)

    async def _answer(self, seconds: float) -> Answer:
        return self._noted(await self._wire.answer(seconds))

    def _noted(self, answer: Answer) -> Answer:
        """RFC 5321 3.8: with 421 the server leaves."""
        self._leaving = self._leaving or answer.code == 421
        return answer

    def _refused(self, data: Answer) -> None:
        if data.code == 354:
            # It waits for a message to nobody (RFC 2920 3.1). Some would take an end for one; a new session costs little.
            self._wire.abort()

    def _broken(self, said: str) -> WireError:
        self._wire.abort()
        return WireError(said)


class _RefusedError(Exception):
    """The server will not have a session."""


class _TlsTroubleError(_RefusedError):
    """There is no going on under TLS."""


def _wanted(answer: Answer, did: str) -> Answer:
    if answer.code // 100 != 2:
        raise _RefusedError(f"the server {did} {answer.text}")
    return answer
