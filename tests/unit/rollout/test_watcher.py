from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import zegel
from zegel.adapters.journal import Journal
from zegel.adapters.nameservers import Offline
from zegel.grammar.domain import Domain
from zegel.rollout.records import as_value
from zegel.rollout.wanted import holdings, wanted
from zegel.rollout.watcher import Watcher
from zegel.store import domains, plans, services, sightings
from zegel.store.database import Store
from zegel.store.plans import Plan

NAME = Domain("example.be")
KEY = zegel.Key.generate("example.be", "sel", "ed25519").record


class Watched:
    """A domain with a plan and a foreign selector; what DNS has, the test says."""

    def __init__(self, store: Store) -> None:
        self.store, self.now, self.lines = store, 0, []  # type: tuple[Store, int, list[tuple[str, str]]]
        with store.writing() as tx:
            domains.add(tx, NAME, now=1)
            plans.put(tx, NAME, Plan(policy="none"), now=1)
            services.add(tx, NAME, "sel", "A service", now=1)

    def look(self, dmarc: list[str] | zegel.Rcode, key: list[str] | zegel.Rcode) -> list[str]:
        """One round; returns the outcomes kept."""
        self.now += 10
        zone = zegel.Zone.from_dict({("_dmarc.example.be", "TXT"): dmarc, ("sel._domainkey.example.be", "TXT"): key})
        watcher = Watcher(self.store, Journal(), lambda: Offline(zone), clock=lambda: self.now)
        assert asyncio.run(watcher.look()) == 2
        with self.store.reading() as tx:
            return [found.outcome for found in sightings.all(tx, NAME)]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with Store.open(tmp_path / "data") as store:
        yield Watched(store)


def test_what_was_right_and_is_not_any_more_is_told_once(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    with watched.store.reading() as tx:
        (right,) = [as_value(wish.record) for wish in wanted(holdings(tx, NAME))]

    def told() -> list[str]:
        return [line for line in capsys.readouterr().out.splitlines() if "record " in line]

    assert watched.look([], []) == ["absent", "absent"]
    assert told() == []  # not published yet
    assert watched.look([right], [KEY]) == ["visible", "visible"]
    assert len(told()) == 2
    assert watched.look(zegel.Rcode.TIMEOUT, [KEY]) == ["visible", "visible"]
    assert told() == []  # trouble is no absence
    assert watched.look([right], [KEY]) == ["visible", "visible"]
    assert watched.look([right], zegel.Rcode.SERVFAIL) == ["visible", "visible"]
    assert watched.look([right], ["v=DKIM1; p="]) == ["visible", "revoked"]
    (line,) = told()
    assert "record changed" in line
    assert "sel._domainkey.example.be" in line
    assert watched.look([right], ["v=DKIM1; p="]) == ["visible", "revoked"]
    assert told() == []
    with watched.store.reading() as tx:
        assert {found.name: found.since for found in sightings.all(tx, NAME)}["sel._domainkey.example.be"] == 60
