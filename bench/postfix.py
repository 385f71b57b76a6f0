"""A real Postfix that takes mail with our milter, with opendkim and with none: messages per second, and CPU of the milter per message.

One Postfix has a listener for each of them, which differ in ``smtpd_milters`` only. ``smtp-source`` sends, one connection for each message;
what is accepted goes to Postfix's discard(8). Queue and log lie in memory where the machine has /dev/shm, since otherwise the disk is what
is measured. The runs of one case follow each other in turn, over several rounds, and the best of each counts: the machine may be busy.

``python -m bench.postfix [--quick]``, as root, as Postfix's master wants it.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import zegel
from bench import dkim, milters
from bench.milters import Milter, Way, Work
from support.postfix import Postfix
from support.servers import free_port, require, wait_for

SIZES = (2_000, 10_000, 100_000)
SESSIONS = (1, 10, 50)
_SEEN = "seen.example"  # mail for it arrives at the sink, where it is looked at


class Case(NamedTuple):
    """What is measured: signing or verifying, octets of body, SMTP sessions at a time."""

    work: Work
    size: int
    sessions: int


class Figure(NamedTuple):
    """Of one case with one milter, the best of all rounds: messages per second, and seconds of CPU of the milter for one message."""

    rate: float
    cpu: float


Table = dict[Case, dict[str, Figure]]


class Mail(NamedTuple):
    """What one run has measured: the figures, and the octets of memory that each milter held in the end, the larger of its two works."""

    table: Table
    memory: dict[str, int]


CASES = [Case(work, size, sessions) for work in milters.WORKS for size in SIZES for sessions in SESSIONS]
QUICK = [case for case in CASES if (case.size, case.sessions) in {(2_000, 1), (10_000, 10), (100_000, 10)}]


@dataclass
class Stand:
    """The Postfix under load, the milters and the messages."""

    postfix: Postfix
    listeners: list[tuple[Milter, int]]
    folder: Path
    key: zegel.Key
    _files: dict[tuple[Work, int], Path] = field(default_factory=dict)

    def message(self, work: Work, size: int) -> Path:
        """A file with LF, as smtp-source reads it: the bench's message, and what is to be verified has a signature."""
        if (work, size) not in self._files:
            plain, _ = dkim.message(size)
            whole = zegel.sign(plain, self.key) + plain if work == "verify" else plain
            file = self._files[work, size] = self.folder / f"{work}-{size}.eml"
            file.write_bytes(whole.replace(b"\r\n", b"\n"))
        return self._files[work, size]

    def send(self, port: int, case: Case, count: int) -> float:
        """Send so many messages; the seconds until the last of them is accepted. The queue is empty again afterwards."""
        words = ["-s", str(case.sessions), "-m", str(count), "-f", "joe@example.org", "-t", "suzie@example.net", "-M", "client.example.org"]
        words += ["-F", str(self.message(case.work, case.size)), f"inet:127.0.0.1:{port}"]
        start = time.perf_counter()
        subprocess.run([require("smtp-source"), *words], check=True, timeout=600)
        seconds = time.perf_counter() - start
        wait_for(self._is_empty, 60, "the queue empties")
        return seconds

    def _is_empty(self) -> bool:
        return not any(any((self.postfix.queue_folder / name).iterdir()) for name in ("maildrop", "incoming", "active"))

    def measure(self, milter: Milter, port: int, case: Case, count: int) -> Figure:
        """One run."""
        before = milter.cpu()
        seconds = self.send(port, case, count)
        return Figure(count / seconds, (milter.cpu() - before) / count)

    def prove(self) -> None:
        """Each milter must do its work before it is measured: a signature by the key, or a result that says pass."""
        for milter, port in self.listeners:
            before = len(self.postfix.sink.messages)
            message = self.message(milter.work, 2_000)
            words = ["-m", "1", "-f", "joe@example.org", "-t", f"suzie@{_SEEN}", "-F", str(message), f"inet:127.0.0.1:{port}"]
            subprocess.run([require("smtp-source"), *words], check=True, timeout=60)
            header = self.postfix.sink.wait(before + 1)[-1].data.partition(b"\r\n\r\n")[0]
            wanted = b"DKIM-Signature:" if milter.work == "sign" else b"dkim=pass"
            if milter.pid and wanted not in header:
                raise RuntimeError(f"{milter.title} did not {milter.work}:\n{header.decode()}")


