from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import zegel as package
from support.servers import wait_for

from .conftest import Run

_LOADED = """
import sys
from zegel.cli.main import run
status = run({arguments!r})
heavy = [name for name in ("sqlalchemy", "alembic", "dns", "cryptography", "zegel.app") if name in sys.modules]
print("loaded", status, *heavy, file=sys.stderr)
"""


def _loaded(arguments: list[str], tmp_path: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZEGEL_")} | {"ZEGEL_DATA": str(tmp_path / "d")}
    done = subprocess.run(
        [sys.executable, "-c", _LOADED.format(arguments=arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        input="From: a@example.org\n\nHello\n",
    )
    return done.stderr.splitlines()[-1]


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert _loaded(["--help"], tmp_path) == "loaded 0"
    assert _loaded(["key", "new", "--help"], tmp_path) == "loaded 0"


def test_verify_does_not_load_the_store(tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text("")
    loaded = _loaded(["verify", "--zone", str(zone)], tmp_path).split()
    assert loaded[:2] == ["loaded", "1"]
    assert "sqlalchemy" not in loaded
    assert not (tmp_path / "d").exists()


def test_the_program_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zegel.cli.main", "--data", str(tmp_path / "d"), "key", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("zegel: there is no data folder")
    assert done.stderr.count("\n") == 1
    assert f"zegel --data {tmp_path / 'd'} init" in done.stderr


def test_version(zegel: Run) -> None:
    assert zegel("--version").text == f"zegel {package.__version__}\n"


def test_misuse_is_status_2(zegel: Run) -> None:
    assert zegel("nonsense").status == 2
    assert zegel("key", "new").status == 2
    assert zegel("key", "new", "example.be", "--algorithm", "dsa").status == 2
    assert zegel("verify", "--zone", "/nowhere/zone").status == 2


def test_misuse_is_one_line_that_names_the_help(zegel: Run) -> None:
    for arguments, words in (
        (("keys",), ("'keys'", "'key'", "zegel --help")),
        (("key", "new"), ("DOMAIN", "zegel key new --help")),
        (("key", "new", "example.be", "--algorithm", "dsa"), ("'dsa'", "rsa2048", "zegel key new --help")),
        (("verify", "--now", "yesterday"), ("--now", "zegel verify --help")),
        (("slot", "add", "example.be", "--zone", "agency.be", "--rsa", "x"), ("--rsa takes a whole number (",)),
        (("slot", "add", "example.be", "--zone", "agency.be", "--rsa", "99"), ("--rsa is at most 9 (",)),
        (("slot", "add", "example.be", "--zone", "agency.be", "--rsa", "-1"), ("--rsa is at least 0 (",)),
    ):
        ended = zegel(*arguments)
        assert (ended.status, ended.stdout) == (2, b"")
        assert ended.errors.startswith("zegel: ")
        assert ended.errors.count("\n") == 1
        assert all(word in ended.errors for word in words)


def test_help_has_the_order_of_use_and_no_words_of_a_programmer(zegel: Run) -> None:
    shown = [line.split()[1] for line in zegel("domain", "--help").text.splitlines() if line.startswith("│ ") and line[2] != " "]
    assert shown.index("add") < shown.index("list") < shown.index("export")
    assert "NUMBER [0<=x<=9]" in zegel("slot", "add", "--help").text
    assert "quarantine drop [OPTIONS] NAME...\n" in "\n".join(map(str.rstrip, zegel("quarantine", "drop", "--help").text.splitlines()))
    assert "outbox retry [OPTIONS] [MESSAGE]\n" in "\n".join(map(str.rstrip, zegel("outbox", "retry", "--help").text.splitlines()))


def test_a_group_alone_shows_its_help(zegel: Run) -> None:
    ended = zegel("key")
    assert (ended.status, ended.errors) == (2, "")
    assert "activate" in ended.text


def test_help_speaks_no_python(zegel: Run) -> None:
    for command in (("key", "activate"), ("verify",), ("sign",), ("backup",)):
        shown = zegel(*command, "--help").text
        assert "<str>" not in shown
        assert "list[" not in shown
        assert "{" not in shown
    assert "key activate [OPTIONS] DOMAIN SELECTOR" in zegel("key", "activate", "--help").text


def test_commands_in_an_error_can_be_typed_as_they_stand(zegel: Run, tmp_path: Path) -> None:
    other = tmp_path / "other folder"
    missing = zegel("--data", other, "domain", "list").errors
    assert missing.endswith(f"make it: zegel --data '{other}' init\n")
    assert zegel("--data", other, "init").status == 0
    unknown = zegel("--data", other, "key", "new", "example.be").errors
    assert unknown.endswith(f"zegel --data '{other}' domain add example.be\n")
    zegel("--data", other, "domain", "add", "example.be")
    assert f"zegel --data '{other}' key list" in zegel("--data", other, "key", "show", "example.be", "none").errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_of_somebody_else(zegel: Run, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    ended = zegel("--data", closed, "verify", stdin=b"From: a@b\n\n")
    assert ended.status == 2
    assert "run this as the user that owns it" in ended.errors


def test_ctrl_c_ends_quietly(zegel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from zegel.store.database import Store

    def interrupted(folder: Path) -> Store:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "read_only", interrupted)
    ended = zegel("key", "list")
    assert (ended.status, ended.stdout, ended.errors) == (130, b"", "")


def test_a_bug_is_not_hidden(zegel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from zegel.store.database import Store

    def broken(folder: Path) -> Store:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "read_only", broken)
    with pytest.raises(ZeroDivisionError):
        zegel("key", "list")


def test_a_configuration_that_cannot_be_read(zegel: Run, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[milter]\nlisten = 5\n")
    ended = zegel("--config", file, "verify", stdin=b"From: a@b\n\n")
    assert ended.status == 2
    assert ended.errors.startswith("zegel: zegel.toml: ")
    assert "milter.listen" in ended.errors
    file.write_bytes(b"\xff")
    assert "not UTF-8" in zegel("--config", file, "verify").errors
    missing = zegel("--config", tmp_path / "none.toml", "verify")
    assert missing.status == 2
    assert "none.toml" in missing.errors
    assert "zegel --config" in missing.errors


def test_letters_that_the_terminal_lacks_are_written_out(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zegel.cli.main", "--data", str(tmp_path / "d"), "domain", "add", "xn--bcher-kva.example"]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert b"b\\xfccher.example" in done.stdout


def test_ctrl_c_while_waiting_for_input(tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text("")
    # A shell that runs the tests in the background has them ignore the signal.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from zegel.cli.main import main; "
        "print('ready', file=sys.stderr, flush=True); main()"
    )
    command = [sys.executable, "-c", code, "verify", "--zone", str(zone)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == b"ready\n"
        state = Path(f"/proc/{child.pid}/stat")
        wait_for(lambda: state.read_text().rpartition(")")[2].split()[0] == "S", what="it waits for its input")
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert child.stderr.read() == b""
