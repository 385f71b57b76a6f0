"""Looks now and then at what domains publish beside their keys, and at the selectors of other services: what was right and is not any more.

Nothing is changed and nothing is published: a person reads the journal. A record that was never seen as it should be raises no alarm, for
it may not be published yet. Trouble with a server raises none either, and what was known before stays known. Keys of ours have a keeper of
their own, which looks more often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from zegel.adapters.journal import Journal
from zegel.adapters.nameservers import Looking
from zegel.grammar.domain import Domain
from zegel.rollout import watch
from zegel.rollout.readback import read_back
from zegel.rollout.wanted import Wanted, holdings, wanted
from zegel.store import domains, services, sightings
from zegel.store.database import Store
from zegel.store.services import ForeignSelector
from zegel.store.sightings import Sighting
from zegel.words import Sentence

_PAUSE = 6 * 3600.0  # seconds between two rounds
_FIRST = 60.0  # after a start, when there is enough else to do
_RIGHT, _UNKNOWN = "visible", "unavailable"


class Watcher:
    """Goes round all domains, one after the other, so that thousands of them are a trickle of questions."""

    def __init__(self, store: Store, journal: Journal, servers: Callable[[], Looking], *, clock: Callable[[], float] = time.time) -> None:
        self._store, self._journal, self._servers, self._clock = store, journal, servers, clock

    async def run(self) -> None:
        """Look until cancelled."""
        await asyncio.sleep(_FIRST)
        while True:
            try:
                await self.look()
            except Exception as error:
                self._journal.fault(error)
            await asyncio.sleep(_PAUSE)

    async def look(self) -> int:
        """Go round once; returns how many records were looked at."""
        names = await asyncio.to_thread(self._names)
        return sum([await self._look_at(name) for name in names])

    async def _look_at(self, name: Domain) -> int:
        wishes, foreign, former = await asyncio.to_thread(self._known, name)
        for wish in wishes:
            back = await read_back(self._servers(), wish.record, former=wish.former)
            if self._tell(former.get((wish.record.name, wish.record.type)), back.outcome, wish.record.name, back.sentence):
                await asyncio.to_thread(self._note, lambda tx, back=back: watch.note(tx, name, back, now=int(self._clock())))
        for selector in foreign:
            found = await watch.look_at_foreign(self._servers(), selector)
            if self._tell(former.get((selector.record_name, "TXT")), found.outcome, selector.record_name, found.sentence):
                await asyncio.to_thread(self._note, lambda tx, found=found: watch.note_foreign(tx, found, now=int(self._clock())))
        return len(wishes) + len(foreign)

    def _tell(self, before: Sighting | None, outcome: str, name: str, sentence: Sentence) -> bool:
        """One line when something that was right is so no more, and one when it is again; False when this look is not to be kept."""
        if before is None:
            return True
        if outcome == _UNKNOWN:
            return False
        if before.outcome == _RIGHT and outcome != _RIGHT:
            self._journal.alarm("record changed", record=name, why=sentence)
        elif before.outcome != _RIGHT and outcome == _RIGHT:
            self._journal.note("record right", record=name)
        return True

    def _names(self) -> list[Domain]:
        with self._store.reading() as tx:
            return [own.name for own in domains.all(tx)]

    def _known(self, name: Domain) -> tuple[list[Wanted], list[ForeignSelector], dict[tuple[str, str], Sighting]]:
        with self._store.reading() as tx:
            wishes = [wish for wish in wanted(holdings(tx, name)) if wish.key is None]
            return wishes, services.all(tx, name), {(found.name, found.type): found for found in sightings.all(tx, name)}

    def _note(self, write: Callable[..., object]) -> None:
        with self._store.writing() as tx:
            write(tx)
