"""Files of zones: each is written whole, and has what it holds alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import zegel
from zegel.adapters.nameservers import Offline
from zegel.config.publishing import Zone
from zegel.grammar.domain import Domain
from zegel.rollout.publish import Publisher
from zegel.rollout.records import txt
from zegel.rollout.wanted import Holdings, wanted
from zegel.store.plans import Plan


def test_a_record_stands_in_the_file_of_the_zone_that_holds_it(tmp_path: Path) -> None:
    """RFC 1034 4.3.2: what lies below the cut of another zone is not data of the zone above."""
    zones = [Zone(name=name, way="file", file=str(tmp_path / name)) for name in ("agency.be", "dkim.agency.be")]
    everything = [txt("agency.be", "one"), txt("z1.customer.dkim.agency.be", "two"), txt("myagency.be", "three")]
    of = Holdings(Domain("agency.be"), Plan(parked=True))
    publisher = Publisher(Offline(zegel.Zone.from_dict({})), zones)

    async def publish() -> None:
        changes = await publisher.survey([*wanted(of), *wanted(Holdings(Domain("dkim.agency.be"), Plan(parked=True)))])
        assert [done.error for done in await publisher.apply(changes, lambda: everything)] == [None, None]

    asyncio.run(publish())
    above, below = ((tmp_path / zone.name).read_text().splitlines()[1:] for zone in zones)
    assert [line.rpartition(" ")[2] for line in above] == ['"one"']
    assert [line.rpartition(" ")[2] for line in below] == ['"two"']
