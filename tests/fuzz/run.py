"""Runs the fuzzers side by side and prints what came of it: ``make fuzz``, or ``PYTHONPATH=tests python -m fuzz.run --help``.

Everything lies under ``.fuzz/NAME/``: ``corpus`` (kept from run to run), ``findings`` (the inputs that broke something), ``log``. The exit
status is 1 when there is a finding.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz import stock

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".fuzz"
_LONGEST = 8192  # octets of an input
_SLOWEST = 20  # seconds for one input: a thousand times the usual, so only what never ends is a finding
_MEMORY = 1024  # MB
_GRACE = 60  # seconds to end after its time is over
_PROGRESS = re.compile(rb"#(\d+)\s.*?corp: (\d+)/\S+ .*?exec/s: (\d+) rss: (\d+)Mb")
_RUNS = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(rb"stat::peak_rss_mb:\s*(\d+)")


@dataclass(slots=True)
class Run:
    """One harness at work, or done."""

    name: str
    process: subprocess.Popen[bytes]
    began: float
    ended: float = 0.0
    executions: int = 0
    corpus: int = 0
    peak: int = 0

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def findings(self) -> list[Path]:
        return sorted((self.folder / "findings").iterdir())

    def look(self) -> None:
        """Read the figures out of its log."""
        with (self.folder / "log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 65_536))
            text = log.read()
        if lines := _PROGRESS.findall(text):
            runs, corpus, _, peak = map(int, lines[-1])
            self.executions, self.corpus, self.peak = max(runs, self.executions), corpus, max(peak, self.peak)
        for pattern, name in ((_RUNS, "executions"), (_PEAK, "peak")):
            if found := pattern.findall(text):
                setattr(self, name, max(int(found[-1]), getattr(self, name)))


def start(name: str, seconds: int) -> Run:
    """Lay out the folders of a harness and start it."""
    folder = FOLDER / name
    for part in ("corpus", "findings", "starts"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for old in (folder / "findings").iterdir():  # tried again first: what is mended is no finding any more
        old.rename(folder / "corpus" / old.name)
    harness = stock.load(name)
    for data in (*harness.starts(), *(path.read_bytes() for path in stock.cases(name))):
        (folder / "starts" / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = "".join('"' + "".join(f"\\x{octet:02x}" for octet in word) + '"\n' for word in harness.WORDS if len(word) <= 64)
    (folder / "words").write_text(words)
    command = [sys.executable, "-m", "fuzz.one", name, str(folder / "corpus"), str(folder / "starts")]
    command += [f"-max_total_time={seconds}", f"-timeout={_SLOWEST}", f"-rss_limit_mb={_MEMORY}", f"-max_len={_LONGEST}"]
    command += [f"-artifact_prefix={folder / 'findings'}/", "-print_final_stats=1", *([f"-dict={folder / 'words'}"] if words else [])]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return Run(name, process, time.monotonic())


def run(names: list[str], seconds: int, jobs: int) -> list[Run]:
    """Run all of them, ``jobs`` at a time, and tell how far they are."""
    waiting = list(names)
    active: list[Run] = []
    done: list[Run] = []
    told = time.monotonic()
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                active.append(start(waiting.pop(0), seconds))
            time.sleep(0.5)
            for one in list(active):
                late = time.monotonic() - one.began > seconds + _GRACE
                if late:
                    one.process.kill()
                if late or one.process.poll() is not None:
                    one.process.wait()
                    one.ended = time.monotonic()
                    active.remove(one)
                    done.append(one)
            if time.monotonic() - told >= min(60, max(10, seconds / 6)):
                told = time.monotonic()
                progress(active, done, len(names))
    finally:
        for one in active:
            one.process.terminate()
            one.process.wait()
    return done


def progress(active: list[Run], done: list[Run], total: int) -> None:
    parts = []
    for one in active:
        one.look()
        parts.append(f"{one.name} {time.monotonic() - one.began:.0f} s {one.executions:,}")
    findings = sum(len(one.findings) for one in [*active, *done])
    print(f"{len(done)} of {total} done, findings: {findings}; now {', '.join(parts)}", flush=True)


def failed(one: Run) -> bool:
    return one.process.returncode != 0 or bool(one.findings)


def table(done: list[Run]) -> str:
    """What came of it, a line for each harness, and where the reproducers lie."""
    lines = [f"{'harness':<10} {'executions':>12} {'a second':>9} {'corpus':>7} {'peak MB':>8} {'findings':>9}"]
    for one in sorted(done, key=lambda one: one.name):
        one.look()
        rate = one.executions / max(1.0, one.ended - one.began)
        lines.append(f"{one.name:<10} {one.executions:>12,} {rate:>9,.0f} {one.corpus:>7,} {one.peak:>8,} {len(one.findings):>9}")
    for one in filter(failed, done):
        lines.append(f"\n{one.name} ended with status {one.process.returncode}; see {(one.folder / 'log').relative_to(ROOT)}")
        lines += [
            f"  PYTHONPATH=tests {Path(sys.executable).name} -m fuzz.one {one.name} {path.relative_to(ROOT)}" for path in one.findings
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz.run", description="Run the fuzzers side by side.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ({', '.join(stock.NAMES)}); all when none is named")
    parser.add_argument("--seconds", type=int, default=3600, help="for each (3600)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (the number of cores)")
    options = parser.parse_args()
    names = options.names or list(stock.NAMES)
    if unknown := set(names) - set(stock.NAMES):
        parser.error(f"no such harness: {', '.join(sorted(unknown))}")
    rounds = -(-len(names) // options.jobs)
    print(
        f"{len(names)} fuzzers, {options.jobs} at a time, {options.seconds} s each: about {rounds * options.seconds / 60:.0f} minutes",
        flush=True,
    )
    done = run(names, options.seconds, options.jobs)
    summary = table(done)
    (FOLDER / "summary.txt").write_text(summary)
    print(summary, end="")
    return int(any(map(failed, done)))


if __name__ == "__main__":
    sys.exit(main())
