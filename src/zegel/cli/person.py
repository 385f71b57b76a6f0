"""``zegel message export | erase``: what is recorded of one person, handed out or erased.

They find a person by an address, also where addresses are kept as a hash only; so they need the master key.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.addresses import Addresses
    from zegel.store.database import Store
    from zegel.store.persons import Erased

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help=_("The person's address, such as jan@example.be; each has to be given by itself."))
]
Organisation = Annotated[str | None, typer.Option(metavar="NAME", help=_("Only what is of this organisation."))]


def addresses(here: Place, store: Store) -> Addresses:
    """How addresses are kept here."""
    from zegel.store.addresses import Addresses

    if store.vault is None:
        raise RuntimeError("an address is found with the master key")
    return Addresses(store.vault, hashed=here.read_config().messages.hash_addresses)


def export(
    ctx: typer.Context,
    address: Address,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help=_("A new file, for your eyes only; without it, standard output."))
    ] = None,
    organisation: Organisation = None,
) -> None:
    """Hand out what is recorded of a person."""
    here, wanted = place.of(ctx), _address(address)
    with here.store(create=False) as store:
        known = addresses(here, store)
        if file is None:
            _write(store, known, wanted, organisation, sys.stdout)
            return
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise Refusal(_("{path} is there already and is not overwritten; name another file").format(path=file)) from None
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            count = _write(store, known, wanted, organisation, stream)
    screen.marked(Mark.OK, _("{path}: {count} messages").format(path=file, count=count))


def erase(
    ctx: typer.Context,
    address: Address,
    organisation: Organisation = None,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask first."))] = False,
) -> None:
    """Erase what is recorded of a person."""
    from zegel.store import persons

    here, wanted = place.of(ctx), _address(address)
    with here.store(create=False) as store:
        person = addresses(here, store).key(wanted)
        with store.reading() as tx:
            count = persons.count(tx, person, organisation)
        if count and not yes:
            question = _("{address} is in {count} messages that are recorded. Erase?").format(address=screen.safe(wanted), count=count)
            if not sys.stdin.isatty():
                raise Refusal(_("{question} Say so with --yes").format(question=question))
            typer.confirm(question, abort=True, err=True)
        erased = _erase(store, person, organisation, -(-count // persons.BATCH))
        with screen.waiting(_("Writing the database anew")):
            whole = store.rewrite()
    sentence = _("{address}: {deleted} messages deleted, and taken out of {changed} more")
    screen.marked(Mark.OK, sentence.format(address=wanted, deleted=erased.deleted, changed=erased.changed))
    screen.marked(Mark.NOTE, _("Backups, the logs of Zegel and of the mail server, and the mail itself are not reached from here."))
    if not whole:
        again = _("The database was in use, and what was erased may still be in the file {path}-wal; say it once more").format(
            path=store.path
        )
        raise Refusal(again, status=1)


def _address(text: str) -> str:
    local, at, host = text.strip().removeprefix("<").removesuffix(">").rpartition("@")
    if not local or not at or not host:
        raise Refusal(_("'{text}' is no address; write it as in jan@example.be").format(text=text[:320]))
    return f"{local}@{host if host.startswith('[') else place.domain(host)}"


def _write(store: Store, known: Addresses, address: str, organisation: str | None, stream: IO[str]) -> int:
    from zegel.store import persons

    person, written, after = known.key(address), 0, 0
    with store.reading() as tx:
        total = persons.count(tx, person, organisation)
        with screen.bar(_("Writing"), total if stream is not sys.stdout else None) as bar:
            while found := persons.export(tx, known, person, organisation, after=after):
                for number, message in found:
                    stream.write(json.dumps(message) + "\n")
                    written, after = written + 1, number
                    if bar is not None:
                        bar.advance()
    stream.flush()
    return written


def _erase(store: Store, person: bytes, organisation: str | None, batches: int) -> Erased:
    from zegel.store import persons

    erased = persons.Erased()
    with screen.bar(_("Erasing"), batches) as bar:
        while True:
            with store.writing() as tx:
                last = persons.erase(tx, person, organisation)
            if not last:
                return erased
            erased += last
            if bar is not None:
                bar.advance()
