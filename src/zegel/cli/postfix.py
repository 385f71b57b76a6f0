"""``zegel postfix setup | check``: what Postfix needs to pass its mail through Zegel. The work is in :mod:`zegel.postfix`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.help import Command, Group
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.postfix.maincf import Settings

app = typer.Typer(cls=Group, no_args_is_help=True)
Folder = Annotated[
    Path | None, typer.Option("--config-dir", metavar="FOLDER", help=_("The folder of Postfix's main.cf; /etc/postfix when not named."))
]
Address = Annotated[
    str | None,
    typer.Option("--listen", metavar="ADDRESS", help=_("Where Zegel listens; one of milter.listen in zegel.toml when not named.")),
]


@app.command(cls=Command, help=_("Put Zegel into Postfix's configuration, keeping copies; a second time changes nothing."))
def setup(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Only show what would change."))] = False,
    config_dir: Folder = None,
    listen: Address = None,
) -> None:
    """Set up Postfix."""
    from zegel.postfix import apply, maincf, plan, reach
    from zegel.postfix.finding import Level

    folder = (config_dir or maincf.DEFAULT_FOLDER).absolute()
    settings = maincf.read(folder)
    here = place.of(ctx)
    address = listen or _address(here, settings)
    wanted = apply.prepare(folder, address, owner=_runner(here))
    screen.changes(plan.render(wanted, _))
    screen.say()
    if address.startswith("inet") and not wanted.is_empty:
        sentence = _("a unix socket is safer beside Postfix. Write in zegel.toml, under [milter], and say this again:")
        screen.marked(Mark.NOTE, sentence, f'listen = ["{plan.advised_listen(settings)}"]', 'socket_group = "postfix"')
        screen.say()
    if plan.STOP_OPENDKIM in wanted.afterwards:
        sentence = _("opendkim's keys can come along, under the selectors that they have in DNS, before it stops:")
        screen.marked(Mark.NOTE, sentence, here.command("import opendkim --dry-run"))
        screen.say()
    if wanted.problems:
        screen.fail(_("Postfix is not changed; first mend what is named above, then say it again"))
        raise typer.Exit(1)
    if dry_run:
        if not wanted.is_empty:
            screen.say(_("Nothing was changed. To have it done, and a running Postfix reloaded, leave out --dry-run (as root)."))
        return
    done = apply.apply(wanted)
    if not done.changed:
        return
    for copy in done.copies:
        screen.marked(Mark.OK, _("copy of the file as it was: {copy}").format(copy=copy))
    if done.warnings:
        screen.marked(Mark.NOTE, _("postfix check says: {warnings}").format(warnings=" ".join(done.warnings.split())))
    screen.marked(Mark.OK, _("Postfix is set up and reloaded") if done.reloaded else _("Postfix is set up; it does not run now"))
    if any(finding.level is Level.WRONG for finding in reach.of_socket(settings, address, seconds=1)):
        sentence = _("Zegel does not answer at {address}: until it runs, Postfix asks senders to try again later. Start it:")
        screen.marked(Mark.NOTE, sentence.format(address=address), here.command("serve"))
    screen.say(_("See if all is well:"))
    screen.command(here.command(f"postfix check{_options(config_dir, listen)}"))


@app.command(cls=Command, help=_("Say what is wrong between Postfix and Zegel; exit status 1 when something is."))
def check(
    ctx: typer.Context,
    config_dir: Folder = None,
    listen: Address = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False,
) -> None:
    """Check Postfix."""
    from zegel.postfix import check as checks
    from zegel.postfix import maincf
    from zegel.postfix.finding import Level

    here = place.of(ctx)
    folder = (config_dir or maincf.DEFAULT_FOLDER).absolute()
    findings = checks.run(folder, listen or _address(here, maincf.read(folder)))
    worst = checks.worst(findings)
    marks = {Level.OK: Mark.OK, Level.WRONG: Mark.WRONG}

    def step(text: str) -> str:
        """What to do next as it has to be typed here, for the address that was named; the folder stands there already."""
        return here.localised(text).replace("postfix setup --dry-run", f"postfix setup --dry-run{_options(None, listen)}")

    if json:
        shown = [{"level": str(f.level), "about": f.about, "sentence": str(f.sentence), "step": step(str(f.step or ""))} for f in findings]
        screen.json_line({"worst": str(worst), "findings": shown})
    else:
        for finding in findings:
            screen.marked(marks.get(finding.level, Mark.NOTE), told(finding.sentence))
            if finding.step:
                screen.advice(step(told(finding.step)))
    raise typer.Exit(int(worst is Level.WRONG))


def _options(config_dir: Path | None, listen: str | None) -> str:
    """The options that were given, for another command to be typed with them."""
    options = (("--config-dir", config_dir), ("--listen", listen))
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in options if value)


def _address(here: Place, settings: Settings) -> str:
    """Which of the addresses that Zegel listens on Postfix had best use: a socket in its queue folder, else the first."""
    addresses = here.read_config().milter.listen
    inside = [address for address in addresses if address.startswith(f"unix:{settings.queue_directory}/")]
    return (*inside, *addresses)[0]


def _runner(here: Place) -> str:
    """The user that Zegel runs as: whose the data folder is, as nobody else can open the store; before there is one, the service's."""
    try:
        return here.data.owner()
    except (OSError, KeyError):
        return "zegel"
