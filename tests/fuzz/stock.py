"""The harnesses there are, and what each must have."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

NAMES = (
    "address",
    "answer",
    "authenticate",
    "author",
    "check",
    "claim",
    "forge",
    "handed",
    "keyrecord",
    "message",
    "milter",
    "move",
    "reply",
    "sign",
    "signature",
    "smtp",
    "submit",
    "taglist",
    "testmail",
    "update",
    "verify",
)
CASES = Path(__file__).parent / "cases"


class Harness(Protocol):
    """A module under ``harnesses``. ``fuzz`` raises when an invariant does not hold; ``WORDS`` are worth putting into inputs."""

    WORDS: tuple[bytes, ...]

    def fuzz(self, data: bytes) -> None:
        """Try one input."""

    def starts(self) -> Iterator[bytes]:
        """The inputs to begin with."""


def load(name: str) -> Harness:
    """The harness of that name."""
    return cast(Harness, importlib.import_module(f"fuzz.harnesses.{name}"))


def cases(name: str) -> list[Path]:
    """The inputs that once were findings."""
    return sorted(path for path in (CASES / name).glob("*") if path.is_file())
