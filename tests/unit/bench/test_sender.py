"""The bench's own sender: an address of its choice first, then SMTP; a message that is refused is told and not counted."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bench import sender

MESSAGE = b"Subject: dots\r\n\r\n.one\r\n..two\r\n"


class Server(socketserver.ThreadingTCPServer):
    """Takes mail behind the PROXY protocol, and keeps what each connection said."""

    daemon_threads = True

    def __init__(self, end: bytes) -> None:
        self.end, self.said = end, list[bytes]()
        super().__init__(("127.0.0.1", 0), Talk)


class Talk(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        said = self.rfile.readline()
        self.wfile.write(b"220-hello\r\n220 hello\r\n")
        while line := self.rfile.readline():
            said += line
            if line == b"DATA\r\n":
                self.wfile.write(b"354 go on\r\n")
                while line != b".\r\n":
                    line = self.rfile.readline()
                    said += line
                self.server.said.append(said)
                self.wfile.write(self.server.end)
            elif line == b"QUIT\r\n":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250-two\r\n250 lines\r\n" if line.startswith(b"EHLO") else b"250 ok\r\n")


@contextmanager
def server(end: bytes = b"250 kept\r\n") -> Iterator[Server]:
    with Server(end) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join(5)


def send(port: int, count: int, sessions: int) -> float:
    return sender.send(
        port,
        MESSAGE,
        client="192.0.2.7",
        helo="c.example",
        sender="a@example.org",
        recipient="b@example.net",
        count=count,
        sessions=sessions,
    )


def test_what_one_connection_says() -> None:
    with server() as running:
        port = running.server_address[1]
        assert send(port, 1, 1) > 0
    assert running.said == [
        f"PROXY TCP4 192.0.2.7 127.0.0.1 25252 {port}\r\nEHLO c.example\r\n".encode()
        + b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
        + b"Subject: dots\r\n\r\n..one\r\n...two\r\n.\r\n"
    ]


@pytest.mark.parametrize("sessions", [1, 4, 20])
def test_as_many_are_sent_as_were_wanted(sessions: int) -> None:
    with server() as running:
        send(running.server_address[1], 10, sessions)
    assert len(running.said) == 10


def test_a_refusal_is_told() -> None:
    with server(b"451 4.7.1 later\r\n") as running, pytest.raises(RuntimeError, match=r"451 4\.7\.1 later"):
        send(running.server_address[1], 10, 2)
    assert 1 <= len(running.said) <= 2
