"""``zegel message export | erase``: what is recorded of one person, and the mail of theirs that lies here, handed out or erased.

They find a person by an address, also where addresses are kept as a hash only; so they need the master key.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.person_mail import Mail, tell_left
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.addresses import Addresses
    from zegel.store.database import Store
    from zegel.store.persons import Erased
    from zegel.store.personsmail import Held

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
    texts: Annotated[
        bool,
        typer.Option("--texts", help=_("With the messages themselves that lie in the outbox, the drop folder or quarantine, in base64.")),
    ] = False,
) -> None:
    """Hand out what is recorded of a person."""
    here, wanted = place.of(ctx), _address(address)
    with here.store(create=False) as store:
        known = addresses(here, store)

        def write(stream: IO[str]) -> int:
            count = _write(store, known, wanted, organisation, stream)
            with Mail(here, store, known, known.key(wanted), organisation) as mail:
                for held in mail.all():
                    stream.write(json.dumps(mail.handed_out(held, texts=texts)) + "\n")
                    count += 1
            stream.flush()
            return count

        if file is None:
            write(sys.stdout)
            return
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise Refusal(_("{path} is there already and is not overwritten; name another file").format(path=file)) from None
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            count = write(stream)
    screen.marked(Mark.OK, _("{path}: {count} messages").format(path=file, count=count))


def erase(
    ctx: typer.Context,
    address: Address,
    organisation: Organisation = None,
    undelivered: Annotated[
        bool,
        typer.Option("--undelivered", help=_("Mail too that is still to be delivered, or waits in quarantine: nobody gets it any more.")),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask first."))] = False,
) -> None:
    """Erase what is recorded of a person."""
    from zegel.store import persons

    here, wanted = place.of(ctx), _address(address)
    with here.store(create=False) as store:
        known = addresses(here, store)
        person = known.key(wanted)
        with Mail(here, store, known, person, organisation) as mail:
            found = list(mail.all())
            with store.reading() as tx:
                count = persons.count(tx, person, organisation)
            _ask(wanted, count, found, undelivered=undelivered, yes=yes)
            erased = _erase(store, person, organisation, -(-count // persons.BATCH))
            left = mail.erase(found, undelivered=undelivered)
        with screen.waiting(_("Writing the database anew")):
            whole = store.rewrite()
    sentence = _("{address}: {deleted} messages deleted, and taken out of {changed} more")
    screen.marked(Mark.OK, sentence.format(address=wanted, deleted=erased.deleted, changed=erased.changed))
    if found:
        sentence = _("of {count} messages in the outbox, the drop folder and quarantine, {gone} are erased")
        screen.marked(Mark.OK if not left else Mark.NOTE, sentence.format(count=len(found), gone=len(found) - len(left)))
    screen.marked(Mark.NOTE, _("Backups, the logs of Zegel and of the mail server, and the mail itself are not reached from here."))
    if left:
        tell_left(here, left, undelivered=undelivered)
    if not whole:
        again = _("The database was in use, and what was erased may still be in the file {path}-wal; say it once more").format(
            path=store.path
        )
        raise Refusal(again, status=1)
    if left:
        raise typer.Exit(1)


def _ask(address: str, count: int, found: Sequence[Held], *, undelivered: bool, yes: bool) -> None:
    """Ask first, where there is something to erase."""
    if yes or not (count or found):
        return
    question = _("{address} is in {count} messages that are recorded. Erase?")
    if found:
        question = _(
            "{address} is in {count} messages that are recorded, and in {mail} of the outbox, the drop folder and quarantine. Erase?"
        )
    if undelivered and any(held.waits for held in found):
        question += " " + _("Those not delivered are lost.")
    question = question.format(address=screen.safe(address), count=count, mail=len(found))
    if not sys.stdin.isatty():
        raise Refusal(_("{question} Say so with --yes").format(question=question))
    typer.confirm(question, abort=True, err=True)


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
        with screen.bar(_("Writing"), total, scrolls=stream is sys.stdout) as bar:
            while found := persons.export(tx, known, person, organisation, after=after):
                for number, message in found:
                    stream.write(json.dumps(message) + "\n")
                    written, after = written + 1, number
                    if bar is not None:
                        bar.advance()
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
