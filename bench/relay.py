"""The relay under load: durable, signed messages of 10 kB per second on connections that stay open, without TLS and with it, and their CPU.

Beside the daemon, Postfix takes the same mail with the milter of OpenDKIM. Both have their files on the disk of /tmp, so that each message
waits for its fsync, and both hand it on to Postfix's ``smtp-sink``. CPU is that of all processes of either side, client and sink left out.
``python -m bench.relay [--quick]``, as root.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import zegel
from bench import dkim, milters
from bench.outbox import fsyncs
from support.postfix import Postfix
from support.servers import free_port, listens, require, wait_for
from support.submission import RelayDaemon, tls_context

SIZE, SESSIONS = 10_000, 16
OURS, THEIRS = "Zegel", "Postfix + opendkim"
MODES = ("without TLS", "with TLS")
_TICKS = os.sysconf("SC_CLK_TCK")
_SENDER, _RECIPIENT = "joe@example.org", "suzie@example.net"
_SEEN = "seen.example"


class Figure(NamedTuple):
    """Messages accepted per second; messages per second until the last has been handed on; seconds of CPU for one of them until then."""

    rate: float
    through: float
    cpu: float

    def or_better(self, other: Figure) -> Figure:
        """The best of both."""
        return Figure(max(self.rate, other.rate), max(self.through, other.through), min(self.cpu, other.cpu))


class Relayed(NamedTuple):
    """The figures of both sides by mode and name, and how many fsyncs of 10 kB the disk does in a second."""

    table: dict[str, dict[str, Figure]]
    fsyncs: float


class Side(NamedTuple):
    """One that takes mail: its processes, its ports by mode, its login below TLS, and whether all has been handed on."""

    name: str
    pids: Callable[[], list[int]]
    ports: dict[str, int]
    certificate: Path
    login: tuple[str, str] | None
    empty: Callable[[], bool]


class Talk:
    """One connection that stays open: what it says for each message is ready before it begins."""

    def __init__(
        self, port: int, message: bytes, recipient: str, *, login: tuple[str, str] | None = None, context: ssl.SSLContext | None = None
    ) -> None:
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
        self._envelope = f"MAIL FROM:<{_SENDER}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
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
def relay(key: zegel.Key, next_hop: int) -> Iterator[Side]:
    """The daemon with a site of example.org, which needs no login on loopback and has one elsewhere."""
    daemon = RelayDaemon(_Hop(next_hop))  # type: ignore[arg-type]
    daemon.hold(key)
    daemon.publish(key)
    daemon.records["_dmarc.example.org"] = "v=DMARC1; p=reject"
    daemon.write_zone()
    values = {"address": _SENDER, "contact": _SENDER, "rate": 0, "visitor_rate": 0}
    daemon.add_site("bench", networks=["127.0.0.0/8"], **values)
    with daemon:
        if daemon.process is None:
            raise RuntimeError("the daemon does not run")
        pid, ports = daemon.process.pid, dict(zip(MODES, (daemon.loopback_port, daemon.starttls_port), strict=True))

        def empty() -> bool:
            taken = daemon.counted("zegel_outbox_messages_total", {})
            return taken == daemon.counted("zegel_outbox_tries_total", {"outcome": "delivered"})

        side = Side(OURS, lambda: _family(pid), ports, daemon.certificate, ("bench", daemon.secrets["bench"]), empty)
        message, _ = dkim.message(SIZE)
        load(1, 1, lambda: Talk(ports[MODES[0]], message, _RECIPIENT))
        if not daemon.counted("zegel_signatures_total", {"domain": milters.DOMAIN}):
            raise RuntimeError("the relay did not sign")
        yield side


@contextlib.contextmanager
def rival(key: zegel.Key, next_hop: int, certificate: Path) -> Iterator[Side]:
    """Postfix with OpenDKIM, which has its queue on the same disk."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zegel-bench-", dir="/tmp")))
        folder.chmod(0o755)
        milter = stack.enter_context(milters.opendkim(key, folder, "", "sign", "unix"))
        settings = {
            "default_transport": f"smtp:[127.0.0.1]:{next_hop}",
            "relay_transport": f"smtp:[127.0.0.1]:{next_hop}",
            "smtpd_client_connection_count_limit": "0",
            "milter_default_action": "tempfail",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": str(certificate),
            "smtpd_tls_key_file": str(certificate),
        }
        built = stack.enter_context(Postfix(smtpd_milters=milter.address, settings=settings))
        built.set(transport_maps=f"inline:{{{_SEEN}=smtp:[127.0.0.1]:{built.sink.port}}}")
        master = int((built.queue_folder / "pid" / "master.pid").read_text())
        message, _ = dkim.message(SIZE)
        load(1, 1, lambda: Talk(built.smtp_port, message, f"suzie@{_SEEN}"))
        if b"DKIM-Signature:" not in built.sink.wait(1)[0].data:
            raise RuntimeError("opendkim did not sign")

        def empty() -> bool:
            return not any(any((built.queue_folder / name).iterdir()) for name in ("maildrop", "incoming", "active", "deferred"))

        yield Side(THEIRS, lambda: [*_family(master), *milter.pids], dict.fromkeys(MODES, built.smtp_port), certificate, None, empty)


