"""The command line as plain values, read from the Typer app: no page can tell of an option that is not there, or forget one that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
import typer.main

from zegel.cli.main import app

# Every option that a program of this kind has, and that says nothing about Zegel.
_EVERYWHERE = {"help", "install_completion", "show_completion"}

EXIT_STATUS: dict[str, tuple[tuple[int, str], ...]] = {
    "demo": ((0, "every message ended as it must"), (1, "one did not, or the daemon of the demo died")),
    "init": ((0, "data folder and configuration are there, made now or before"),),
    "postfix setup": (
        (0, "Postfix is as it should be, or would be (--dry-run)"),
        (1, "something stands in the way; nothing was changed"),
    ),
    "postfix check": ((0, "nothing is wrong"), (1, "something is wrong")),
    "check": ((0, "nothing is wrong"), (1, "something is wrong; with --strict, or to look at")),
    "domain add": ((0, "added"),),
    "domain list": ((0, "listed"),),
    "domain records": ((0, "shown"),),
    "domain remove": ((0, "taken out"),),
    "domain plan": ((0, "shown, or kept; what is wrong with the records is told"),),
    "domain publish": (
        (0, "every record was read back from every name server (--dry-run: nothing stands in the way)"),
        (1, "one is not as it should be, or was not taken"),
    ),
    "domain handoff": ((0, "written, whatever is there"),),
    "domain export": ((0, "written"), (1, "no record of the store stands in that zone")),
    "domain selector add": ((0, "listed from now on"),),
    "domain selector list": ((0, "listed, whatever was seen"),),
    "domain selector remove": ((0, "off the list"),),
    "key new": ((0, "made"),),
    "key list": ((0, "listed"),),
    "key show": ((0, "shown"),),
    "key activate": ((0, "the key signs"), (1, "DNS does not show its record, or not this one; the key does not sign")),
    "import opendkim": (
        (0, "imported, or nothing new to import; what would be, with --dry-run"),
        (1, "something is wrong there; nothing was imported"),
    ),
    "import rspamd": ((0, "the same"), (1, "the same")),
    "import pem": ((0, "the same"), (1, "the key is of no use, or the store has another of that name")),
    "export opendkim": ((0, "written"),),
    "export rspamd": ((0, "written"),),
    "export pem": ((0, "written"),),
    "key rotate": ((0, "begun, or on its way already; what is waited for is told"),),
    "key retire": ((0, "the key signs no more"),),
    "key revoke": ((0, "the key is revoked"),),
    "key remove": ((0, "the key is removed"),),
    "slot add": ((0, "there are as many slots as were asked for, made now or before"),),
    "slot list": ((0, "listed"),),
    "sign": ((0, "every message was signed"), (1, "one was not")),
    "spf": ((0, "MAIL FROM passes (for an empty one, the HELO name)"), (1, "it does not")),
    "dmarc": ((0, "DMARC passes"), (1, "it does not: fail, none, or an error")),
    "verify": ((0, "every message has a signature that passes"), (1, "one has none")),
    "authenticate": ((0, "every message passes DMARC"), (1, "one does not")),
    "message list": ((0, "listed, also when none fits"),),
    "message show": ((0, "shown"), (1, "no such message is recorded")),
    "message expire": ((0, "what was past its term is deleted"),),
    "message export": ((0, "written, also when nothing is recorded"),),
    "quarantine list": ((0, "listed, also when nothing is there"),),
    "quarantine show": ((0, "shown"),),
    "quarantine release": ((0, "handed to the outbox"),),
    "quarantine drop": ((0, "deleted"),),
    "message erase": (
        (0, "nothing of the person is left"),
        (1, "mail that is not delivered yet stays and is told, or a trace may be in the database's log: do it again"),
    ),
    "site add": ((0, "added; its secret was shown"),),
    "site list": ((0, "listed"),),
    "site show": ((0, "shown"),),
    "site rotate-secret": ((0, "a new secret was shown"),),
    "site change": ((0, "changed, or so already"),),
    "site remove": ((0, "taken out; what of its mail still waits is told"),),
    "site disable": ((0, "its mail is no longer taken"),),
    "site enable": ((0, "its mail is taken"),),
    "site test": ((0, "the mail was taken, and nothing is wrong with it"), (1, "a step failed, or it would not pass at its receivers")),
    "outbox list": ((0, "listed, also when none fits"),),
    "outbox show": ((0, "shown"), (1, "no such message is in the outbox")),
    "outbox retry": ((0, "it is tried now"), (1, "no such message, or nothing of it is left to send")),
    "outbox drop": ((0, "dropped"), (1, "no such message, or nothing of it waits")),
    "serve": ((0, "ended by SIGTERM or SIGINT"),),
    "status": ((0, "nothing is wrong"), (1, "something is wrong")),
    "audit": ((0, "shown; the log is whole, with --verify"), (1, "a line was changed or taken out")),
    "backup": ((0, "written"),),
}
EXIT_STATUS_OF_ALL = (
    (2, "wrong arguments, or what cannot be read, opened or listened on; standard error has one line with the next step"),
    (130, "interrupted from the keyboard"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """An argument or option: how it is typed (``--data FOLDER``), and what it is for."""

    typed: str
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``name`` without "zegel", empty for the program itself; ``usage`` is what follows the name."""

    name: str
    heading: str
    help: str
    usage: str
    items: tuple[Item, ...]
    statuses: tuple[tuple[int, str], ...]


def read() -> tuple[Command, ...]:
    """The program itself, and every command that does something, in the order of its help. Raises LookupError for a status not told."""
    found = tuple(_walk(typer.main.get_command(app), (), ""))
    named = {command.name for command in found if command.name}
    if named != set(EXIT_STATUS):
        raise LookupError(f"EXIT_STATUS in {__name__} is not that of the commands: {sorted(named ^ set(EXIT_STATUS))}")
    return found


def _walk(command: Any, words: tuple[str, ...], heading: str) -> Iterator[Command]:
    context = typer.Context(command, info_name=" ".join(("zegel", *words)))
    inner = getattr(command, "commands", {})
    if not inner or not words:
        items = tuple(_item(param, context) for param in command.get_params(context) if param.name not in _EVERYWHERE and not param.hidden)
        name = " ".join(words)
        usage = " ".join(command.collect_usage_pieces(context))
        if not any(item.typed.startswith("-") for item in items):
            usage = usage.replace("[OPTIONS]", "").strip()
        yield Command(name, heading, " ".join((command.help or "").split()), usage, items, EXIT_STATUS.get(name, ()))
    for name in command.list_commands(context) if inner else ():
        child = inner[name]
        yield from _walk(child, (*words, name), heading or getattr(child, "rich_help_panel", None) or "")


def _item(param: Any, context: typer.Context) -> Item:
    said = [param.help or ""]
    if param.envvar:
        said.append(f"Or the environment variable {param.envvar}.")
    if param.param_type_name == "argument":
        return Item(" ".join(param.get_usage_pieces(context)), " ".join(said))
    if isinstance(param.default, str) and param.default:
        said.append(f"Without it: {param.default}.")
    if param.multiple:
        said.append("May be given more than once.")
    metavar = "" if param.is_flag else param.metavar or param.display_type(context).strip("<>")
    return Item(" ".join(filter(None, (", ".join(param.opts), metavar))), " ".join(said))
