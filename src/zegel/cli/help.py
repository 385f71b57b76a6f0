"""How ``--help`` looks: the commands in the order of use, and no types of Python in it."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

_ORDER = ("demo", "init", "postfix", "domain", "key", "sign", "verify", "serve", "status", "backup")


def _plain(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        if param.param_type_name == "argument":
            # "DOMAIN", not "{DOMAIN}" and "<str>": what it is, its help says.
            name = param.display_name_raw + ("..." if param.nargs != 1 else "")
            shown = name if param.required else f"[{name}]"
            param.get_usage_pieces = lambda ctx, shown=shown: [shown]
            param.display_type_rich = lambda ctx: ""
    return params


class Command(TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as the help shows them."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """Several commands: those of the front page in the order of use, others as they were written."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as the help shows them."""
        return _plain(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands."""
        found = super().list_commands(ctx)
        return sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
