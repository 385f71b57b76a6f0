"""The memory of ``zegel serve`` and the size of its store while it judges and records, and what retention leaves of them.

The messages come over the milter protocol, each with another sender, recipient and queue id: from their author's own server, forged, and
changed on the way, so that each kind of verdict is recorded with its story. Then as many are written over sixty days of a made-up clock,
and what is past its term goes day by day: after the first month the database is as large as it will be.

``python -m bench.records [--messages 200000]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import zegel
from bench import dkim, milters, recorder
from bench.milters import Milter
from support.mta import Mta
from support.proof import results
from zegel.store import messages, retention
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.folder import DATABASE
from zegel.store.messages import Keeping, Owners
from zegel.store.retention import DAY, Term

_MARKS = (20_000, 50_000, 100_000, 150_000, 200_000)
_TURN = 1_000
_BATCH = 500
_PER_CONNECTION = 20
_DAYS, _EVERY = 60, 10
_FIRST = 1_790_000_000  # seconds since the epoch
_STRANGER = "198.51.100.9"


class Held(NamedTuple):
    """Octets after so many messages: the daemon's memory, and the files of its store."""

    memory: int
    store: int


class Figures(NamedTuple):
    """What a run has found: by messages judged, and by days of the made-up clock the octets of the store and the messages in it."""

    judged: dict[int, Held]
    kept: dict[int, tuple[int, int]]


def measure(count: int, tell: Callable[[str], None]) -> Figures:
    """Both parts, each with so many messages."""
    key = zegel.Key.generate(milters.DOMAIN, milters.SELECTOR, "rsa2048")
    with tempfile.TemporaryDirectory(prefix="zegel-records-") as name:
        folder = Path(name)
        with milters.name_server(key, folder) as server, milters.ours(key, folder, server, "judge", "tcp") as milter:
            judged = _judged(milter, key, count, tell)
        return Figures(judged, _kept(folder / "days", count, tell))


def _judged(milter: Milter, key: zegel.Key, count: int, tell: Callable[[str], None]) -> dict[int, Held]:
    if milter.log is None:
        raise RuntimeError("the daemon has no folder")
    data = milter.log.parent / "data"
    plain, _ = dkim.message(2_000)
    signed = zegel.sign(plain, key) + plain
    found: dict[int, Held] = {}
    for start in range(0, count, _TURN):
        done = min(start + _TURN, count)
        for first in range(start, done, _PER_CONNECTION):
            _connection(milter, range(first, min(first + _PER_CONNECTION, done)), signed, plain)
        held = Held(milter.rss(), _octets(data))
        tell(f"{done} messages judged, {held.memory / 1e6:.1f} MB of memory, {held.store / 1e6:.1f} MB of store")
        if done in _MARKS or done == count:
            found[done] = held
    time.sleep(2)  # the last second's are written too
    with Store.read_only(data) as store, store.reading() as tx:
        rows = tx.connection.exec_driver_sql("SELECT count(*), (SELECT count(*) FROM stories) FROM messages").one()
    if tuple(rows) != (count, count):
        raise RuntimeError(f"{rows[0]} of {count} messages are recorded, {rows[1]} of them with their story")
    return found


def _connection(milter: Milter, numbers: range, signed: bytes, plain: bytes) -> None:
    """One SMTP client with its messages, all of one kind."""
    _, host, port = milter.address.split(":")
    kinds = ((milters.CLIENT, signed, "dmarc=pass"), (_STRANGER, plain, "dmarc=fail"), (_STRANGER, signed + b"more\r\n", "dmarc=fail"))
    client, text, wanted = kinds[numbers.start // _PER_CONNECTION % len(kinds)]
    with Mta((host, int(port))) as mta:
        mta.open(address=client, helo=milters.HELO)
        for number in numbers:
            sender, recipient = f"joe{number}@example.org", f"suzie{number % 9_000}@example.net"
            arrived = mta.send(text, sender, (recipient,), macros={"i": f"4R{number:08X}"})
            if wanted not in results(arrived.message):
                raise RuntimeError(f"message {number} has not {wanted}: {results(arrived.message)}")
        mta.quit()


def _kept(folder: Path, count: int, tell: Callable[[str], None]) -> dict[int, tuple[int, int]]:
    """Write them evenly over the days, with the retention that the daemon has as it comes."""
    found: dict[int, tuple[int, int]] = {}
    daily = count // _DAYS
    with Store.open(folder, now=_FIRST) as store:
        if store.vault is None:
            raise RuntimeError("the store has no master key")
        keeping = Keeping(Addresses(store.vault, hashed=False))
        for day in range(1, _DAYS + 1):
            now = _FIRST + day * DAY
            for start in range(0, daily, _BATCH):
                batch = [recorder.record(number)._replace(time=now) for number in range(start, min(start + _BATCH, daily))]
                with store.writing() as tx:
                    messages.add(tx, batch, keeping, Owners(tx), {})
            while _expired(store, now):
                pass
            if day % _EVERY == 0:
                with store.reading() as tx:
                    left = tx.connection.exec_driver_sql("SELECT count(*) FROM messages").scalar_one()
                found[day] = (_octets(folder), left)
                tell(f"day {day}: {found[day][0] / 1e6:.1f} MB of store, {left} messages")
    return found


def _expired(store: Store, now: int) -> bool:
    with store.writing() as tx:
        return bool(retention.expire(tx, Term(), now=now))


def _octets(folder: Path) -> int:
    """The database with its log."""
    return sum(file.stat().st_size for file in folder.glob(f"{DATABASE}*"))


def lines(found: Figures) -> list[str]:
    """The figures as two tables of Markdown."""
    out = ["| messages judged and recorded | memory of the daemon | its store |", "|---:|---:|---:|"]
    out += [f"| {done:,} | {held.memory / 1e6:.1f} MB | {held.store / 1e6:.1f} MB |" for done, held in found.judged.items()]
    out += ["", "| day | messages kept | the store |", "|---:|---:|---:|"]
    return out + [f"| {day} | {left:,} | {octets / 1e6:.1f} MB |" for day, (octets, left) in found.kept.items()]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=200_000)
    start = time.monotonic()
    found = measure(parser.parse_args().messages, tell=lambda line: print(f"\r\033[K{line}", end="", flush=True))
    print(f"\r\033[K{time.monotonic() - start:.0f} s")
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
