"""``zegel init``: the data folder with its master key and database, and a commented ``zegel.toml``. It overwrites nothing."""

from __future__ import annotations

import os

import typer

from zegel.cli import place, screen, template
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _


def init(ctx: typer.Context) -> None:
    """Make what is not there yet."""
    here = place.of(ctx)
    if here.config_file.exists():
        here.read_config()
    had_store = (here.data / "zegel.db").exists()
    with here.store() as store:
        kept = _("is there already, left as it is")
        made = _("made")
        screen.marked(Mark.OK, _("data folder {folder}: {what}").format(folder=store.folder, what=kept if had_store else made))
    _tell_master_key(here, made=not had_store)
    new_config = _write_config(here)
    screen.marked(Mark.OK, _("configuration {file}: {what}").format(file=here.config_file, what=made if new_config else kept))
    _tell_next(here)


def _tell_master_key(here: Place, *, made: bool) -> None:
    file = here.data / "master.key"
    if os.environ.get("ZEGEL_MASTER_KEY"):
        screen.marked(Mark.OK, _("master key: taken from ZEGEL_MASTER_KEY"))
    elif made:
        screen.marked(Mark.OK, _("master key {file}: made").format(file=file))
        sentence = _("whoever loses the master key loses the private keys: once there are keys, keep a copy of both elsewhere")
        screen.marked(Mark.NOTE, sentence, here.command("backup FILE"))


def _write_config(here: Place) -> bool:
    try:
        # Never over one that is there, not even one that appears at this moment.
        with here.config_file.open("x", encoding="utf-8") as file:
            file.write(template.text())
    except FileExistsError:
        return False
    return True


def _tell_next(here: Place) -> None:
    steps = (
        (_("Say for which domain you sign, make its key, publish its record, and let the key sign:"), "domain add example.be"),
        ("", "key new example.be"),
        ("", "domain records example.be"),
        ("", "key activate example.be SELECTOR"),
        (_("Say in {file} who may sign as whom ([[outbound.allow]]), then start:").format(file=here.config_file), "serve"),
        (_("See what would change in Postfix, then leave --dry-run out and have it done:"), "postfix setup --dry-run"),
    )
    screen.say()
    screen.say(_("What to do next, with your own domain for example.be"), style="bold")
    for sentence, words in steps:
        if sentence:
            screen.say(sentence)
        screen.command(here.command(words))
