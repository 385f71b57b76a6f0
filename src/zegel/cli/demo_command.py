"""``zegel demo``: its options. What it plays is in :mod:`zegel.cli.demo`, loaded when it runs."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from zegel.cli.words import _


def demo(
    once: Annotated[bool, typer.Option("--once", help=_("End after the messages, with exit status 0 when all went well."))] = False,
) -> None:
    """Play the demonstration."""
    from zegel.cli.demo import run

    # A terminal window that is closed ends it as Ctrl-C does: its keys and its daemon are not left behind.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    raise typer.Exit(run(once))
