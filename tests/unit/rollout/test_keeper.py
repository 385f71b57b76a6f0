"""The keeper on a real store: what it looks at and how often, two of them on one store, rotations by themselves, and old private keys."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import zegel
from zegel.rollout import keeper
from zegel.rollout.keyrules import Rules
from zegel.rollout.life import Times
from zegel.store import audit, keychanges
from zegel.store.keys import KeyState, StoredKey, Succession

from .keeping import DAY, EXAMPLE, HOUR, NOW, PEM, Site


def test_watch_and_switch_and_the_end_of_the_old_key(site: Site) -> None:
    site.add("z1", activate=True)
    site.add("z2", succession=Succession.PLANNED)
    site.round()
    site.publish()
    for _ in range(60):
        site.round(later=60)
    assert site.states() == {"z1": "active", "z2": "pending"}
    for _ in range(3):
        site.round(later=60)
    assert site.states() == {"z1": "retiring", "z2": "active"}
    site.pass_days(6.9)
    assert site.states() == {"z1": "retiring", "z2": "active"}
    site.pass_days(0.2)
    assert site.states() == {"z1": "revoked", "z2": "active"}
    site.pass_days(1.1)
    assert site.states() == {"z1": "removed", "z2": "active"}
    assert [key.has_private for key in site.all()] == [False, True]


def test_what_is_well_is_looked_at_once_an_hour_and_what_waits_every_minute(site: Site) -> None:
    site.add("z1", activate=True)
    site.add("z2")
    site.publish()
    del site.dns["z2._domainkey.example.be", "TXT"]
    site.round()
    looks = [site.round(later=60) for _ in range(120)]
    assert sum(looks) in (121, 122, 123)
    assert site.round(later=60, everything=True) == 2


def test_a_thousand_healthy_domains_are_spread_over_the_hour() -> None:
    key = StoredKey(EXAMPLE, "default", "z1", "ed25519", "ed25519", "AAAA", KeyState.ACTIVE, NOW, served=NOW, looked=NOW)
    counts = []
    times, known = Times(), [replace(key, number=number) for number in range(1000)]
    for now in range(NOW + 60, NOW + 240 * 60 + 1, 60):
        due = [place for place, one in enumerate(known) if keeper.is_due(one, now=now, times=times)]
        for place in due:
            known[place] = replace(known[place], looked=now)
        counts.append(len(due))
    assert counts[:44] == [0] * 44
    assert 3600 <= sum(counts) <= 4200
    assert max(counts) <= 100


@pytest.mark.parametrize(
    ("state", "more", "minutes"),
    [
        (KeyState.PENDING, {}, 1),
        (KeyState.VISIBLE, {"succession": Succession.PLANNED}, 1),
        (KeyState.ACTIVE, {"trouble": "no_name"}, 1),
        (KeyState.PENDING, {"created": NOW - 2 * DAY}, 5),
        (KeyState.REVOKED, {"trouble": "not_revoked"}, 5),
        (KeyState.RETIRING, {"trouble": "no_name"}, 5),
    ],
)
def test_how_often_what_is_in_trouble_is_looked_at(state: KeyState, more: dict[str, object], minutes: int) -> None:
    key = StoredKey(EXAMPLE, "default", "z1", "ed25519", "ed25519", "AAAA", state, NOW, looked=NOW)
    due = [minute for minute in range(1, 10) if keeper.is_due(replace(key, **more), now=NOW + 60 * minute, times=Times())]  # type: ignore[arg-type]
    assert due[0] == minutes
    assert keeper.is_due(replace(key, looked=NOW + DAY), now=NOW, times=Times()), "a look of the future was none"


def test_two_keepers_share_the_work(site: Site) -> None:
    for number in range(10):
        site.add(f"z{number}")
    site.round()
    other = site.another()
    asyncio.run(other.round())
    assert other.looks == 0


def test_an_active_key_without_its_record_goes_back_to_the_one_before(site: Site) -> None:
    site.add("z1", activate=True)
    site.add("z2", activate=True)
    site.publish()
    site.round()
    del site.dns["z2._domainkey.example.be", "TXT"]
    for _ in range(80):
        site.round(later=60)
        if site.states()["z1"] == "active":
            break
    assert site.states() == {"z1": "active", "z2": "pending"}
    with site.store.reading() as tx:
        actions = [line.action for line in audit.all(tx)]
    assert actions[-2:] == ["key.lost", "key.back"]


def test_trouble_with_dns_stops_nothing(site: Site) -> None:
    site.add("z1", activate=True)
    site.add("z2", activate=True)
    site.publish()
    site.round()
    site.dns = dict.fromkeys(site.dns, zegel.Rcode.SERVFAIL)
    for _ in range(100):
        site.round(later=300, everything=True)
    assert site.states() == {"z1": "retiring", "z2": "active"}
    assert [key.trouble for key in site.all()] == ["unavailable", "unavailable"]


def test_rotations_begin_by_themselves_once(site: Site) -> None:
    site.add("z1", activate=True)
    site.publish()
    site.rules = Rules(Times(), rotate=30 * DAY)
    site.round(later=29 * DAY)
    assert len(site.states()) == 1
    site.round(later=DAY)
    site.round(later=60)
    asyncio.run(site.another().round())
    assert sorted(site.states().values()) == ["active", "pending"]
    site.publish()
    for _ in range(8):
        site.round(later=600)
    assert sorted(site.states().values()) == ["active", "retiring"]


def test_by_default_none_does(site: Site) -> None:
    site.add("z1", activate=True)
    site.publish()
    site.round(later=3000 * DAY)
    assert len(site.states()) == 1


def test_an_old_private_key_is_published_when_no_cache_has_its_record(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "published-keys"
    site.rules = replace(site.rules, private_folder=folder)
    old = site.add("z1", activate=True)
    with site.store.writing() as tx:
        keychanges.revoke(tx, EXAMPLE, "z1", now=site.now)
    site.publish()
    site.round()
    while site.states() != {"z1": "removed"}:
        site.publish()
        site.round(later=HOUR, everything=True)
    (key,) = site.all()
    assert (key.state, key.has_private, folder.exists()) == (KeyState.REMOVED, True, False)
    site.round(later=HOUR - 1)
    assert not folder.exists()
    site.round(later=1)
    assert [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()] == [Path(f"example.be/z1-{old.number}.pem")]
    assert (folder / f"example.be/z1-{old.number}.pem").read_bytes() == PEM.private_key
    assert not site.all()[0].has_private
    with site.store.reading() as tx:
        assert [line.action for line in audit.all(tx)][-1] == "key.publish"


def test_a_record_in_another_s_hands_is_waited_for(site: Site) -> None:
    """Revoked, and the owner of the DNS does nothing: the key stays until its record is gone."""
    site.add("z1", activate=True)
    site.publish()
    with site.store.writing() as tx:
        keychanges.revoke(tx, EXAMPLE, "z1", now=site.now)
    for _ in range(60):
        site.round(later=HOUR, everything=True)
    (key,) = site.all()
    assert (key.state, key.trouble, key.withdrawn, key.has_private) == (KeyState.REVOKED, "not_revoked", True, True)
    site.dns = {}
    site.round(later=HOUR, everything=True)
    assert site.states() == {"z1": "removed"}
