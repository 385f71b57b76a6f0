"""A round of the keeper: in which order and how many at once keys are looked at, what is published and told, and what is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from zegel.adapters.nameservers import Looked
from zegel.ask import RRType
from zegel.grammar.domain import Domain
from zegel.rollout import rotation
from zegel.rollout.keeper import Keeper
from zegel.rollout.keyrules import Rules
from zegel.rollout.life import Times
from zegel.store import audit, domains, keychanges, keys, slots
from zegel.store.database import Store
from zegel.store.keys import KeyState, StoredKey, Succession

from .keeping import DAY, EXAMPLE, HOUR, NOW, PEM, Site


class Zones:
    """A publisher that writes one of two zones, and notes for which domain it was asked."""

    def __init__(self, writes: bool = True) -> None:
        self.asked: list[str] = []
        self._writes = writes

    def writes(self, name: str) -> bool:
        return self._writes and name.endswith("._domainkey.example.be")

    async def publish(self, domain: Domain) -> None:
        self.asked.append(str(domain))


class Slow(Site):
    """Servers that answer nobody before twenty are asked at once, and a little later; ``most`` were asked at once."""

    under_way = most = 0

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        if self.under_way == 20:
            await asyncio.sleep(0.2)
            self.full.set()
        await asyncio.wait_for(self.full.wait(), 60)
        self.under_way -= 1
        return await super().look_everywhere(name, rrtype)

    @functools.cached_property
    def full(self) -> asyncio.Event:
        return asyncio.Event()


class Counted(Keeper):
    """Notes of each round whether everything was wanted; when it is to be ``broken``, the round is."""

    broken = False

    async def round(self, *, everything: bool = False) -> None:
        self.rounds.put_nowait(everything)
        if self.broken:
            raise ValueError("broken for the test")
        await super().round(everything=everything)

    @functools.cached_property
    def rounds(self) -> asyncio.Queue[bool]:
        return asyncio.Queue()

    async def next(self) -> bool:
        """The next round, after which nothing more comes for a moment."""
        everything = await asyncio.wait_for(self.rounds.get(), 60)
        await asyncio.sleep(0.2)
        assert self.rounds.empty()
        return everything


def attend(site: Site, key: StoredKey, zones: Zones | None = None) -> StoredKey:
    """One look at one key."""
    return asyncio.run(site.another(zones).attend(key))


def test_twenty_keys_are_looked_at_at_once(store: Store) -> None:
    site = Slow(store)
    for number in range(25):
        site.add(f"z{number}")
    site.publish()
    assert site.round() == 25
    assert site.most == 20


def test_keys_that_may_be_gone_back_to_are_looked_at_before_the_one_that_signs(site: Site) -> None:
    """A key is left only for one that is served now, so that all others must be known first."""
    site.add("z1", activate=True)
    for selector in ("z2", "z3", "z4"):
        site.add(selector)
    site.publish()
    site.round()
    assert (len(site.asked), site.asked[-1]) == (4, "z1._domainkey.example.be")


def test_all_keys_that_may_be_gone_back_to_are_watched_while_the_one_that_signs_misses_its_record(site: Site) -> None:
    other = Domain.parse("other.example")
    with site.store.writing() as tx:
        domains.add(tx, other, now=NOW)
    site.add("z1", activate=True)
    site.add("z2", activate=True)
    site.add("z1", activate=True, domain=other)
    site.publish()
    assert (site.round(), site.round(later=60)) == (3, 0)
    del site.dns["z1._domainkey.example.be", "TXT"]
    assert (site.round(later=60, everything=True), site.round(later=60)) == (3, 0), "of the one before it alone nothing hangs"
    site.publish()
    del site.dns["z2._domainkey.example.be", "TXT"]
    assert site.round(later=60, everything=True) == 3
    site.asked.clear()
    assert site.round(later=60) == 2
    assert sorted(set(site.asked) & {key.name for key in site.all()}) == ["z1._domainkey.example.be", "z2._domainkey.example.be"]


def test_it_goes_round_by_itself_and_when_it_is_woken(site: Site) -> None:
    keeper = Counted(site.store, site.journal, lambda: site, lambda: site.rules, clock=lambda: site.now)

    async def work() -> None:
        site.rules = Rules(Times(look=600))
        running = asyncio.create_task(keeper.run())
        assert not await keeper.next()
        keeper.wake(everything=True)
        keeper.wake()
        assert await keeper.next(), "whoever wants everything gets it"
        keeper.wake()
        assert not await keeper.next()
        assert keeper.looks == 2
        site.rules, keeper.broken = Rules(Times(look=1)), True
        keeper.wake()
        assert not await keeper.next()
        keeper.broken = False
        assert not await keeper.next(), "a broken round ends nothing"
        running.cancel()

    site.add("z1", activate=True)
    site.publish()
    asyncio.run(work())
    assert site.journal.registry.get_sample_value("zegel_faults_total") == 1


def test_a_look_gives_the_key_as_it_is_afterwards(site: Site) -> None:
    site.add("z1", activate=True)
    waits = site.add("z2", succession=Succession.PLANNED)
    site.publish()
    for _ in range(70):
        site.now += 60
        waits = attend(site, waits)
        if waits.state is KeyState.ACTIVE:
            break
    assert (waits.selector, site.states()) == ("z2", {"z1": "retiring", "z2": "active"})
    former = attend(site, site.all()[0])
    assert (former.selector, former.state, former.looked) == ("z1", KeyState.RETIRING, site.now)
    site.add("z3")
    with site.store.writing() as tx:
        removed = keychanges.remove(tx, EXAMPLE, "z3", now=site.now)
    assert attend(site, removed) == removed


class Meddled(Site):
    """While its servers are asked, somebody revokes the key."""

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        with self.store.writing() as tx:
            if keys.get(tx, EXAMPLE, "z1").state is KeyState.ACTIVE:
                keychanges.revoke(tx, EXAMPLE, "z1", now=self.now)
        return await super().look_everywhere(name, rrtype)


def test_what_somebody_changed_during_a_look_stays_as_he_made_it(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The look was at another state: nothing of it is written, told or published, and it is no fault."""
    site, zones = Meddled(store), Zones()
    key = site.add("z1", activate=True)
    after = attend(site, key, zones)
    assert (after.state, after.looked, after.trouble) == (KeyState.REVOKED, None, "")
    assert site.all() == [after]
    assert zones.asked == []
    assert site.journal.registry.get_sample_value("zegel_faults_total") == 0
    assert capsys.readouterr().out == ""


