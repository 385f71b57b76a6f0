"""Mail from an address that is not this machine's: for what judges mail by where it comes from.

``smtp-source`` is at 127.0.0.1, which SPF has no verdict for and opendmarc ignores. This one says before all else, in the words of the
PROXY protocol, that it is another (Postfix: ``smtpd_upstream_proxy_protocol = haproxy``); the rest is SMTP, as smtp-source speaks it: a
connection for each message, and as many at a time as there are sessions.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time

_REPLY = 1 << 16


def send(port: int, message: bytes, *, client: str, helo: str, sender: str, recipient: str, count: int = 1, sessions: int = 1) -> float:
    """Send ``count`` times that message, with CRLF; the seconds until the last of them is accepted. Raises :class:`RuntimeError`."""
    talk = _Talk(port, message, client=client, helo=helo, sender=sender, recipient=recipient)
    numbers, troubles = itertools.count(), list[Exception]()

    def work() -> None:
        try:
            while next(numbers) < count and not troubles:
                talk.once()
        except (OSError, RuntimeError) as error:
            troubles.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(sessions, count))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise RuntimeError(f"a message was not accepted: {troubles[0]}")
    return time.perf_counter() - start


class _Talk:
    """What one connection says, ready before it begins: the sender must cost little beside what is measured."""

    def __init__(self, port: int, message: bytes, *, client: str, helo: str, sender: str, recipient: str) -> None:
        self._port = port
        proxy = f"PROXY TCP4 {client} 127.0.0.1 25252 {port}\r\n"
        self._steps = (
            (proxy.encode(), b"220"),
            (f"EHLO {helo}\r\n".encode(), b"250"),
            (f"MAIL FROM:<{sender}>\r\n".encode(), b"250"),
            (f"RCPT TO:<{recipient}>\r\n".encode(), b"250"),
            (b"DATA\r\n", b"354"),
            (message.replace(b"\r\n.", b"\r\n..") + b".\r\n", b"250"),
            (b"QUIT\r\n", b"221"),
        )

    def once(self) -> None:
        """One message over one connection."""
        with socket.create_connection(("127.0.0.1", self._port), 60) as connection:
            for words, wanted in self._steps:
                connection.sendall(words)
                reply = _reply(connection)
                if not reply.startswith(wanted):
                    raise RuntimeError(f"to {words[:40]!r}: {reply!r}")


def _reply(connection: socket.socket) -> bytes:
    """One whole reply: its last line has a space behind the code. RFC 5321 4.2.1."""
    reply = b""
    while not (reply.endswith(b"\n") and reply.splitlines()[-1][3:4] == b" "):
        more = connection.recv(_REPLY)
        if not more or len(reply) > _REPLY:
            raise RuntimeError(f"the server left after {reply!r}")
        reply += more
    return reply