@contextlib.contextmanager
def stand() -> Iterator[Stand]:
    """All that runs, for as long as the block; nothing is left of it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or whoever ends the bench leaves its servers running
    memory = Path("/dev/shm")
    parent = str(memory) if memory.is_dir() else "/tmp"
    key = zegel.Key.generate(milters.DOMAIN, milters.SELECTOR, "rsa2048")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zegel-bench-", dir=parent)))
        folder.chmod(0o755)
        running = [*stack.enter_context(milters.running(key, folder)), Milter(milters.NONE, "sign", ""), Milter(milters.NONE, "verify", "")]
        listeners = [(milter, free_port()) for milter in running]
        services = [f"127.0.0.1:{port} inet n - n - - smtpd\n  -o {{ smtpd_milters = {milter.address} }}" for milter, port in listeners]
        settings = {
            "default_transport": "discard:",
            "relay_transport": "discard:",
            "smtpd_client_connection_count_limit": "0",
            "milter_default_action": "tempfail",
        }
        postfix = Postfix(settings=settings, services=services, parent=parent)
        stack.enter_context(postfix)
        postfix.set(transport_maps=f"inline:{{{_SEEN}=smtp:[127.0.0.1]:{postfix.sink.port}}}")
        built = Stand(postfix, listeners, folder, key)
        built.prove()
        yield built


def measure(cases: Sequence[Case], *, rounds: int, seconds: float, tell: Callable[[str], None]) -> Mail:
    """The figures of all cases; each run takes about ``seconds``. ``tell`` gets a line of progress."""
    table: Table = {}
    with stand() as built:
        for number, case in enumerate(cases, 1):
            sides = [(milter, port) for milter, port in built.listeners if milter.work == case.work]
            rate = {port: built.measure(milter, port, case, 20 * case.sessions).rate for milter, port in sides}  # warms all caches too
            best: dict[str, Figure] = {}
            for turn in range(rounds):
                tell(f"Postfix: case {number} of {len(cases)} ({_shown(case)}), round {turn + 1} of {rounds}")
                for milter, port in sides[turn % len(sides) :] + sides[: turn % len(sides)]:
                    count = min(max(int(rate[port] * seconds), 50), 20_000)
                    found = built.measure(milter, port, case, count)
                    last = best.get(milter.title, found)
                    best[milter.title] = Figure(max(found.rate, last.rate), min(found.cpu, last.cpu))
            table[case] = best
        held: dict[str, int] = {}
        for milter, _ in built.listeners:
            if milter.pid:
                held[milter.title] = max(milter.rss(), held.get(milter.title, 0))
    return Mail(table, held)


def _shown(case: Case) -> str:
    return f"{case.work}, {case.size // 1000} kB, {case.sessions} session{'s' * (case.sessions > 1)}"


def lines(table: Table, work: Work) -> list[str]:
    """Signing or verifying as two tables of Markdown, a line for each case: what is accepted, and what it costs."""
    out: list[str] = []
    rows = [(f"{case.size // 1000} kB, {case.sessions}", best) for case, best in table.items() if case.work == work]
    head = ["body, sessions", milters.NONE, *(title for way in milters.WAYS for title in (*_pair(way), "ratio"))]
    out += ["Messages per second (more is better):", "", *_table(head, [_rates(name, best) for name, best in rows]), ""]
    head.remove(milters.NONE)
    return [*out, "CPU of the milter per message, in µs (less is better):", "", *_table(head, [_costs(name, best) for name, best in rows])]


def _pair(way: Way) -> tuple[str, str]:
    return f"{milters.OURS} ({way})", f"{milters.THEIRS} ({way})"


def _rates(name: str, best: dict[str, Figure]) -> list[str]:
    out = [name, f"{best[milters.NONE].rate:.0f}"]
    for ours, theirs in ((best[mine].rate, best[other].rate) for mine, other in map(_pair, milters.WAYS)):
        out += [f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"]
    return out


def _costs(name: str, best: dict[str, Figure]) -> list[str]:
    out = [name]
    for ours, theirs in ((best[mine].cpu, best[other].cpu) for mine, other in map(_pair, milters.WAYS)):
        out += [f"{ours * 1e6:.0f}", f"{theirs * 1e6:.0f}", f"{ours / theirs:.2f}"]
    return out


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="three sizes and sessions of each, two short rounds")
    quick = parser.parse_args().quick
    found = measure(QUICK if quick else CASES, rounds=2 if quick else 5, seconds=0.7 if quick else 1.0, tell=print)
    for work in milters.WORKS:
        print("\n".join(["", f"{work}:", "", *lines(found.table, work)]))


if __name__ == "__main__":
    main()
