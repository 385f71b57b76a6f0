"""What ``zegel message export`` and ``erase`` do with the mail of a person that is on its way: in the outbox, and in quarantine."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

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
        kept = self._depot.drop(held.name)
        with self._store.writing() as tx:
            audit.note(tx, "quarantine.drop", held.name, now=int(time.time()), before=logged(kept))
        return True

    def _text(self, held: Held) -> bytes | None:
        from zegel.store import transit
        from zegel.store.posting import number

        if held.place == "quarantine":
            return self._depot.message(held.name)
        if self._spool is None:
            return None
        with self._spool.reading() as tx:
            return transit.body(tx, number(held.name) or 0)


def tell_left(here: Place, left: list[Held], *, undelivered: bool) -> None:
    """Say what could not be erased, and what to do."""
    screen.marked(Mark.WRONG, _("messages of this person that are not delivered yet, and stay: {count}").format(count=len(left)))
    for held in left:
        screen.command(here.command(f"outbox show {held.name}" if held.place == "outbox" else f"quarantine show {held.name}"))
    if undelivered:
        screen.say(_("Others wait for them as well. Erase again when they have them, or drop each by hand:"))
        screen.command(here.command("outbox drop ..."))
        screen.command(here.command("quarantine drop ..."))
    else:
        screen.say(_("Erase again when they are delivered or dropped. With --undelivered they go now, and nobody gets them."))


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
