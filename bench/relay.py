"""The relay under load: durable, signed messages of 10 kB per second on connections that stay open, without TLS and with it, and their CPU.

The daemon has its files on the disk of /tmp, so that each message waits for its fsync; Postfix's ``smtp-sink`` is the next hop, and mail is
handed on to it meanwhile. Beside it, Postfix takes the same mail with the milter of OpenDKIM, and throws it away. CPU is that of all
processes of either side, client and sink left out. ``python -m bench.relay [--quick]``, as root.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import zegel
from bench import dkim, milters, postfix
from support.servers import free_port, listens, require, wait_for
from support.submission import RelayDaemon, tls_context

SIZE, SESSIONS = 10_000, 16
_TICKS = os.sysconf("SC_CLK_TCK")
_SENDER, _RECIPIENT = "joe@example.org", "suzie@example.net"


class Figure(NamedTuple):
    """Messages accepted per second, and seconds of CPU for one of them, until it has been handed on."""

    rate: float
    cpu: float


class Talk:
    """One connection that stays open: what it says for each message is ready before it begins."""

    def __init__(self, port: int, message: bytes, *, login: tuple[str, str] | None = None, context: ssl.SSLContext | None = None) -> None:
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read()
        self._say(b"EHLO bench.example.org\r\n")
        if context is not None:
            self._say(b"STARTTLS\r\n")
            self._socket = context.wrap_socket(self._socket)
            self._say(b"EHLO bench.example.org\r\n")
        if login is not None:
            self._say(b"AUTH PLAIN " + base64.b64encode("\0".join(("", *login)).encode()) + b"\r\n")
        self._envelope = f"MAIL FROM:<{_SENDER}>\r\nRCPT TO:<{_RECIPIENT}>\r\nDATA\r\n".encode()
        self._data = message.replace(b"\r\n.", b"\r\n..") + b".\r\n"

    def once(self) -> None:
        """One message."""
        self._socket.sendall(self._envelope)
        self._read(3)
        self._say(self._data)

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _say(self, words: bytes) -> None:
        self._socket.sendall(words)
        self._read()

    def _read(self, replies: int = 1) -> None:
        """Read so many replies. Raises RuntimeError for a refusal."""
        said = b""
        while not said.endswith(b"\n") or sum(line[3:4] == b" " for line in said.splitlines()) < replies:
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError(f"the server left after {said!r}")
            said += more
        if any(line[:1] in b"45" for line in said.splitlines()):
            raise RuntimeError(said.decode())


def load(count: int, sessions: int, connect: Callable[[], Talk]) -> float:
    """Send so many messages over so many connections; the seconds from the first to the last 250."""
    talks = [connect() for _ in range(sessions)]
    numbers, troubles = iter(range(count)), list[Exception]()
    lock = threading.Lock()

    def work(talk: Talk) -> None:
        try:
            while not troubles:
                with lock:
                    if next(numbers, None) is None:
                        return
                talk.once()
        except (OSError, RuntimeError) as error:
            troubles.append(error)

    threads = [threading.Thread(target=work, args=(talk,), daemon=True) for talk in talks]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    for talk in talks:
        talk.close()
    if troubles:
        raise RuntimeError(f"a message was not accepted: {troubles[0]}")
    return seconds


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Postfix's own next hop for tests, which throws all away; its port."""
    port = free_port()
    process = subprocess.Popen([require("smtp-sink"), "-u", "root", "-c", f"127.0.0.1:{port}", "1000"], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(port), 10, "smtp-sink listens")
        yield port
    finally:
        process.terminate()
        process.wait(10)


class _Hop:
    """What RelayDaemon needs to know of a next hop."""

    def __init__(self, port: int) -> None:
        self.port = port


@contextlib.contextmanager
def relay(key: zegel.Key) -> Iterator[RelayDaemon]:
    """The daemon with a site of example.org, which needs no login on loopback and has one elsewhere."""
    with sink() as port:
        daemon = RelayDaemon(_Hop(port))  # type: ignore[arg-type]
        daemon.hold(key)
        daemon.publish(key)
        daemon.records["_dmarc.example.org"] = "v=DMARC1; p=reject"
        daemon.write_zone()
        values = {"address": _SENDER, "contact": _SENDER, "rate": 0, "visitor_rate": 0}
        daemon.add_site("bench", networks=["127.0.0.0/8"], **values)
        with daemon:
            yield daemon


def measure_relay(daemon: RelayDaemon, count: int, *, tls: bool) -> Figure:
    """One run through the relay."""
    message, _ = dkim.message(SIZE)
    context = tls_context(daemon.certificate) if tls else None
    port = daemon.starttls_port if tls else daemon.loopback_port
    login = ("bench", daemon.secrets["bench"]) if tls else None
    if daemon.process is None:
        raise RuntimeError("the daemon does not run")
    pid = daemon.process.pid
    before, sent = _cpu([pid]), daemon.counted("zegel_outbox_tries_total", {"outcome": "delivered"})
    seconds = load(count, SESSIONS, lambda: Talk(port, message, login=login, context=context))
    wait_for(lambda: daemon.counted("zegel_outbox_tries_total", {"outcome": "delivered"}) - sent >= count, 120, "all is handed on")
    return Figure(count / seconds, (_cpu([pid]) - before) / count)


def measure_postfix(built: postfix.Stand, count: int) -> Figure:
    """The same through Postfix with OpenDKIM."""
    milter, port = next((milter, port) for milter, port in built.listeners if milter.work == "sign" and "opendkim" in milter.title.lower())
    message, _ = dkim.message(SIZE)
    pids = [*_family(_master(built)), *milter.pids]
    before = _cpu(pids)
    seconds = load(count, SESSIONS, lambda: Talk(port, message))
    wait_for(built._is_empty, 60, "the queue empties")
    after = _cpu([*_family(_master(built)), *milter.pids])
    return Figure(count / seconds, (after - before) / count)


def _master(built: postfix.Stand) -> int:
    return int((built.postfix.queue_folder / "pid" / "master.pid").read_text())


def _family(pid: int) -> list[int]:
    """A process and its children, whose time it inherits when they end."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu(pids: list[int]) -> float:
    """Seconds of CPU of these processes and of their children that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            total += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return total / _TICKS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--relay-only", action="store_true", help="without Postfix")
    given = parser.parse_args()
    count, rounds = (1000, 1) if given.quick else (5000, 3)
    best: dict[str, Figure] = {}

    def keep(name: str, figure: Figure) -> None:
        last = best.get(name, figure)
        best[name] = Figure(max(last.rate, figure.rate), min(last.cpu, figure.cpu))

    key = zegel.Key.generate(milters.DOMAIN, milters.SELECTOR, "rsa2048")
    with relay(key) as daemon:
        for _ in range(rounds):
            keep("Zegel, without TLS", measure_relay(daemon, count, tls=False))
            keep("Zegel, with TLS", measure_relay(daemon, count, tls=True))
    if not given.relay_only:
        with postfix.stand() as built:
            for _ in range(rounds):
                keep("Postfix with OpenDKIM, without TLS", measure_postfix(built, count))
    print("| 10 kB, 16 connections | messages per second | CPU per message, in \u00b5s |\n|---|---:|---:|")
    for name, figure in best.items():
        print(f"| {name} | {figure.rate:.0f} | {figure.cpu * 1e6:.0f} |")


if __name__ == "__main__":
    main()
