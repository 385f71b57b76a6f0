"""How ``--help`` looks, and what is said of wrong arguments: in the reader's language, and with no types of Python in it."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

from zegel.cli.words import _
from zegel.words import N_

# What the library itself translates, collected here for the catalogues.
THEIRS = (
    N_("Arguments"),
    N_("Options"),
    N_("Commands"),
    N_("[default: {}]"),
    N_("[env var: {}]"),
    N_("[required]"),
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
    N_("Show this message and exit."),
    N_("Usage:"),
)
# What it says in English only: our sentence for it, which in English is the same.
_MISUSED = (
    (r"Missing argument '(?P<name>.*)'", N_("Missing argument '{name}'")),
    (r"Missing option '(?P<name>.*)'", N_("Missing option '{name}'")),
    (r"No such command '(?P<name>[^']*)'", N_("No such command '{name}'")),
    (r"No such command '(?P<name>[^']*)'\. Did you mean (?P<others>.*)\?", N_("No such command '{name}'. Did you mean {others}?")),
    (r"No such option: (?P<name>\S+)", N_("No such option: {name}")),
    (r"No such option: (?P<name>\S+) \(Possible options: (?P<others>.*)\)", N_("No such option: {name} (Possible options: {others})")),
    (r"Option '(?P<name>.*)' requires an argument", N_("Option '{name}' requires an argument")),
    (r"Got unexpected extra argument(?:s|\(s\))? \((?P<name>.*)\)", N_("Got unexpected extra arguments ({name})")),
    (r"Invalid value for '(?P<name>[^']*)': Input should be a valid integer.*", N_("{name} takes a whole number")),
    (r"Invalid value for '(?P<name>[^']*)': Input should be less than or equal to (?P<most>\d+)", N_("{name} is at most {most}")),
    (r"Invalid value for '(?P<name>[^']*)': Input should be greater than or equal to (?P<least>\d+)", N_("{name} is at least {least}")),
    (
        r"Invalid value for '(?P<name>[^']*)': (?P<given>'.*?') is not one of (?P<others>.*)",
        N_("{given} is nothing that {name} takes; take one of: {others}"),
    ),
    (r"Invalid value for '(?P<name>[^']*)': (?P<detail>.*)", N_("Invalid value for '{name}': {detail}")),
)
_ORDER = tuple(
    """
    demo init postfix check domain key slot import export sign verify authenticate spf dmarc message quarantine site outbox
    serve status audit backup
    """.split()  # noqa: SIM905 - in the order of the help
)


def _plain(params: list[Any]) -> list[Any]:
    for param in params:
        # The options that the library adds have English help; the others come translated.
        if getattr(param, "help", None) in THEIRS:
            param.help = _(param.help)
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        if param.metavar is None and getattr(getattr(param, "type_descriptor", None), "annotation", None) is int:
            param.metavar = "NUMBER"
        if param.param_type_name == "argument":
            # "DOMAIN", not "{DOMAIN}" and "<str>": what it is, its help says.
            name = param.display_name_raw + ("..." if param.nargs != 1 else "")
            shown = name if param.required else f"[{name}]"
            param.get_usage_pieces = lambda ctx, shown=shown: [shown]
            param.display_type_rich = lambda ctx: ""
    return params


def misuse(said: str) -> str:
    """What the library says of wrong arguments, translated where it is known."""
    for pattern, sentence in _MISUSED:
        if found := re.fullmatch(pattern, said, re.DOTALL):
            return _(sentence).format(**found.groupdict())
    return said


def _usage(said: str) -> str:
    """The line that the library writes, which translates all but its first word."""
    return said.replace("Usage:", _("Usage:"), 1)


class Command(TyperCommand):
    """One command."""

    def get_usage(self, ctx: Any) -> str:
        """How it is typed."""
        return _usage(super().get_usage(ctx))

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as the help shows them."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """Several commands: those of the front page in the order of use, others as they were written."""

    def get_usage(self, ctx: Any) -> str:
        """How it is typed."""
        return _usage(super().get_usage(ctx))

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as the help shows them."""
        return _plain(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands."""
        found = super().list_commands(ctx)
        # The front page alone: "export" is also a command of others.
        return sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER)) if ctx.parent is None else found
