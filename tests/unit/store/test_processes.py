"""Real processes on one store: nothing lost, nothing half, also when one of them is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from zegel.grammar.domain import Domain
from zegel.store import domains, keys
from zegel.store.database import Store

EXAMPLE = Domain.parse("example.be")

# SQLite's lock has no queue: on a busy machine, who writes again at once may get it forty times before who waits, which is no matter here.
START = """
import sys
from pathlib import Path
from zegel.grammar.domain import Domain
from zegel.store import domains, keychanges, keys, sqlite
from zegel.store.database import Store
sqlite.WAIT_SECONDS = 200
folder, who = Path(sys.argv[1]), sys.argv[2]
example = Domain.parse("example.be")
"""

FIRST = START + "print(Store.open(folder).vault.fingerprint)"

ADDS = (
    START
    + """
print("ready", flush=True)
sys.stdin.readline()
with Store.open(folder) as store:
    for number in range(40):
        with store.writing() as tx:
            keys.add(tx, example, f"{who}{number}", "rsa2048", f"{who}{number}".encode(), "AAAA", now=number)
            keychanges.activate(tx, example, f"{who}{number}", now=number)
"""
)

ROTATES = (
    START
    + """
with Store.open(folder) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(150):
        with store.writing() as tx:
            for kind in ("rsa2048", "ed25519"):
                selector = f"{kind[0]}{number}"
                keys.add(tx, example, selector, kind, selector.encode(), "AAAA", now=1)
                keychanges.activate(tx, example, selector, now=1)
"""
)

STOPS_HALFWAY = (
    START
    + """
with Store.open(folder) as store, store.writing() as tx:
    for number in range(500):
        domains.add(tx, Domain.parse(f"d{number}.example"), now=1)
    print("ready", flush=True)
    sys.stdin.readline()
"""
)


def run(program: str, folder: Path, who: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", program, str(folder), who]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_first_starts_at_once_make_one_store(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    starts = [run(FIRST, folder, who) for who in "abc"]
    said = {process.communicate(timeout=200)[0].strip() for process in starts}
    assert [process.returncode for process in starts] == [0, 0, 0]
    with Store.open(folder) as store:
        assert store.vault is not None
        assert said == {store.vault.fingerprint}
    assert sorted(path.name for path in folder.iterdir()) == ["master.key", "zegel.db"]


def test_an_up_to_date_store_is_opened_without_alembic(store: Store) -> None:
    opened = run(START + "Store.open(folder).close(); print('alembic' in sys.modules, 'sqlalchemy' in sys.modules)", store.folder, "x")
    assert opened.communicate(timeout=200)[0].split() == ["False", "True"]


def test_two_that_add_keys_at_once_lose_nothing(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)
    adders = [run(ADDS, store.folder, who) for who in "ab"]
    assert [line(process) for process in adders] == ["ready", "ready"]
    for process in adders:
        go(process)
    for process in adders:
        process.communicate(timeout=200)
    assert [process.returncode for process in adders] == [0, 0]
    with store.reading() as tx:
        stored = keys.all(tx, EXAMPLE)
        assert {key.selector for key in stored} == {f"{who}{number}" for who in "ab" for number in range(40)}
        assert [key.state for key in stored].count(keys.KeyState.ACTIVE) == 1
        assert all(keys.private_pem(tx, EXAMPLE, key.selector) == key.selector.encode() for key in stored)
        assert tx.connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert store.generation() == 1 + 2 * 80


def test_a_reader_sees_the_old_or_the_new_never_half(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)
    writer = run(ROTATES, store.folder, "w")
    assert line(writer) == "ready"
    go(writer)
    seen: list[int] = []
    while writer.poll() is None:
        taken = store.snapshot()
        if taken.generation > 1:
            rsa, ed25519 = taken.keys
            assert rsa.selector[1:] == ed25519.selector[1:]
            assert taken.generation == 1 + 4 * (int(rsa.selector[1:]) + 1)
        seen.append(taken.generation)
    writer.communicate(timeout=200)
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert store.generation() == 1 + 4 * 150


def test_one_that_is_killed_halfway_leaves_nothing(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)
    victim = run(STOPS_HALFWAY, store.folder, "v")
    assert line(victim) == "ready"
    assert store.generation() == 1
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=200)
    with store.writing() as tx:
        domains.add(tx, Domain.parse("after.example"), now=2)
    with Store.open(store.folder) as again, again.reading() as tx:
        assert [one.name for one in domains.all(tx)] == ["after.example", "example.be"]
    assert store.generation() == 2
