"""A real Postfix that takes mail with our milter, with others and with none: messages per second, and CPU of the milter per message.

One Postfix has a listener for each of them, which differ in ``smtpd_milters`` only. ``smtp-source`` sends what is signed or verified,
:mod:`bench.sender` what is judged, since that depends on where it comes from; both have one connection for each message;
what is accepted goes to Postfix's discard(8). Queue and log lie in memory where the machine has /dev/shm, since otherwise the disk is what
is measured. The runs of one case follow each other in turn, over several rounds, and the best of each counts: the machine may be busy.

``python -m bench.postfix [--quick]``, as root, as Postfix's master wants it.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import zegel
from bench import dkim, judges, milters, sender
from bench.milters import Milter, Work
from support.postfix import Postfix
from support.servers import free_port, require, wait_for

SIZES = (2_000, 10_000, 100_000)
SESSIONS = (1, 10, 50)
_SEEN = "seen.example"  # mail for it arrives at the sink, where it is looked at
# What the header must have then. Of SPF that is the sender's result, not the one of HELO.
_PROOFS: dict[Work, tuple[bytes, ...]] = {
    "sign": (b"DKIM-Signature:",),
    "verify": (b"dkim=pass",),
    "judge": (rb"dkim=pass", rb"spf=pass[^;]*smtp\.mailfrom=", rb"dmarc=pass"),
}


class Case(NamedTuple):
    """What is measured: signing, verifying or judging, octets of body, SMTP sessions at a time."""

    work: Work
    size: int
    sessions: int


class Figure(NamedTuple):
    """Of one case with one milter, the best of all rounds: messages per second, and seconds of CPU of the milter for one message."""

    rate: float
    cpu: float


Table = dict[Case, dict[str, Figure]]


class Mail(NamedTuple):
    """What one run has measured: the figures, and the octets of memory that each milter held in the end, the larger of its works."""

    table: Table
    memory: dict[str, int]


CASES = [
    *(Case(work, size, sessions) for work in milters.WORKS if work != "judge" for size in SIZES for sessions in SESSIONS),
    *(Case("judge", size, sessions) for size in SIZES[:2] for sessions in SESSIONS[:2]),
]
QUICK = [case for case in CASES if (case.size, case.sessions) in {(2_000, 1), (10_000, 10), (100_000, 10)}]
SHORT = [case for case in CASES if case in QUICK or (case.size, case.sessions) == (10_000, 50)]


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
            whole = plain if work == "sign" else zegel.sign(plain, self.key) + plain
            file = self._files[work, size] = self.folder / f"{work}-{size}.eml"
            file.write_bytes(whole.replace(b"\r\n", b"\n"))
        return self._files[work, size]

    def send(self, port: int, case: Case, count: int) -> float:
        """Send so many messages; the seconds until the last of them is accepted. The queue is empty again afterwards."""
        seconds = self._submit(port, case, count, "suzie@example.net")
        wait_for(self._is_empty, 60, "the queue empties")
        return seconds

    def _submit(self, port: int, case: Case, count: int, recipient: str) -> float:
        file = self.message(case.work, case.size)
        if case.work == "judge":
            return sender.send(
                port, file.read_bytes().replace(b"\n", b"\r\n"), client=milters.CLIENT, helo=milters.HELO, sender="joe@example.org",
                recipient=recipient, count=count, sessions=case.sessions,
            )  # fmt: skip
        words = ["-s", str(case.sessions), "-m", str(count), "-f", "joe@example.org", "-t", recipient, "-M", "client.example.org"]
        words += ["-F", str(file), f"inet:127.0.0.1:{port}"]
        start = time.perf_counter()
        subprocess.run([require("smtp-source"), *words], check=True, timeout=600)
        return time.perf_counter() - start

    def _is_empty(self) -> bool:
        return not any(any((self.postfix.queue_folder / name).iterdir()) for name in ("maildrop", "incoming", "active"))

    def measure(self, milter: Milter, port: int, case: Case, count: int) -> Figure:
        """One run."""
        before = milter.cpu()
        seconds = self.send(port, case, count)
        return Figure(count / seconds, (milter.cpu() - before) / count)

    def prove(self) -> None:
        """Each milter must do its work before it is measured: a signature by the key, or results that say pass."""
        for milter, port in self.listeners:
            before = len(self.postfix.sink.messages)
            self._submit(port, Case(milter.work, 2_000, 1), 1, f"suzie@{_SEEN}")
            header = self.postfix.sink.wait(before + 1)[-1].data.partition(b"\r\n\r\n")[0]
            missing = [wanted for wanted in _PROOFS[milter.work] if not re.search(wanted, header)]
            if milter.pids and missing:
                raise RuntimeError(f"{milter.title} did not {milter.work}, without {missing}:\n{header.decode()}")


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
        plain = judges.plain_address()
        server = stack.enter_context(milters.name_server(key, folder, also=(plain,)))
        running = [
            *stack.enter_context(milters.running(key, folder, server)),
            *stack.enter_context(judges.running(key, folder, server, plain)),
            *(Milter(milters.NONE, work, "") for work in milters.WORKS),
        ]
        listeners = [(milter, free_port()) for milter in running]
        settings = {
            "default_transport": "discard:",
            "relay_transport": "discard:",
            "smtpd_client_connection_count_limit": "0",
            "milter_default_action": "tempfail",
        }
        services = [_service(milter, port) for milter, port in listeners]
        postfix = Postfix(settings=settings, services=services, parent=parent)
        stack.enter_context(postfix)
        postfix.set(transport_maps=f"inline:{{{_SEEN}=smtp:[127.0.0.1]:{postfix.sink.port}}}")
        built = Stand(postfix, listeners, folder, key)
        built.prove()
        yield built


def _service(milter: Milter, port: int) -> str:
    """The line of master.cf for one of them. Who is to be judged says where it comes from."""
    proxy = "\n  -o { smtpd_upstream_proxy_protocol = haproxy }" if milter.work == "judge" else ""
    return f"127.0.0.1:{port} inet n - n - - smtpd\n  -o {{ smtpd_milters = {milter.address} }}{proxy}"


def measure(cases: Sequence[Case], *, rounds: int, seconds: float, tell: Callable[[str], None]) -> Mail:
    """The figures of all cases; each run takes about ``seconds``. ``tell`` gets a line of progress."""
    table: Table = {}
    with stand() as built:
        for number, case in enumerate(cases, 1):
            sides = [(milter, port) for milter, port in built.listeners if milter.work == case.work]
            rate = {port: built.measure(milter, port, case, 20 + 4 * case.sessions).rate for milter, port in sides}  # warms all caches too
            best: dict[str, Figure] = {}
            for turn in range(rounds):
                tell(f"Postfix: case {number} of {len(cases)} ({_shown(case)}), round {turn + 1} of {rounds}")
                for milter, port in sides[turn % len(sides) :] + sides[: turn % len(sides)]:
                    count = min(max(int(rate[port] * seconds), 50), 20_000)
                    found = built.measure(milter, port, case, count)
                    last = best.get(milter.title, found)
                    best[milter.title] = Figure(max(found.rate, last.rate), min(found.cpu, last.cpu))
            table[case] = best
        octets: dict[str, int] = {}
        for milter, _ in built.listeners:
            if milter.pids:
                octets[milter.title] = max(milter.rss(), octets.get(milter.title, 0))
    return Mail(table, octets)


def _shown(case: Case) -> str:
    return f"{case.work}, {case.size // 1000} kB, {case.sessions} session{'s' * (case.sessions > 1)}"


def lines(table: Table, work: Work) -> list[str]:
    """One work as two tables of Markdown, a line for each case: what is accepted, and what it costs."""
    rows = [(f"{case.size // 1000} kB, {case.sessions}", best) for case, best in table.items() if case.work == work]
    beside = [title for pair in milters.rivals(work) for title in (pair.ours, *(cell for one in pair.theirs for cell in (one, "ratio")))]
    rates = [[name, f"{best[milters.NONE].rate:.0f}", *_cells(best, work, lambda figure: figure.rate)] for name, best in rows]
    costs = [[name, *_cells(best, work, lambda figure: figure.cpu * 1e6)] for name, best in rows]
    return [
        "Messages per second (more is better):", "", *_table(["body, sessions", milters.NONE, *beside], rates), "",
        "CPU of the milter per message, in µs (less is better):", "", *_table(["body, sessions", *beside], costs),
    ]  # fmt: skip


def _cells(best: dict[str, Figure], work: Work, value: Callable[[Figure], float]) -> list[str]:
    """Ours, then each of theirs and what ours is of it."""
    out = []
    for pair in milters.rivals(work):
        ours = value(best[pair.ours])
        out.append(f"{ours:.0f}")
        for theirs in (value(best[title]) for title in pair.theirs):
            out += [f"{theirs:.0f}", f"{ours / theirs:.2f}"]
    return out


def held(mail: Mail, work: Work) -> list[str]:
    """The memory that they held in the end, as a table of Markdown."""
    titles = [title for pair in milters.rivals(work) for title in (pair.ours, *pair.theirs)]
    return _table(["", "memory held"], [[title, f"{mail.memory[title] / 1e6:.0f} MB"] for title in titles])


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="three sizes and sessions of each, two short rounds")
    parser.add_argument("--work", choices=milters.WORKS, action="append", help="only that one")
    given = parser.parse_args()
    works: tuple[Work, ...] = tuple(given.work or milters.WORKS)
    cases = [case for case in (QUICK if given.quick else CASES) if case.work in works]
    found = measure(cases, rounds=2 if given.quick else 5, seconds=0.7 if given.quick else 1.0, tell=print)
    for work in works:
        print("\n".join(["", f"{work}:", "", *lines(found.table, work)]))


if __name__ == "__main__":
    main()
