"""From the text of ``zegel.toml`` to a :class:`Config`: an unknown key or a wrong type is an error in the words of who writes the file."""

from __future__ import annotations

import re
import tomllib
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from zegel.config.checks import check
from zegel.config.error import ConfigError
from zegel.config.sections import Config
from zegel.words import N_, Sentence

_UNKNOWN = re.compile("Object contains unknown field `(.*)`$", re.DOTALL)
_WRONG_TYPE = re.compile("Expected `([a-z]+)`, got `")
_TYPES = {
    "array": N_('a list: ["...", "..."]'),
    "bool": N_("true or false, without quotes"),
    "float": N_("a number, without quotes"),
    "int": N_("a whole number, without quotes"),
    "object": N_("a table of its own: [name] above its lines"),
    "str": N_('text in quotes: "..."'),
}


def parse(text: str) -> Config:
    """Read the text of a ``zegel.toml``. Raises :class:`ConfigError`."""
    try:
        data = tomllib.loads(text)
        config = msgspec.convert(data, Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(N_("zegel.toml is not valid TOML: {error}"), error=error) from None
    except msgspec.ValidationError as error:
        raise _plain(str(error)) from None
    check(config, data)
    return config


def _plain(error: str) -> ConfigError:
    """What msgspec says about a value, in the words of who writes the file."""
    said, _, place = error.partition(" - at ")
    where = place.strip("`").removeprefix("$").removeprefix(".")
    if field := _UNKNOWN.match(said):
        known = ", ".join(_names(where))
        name = f"{where}.{field[1]}" if where else field[1]
        return ConfigError(N_("zegel.toml: {name} is unknown; write one of {known}"), name=name, known=known)
    if where == "outbound.allow":
        return ConfigError(N_("zegel.toml: each outbound.allow stands under its own [[outbound.allow]], with two brackets"))
    if said.startswith("Invalid enum value"):
        return ConfigError(N_("zegel.toml: {name} must be one of {known}"), name=where, known=", ".join(_words(where)))
    if (types := _WRONG_TYPE.match(said)) and types[1] in _TYPES:
        return ConfigError(N_("zegel.toml: {name} must be {wanted}"), name=where, wanted=Sentence(_TYPES[types[1]]))
    return ConfigError(N_("zegel.toml: {error}"), error=f"{where}: {said}" if where else said)


def _words(where: str) -> tuple[str, ...]:
    """The words that one option may be."""
    words: tuple[str, ...] = get_args(_kind(where))
    return words


def _names(where: str) -> tuple[str, ...]:
    """The names that one table may hold."""
    names: tuple[str, ...] = _kind(where).__struct_fields__
    return names


def _kind(where: str) -> Any:
    """The type at a place such as ``inbound.rule[0].kind``; ``[...]`` is any entry of a table."""
    kind: Any = Config
    for part in re.findall(r"\[[^\]]*\]|[^.\[\]]+", where):
        # Of a list the one type of its items; of a table that of its values.
        kind = get_args(kind)[-1 if get_origin(kind) is dict else 0] if part.startswith("[") else get_type_hints(kind)[part]
    return kind
