"""Has the key records of a domain written where its zone may be written, after the life of its keys has moved on.

Only records of keys: what else a domain should have is published when a person says so. Foreign records stay as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zegel.adapters.journal import Journal
from zegel.adapters.nameservers import Looking
from zegel.config import Config
from zegel.grammar.domain import Domain
from zegel.rollout.publish import Publisher
from zegel.rollout.records import Record
from zegel.rollout.wanted import Holdings, everything, holdings, unwanted, wanted
from zegel.store.database import Store


class KeyPublisher:
    """Writes key records into the zones of the configuration, and tries again in the next round where that fails.

    ``troubles`` has the last error of each zone, empty where all went well; they go into the journal too, where there is one.
    """

    def __init__(self, store: Store, journal: Journal | None, servers: Callable[[], Looking], config: Callable[[], Config]) -> None:
        self._store, self._journal, self._servers, self._config = store, journal, servers, config
        self.troubles: dict[str, str] = {}

    def writes(self, name: str) -> bool:
        """Tell whether the record of a name is published from here; all others are somebody else's to write."""
        zone = Publisher(self._servers(), self._config().zone).zone_of(name)
        return zone is not None and zone.way != "hand"

    async def publish(self, domain: Domain) -> None:
        """Look at the key records of a domain, and write what differs."""
        publisher = Publisher(self._servers(), self._config().zone)
        of = await asyncio.to_thread(self._holdings, domain)
        wishes = [wish for wish in wanted(of) if wish.key is not None and self.writes(wish.record.name)]
        names = {key.record_name for key in of.keys if key.withdrawn}
        away = [record for record in unwanted(of) if record.name in names and self.writes(record.name)]
        changes = await publisher.survey(wishes, away)
        if not any(change.needed and not change.blocked for change in changes):
            return
        contents = await asyncio.to_thread(self._everything)
        for done in await publisher.apply(changes, lambda: contents):
            error, before = "" if done.error is None else str(done.error), self.troubles.get(done.zone.name)
            self.troubles[done.zone.name] = error
            if self._journal is not None and error and error != before:
                self._journal.alarm("records not published", zone=done.zone.name, why=error)
            elif self._journal is not None and done.sent:
                self._journal.note("records published", zone=done.zone.name)

    def _holdings(self, domain: Domain) -> Holdings:
        with self._store.reading() as tx:
            return holdings(tx, domain)

    def _everything(self) -> list[Record]:
        """All records, where a zone is a file that is written whole."""
        if not any(zone.way == "file" for zone in self._config().zone):
            return []
        with self._store.reading() as tx:
            return everything(tx)
