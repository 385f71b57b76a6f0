"""Where our daemon spends its time while Postfix is under load: the functions with the most samples, by themselves and with what they call.

It needs py-spy (``pip install py-spy``), a sampling profiler that watches the running daemon from outside: the product knows nothing of it.
``python -m bench.hotspots [--work sign|verify|judge] [--size 10000] [--sessions 10] [--seconds 10]``, as root.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from bench import milters
from bench.postfix import Case, Stand, stand

_RATE = 500  # samples a second
_SHOWN = 60
_LOOP = "Runner.run (asyncio/runners.py)"
_PYTHON = re.compile(r"\((?:\S+\.py|<[\w .]+>):\d+\)$")
_IDLE = re.compile(r"^(?:epoll_p?wait|poll|select)\b")
_LINE = re.compile(r":\d+\)?$")


class Spots(NamedTuple):
    """Samples by function: of itself, with what it calls, and all of them."""

    own: Counter[str]
    whole: Counter[str]
    samples: int


def watch(built: Stand, case: Case, way: str, seconds: float) -> tuple[Spots, float]:
    """Sample the daemon under that load for so long; the samples, and its CPU seconds for each message."""
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise SystemExit("py-spy is not installed: pip install py-spy")
    milter, port = next(
        (milter, port) for milter, port in built.listeners if (milter.name, milter.work, milter.way) == (milters.OURS, case.work, way)
    )
    plain = built.measure(milter, port, case, 500)  # before anybody watches
    out = built.folder / "stacks"
    watcher = subprocess.Popen(
        [spy, "record", "--pid", str(milter.pids[0]), "--native", "--format", "raw", "--output", str(out),
         "--rate", str(_RATE), "--duration", str(int(seconds))],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + seconds + 1
    while time.monotonic() < end:
        built.measure(milter, port, case, 200)
    watcher.wait(60)
    return count(out.read_text()), plain.cpu


def count(stacks: str) -> Spots:
    """Read py-spy's raw format: a line for each stack, its frames from the outside in by ``;``, and how often it was seen.

    Native code counts for the Python function that called it, with the library named. Idle threads do not count.
    """
    own, whole, samples = Counter[str](), Counter[str](), 0
    for line in stacks.splitlines():
        stack, _, times = line.rpartition(" ")
        frames, seen = stack.split(";"), int(times)
        spoken = [_LINE.sub(")", frame) for frame in frames if _PYTHON.search(frame)]
        if _LOOP not in spoken or _IDLE.search(frames[-1]):
            continue
        spoken = spoken[spoken.index(_LOOP) :]
        samples += seen
        native = "" if _PYTHON.search(frames[-1]) else f" -> {frames[-1] if 'libc' in frames[-1] else frames[-1].partition('(')[2][:-1]}"
        own[spoken[-1] + _LINE.sub("", native)] += seen
        for frame in set(spoken):
            whole[frame] += seen
    return Spots(own, whole, samples)


def main() -> None:
    """Print both lists."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--work", choices=milters.WORKS, default="sign")
    parser.add_argument("--way", choices=["unix", "tcp"], default="unix")
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with stand() as built:
        spots, cpu = watch(built, Case(given.work, given.size, given.sessions), given.way, given.seconds)
    print(f"{given.work}, {given.size} octets, {given.sessions} sessions: {cpu * 1e6:.0f} µs of CPU a message; {spots.samples} samples")
    for title, counter in (("by itself", spots.own), ("with what it calls", spots.whole)):
        print(f"\n{title}")
        for name, seen in counter.most_common(_SHOWN):
            print(f"{seen / spots.samples:7.1%}  {name}")


if __name__ == "__main__":
    main()
