"""The systemd unit: what it runs, as whom, and what it may not do; systemd itself reads it where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.servers import require
from zegel.config import Config

UNIT = Path(__file__).parents[3] / "packaging" / "systemd" / "zegel.service"


def settings() -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert name not in section, f"{name} is there twice"
            section[name] = value
    return sections


def test_what_it_runs_and_as_whom() -> None:
    service = settings()["Service"]
    words = service["ExecStart"].split()
    assert Path(words[0]).name == "zegel"
    assert words[-1] == "serve"
    assert words[words.index("--data") + 1] == f"/var/lib/{service['StateDirectory']}"
    assert (service["User"], service["SupplementaryGroups"]) == ("zegel", "postfix")
    assert service["Restart"] == "on-failure"


def test_the_command_line_takes_what_it_runs() -> None:
    words = settings()["Service"]["ExecStart"].split()[1:]
    command = [sys.executable, "-m", "zegel.cli.main", *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_it_has_longer_to_stop_than_zegel_takes_to_drain() -> None:
    service = settings()["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > Config().milter.drain_seconds


def test_it_may_do_little() -> None:
    service = settings()["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["RestrictAddressFamilies"].split() == ["AF_UNIX", "AF_INET", "AF_INET6"]
    assert service["StateDirectoryMode"] == "0700"
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictSUIDSGID"):
        assert service[name] == "yes", name


def test_systemd_reads_it(tmp_path: Path) -> None:
    analyze = require("systemd-analyze")
    # The program need not be installed on the machine that tests; any that exists will do.
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text()))
    done = subprocess.run([analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False)
    assert UNIT.name not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
