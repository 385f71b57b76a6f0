from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.servers import free_port

from .conftest import Run


@pytest.fixture
def daemon(zegel: Run, data: Path) -> Iterator[subprocess.Popen[str]]:
    """A running daemon on free ports, with one active key."""
    zegel("domain", "add", "example.be")
    zegel("key", "new", "example.be", "--selector", "one")
    zegel("key", "activate", "example.be", "one", "--no-dns-check")
    allow = '[[outbound.allow]]\nlocal = true\nsign = ["example.be"]\n'
    listen = f'[milter]\nlisten = ["unix:{data}/milter.sock"]\n[metrics]\nlisten = "127.0.0.1:{free_port()}"\n'
    (data / "zegel.toml").write_text(listen + allow)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "zegel.cli.main", "--data", str(data), "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as child:
        assert child.stdout is not None
        try:
            said = []
            for line in child.stdout:
                said.append(line)
                if "listens on" in line:
                    break
            else:
                pytest.fail("".join(said))
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)


def _states(shown: Any) -> dict[str, str]:
    return {item["about"]: item["state"] for item in shown["items"]}


def test_all_is_well(zegel: Run, daemon: subprocess.Popen[str]) -> None:
    ended = zegel("status", "--json")
    assert _states(ended.json) == dict.fromkeys(("configuration", "store", "master key", "milter", "daemon", "outbox"), "ok")
    assert (ended.status, ended.json["ok"]) == (0, True)
    assert zegel("status").status == 0
    # A change is taken over by the running daemon, and status sees it.
    zegel("key", "new", "example.be", "--selector", "two", "--algorithm", "ed25519")
    zegel("key", "activate", "example.be", "two", "--no-dns-check")
    for _ in range(20):
        if _states(zegel("status", "--json").json)["daemon"] == "ok":
            break
        time.sleep(0.5)
    else:
        pytest.fail("the daemon did not take the key over")


def test_a_stopped_daemon_is_wrong(zegel: Run, daemon: subprocess.Popen[str]) -> None:
    daemon.terminate()
    daemon.wait(30)
    ended = zegel("status", "--json")
    assert ended.status == 1
    assert _states(ended.json)["milter"] == "wrong"
    assert "zegel serve" in zegel("status").text


def test_nothing_there_at_all(zegel: Run, data: Path) -> None:
    ended = zegel("status", "--json")
    assert ended.status == 1
    assert _states(ended.json)["store"] == "wrong"
    assert not data.exists()


def test_what_is_wrong_with_configuration_and_key(zegel: Run, data: Path) -> None:
    zegel("init")
    (data / "zegel.toml").write_text("[nonsense]\n")
    (data / "master.key").chmod(0o640)
    ended = zegel("status")
    assert ended.status == 1
    assert "nonsense" in ended.text
    assert "chmod 600" in ended.text


def test_a_zone_file_that_is_not_there(zegel: Run, data: Path) -> None:
    zegel("init")
    (data / "zegel.toml").write_text(f'[dns]\nzone = "{data}/none.zone"\n')
    shown = zegel("status", "--json")
    (item,) = [item for item in shown.json["items"] if item["about"] == "configuration"]
    assert (shown.status, item["state"]) == (1, "wrong")
    assert "none.zone" in item["text"]
    assert "[dns]" in item["text"]


def test_something_else_listens(zegel: Run, data: Path) -> None:
    zegel("init")
    with socket.create_server(("127.0.0.1", 0)) as other:
        (data / "zegel.toml").write_text(f'[milter]\nlisten = ["inet:127.0.0.1:{other.getsockname()[1]}"]\n[metrics]\nlisten = ""\n')
        ended = zegel("status")
    assert ended.status == 1
    assert "does not answer" in ended.text


def test_notes_are_not_wrong_by_themselves(zegel: Run, data: Path) -> None:
    zegel("init")
    states = _states(zegel("status", "--json").json)
    assert states["domains"] == "note"
    assert states["outbound"] == "note"


def test_serve_says_which_address_is_taken(zegel: Run, data: Path) -> None:
    zegel("init")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (data / "zegel.toml").write_text(f'[milter]\nlisten = ["inet:127.0.0.1:{port}"]\n[metrics]\nlisten = ""\n')
        command = [sys.executable, "-m", "zegel.cli.main", "--data", str(data), "serve"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("zegel: cannot listen on")
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