def test_what_a_look_changes_is_in_the_audit_log_with_the_time_of_the_look(site: Site) -> None:
    key = site.add("z1")
    site.publish()
    while attend(site, key).state is KeyState.PENDING:
        site.now += 60
    with site.store.reading() as tx:
        line = audit.all(tx)[-1]
    assert (line.action, line.time) == ("key.visible", site.now)


def test_what_the_last_look_read_back_is_there_to_be_shown(site: Site) -> None:
    site.add("z1", activate=True)
    before = site.keeper.back
    site.round()
    after = site.keeper.back
    assert before is None
    assert after is not None
    assert after.difference == "no_name"


def test_what_is_not_as_it_should_be_is_published_where_we_may_write(site: Site) -> None:
    key, zones = site.add("z1", activate=True), Zones()
    attend(site, key, zones)
    assert zones.asked == ["example.be"]
    elsewhere = Zones(writes=False)
    attend(site, key, elsewhere)
    assert elsewhere.asked == [], "a zone that is not ours is its owner's"
    assert attend(site, key).trouble == "no_name", "without a publisher it is only seen"
    site.publish()
    attend(site, key, zones)
    assert zones.asked == ["example.be"], "what is as it should be is left alone"


def test_what_should_be_otherwise_from_now_on_is_published_at_once(site: Site) -> None:
    """The record of a key that is revoked by a look was right until then."""
    key, zones = site.add("z1", activate=True), Zones()
    site.publish()
    with site.store.writing() as tx:
        keychanges.retire(tx, EXAMPLE, "z1", now=site.now, keep=10)
    attend(site, key, zones)
    assert zones.asked == []
    site.now += 2 * HOUR
    while attend(site, key, zones).state is KeyState.RETIRING:
        assert (zones.asked, site.now) < (["example.be"], NOW + 9 * DAY)
        site.now += HOUR
    assert zones.asked == ["example.be"]


def test_the_record_of_a_revoked_key_is_taken_out_until_it_is_gone(site: Site) -> None:
    key, zones = site.add("z1", activate=True), Zones()
    with site.store.writing() as tx:
        keychanges.revoke(tx, EXAMPLE, "z1", now=site.now)
    site.publish()
    while not attend(site, key).withdrawn:
        site.publish()
        site.now += HOUR
        assert site.now < NOW + 9 * DAY
    attend(site, key, zones)
    assert zones.asked == ["example.be"], "an empty p= that all servers have is not what is wanted any more"
    site.dns = {}
    site.now += HOUR
    zones.asked.clear()
    assert attend(site, key, zones).state is KeyState.REMOVED
    assert zones.asked == ["example.be"]


def test_a_round_that_finds_nothing_to_do_does_not_write(site: Site) -> None:
    """Another process may hold the store meanwhile: keys without a private half, and keys that live, are no business of a round."""
    site.add("z1", activate=True)
    site.add("z2")
    with site.store.writing() as tx:
        keychanges.remove(tx, EXAMPLE, "z2", now=site.now)
    site.publish()
    assert site.round() == 1
    (file,) = (path for path in site.store.folder.iterdir() if path.name == "zegel.db")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert site.round(later=60) == 0
        other.execute("ROLLBACK")