def run(side: Side, mode: str, count: int) -> Figure:
    """One run."""
    message, _ = dkim.message(SIZE)
    tls = mode == MODES[1]
    context, login = (tls_context(side.certificate), side.login) if tls else (None, None)
    before, start = _cpu(side.pids()), time.perf_counter()
    seconds = load(count, SESSIONS, lambda: Talk(side.ports[mode], message, _RECIPIENT, login=login, context=context))
    wait_for(side.empty, 300, "all is handed on")
    return Figure(count / seconds, count / (time.perf_counter() - start), (_cpu(side.pids()) - before) / count)


def measure(count: int, rounds: int, tell: Callable[[str], None]) -> Relayed:
    """Both sides in turn; of each the best."""
    key = zegel.Key.generate(milters.DOMAIN, milters.SELECTOR, "rsa2048")
    table: dict[str, dict[str, Figure]] = {mode: {} for mode in MODES}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, sink() as port, relay(key, port) as ours:
        disk = fsyncs(Path(folder), 1.0)
        with rival(key, port, ours.certificate) as theirs:
            for turn in range(rounds):
                for mode in MODES:
                    for side in (ours, theirs):
                        tell(f"Relay: {side.name} {mode}, round {turn + 1} of {rounds}")
                        found = run(side, mode, count)
                        table[mode][side.name] = found.or_better(table[mode].get(side.name, found))
    return Relayed(table, disk)


def lines(found: Relayed) -> list[str]:
    """The figures as a table of Markdown."""
    out = [f"| | {OURS} | {THEIRS} | ratio |", "|---|---:|---:|---:|"]
    for mode, sides in found.table.items():
        ours, theirs = sides[OURS], sides[THEIRS]
        out += [
            f"| {mode}: accepted per second | {ours.rate:.0f} | {theirs.rate:.0f} | {ours.rate / theirs.rate:.2f} |",
            f"| {mode}: per second, until all is handed on | {ours.through:.0f} | {theirs.through:.0f} "
            f"| {ours.through / theirs.through:.2f} |",
            f"| {mode}: CPU per message, in \u00b5s | {ours.cpu * 1e6:.0f} | {theirs.cpu * 1e6:.0f} | {ours.cpu / theirs.cpu:.2f} |",
        ]
    return out


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
    count, rounds = (1000, 1) if parser.parse_args().quick else (5000, 3)
    found = measure(count, rounds, tell=print)
    print("\n".join([f"{found.fsyncs:.0f} fsyncs of 10 kB in a second", *lines(found)]))


if __name__ == "__main__":
    main()
