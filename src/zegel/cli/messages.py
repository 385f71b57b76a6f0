"""Reads the messages that are named on the command line: files, or standard input for ``-`` and for no name at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zegel.cli import screen
from zegel.cli.words import _

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its name as typed."""

    name: str

    def read(self) -> bytes | None:
        """The bytes; None when they cannot be read, which has then been said on standard error."""
        try:
            return sys.stdin.buffer.read() if self.name == STDIN else Path(self.name).read_bytes()
        except OSError as error:
            screen.fail(_("{file} cannot be read: {error}").format(file=self.name, error=error.strerror or error))
            return None


def sources(names: Sequence[str] | None) -> list[Source]:
    """The inputs named, or standard input."""
    return [Source(name) for name in names or (STDIN,)]
