"""The next hop for the tests: a small SMTP server on loopback that keeps every message, byte for byte."""

from __future__ import annotations

import socketserver
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from support.servers import wait_for
from support.tcpserver import TcpServer

EXTENSIONS = ("8BITMIME", "SMTPUTF8", "SIZE 0")
_LINE = 1 << 20


@dataclass(frozen=True)
class Arrived:
    """One message as it came over the wire: the parameters of MAIL, the recipients, and the data with its dots undone."""

    mail_from: str
    parameters: tuple[str, ...]
    recipients: tuple[str, ...]
    data: bytes


class _Conversation(socketserver.StreamRequestHandler):
    server: _Listener
    timeout = 60

    def handle(self) -> None:
        try:
            self._talk()
        except OSError:
            return

    def _say(self, *lines: str) -> None:
        for number, line in enumerate(lines):
            glue = " " if number == len(lines) - 1 else "-"
            self.wfile.write((line[:3] + glue + line[4:] + "\r\n").encode())

    def _talk(self) -> None:
        mail_from, parameters, recipients = "", (), []  # type: str, tuple[str, ...], list[str]
        self._say("220 sink ESMTP")
        while line := self.rfile.readline(_LINE):
            verb, _, rest = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    self._say("250 sink", *(f"250 {extension}" for extension in self.server.extensions))
                case "MAIL":
                    address, *rest_of = rest.partition(":")[2].split()
                    mail_from, parameters, recipients = address.strip("<>"), tuple(rest_of), []
                    self._say("250 2.1.0 ok")
                case "RCPT":
                    recipients.append(rest.partition(":")[2].split()[0].strip("<>"))
                    self._say("250 2.1.5 ok")
                case "DATA":
                    self._say("354 go on")
                    self.server.keep(Arrived(mail_from, parameters, tuple(recipients), self._data()))
                    self._say("250 2.0.0 kept")
                case "QUIT":
                    self._say("221 2.0.0 bye")
                    return
                case "HELO" | "RSET" | "NOOP":
                    self._say("250 2.0.0 ok")
                case _:
                    self._say("502 5.5.1 no such verb")

    def _data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline(_LINE)) != b".\r\n":
            if not line:
                raise ConnectionError("the client left in the middle of DATA")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)


class _Listener(TcpServer):
    def __init__(self, extensions: tuple[str, ...]) -> None:
        self.extensions = extensions
        self.arrived: list[Arrived] = []
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Conversation)

    def keep(self, message: Arrived) -> None:
        with self._lock:
            self.arrived.append(message)

    def take(self) -> tuple[Arrived, ...]:
        with self._lock:
            arrived, self.arrived = self.arrived, []
        return tuple(arrived)


class Sink:
    """Accepts all mail on ``port`` and keeps it in ``messages``; a context manager."""

    def __init__(self, extensions: tuple[str, ...] = EXTENSIONS) -> None:
        self._listener = _Listener(extensions)
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.port: int = self._listener.server_address[1]

    @property
    def messages(self) -> tuple[Arrived, ...]:
        """What has arrived so far, in order."""
        return tuple(self._listener.arrived)

    def take(self) -> tuple[Arrived, ...]:
        """What has arrived since the last look; the sink forgets it."""
        return self._listener.take()

    def wait(self, count: int, seconds: float = 60.0) -> tuple[Arrived, ...]:
        """The messages, as soon as there are ``count`` of them."""
        wait_for(lambda: len(self._listener.arrived) >= count, seconds, f"{count} messages at the sink")
        return self.messages

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join(5)
