"""``zegel demo``: its options. What it plays is in :mod:`zegel.cli.demo`, loaded when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from zegel.cli.words import _


def demo(
    once: Annotated[bool, typer.Option("--once", help=_("End after the messages, with exit status 0 when all went well."))] = False,
) -> None:
    """Play the demonstration."""
    from zegel.cli.demo import run

    raise typer.Exit(run(once))
