"""A real terminal for a command: a pseudo-terminal whose other side keeps what is written to it."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Shown(NamedTuple):
    """How a command ended: its exit status, what its terminal shows, and what went into a pipe."""

    status: int
    screen: str
    piped: bytes


def on_a_terminal(command: Sequence[str], environment: Mapping[str, str], *, piped: bool = False) -> Shown:
    """Run a command to its end. Its standard error is the terminal, its standard output too unless it is ``piped``; its input is empty."""
    ours, theirs = pty.openpty()
    out = subprocess.PIPE if piped else theirs
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=theirs, env=environment) as child:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 65536):
                seen += chunk
        except OSError:  # the other side is closed
            pass
        into_pipe = child.stdout.read() if child.stdout is not None else b""
    os.close(ours)
    return Shown(child.returncode, seen.decode(), into_pipe)