def test_the_private_half_of_a_removed_key_is_destroyed_when_it_is_not_to_be_published_any_more(site: Site, tmp_path: Path) -> None:
    seen = site.add("z1")
    with site.store.writing() as tx:
        removed = replace(seen, state=KeyState.REMOVED, removed=NOW)
        keychanges.apply(tx, [keychanges.Change(seen, removed, "key.remove")], now=NOW, keep_private=True)
    site.rules = replace(site.rules, private_folder=tmp_path / "published")
    site.round(later=HOUR - 1)
    assert site.all()[0].has_private
    site.rules = replace(site.rules, private_folder=None)
    site.round()
    assert not site.all()[0].has_private
    assert not (tmp_path / "published").exists()


@pytest.mark.parametrize(("activated", "wait"), [(0, 30 * DAY), (DAY, 30 * DAY)])
def test_a_rotation_begins_at_the_second_that_its_key_has_had_its_time(site: Site, activated: int, wait: int) -> None:
    site.rules = Rules(Times(), rotate=30 * DAY)
    site.now += activated
    site.add("z1", activate=True)
    site.publish()
    site.round(later=wait - 1)
    assert site.states() == {"z1": "active"}
    site.round(later=1)
    assert sorted(site.states().values()) == ["active", "pending"]


def test_a_key_that_was_activated_in_the_future_is_not_rotated_at_once(site: Site) -> None:
    site.rules = Rules(Times(), rotate=DAY)
    site.add("z1", activate=True)
    site.publish()
    site.round(later=-2 * DAY)
    assert site.states() == {"z1": "active"}


def with_full_slots(site: Site) -> Domain:
    """A domain whose keys can have no successor."""
    full = Domain.parse("a.example")
    with site.store.writing() as tx:
        domains.add(tx, full, now=NOW)
        slots.add(tx, full, Domain.parse("dkim.agency.be"), "ed25519", 2, now=NOW)
        for place in ("e1", "e2"):
            slot = slots.take(tx, full, "ed25519", now=NOW)
            assert slot is not None
            assert isinstance(PEM.private_key, bytes)
            keys.add(tx, full, place, "ed25519", PEM.private_key, PEM.public, now=NOW, slot=slot)
        keychanges.activate(tx, full, "e1", now=NOW)
    return full


def test_a_rotation_that_cannot_begin_stops_no_other(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Its slots are full: that is told."""
    full = with_full_slots(site)
    site.add("z1", activate=True)
    site.rules = Rules(Times(), rotate=DAY)
    site.publish()
    site.round(later=DAY)
    with site.store.reading() as tx:
        assert [len(keys.all(tx, domain)) for domain in (full, EXAMPLE)] == [2, 2]
        assert rotation.is_under_way(tx, EXAMPLE, "ed25519")
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "no slot of a.example is free" in line)
    assert "e1._domainkey.a.example" in line


def test_trouble_is_told_once_and_again_when_it_comes_back(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def told() -> list[str]:
        return [line for line in capsys.readouterr().out.splitlines() if "key in trouble" in line]

    def rounds(count: int) -> list[str]:
        for _ in range(count):
            site.round(later=300, everything=True)
        return told()

    site.add("z1", activate=True)
    site.publish()
    site.round()
    right, site.dns = site.dns, {}
    assert rounds(2) == [], "two looks prove nothing"
    (line,) = rounds(5)
    assert "z1._domainkey.example.be" in line
    assert "there is nothing at" in line
    site.dns = right
    assert rounds(2) == []
    site.dns = {}
    assert len(rounds(5)) == 1


def test_a_rotation_that_cannot_begin_is_told_once_beside_other_trouble(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Two troubles of one key do not take turns."""
    with_full_slots(site)
    site.rules = Rules(Times(), rotate=DAY)
    for _ in range(8):
        site.round(later=DAY // 4, everything=True)
    told = [line for line in capsys.readouterr().out.splitlines() if "key in trouble" in line]
    assert len([line for line in told if "no slot of a.example is free" in line]) == 1
    assert len(told) == 2


def test_what_happens_to_a_key_is_told_unless_quiet(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    key = site.add("z1")
    site.publish()
    while site.states() == {"z1": "pending"}:
        site.round(later=60, everything=True)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "key visible" in line)
    assert "state=visible" in line
    site.dns = {}
    site.keeper = site.another(quiet=True)
    site.now += 60
    assert asyncio.run(site.keeper.attend(key)).state is KeyState.PENDING
    assert capsys.readouterr().out == ""


def test_keys_in_trouble_are_counted(site: Site) -> None:
    site.add("z1", activate=True)
    site.add("z2", activate=True)
    site.publish()
    del site.dns["z1._domainkey.example.be", "TXT"]
    site.round()
    site.round(later=60)
    assert site.journal.registry.get_sample_value("zegel_troubled_keys") == 1
