"""``zegel serve``: the daemon in the foreground. All that it does is in :mod:`zegel.app`."""

from __future__ import annotations

import sys

import typer

from zegel.cli import place, screen
from zegel.cli.words import _


def serve(ctx: typer.Context) -> None:
    """Run the daemon."""
    from zegel import app

    here = place.of(ctx)

    def announce(address: str) -> None:
        screen.exact(_("zegel listens on {address}").format(address=address))
        # Whoever waits for this line reads it through a pipe.
        sys.stdout.flush()

    raise typer.Exit(app.serve(here.data, here.config, announce=announce))
