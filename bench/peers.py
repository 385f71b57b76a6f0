"""Signing and verifying beside the other DKIM libraries, on one core and in one run: microseconds a message, and ratios to ours.

The peers are timed by ``run`` in a folder of their own (``ZEGEL_PEERS``, by default ``../shared/peers``); it keeps one thread busy with one
message, answers DNS in the process, and takes the best of several rounds. Ours does the same, before and after each turn of the peers, in
a process of its own on the same core. A peer that is not there is named. mailauth comes from npm: ``npm install mailauth`` in any folder,
and ``MAILAUTH=FOLDER/node_modules/mailauth``.

All verify the same message, signed with the fields that Zegel signs by default. The peers sign eight fields (mailauth: its own longer
list); Zegel signs those eight, and in a row of its own its default, which covers more and protects against added fields.

``python -m bench.peers [--quick]``
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import zegel
from bench import dkim

SIZES = (1_000, 10_000, 100_000)
NAMES = ("libopendkim", "go-msgauth", "mailauth", "Mail::DKIM", "dkimpy")
OURS, OURS_DEFAULT = "Zegel", "Zegel, default fields"
FIELDS = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
_BATCH = 200  # the peers count 5 to 300 at a time; a smaller batch would dodge more of what else the machine does
_ROOT = Path(__file__).resolve().parent.parent


class Timing(NamedTuple):
    """Seconds for one message."""

    verify: float
    sign: float

    def best(self, other: Timing | None) -> Timing:
        """The lower of each."""
        return self if other is None else Timing(min(self.verify, other.verify), min(self.sign, other.sign))


class Comparison(NamedTuple):
    """By size of the body and name; who was missing, and what each peer is."""

    timings: dict[int, dict[str, Timing]]
    missing: tuple[str, ...]


def write_folder(folder: Path) -> None:
    """What ``run`` wants to find: each message, the same signed, the private key in PKCS#1 and the public key in base64."""
    key = zegel.Key.generate("example.com", "s1", "rsa2048")
    pem = key.private_key if isinstance(key.private_key, bytes) else key.private_key.encode()
    private = serialization.load_pem_private_key(pem, None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("no RSA key")
    text = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    public = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "rsa.pem").write_bytes(text)
    (folder / "pub.txt").write_bytes(base64.b64encode(public))
    for size in SIZES:
        plain, _ = dkim.message(size)
        (folder / f"{size}.eml").write_bytes(plain)
        (folder / f"{size}.signed.eml").write_bytes(zegel.sign(plain, key) + plain)


def time_ours(folder: Path, seconds: float) -> dict[int, dict[str, Timing]]:
    """Zegel on the messages of that folder, in this process: the best mean of short batches, as the peers count."""
    key = zegel.Key("example.com", "s1", (folder / "rsa.pem").read_bytes())
    zone = zegel.Zone.from_dict({(key.name, "TXT"): [f"v=DKIM1; k=rsa; p={(folder / 'pub.txt').read_text()}"]})
    found: dict[int, dict[str, Timing]] = {}
    for size in SIZES:
        plain, signed = ((folder / f"{size}{end}").read_bytes() for end in (".eml", ".signed.eml"))
        (result,) = zegel.verify(signed, resolver=zone)
        if result.status != "pass":
            raise RuntimeError(f"the bench's own message does not verify: {result.explanation}")
        verify = _batch(lambda signed=signed: zegel.verify(signed, resolver=zone), seconds)  # type: ignore[misc]
        eight = _batch(lambda plain=plain: zegel.sign(plain, key, headers=FIELDS), seconds)  # type: ignore[misc]
        default = _batch(lambda plain=plain: zegel.sign(plain, key), seconds)  # type: ignore[misc]
        found[size] = {OURS: Timing(verify, eight), OURS_DEFAULT: Timing(verify, default)}
    return found


def _batch(call: Callable[[], object], seconds: float) -> float:
    times, end = float("inf"), time.perf_counter() + seconds
    gc.collect()
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(_BATCH):
            call()
        times = min(times, (time.perf_counter() - start) / _BATCH)
    return times


def runner() -> Path:
    """The program that times the peers. Raises :class:`SystemExit` when it is not there."""
    program = Path(os.environ.get("ZEGEL_PEERS", _ROOT.parent / "shared" / "peers")) / "run"
    if not program.is_file():
        raise SystemExit(f"there is no {program}; ZEGEL_PEERS names its folder")
    return program


def compare(*, rounds: int, seconds: float, tell: Callable[[str], None]) -> Comparison:
    """Time all of them, in turn, ``rounds`` times; ours is measured ``seconds`` at a stretch."""
    program, pin = runner(), _one_core()
    environment = {"PYTHON": sys.executable, "PYTHONPATH": str(_ROOT), **os.environ}
    timings: dict[int, dict[str, Timing]] = {size: {} for size in SIZES}
    with tempfile.TemporaryDirectory(prefix="zegel-peers-") as name:
        folder = Path(name)
        write_folder(folder)

        def run(*words: str) -> str:
            done = subprocess.run([*pin, *words], cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=900, check=True)
            return done.stdout

        def ours() -> None:
            for size, row in json.loads(run(sys.executable, "-m", "bench.peers", "--ours", name, "--seconds", str(seconds))).items():
                for who, figures in row.items():
                    timings[int(size)][who] = Timing(*figures).best(timings[int(size)].get(who))

        ours()
        for turn in range(rounds):
            tell(f"Libraries: round {turn + 1} of {rounds}")
            for line in run(str(program), name, *map(str, SIZES)).splitlines():
                if line.startswith("{"):
                    said = json.loads(line)
                    row, who = timings[int(said["message"])], said["peer"]
                    row[who] = Timing(said["verify_us"] / 1e6, said["sign_us"] / 1e6).best(row.get(who))
            ours()
    missing = tuple(who for who in NAMES if not all(who in row for row in timings.values()))
    return Comparison(timings, missing)


def _one_core() -> list[str]:
    """The words in front of a command that keep it on one core, where the machine has them."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(max(os.sched_getaffinity(0)))] if taskset else []


def lines(found: Comparison) -> list[str]:
    """The figures as a table of Markdown, a line for each library."""
    head = [f"{work} {size // 1000} kB" for work in ("verify", "sign") for size in SIZES]
    out = [f"| | {' | '.join(head)} |", "|---" + "|---:" * len(head) + "|"]
    for who in (OURS, OURS_DEFAULT, *NAMES):
        cells = [_cell(found.timings[size].get(who), found.timings[size][OURS], work) for work in ("verify", "sign") for size in SIZES]
        out.append(f"| {who} | {' | '.join(cells)} |")
    return out


def _cell(theirs: Timing | None, ours: Timing, work: str) -> str:
    if theirs is None:
        return "missing"
    if theirs is ours:
        return f"{getattr(theirs, work) * 1e6:.0f} µs"
    return f"{getattr(theirs, work) * 1e6:.0f} µs, {getattr(theirs, work) / getattr(ours, work):.2f} ×"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--ours", metavar="FOLDER", help="only Zegel, on the messages of that folder, as JSON")
    parser.add_argument("--seconds", type=float, default=0.5, help="with --ours: time for each figure")
    given = parser.parse_args()
    if given.ours:
        print(json.dumps(time_ours(Path(given.ours), given.seconds)))
        return
    found = compare(rounds=1 if given.quick else 3, seconds=0.3 if given.quick else 0.7, tell=print)
    print("\n".join(lines(found)))
    for who in found.missing:
        print(f"missing: {who}")


if __name__ == "__main__":
    main()
