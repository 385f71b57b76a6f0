"""Runs the command line as it is, in this process: real folders, real files, its own standard streams."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zegel.cli import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: bytes
    errors: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Ended]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def zegel(monkeypatch: pytest.MonkeyPatch, data: Path) -> Run:
    """``zegel("key", "list", stdin=b"")`` with the test's own data folder."""
    for name in ("ZEGEL_CONFIG", "ZEGEL_MASTER_KEY", "LANGUAGE", "LC_ALL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZEGEL_DATA", str(data))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ended:
        out, errors = io.BytesIO(), io.BytesIO()
        with monkeypatch.context() as streams:
            streams.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            streams.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="utf-8", write_through=True))
            streams.setattr(sys, "stderr", io.TextIOWrapper(errors, encoding="utf-8", write_through=True))
            status = main.run([str(argument) for argument in arguments])
            return Ended(status, out.getvalue(), errors.getvalue().decode())

    return run


@pytest.fixture
def zone(data: Path, zegel: Run) -> Path:
    """A data folder with example.be and a configuration that answers from a zone file, which is empty."""
    zegel("domain", "add", "example.be")
    file = data / "zone"
    file.write_text("")
    (data / "zegel.toml").write_text(f'[dns]\nzone = "{file}"\n')
    return file
