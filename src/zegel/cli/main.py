"""The command ``zegel``: its global options, its commands, and what becomes of what goes wrong.

An error that a person can mend is one line on standard error with the next step, and exit status 2 (1 where a command says so). A traceback
means a bug of ours. Each command loads what it needs when it runs, so that the quick ones stay quick.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from zegel import __version__
from zegel.cli import (
    audit,
    authenticate,
    backup,
    bring,
    check,
    demo_command,
    dmarc,
    domain,
    handout,
    init,
    key,
    message,
    outbox,
    postfix,
    quarantine,
    screen,
    serve,
    sign,
    site,
    slot,
    spf,
    status,
    verify,
)
from zegel.cli.help import Command, Group, misuse
from zegel.cli.place import Place, usual_data
from zegel.cli.words import _, told
from zegel.words import SpokenError

app = typer.Typer(
    name="zegel",
    cls=Group,
    help=_("Zegel signs the mail that you send and checks the mail that you receive, beside the Postfix that you run."),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

_START, _KEYS, _MAIL, _CARE = _("Begin"), _("Domains and keys"), _("Messages"), _("Look after it")
app.command("demo", cls=Command, help=_("Play example mail through Zegel and tell what happens, until Ctrl-C."), rich_help_panel=_START)(
    demo_command.demo
)
app.command("init", cls=Command, help=_("Make the data folder, the master key and a commented zegel.toml."), rich_help_panel=_START)(
    init.init
)
app.add_typer(postfix.app, name="postfix", help=_("Set up Postfix beside Zegel, and check it."), rich_help_panel=_START)
app.command(
    "check", cls=Command, help=_("Check if domains are DKIM-proof, and tell which records would mend what is wrong."), rich_help_panel=_KEYS
)(check.check)
app.add_typer(domain.app, name="domain", help=_("The domains that you sign for, and the records they publish."), rich_help_panel=_KEYS)
app.add_typer(key.app, name="key", help=_("The keys: make, look, let them sign."), rich_help_panel=_KEYS)
app.add_typer(
    slot.app, name="slot", help=_("Delegation slots: CNAMEs handed out once, for keys that change without anybody."), rich_help_panel=_KEYS
)
app.add_typer(bring.app, name="import", help=_("Take over domains and keys from OpenDKIM, rspamd or a file."), rich_help_panel=_KEYS)
app.add_typer(handout.app, name="export", help=_("Hand out the keys that sign, for OpenDKIM, rspamd or as a file."), rich_help_panel=_KEYS)
app.command("sign", cls=Command, help=_("Sign messages: with a key file, or with the store's active keys."), rich_help_panel=_MAIL)(
    sign.sign
)
app.command("verify", cls=Command, help=_("Verify the DKIM signatures of messages."), rich_help_panel=_MAIL)(verify.verify)
app.command("spf", cls=Command, help=_("Check with SPF if a host may send for a domain."), rich_help_panel=_MAIL)(spf.spf)
app.command(
    "authenticate",
    cls=Command,
    help=_("Check inbound messages with SPF, DKIM, ARC and DMARC, and tell what happens to them."),
    rich_help_panel=_MAIL,
)(authenticate.authenticate)
app.command("dmarc", cls=Command, help=_("Tell what DMARC says of an author's domain, and why."), rich_help_panel=_MAIL)(dmarc.dmarc)
app.add_typer(message.app, name="message", help=_("What became of your messages, and what is recorded of a person."), rich_help_panel=_MAIL)
app.add_typer(
    quarantine.app, name="quarantine", help=_("Messages that are kept instead of delivered: look, release, delete."), rich_help_panel=_MAIL
)
app.add_typer(site.app, name="site", help=_("The websites and programs whose mail you take and sign."), rich_help_panel=_MAIL)
app.add_typer(outbox.app, name="outbox", help=_("The mail of sites that waits for its next hop."), rich_help_panel=_MAIL)
app.command("serve", cls=Command, help=_("Run the daemon that Postfix talks to, until a signal ends it."), rich_help_panel=_CARE)(
    serve.serve
)
app.command("status", cls=Command, help=_("Tell if all is well; exit status 1 when something is wrong."), rich_help_panel=_CARE)(
    status.status
)
app.command("audit", cls=Command, help=_("Tell who changed what and when, and see if the log is whole."), rich_help_panel=_CARE)(
    audit.audit
)
app.command("backup", cls=Command, help=_("Write database and master key together into one new file."), rich_help_panel=_CARE)(
    backup.backup
)


def _version(wanted: bool) -> None:
    if wanted:
        screen.exact(f"zegel {__version__}")
        raise typer.Exit


@app.callback()
def place(
    ctx: typer.Context,
    data: Annotated[
        Path | None,
        # Not readable: the store says better as whom to run this.
        typer.Option(
            envvar="ZEGEL_DATA", metavar="FOLDER", readable=False, help=_("The data folder: keys and database. Made on first use.")
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="ZEGEL_CONFIG", metavar="FILE", readable=False, help=_("The configuration, instead of zegel.toml in the data folder.")
        ),
    ] = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=_("Tell the version and end."))
    ] = False,
) -> None:
    """Find the data folder and the configuration."""
    found = Place(data.absolute() if data else usual_data(), config.absolute() if config else None)
    # For who tells of an error, when the context is gone.
    if isinstance(ctx.obj, list):
        ctx.obj.append(found)
    ctx.obj = found


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _show_every_letter()
    found: list[Place] = []
    try:
        status_ = _commands()(args=arguments, prog_name="zegel", obj=found, standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except TyperException as error:
        return _misused(error)
    except Exception as error:
        explained = _explained(error)
        if explained is None:
            raise
        sentence, status_ = explained
        screen.fail(found[0].localised(sentence) if found else sentence)
    return status_ if isinstance(status_, int) else 0


@cache
def _commands() -> Callable[..., object]:
    """The tree of all commands. It takes a tenth of a second to make, and what runs several in one process makes it once."""
    return typer.main.get_command(app)


def _misused(error: TyperException) -> int:
    """Say in one line what is wrong with the arguments. Without any, the help is the answer, which has been shown by then."""
    if said := error.format_message().replace("Value error, ", ""):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "zegel"
        screen.fail(_("{said} (for help: {command} --help)").format(said=misuse(said.rstrip(".")), command=command))
    return error.exit_code


def _show_every_letter() -> None:
    """Write out what the terminal's encoding does not have, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _explained(error: Exception) -> tuple[str, int] | None:
    """The sentence and the exit status of an error that a person can mend; None for a bug."""
    if isinstance(error, screen.Refusal):
        return str(error), error.status
    if isinstance(error, SpokenError):
        return told(error), 2
    if isinstance(error, PermissionError) and error.filename is not None:
        return _("no permission for {path}; run this as the user that owns it").format(path=error.filename), 2
    if isinstance(error, OSError):
        if error.filename is not None:
            return f"{error.filename}: {error.strerror}", 2
        return (error.strerror or str(error)), 2
    return None


def main() -> None:
    """Run the command ``zegel``."""
    sys.exit(run())


if __name__ == "__main__":
    main()
