"""The memory of ``zegel serve`` while a message of 100 MB goes through it, and after each ten thousand of small ones.

The small ones are of four kinds in turn: one to sign, one whose signature passes, one whose key no name server knows (a new name each time,
so that the cache of answers fills to its bound), and one that the client gives up. A connection carries fifty, then a new one comes.

``python -m bench.memory [--messages 200000]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import zegel
from bench import dkim, milters
from bench.milters import Milter
from support.mta import CHUNK, Mta
from support.proof import results

_PER_CONNECTION = 50
_MARKS = (10_000, 25_000, 50_000, 100_000, 150_000, 200_000)
_OURS = {"{auth_type}": "PLAIN", "{auth_authen}": "joe"}


class Memory(NamedTuple):
    """Octets that the daemon holds: the most on top while 100 MB stream, and all that it holds after so many messages."""

    large_signed: int
    large_verified: int
    marks: dict[int, int]


def measure(messages: int, tell: Callable[[str], None]) -> Memory:
    """Run the daemon through all of it."""
    key = zegel.Key.generate(milters.DOMAIN, milters.SELECTOR, "rsa2048")
    with tempfile.TemporaryDirectory(prefix="zegel-memory-") as name:
        folder = Path(name)
        with milters.name_server(key, folder) as server, milters.ours(key, folder, server, "verify", "tcp") as milter:
            _small(milter, key, range(200))
            signed, verified = _large(milter, tell)
            marks: dict[int, int] = {}
            for start in range(0, messages, 1_000):
                tell(f"Memory: {start} of {messages} messages, {milter.rss() / 1e6:.1f} MB")
                _small(milter, key, range(start, start + 1_000))
                if start + 1_000 in _MARKS or start + 1_000 >= messages:
                    marks[start + 1_000] = milter.rss()
    return Memory(signed, verified, marks)


def _address(milter: Milter) -> tuple[str, int]:
    _, host, port = milter.address.split(":")
    return host, int(port)


def _small(milter: Milter, key: zegel.Key, numbers: range) -> None:
    """That many small messages."""
    plain, _ = dkim.message(1_000)
    field = zegel.sign(plain, key)
    unknown = field.replace(b"s=" + milters.SELECTOR.encode(), b"s=no%d", 1)
    if unknown == field:
        raise RuntimeError("there is no selector to change")
    for start in range(numbers.start, numbers.stop, _PER_CONNECTION):
        with Mta(_address(milter)) as mta:
            mta.open()
            for number in range(start, min(start + _PER_CONNECTION, numbers.stop)):
                _one(mta, number, plain, field, unknown)
            mta.quit()


def _one(mta: Mta, number: int, plain: bytes, field: bytes, unknown: bytes) -> None:
    sender = f"joe{number}@example.org"
    match number % 4:
        case 0:
            arrived = mta.send(plain, sender, macros={"i": f"S{number}", **_OURS})
            good = arrived.message.startswith(b"DKIM-Signature:")
        case 1:
            good = "dkim=pass" in results(mta.send(field + plain, sender, macros={"i": f"P{number}"}).message)
        case 2:
            text = unknown.replace(b"no%d", b"no%d" % number)
            good = "dkim=permerror" in results(mta.send(text + plain, sender, macros={"i": f"U{number}"}).message)
        case _:
            mta.envelope(sender, macros={"i": f"A{number}"})
            mta.abort()
            good = True
    if not good:
        raise RuntimeError(f"message {number} came out wrong")


def _large(milter: Milter, tell: Callable[[str], None]) -> tuple[int, int]:
    """100 MB signed, then verified; the memory on top, at most."""
    tell("Memory: a message of 100 MB")
    lines = (dkim.LINE * 1000)[:CHUNK]
    most = 0

    def body() -> Iterator[bytes]:
        nonlocal most
        for number in range(100_000_000 // CHUNK):
            if number % 50 == 0:
                most = max(most, milter.rss())
            yield lines
        most = max(most, milter.rss())

    found: list[int] = []
    header = dkim.HEADER + b"\r\n"
    for macros in (_OURS, {}):
        before, most = milter.rss(), 0
        with Mta(_address(milter), timeout=120) as mta:
            mta.open()
            header = mta.stream(header, body(), "joe@example.org", macros).message
        found.append(most - before)
    if "dkim=pass" not in results(header):
        raise RuntimeError("the large message does not verify")
    return found[0], found[1]


def lines(found: Memory) -> list[str]:
    """The figures as a table of Markdown."""
    out = ["| | |", "|---|---:|"]
    out.append(f"| most memory on top while 100 MB are signed | {found.large_signed / 1e6:.1f} MB |")
    out.append(f"| most memory on top while 100 MB are verified | {found.large_verified / 1e6:.1f} MB |")
    out += [f"| memory held after {count:,} messages | {octets / 1e6:.1f} MB |" for count, octets in found.marks.items()]
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=200_000)
    start = time.monotonic()
    found = measure(parser.parse_args().messages, tell=lambda line: print(f"\r\033[K{line}", end="", flush=True))
    print(f"\r\033[K{time.monotonic() - start:.0f} s")
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
