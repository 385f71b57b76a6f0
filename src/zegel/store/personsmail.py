"""Mail of one person that is on its way or held: in the outbox, in quarantine, and where programs left it while no daemon ran.

To hand out what is known of it, and to erase it.

The record of messages (:mod:`zegel.store.persons`) knows the envelope; here whole messages lie, and the visitor who filled in a form stands
in Reply-To alone. So the fields that name people are read as well. What is over can go at once. What somebody is still to get goes only
where that is asked for: it would be lost to others too. A message that others wait for stays until they have it, without this recipient;
in the drop folder with this recipient, as a file there is another user's, and is written by that user alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from zegel.adapters.dropfolder import Aside, DropFolder
from zegel.grammar.encodedword import shown
from zegel.grammar.message import CRLF, Field, named, split_fields
from zegel.store import queue
from zegel.store.addresses import Addresses
from zegel.store.errors import system_explained
from zegel.store.posting import State, number, queue_id
from zegel.store.quarantine import Depot, Kept
from zegel.store.spool import Spool, bodies, messages, recipients

_HEADER = 262_144  # octets that are looked at; a header of ours is shorter
_PAGE = 50
_AUTHORS = (b"from", b"sender", b"reply-to")
_READERS = (b"to", b"cc")


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody's part in a message: ``role`` is sender (of the envelope), author (From, Sender, Reply-To), recipient or named (To, Cc)."""

    role: str
    address: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A message in a ``place`` (outbox, quarantine, drop_folder, refused), by its ``name`` there, with the person's parts and the others'.

    ``waits`` tells that somebody is still to get it; ``whole`` that the person sent it or is the only one to get it, so that it
    goes as a whole.
    """

    place: str
    name: str
    time: int
    site: str
    subject: str
    size: int
    own: tuple[Part, ...]
    others: tuple[Part, ...]
    waits: bool
    whole: bool


class PersonsMail:
    """Looks for one person by their keyed hash. ``site`` and ``domain`` tell which are wanted, where not all are."""

    def __init__(
        self,
        addresses: Addresses,
        person: bytes,
        *,
        site: Callable[[str], bool] = lambda _site: True,
        domain: Callable[[str], bool] = lambda _domain: True,
    ) -> None:
        self._addresses, self._person = addresses, person
        self._site, self._domain = site, domain

    # -- the outbox ------------------------------------------------------------------------------------------------------------------

    def in_outbox(self, spool: Spool) -> Iterator[Held]:
        """What the outbox has of the person, oldest first; a message that comes meanwhile may be missed. Raises StoreError."""
        after = 0
        while True:
            with spool.reading() as tx:
                page = self._page(tx, after)
            if not page:
                return
            yield from (held for _number, held in page if held is not None)
            after = page[-1][0]

    def erase_from_outbox(self, tx: Connection, held: Held, *, undelivered: bool) -> bool:
        """Erase the person from one message of the outbox, as it is now; False where it, or its rest, is still to be delivered."""
        identity = number(held.name) or 0
        ((found, now),) = self._page(tx, identity - 1, most=1) or ((0, None),)
        if now is None or found != identity:
            return True
        if now.waits and not undelivered:
            return False
        if now.waits and not now.whole:
            rows = tx.execute(select(recipients.c.position, recipients.c.address).where(recipients.c.message_id == identity))
            own = [position for position, address in rows.all() if self._is(address)]
            queue.erase_recipients(tx, identity, own)
            return False
        queue.erase(tx, identity)
        return True

    def _page(self, tx: Connection, after: int, most: int = _PAGE) -> list[tuple[int, Held | None]]:
        header = func.substr(bodies.c.data, 1, _HEADER)
        query = select(messages, header.label("header")).join_from(
            messages, bodies, isouter=True, onclause=bodies.c.message_id == messages.c.id
        )
        rows = tx.execute(query.where(messages.c.id > after).order_by(messages.c.id).limit(most)).all()
        people: dict[int, list[Part]] = {row.id: [Part("sender", row.sender)] for row in rows}
        query = select(recipients.c.message_id, recipients.c.address, recipients.c.state).where(recipients.c.message_id.in_(people))
        for identity, address, state in tx.execute(query.order_by(recipients.c.message_id, recipients.c.position)):
            people[identity].append(Part("recipient", address, state))
        return [(row.id, self._of_outbox(row, people[row.id])) for row in rows]

    def _of_outbox(self, row: Any, parts: list[Part]) -> Held | None:
        if not self._site(row.site):
            return None
        header = _fields(row.header or b"")
        waits = any(part.state == State.WAITING for part in parts)
        return self._held("outbox", queue_id(row.id), row.received, row.site, row.size, parts, header, waits=waits)

    # -- the quarantine --------------------------------------------------------------------------------------------------------------

    def in_quarantine(self, depot: Depot) -> Iterator[Held]:
        """What is in quarantine of the person, newest first. Raises StoreError."""
        for kept in depot.all():
            if any(self._domain(address.rpartition("@")[2]) for address in kept.recipients):
                held = self._of_quarantine(kept, depot.header(kept.name, _HEADER))
                if held is not None:
                    yield held

    def _of_quarantine(self, kept: Kept, header: bytes) -> Held | None:
        parts = [Part("sender", kept.sender), *(Part("recipient", address, kept.state) for address in kept.recipients)]
        return self._held("quarantine", kept.name, kept.time, "", kept.size, parts, _fields(header), waits=kept.state == "kept")

    # -- what programs have left -----------------------------------------------------------------------------------------------------

    def in_drop_folder(self, folder: DropFolder, site_of: Callable[[int], str]) -> Iterator[Held]:
        """What waits in the drop folder of the person; ``site_of`` tells the site of a user, "" for none. Raises StoreError."""
        with system_explained(folder.path):
            for dropped in folder.messages() if folder.path.exists() else ():
                site, handed = site_of(dropped.uid), dropped.handed
                parts = [Part("sender", handed.sender), *(Part("recipient", address, State.WAITING) for address in handed.recipients)]
                header, size = _fields(dropped.data[:_HEADER]), len(dropped.data)
                if self._site(site) and (
                    held := self._held("drop_folder", dropped.name, int(dropped.time), site, size, parts, header, waits=True)
                ):
                    yield held

    def in_refused(self, aside: Aside) -> Iterator[Held]:
        """What was refused from there; its envelope and its site are not known any more. Raises StoreError."""
        with system_explained(aside.path):
            for path in aside.messages() if self._site("") else ():
                with path.open("rb") as file:
                    header, status = _fields(file.read(_HEADER)), os.fstat(file.fileno())
                if held := self._held("refused", path.name, int(status.st_mtime), "", status.st_size, [], header, waits=False):
                    yield held

    # -- who is in it ----------------------------------------------------------------------------------------------------------------

    def _held(
        self, place: str, name: str, time: int, site: str, size: int, envelope: list[Part], header: list[Field], *, waits: bool
    ) -> Held | None:
        parts = [part for part in envelope if part.address]
        for role, names in (("author", _AUTHORS), ("named", _READERS)):
            parts += (Part(role, address) for key in names for field in named(header, key) for address in self._addresses_in(field.value))
        own = tuple(part for part in parts if self._is(part.address))
        if not own:
            return None
        others = tuple(part for part in dict.fromkeys(parts) if not self._is(part.address))
        still = [part for part in others if part.role == "recipient" and part.state in (State.WAITING, "kept")]
        whole = any(part.role in ("sender", "author") for part in own) or not still
        subject = b"".join(field.value for field in named(header, b"subject")[:1]).decode("utf-8", "replace")
        return Held(place, name, time, site, shown(" ".join(subject.split())), size, tuple(dict.fromkeys(own)), others, waits, whole)

    def _is(self, address: str) -> bool:
        return self._addresses.key(address) == self._person

    def _addresses_in(self, value: bytes) -> Iterator[str]:
        """The addresses in a field, however badly it is written: what stands around each @."""
        for piece in value.decode("utf-8", "replace").split(","):
            if "@" in piece:
                yield from self._addresses.found(json.dumps(piece, ensure_ascii=False))


def _fields(header: bytes) -> list[Field]:
    if CRLF not in header:
        header = header.replace(b"\n", CRLF)  # refused, perhaps for this
    return split_fields(header.partition(CRLF + CRLF)[0])[0]
