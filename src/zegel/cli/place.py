"""Where this installation is: the data folder and ``zegel.toml``, and what is opened from there.

Nothing heavy is imported until it is needed: ``zegel verify`` never loads the store.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zegel.cli import people
from zegel.cli.screen import Refusal
from zegel.cli.words import _
from zegel.words import N_

if TYPE_CHECKING:
    from zegel.adapters.converse import AsyncResolver
    from zegel.adapters.nameservers import Looking
    from zegel.adapters.zone import Zone
    from zegel.config import Config
    from zegel.grammar.domain import Domain
    from zegel.store.database import Store

CONFIG = "zegel.toml"
_MASTER_KEY = "ZEGEL_MASTER_KEY"
_MAX_NAME = 253
_WITH_DATA = "audit|backup|check|domain|export|import|init|key|message|outbox|postfix|quarantine|serve|site|slot|status"
_COMMAND = re.compile(rf"(?<![\w/.-])zegel (?=(?:{_WITH_DATA})\b|\.\.\.)")


@dataclass(frozen=True, slots=True)
class Place:
    """The data folder, and the configuration file where one was named."""

    data: Path
    config: Path | None = None

    @property
    def config_file(self) -> Path:
        """The file of the configuration, there or not."""
        return self.config or self.data / CONFIG

    def command(self, words: str) -> str:
        """A command of ours as one has to type it here: with the data folder and the configuration where they are not the usual ones."""
        options = [] if self.data == usual_data() else ["--data", str(self.data)]
        if self.config is not None and str(self.config) != os.environ.get("ZEGEL_CONFIG"):
            options += ["--config", str(self.config)]
        return " ".join(["zegel", *map(shlex.quote, options), words])

    def localised(self, sentence: str) -> str:
        """A sentence of a lower floor, with the commands in it as one has to type them here."""
        return _COMMAND.sub(lambda _found: self.command(""), sentence)

    def read_config(self) -> Config:
        """Read the configuration; the defaults when none was named and none is there. Raises ConfigError, OSError."""
        from zegel.config import Config, ConfigError, parse

        file = self.config_file
        try:
            return parse(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if self.config is None:
                return Config()
            raise ConfigError(N_("there is no configuration {file}; make it: zegel init"), file=file) from None
        except UnicodeDecodeError:
            sentence = N_("{file} is not UTF-8 text; save it as UTF-8, or move it away and have a new one made: zegel init")
            raise ConfigError(sentence, file=file) from None

    def store(self, *, create: bool = True) -> Store:
        """Open the store, made when it is not there. Raises StoreError."""
        from zegel.store import masterkey
        from zegel.store.database import Store

        text = os.environ.get(_MASTER_KEY)
        store = Store.open(self.data, master_key=masterkey.parse(text) if text else None, create=create)
        store.who = people.who()
        return store

    def store_to_look(self) -> Store:
        """Open the store to look at, without its master key. Raises StoreError."""
        from zegel.store.database import Store

        return Store.read_only(self.data)


def of(ctx: typer.Context) -> Place:
    """The place that the global options name."""
    place = ctx.find_object(Place)
    if place is None:
        raise RuntimeError("the command was called without its group")
    return place


def usual_data() -> Path:
    """The data folder when none is named: ZEGEL_DATA, else below the user's data folder (XDG_DATA_HOME, which must be absolute)."""
    named = os.environ.get("ZEGEL_DATA")
    if named:
        return Path(named).absolute()
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "share") / "zegel"


def domain(text: str) -> Domain:
    """Read a domain name as typed. Raises Refusal."""
    from zegel.grammar.domain import Domain

    try:
        return Domain.parse(text)
    except ValueError as error:
        if text.isascii() and len(text) <= _MAX_NAME:
            raise Refusal(_("'{text}' is no domain name; write it as in example.be").format(text=text)) from None
        # Too long, or a letter that no name may have: only the error says which.
        raise Refusal(_("{error}; write it as in example.be").format(error=error)) from None


def resolver(config: Config, zone: Path | None = None) -> AsyncResolver:
    """The resolver: a zone file named here or in the configuration, or name servers. Raises Refusal, OSError."""
    from zegel.adapters.resolver import Resolver

    if zone is not None:
        return zone_file(zone)
    if config.dns.zone:
        try:
            return zone_file(Path(config.dns.zone))
        except (OSError, Refusal) as error:
            sentence = _("dns.zone: {error}; write another under [dns] in zegel.toml, or take zone out of it")
            detail = f"{config.dns.zone}: {error.strerror}" if isinstance(error, OSError) else error
            raise Refusal(sentence.format(error=detail)) from None
    try:
        return Resolver(config.dns.nameservers or None, timeout=config.dns.timeout, tries=config.dns.tries, trust_ad=config.dns.trust_ad)
    except ValueError as error:
        raise Refusal(f"dns.nameservers: {error}") from None


def nameservers(config: Config) -> Looking:
    """Who asks all authoritative servers; a zone file of the configuration stands for all of them. Raises Refusal, OSError."""
    from zegel.app.opening import make_servers

    return make_servers(config, resolver(config))


def zone_file(file: Path) -> Zone:
    """Read a zone file. Raises Refusal, OSError."""
    from zegel.adapters.zone import Zone

    try:
        return Zone.parse(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Refusal(_("{file} is no zone file: it is not text").format(file=file)) from None
    except ValueError as error:
        raise Refusal(f"{file}: {error}") from None
