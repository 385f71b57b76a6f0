"""Delegation slots: names handed out once, one key after the other in each, and never two keys within the memory of caches."""

from __future__ import annotations

import pytest

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, keychanges, keys, slots
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keys import KeyState, StoredKey
from zegel.store.slots import Slot

CUSTOMER = Domain.parse("customer.be")
ZONE = Domain.parse("dkim.agency.be")
DAY = 86_400


@pytest.fixture(autouse=True)
def domain(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, CUSTOMER, now=1)


def add(store: Store, domain: Domain = CUSTOMER, kind: str = "rsa", count: int = 3, zone: Domain = ZONE) -> list[Slot]:
    with store.writing() as tx:
        return slots.add(tx, domain, zone, kind, count, now=10)


def key_in_next(store: Store, now: int) -> StoredKey:
    with store.writing() as tx:
        slot = slots.take(tx, CUSTOMER, "rsa", now=now)
        assert slot is not None
        return keys.add(tx, CUSTOMER, slot.name, "rsa2048", b"secret %d" % now, "AAAA", now=now, slot=slot)


def remove(store: Store, key: StoredKey, now: int) -> None:
    with store.writing() as tx:
        if key.activated or keys.get(tx, CUSTOMER, key.selector).activated:
            keychanges.revoke(tx, CUSTOMER, key.selector, now=now)
        keychanges.remove(tx, CUSTOMER, key.selector, now=now)


def test_slots_point_into_our_zone(store: Store) -> None:
    made = add(store)
    assert [(slot.alias, slot.target) for slot in made] == [
        (f"z{number}._domainkey.customer.be", f"z{number}.customer-be.dkim.agency.be") for number in (1, 2, 3)
    ]
    assert [slot.alias for slot in add(store, kind="ed25519", count=2)] == ["e1._domainkey.customer.be", "e2._domainkey.customer.be"]
    with store.reading() as tx:
        assert [line.action for line in audit.all(tx, subject="z1._domainkey.customer.be")] == ["slot.add"]


def test_asked_for_again_they_are_there_already_and_more_can_be_added(store: Store) -> None:
    add(store)
    assert add(store) == []
    assert [slot.name for slot in add(store, count=5)] == ["z4", "z5"]


def test_names_that_the_domain_has_had_are_passed_over(store: Store) -> None:
    with store.writing() as tx:
        keys.add(tx, CUSTOMER, "z1", "rsa2048", b"secret", "AAAA", now=1)
    assert [slot.name for slot in add(store)] == ["z2", "z3", "z4"]
    with store.writing() as tx, pytest.raises(StoreError, match="is a delegation slot"):
        keys.add(tx, CUSTOMER, "z2", "rsa2048", b"secret", "AAAA", now=1)


@pytest.mark.parametrize("other", ["a-b.be", "xn--mnchen-3ya.example", f"{'l' * 63}.example", f"{'l' * 40}.{'m' * 40}.example"])
def test_each_target_is_one_domain_s_and_a_name_that_dns_takes(store: Store, other: str) -> None:
    """RFC 5890 2.3.1: a label with hyphens in the third and fourth place would be taken for an A-label."""
    first, second = Domain.parse("a.b.be"), Domain.parse(other)
    with store.writing() as tx:
        domains.add(tx, first, now=1)
        domains.add(tx, second, now=1)
    targets = [slot.target for slot in add(store, first) + add(store, second)]
    assert len(set(targets)) == 6
    for target in targets:
        assert Domain.parse(target).within(ZONE)
        label = target.split(".")[1]
        assert len(label) <= 63
        assert label[2:4] != "--"


@pytest.mark.parametrize(
    ("zone", "count", "said"),
    [("customer.be", 3, "is within customer.be"), ("dkim.customer.be", 3, "is within"), ("dkim.agency.be", 10, "at most 9")],
)
def test_what_cannot_be_is_refused(store: Store, zone: str, count: int, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        add(store, zone=Domain.parse(zone), count=count)


def test_all_slots_of_a_domain_are_in_one_zone(store: Store) -> None:
    add(store)
    with pytest.raises(StoreError, match="another zone already"):
        add(store, zone=Domain.parse("other.example"), count=4)


def test_a_key_in_a_slot_has_its_record_in_our_zone(store: Store) -> None:
    add(store)
    key = key_in_next(store, 20)
    assert (key.name, key.record_name) == ("z1._domainkey.customer.be", "z1.customer-be.dkim.agency.be")


def test_without_slots_there_is_none_to_take(store: Store) -> None:
    with store.writing() as tx:
        assert slots.take(tx, CUSTOMER, "rsa", now=1) is None
    add(store)
    with store.writing() as tx:
        assert slots.take(tx, CUSTOMER, "ed25519", now=1) is None


def test_one_key_after_the_other_and_a_slot_is_used_again_after_both_ttls(store: Store) -> None:
    add(store, count=2)
    first, second = key_in_next(store, 20), key_in_next(store, 21)
    assert [first.selector, second.selector] == ["z1", "z2"]
    with store.writing() as tx, pytest.raises(StoreError, match=r"no slot of customer.be is free for rsa \(z1: pending, z2: pending\)"):
        slots.take(tx, CUSTOMER, "rsa", now=30)
    remove(store, first, now=1_790_000_000)
    with store.writing() as tx:
        # Neither TTL was seen: a day each.
        with pytest.raises(StoreError, match="the next one is on 20"):
            slots.take(tx, CUSTOMER, "rsa", now=1_790_000_000 + 2 * DAY - 1)
        slot = slots.take(tx, CUSTOMER, "rsa", now=1_790_000_000 + 2 * DAY)
    assert slot is not None
    assert slot.name == "z1"


def test_a_selector_of_a_slot_means_the_key_that_lives_in_it(store: Store) -> None:
    add(store, count=2)
    old, _other = key_in_next(store, 20), key_in_next(store, 21)
    remove(store, old, now=30)
    new = key_in_next(store, 30 + 2 * DAY)
    assert (new.selector, new.number != old.number) == ("z1", True)
    with store.writing() as tx:
        assert keys.get(tx, CUSTOMER, "z1") == new
        assert keys.private_pem(tx, CUSTOMER, "z1") == b"secret %d" % (30 + 2 * DAY)
        assert keys.numbered(tx, old.number).state is KeyState.REMOVED
        keychanges.activate(tx, CUSTOMER, "z1", now=40)
        assert keys.get(tx, CUSTOMER, "z1").state is KeyState.ACTIVE
        assert [slot.used_by for slot in slots.all(tx, CUSTOMER)] == ["active", "pending"]


def test_a_slot_freed_by_a_clock_gone_wrong_is_not_lost_for_years(store: Store) -> None:
    add(store, count=2)
    old, _other = key_in_next(store, 20), key_in_next(store, 21)
    far = 4_000_000_000
    remove(store, old, now=far)
    with pytest.raises(StoreError, match="the next one is on"), store.writing() as tx:
        slots.take(tx, CUSTOMER, "rsa", now=1_790_000_000)
    with store.writing() as tx:
        slots.settle(tx, now=1_790_000_000)
    with store.writing() as tx:
        assert slots.take(tx, CUSTOMER, "rsa", now=1_790_000_000 + 14 * DAY) is not None
