"""``zegel backup``: one file with the database and the master key, and a word on what it means to have it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.screen import Mark
from zegel.cli.words import _


def backup(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A new tar file; none is overwritten."))]
) -> None:
    """Write a backup."""
    here = place.of(ctx)
    with screen.waiting(_("Writing the backup")), here.store(create=False) as store:
        from zegel.store import backup as backups

        written = backups.write(store, file.absolute(), now=int(time.time()))
    sentence = _("{path} holds the database and the master key (domains: {domains}, keys: {keys}; {size} bytes)")
    screen.marked(Mark.OK, sentence.format(path=written.path, domains=written.domains, keys=written.keys, size=written.size))
    screen.marked(Mark.NOTE, _(written.meaning))
    screen.say()
    screen.say(_("To restore on another machine, with Zegel stopped:"))
    screen.command("mkdir -m 700 FOLDER && tar -xpf FILE -C FOLDER")
    screen.command("zegel --data FOLDER serve")
