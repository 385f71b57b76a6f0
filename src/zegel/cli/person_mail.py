"""What ``zegel message export`` and ``erase`` do with the mail of a person that is on its way or held, wherever it lies."""

from __future__ import annotations

import base64
import pwd
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zegel.adapters.dropfolder import ASIDE, Aside, DropError, DropFolder
from zegel.cli import screen
from zegel.cli.place import Place
from zegel.cli.quarantine import depot, logged
from zegel.cli.screen import Mark
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.addresses import Addresses
    from zegel.store.database import Store
    from zegel.store.personsmail import Held, PersonsMail
    from zegel.store.spool import Spool


class Mail:
    """The mail of one person; a context manager, while the outbox is open (where there is one)."""

    def __init__(self, here: Place, store: Store, addresses: Addresses, person: bytes, organisation: str | None) -> None:
        self._store, self._depot = store, depot(here)
        self._here, self._opened = here, ExitStack()
        self._mail = _mail_of(store, addresses, person, organisation)
        self._folder, self._aside = drop_folder(here), Aside(here.data / ASIDE)
        self._spool: Spool | None = None

    def __enter__(self) -> Mail:
        from zegel.store.spool import NAME, Spool

        if (self._here.data / NAME).exists():
            self._spool = self._opened.enter_context(Spool.open(self._here.data, create=False))
        return self

    def __exit__(self, *_error: object) -> None:
        self._opened.close()

    def all(self) -> Iterator[Held]:
        """Each message. Raises StoreError."""
        # The drop folder first: what a daemon takes from there meanwhile is in the outbox then.
        if self._folder is not None:
            yield from self._mail.in_drop_folder(self._folder, _site_of(self._store))
        yield from self._mail.in_refused(self._aside)
        if self._spool is not None:
            yield from self._mail.in_outbox(self._spool)
        yield from self._mail.in_quarantine(self._depot)

    def handed_out(self, held: Held, *, texts: bool) -> dict[str, Any]:
        """A message ready for JSON: of other people in it there is only the domain; with ``texts`` the message itself, in base64."""
        told: dict[str, Any] = {
            "in": held.place,
            "name": held.name,
            "time": held.time,
            "site": held.site,
            "subject": held.subject,
            "size": held.size,
            "you": [{"role": part.role, "address": part.address, "state": part.state or None} for part in held.own],
            "others": [{"role": part.role, "domain": part.address.rpartition("@")[2]} for part in held.others],
            "undelivered": held.waits,
        }
        if texts:
            data = self._text(held)
            told["message"] = None if data is None else base64.b64encode(data).decode("ascii")
        return told

    def erase(self, found: list[Held], *, undelivered: bool) -> list[Held]:
        """Erase the person from these messages; those that stay, as they are still to be delivered. Raises StoreError."""
        left = [held for held in found if not self._erase(held, undelivered=undelivered)]
        if self._spool is not None:
            self._spool.checkpoint()
        return left

    def _erase(self, held: Held, *, undelivered: bool) -> bool:
        from zegel.store import audit

        if held.place == "outbox":
            if self._spool is None:
                return True
            with self._spool.writing() as mail:
                return self._mail.erase_from_outbox(mail, held, undelivered=undelivered)
        if held.waits and not (undelivered and held.whole):
            return False
        if held.place == "quarantine":
            action, before = "quarantine.drop", logged(self._depot.drop(held.name))
        else:
            if not self._unlink(self._file(held)):
                return held.place == "refused"  # or the daemon has taken it into the outbox
            action, before = "handover.drop", {"time": held.time, "site": held.site, "size": held.size}
        with self._store.writing() as tx:
            audit.note(tx, action, held.name, now=int(time.time()), before=before)
        return True

    def _left(self, held: Held) -> bytes | None:
        """A message that a program left; None when it has gone meanwhile."""
        try:
            if held.place == "drop_folder" and self._folder is not None:
                return self._folder.take(held.name).data
            return self._file(held).read_bytes()
        except (FileNotFoundError, DropError):
            return None

    def _unlink(self, file: Path) -> bool:
        """Delete a file, for good when this returns; False where there is none any more."""
        from zegel.store import folder
        from zegel.store.errors import system_explained

        with system_explained(file.parent):
            try:
                file.unlink()
            except FileNotFoundError:
                return False
            folder.sync(file.parent)
        return True

    def _file(self, held: Held) -> Path:
        return (self._folder.path if held.place == "drop_folder" and self._folder is not None else self._aside.path) / held.name

    def _text(self, held: Held) -> bytes | None:
        from zegel.store import transit
        from zegel.store.posting import number

        if held.place == "quarantine":
            return self._depot.message(held.name)
        if held.place in ("drop_folder", "refused"):
            return self._left(held)
        if self._spool is None:
            return None
        with self._spool.reading() as tx:
            return transit.body(tx, number(held.name) or 0)


def tell_left(here: Place, left: list[Held], *, undelivered: bool) -> None:
    """Say what could not be erased, and what to do."""
    screen.marked(Mark.WRONG, _("messages of this person that are not delivered yet, and stay: {count}").format(count=len(left)))
    for held in left:
        screen.command(_shown(here, held))
    if any(held.place == "drop_folder" for held in left):
        screen.say(_("What lies in the drop folder is in the outbox soon after the daemon has begun to run. Start it first."))
    if undelivered:
        screen.say(_("Others wait for them as well. Erase again when they have them, or drop each by hand:"))
        screen.command(here.command("outbox drop ..."))
        screen.command(here.command("quarantine drop ..."))
    else:
        screen.say(_("Erase again when they are delivered or dropped. With --undelivered they go now, and nobody gets them."))


def drop_folder(here: Place) -> DropFolder | None:
    """The drop folder, where one is set."""
    path = here.read_config().handover.drop_folder
    return DropFolder(Path(path), here.data / ASIDE) if path else None


def _shown(here: Place, held: Held) -> str:
    """The command that shows a message which stays."""
    folder = drop_folder(here)
    if held.place == "drop_folder" and folder is not None:
        return f"cat {shlex.quote(str(folder.path / held.name))}"
    return here.command(f"{held.place} show {held.name}")


def _site_of(store: Store) -> Callable[[int], str]:
    """The name of the site of a user of this system, "" for none."""
    from zegel.store import sites

    with store.reading() as tx:
        names = {site.unix_user: site.name for site in sites.all(tx) if site.unix_user}

    def of_user(uid: int) -> str:
        try:
            return names.get(pwd.getpwuid(uid).pw_name, "")
        except KeyError:
            return ""

    return of_user


def _mail_of(store: Store, addresses: Addresses, person: bytes, organisation: str | None) -> PersonsMail:
    """The search, for all or for what is of one organisation: of its sites, or to its domains."""
    from zegel.store import domains, sites
    from zegel.store.personsmail import PersonsMail

    if organisation is None:
        return PersonsMail(addresses, person)
    with store.reading() as tx:
        names = {site.name for site in sites.all(tx) if site.organisation == organisation}
        owned = [domain.name for domain in domains.all(tx) if domain.organisation == organisation]

    def of_it(host: str) -> bool:
        return any(host.lower() == name or host.lower().endswith(f".{name}") for name in owned)

    return PersonsMail(addresses, person, site=names.__contains__, domain=of_it)
