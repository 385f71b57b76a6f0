"""A next hop that can be told to behave badly: it refuses, puts off, hangs, leaves, and keeps what it has taken, byte for byte."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from support.servers import wait_for
from support.tcpserver import TcpServer

PLAIN = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000", "ENHANCEDSTATUSCODES")
LEAVE = "leave"  # instead of an answer: the connection is closed
HANG = "hang"  # instead of an answer: silence, until the client goes


@dataclass
class Taken:
    """One message that was answered with 250, or would have been (see ``Behaviour.end``)."""

    mail: str
    recipients: tuple[str, ...]
    data: bytes
    connection: int


@dataclass
class Behaviour:
    """What is answered; may be changed while it runs. An answer may be LEAVE or HANG. ``rcpt`` is by address."""

    offers: tuple[str, ...] = PLAIN
    greeting: str = "220 hop.example ESMTP"
    ehlo: str = ""  # instead of what it offers
    mail: str = "250 2.1.0 ok"
    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = "354 go on"
    end: str = "250 2.0.0 taken"
    login: tuple[str, str] | None = None
    certificate: ssl.SSLContext | None = None
    after_starttls: bytes = b""  # what comes in clear behind the answer to STARTTLS
    messages_of_a_session: int = 1_000_000  # then it leaves without a word


class _Talk(socketserver.StreamRequestHandler):
    server: _Listener
    timeout = 30

    def handle(self) -> None:
        self.hop = self.server.hop
        with self.server.lock:
            self.server.connections += 1
            self.number = self.server.connections
        with contextlib.suppress(OSError, _Left, ValueError):
            self._say(self.hop.greeting)
            while line := self.rfile.readline(1 << 16):
                self.server.commands.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self._do(line.decode("utf-8").strip())
        if isinstance(self.connection, ssl.SSLSocket):  # the one that the listener closes is below it
            self.connection.close()

    def _say(self, *lines: str) -> None:
        if lines[0] == HANG:
            while self.rfile.read(1):
                time.sleep(0.01)
            raise _Left
        if lines[0] == LEAVE:
            raise _Left
        for number, line in enumerate(lines):
            glue = " " if number == len(lines) - 1 else "-"
            self.wfile.write((line[:3] + glue + line[4:] + "\r\n").encode())

    def _do(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO" if self.hop.ehlo:
                self._say(self.hop.ehlo)
            case "EHLO":
                extra = ["STARTTLS"] if self.hop.certificate and not isinstance(self.connection, ssl.SSLSocket) else []
                extra += ["AUTH PLAIN LOGIN"] if self.hop.login else []
                self._say("250 hop.example", *(f"250 {word}" for word in (*self.hop.offers, *extra)))
            case "STARTTLS":
                self.wfile.write(b"220 2.0.0 go\r\n" + self.hop.after_starttls)
                assert self.hop.certificate is not None
                self.connection = self.hop.certificate.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
            case "AUTH":
                self._log_in(rest)
            case "MAIL":
                self.sender, self.rcpts = rest.removeprefix("FROM:"), list[str]()
                self._say(self.hop.mail)
            case "RCPT":
                address = rest.removeprefix("TO:<").partition(">")[0]
                answer = self.hop.rcpt.get(address, "250 2.1.5 ok")
                if answer.startswith("250"):
                    self.rcpts.append(address)
                self._say(answer)
            case "DATA":
                self._data()
            case "QUIT":
                self._say("221 2.0.0 bye")
                raise _Left
            case _:
                self._say("250 2.0.0 ok")

    def _data(self) -> None:
        if not self.rcpts:
            self._say("554 5.5.1 no valid recipients")
            return
        self._say(self.hop.data)
        if not self.hop.data.startswith("354"):
            return
        lines = []
        while (line := self.rfile.readline(1 << 16)) != b".\r\n":
            if not line:
                raise _Left
            lines.append(line.removeprefix(b"."))
        taken = Taken(self.sender, tuple(self.rcpts), b"".join(lines), self.number)
        # It has the message now, whether its answer arrives or not.
        if self.hop.end in (LEAVE, HANG) or self.hop.end.startswith("2"):
            with self.server.lock:
                self.server.taken.append(taken)
        self._say(self.hop.end)
        self.hop.messages_of_a_session -= 1
        if self.hop.messages_of_a_session <= 0:
            raise _Left

    def _log_in(self, rest: str) -> None:
        user, password = self.hop.login or ("", "")
        if rest.startswith("PLAIN "):
            right = base64.b64decode(rest.removeprefix("PLAIN ")) == f"\0{user}\0{password}".encode()
        else:
            self._say("334 VXNlcm5hbWU6")
            said = [base64.b64decode(self.rfile.readline(1000))]
            self._say("334 UGFzc3dvcmQ6")
            said.append(base64.b64decode(self.rfile.readline(1000)))
            right = said == [user.encode(), password.encode()]
        self._say("235 2.7.0 welcome" if right else f"535 5.7.8 wrong {rest}")


class _Left(Exception):
    pass


class _Listener(TcpServer):
    def __init__(self, hop: Behaviour, address: str, port: int) -> None:
        self.hop, self.lock = hop, threading.Lock()
        self.taken: list[Taken] = []
        self.commands: list[str] = []
        self.connections = 0
        super().__init__((address, port), _Talk)


class NextHop:
    """A server on ``port`` of a loopback address, with a :class:`Behaviour`; a context manager, at whose end it leaves whoever is there."""

    def __init__(self, port: int = 0, address: str = "127.0.0.1", **behaviour: object) -> None:
        self.hop = Behaviour(**behaviour)  # type: ignore[arg-type]
        self._listener = _Listener(self.hop, address, port)
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.port: int = self._listener.server_address[1]

    @property
    def taken(self) -> list[Taken]:
        """The messages that it has."""
        with self._listener.lock:
            return list(self._listener.taken)

    @property
    def commands(self) -> list[str]:
        """Every line that was said to it, but for data."""
        return list(self._listener.commands)

    @property
    def connections(self) -> int:
        """How often somebody has connected."""
        return self._listener.connections

    def wait(self, count: int, seconds: float = 60.0) -> list[Taken]:
        """The messages, as soon as there are so many."""
        wait_for(lambda: len(self.taken) >= count, seconds, f"{count} messages at the next hop")
        return self.taken

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join(5)
