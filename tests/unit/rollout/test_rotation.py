"""The beginning of a rotation: which key is to follow, where it comes from, and what becomes of the one that signs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain
from zegel.rollout import rotation
from zegel.rollout.rotation import Rotation, Way
from zegel.store import keychanges, keys, slots
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keychanges import Change
from zegel.store.keys import KeyState, StoredKey, Succession

from .keeping import DAY, EXAMPLE, NOW, PEM

NONE, PLANNED, EMERGENCY = Succession.NONE, Succession.PLANNED, Succession.EMERGENCY


def add(
    store: Store, selector: str, state: KeyState = KeyState.PENDING, *, succession: Succession = NONE, kind: str = "ed25519"
) -> StoredKey:
    """A key in this state, which came there by the store's own changes."""
    assert isinstance(PEM.private_key, bytes)
    with store.writing() as tx:
        key = keys.add(tx, EXAMPLE, selector, kind, PEM.private_key, PEM.public, now=NOW, succession=succession)
        if state is KeyState.VISIBLE:
            keychanges.apply(tx, [Change(key, replace(key, state=state, served=NOW, visible=NOW), "key.visible")], now=NOW)
        elif state is KeyState.ACTIVE:
            keychanges.apply(tx, [Change(key, keychanges.activated(key, now=NOW), "key.activate")], now=NOW)
        return keys.numbered(tx, key.number)


def rotate(store: Store, algorithm: str = "ed25519", *, succession: Succession = PLANNED, revoke_now: bool = False) -> Rotation:
    return rotation.rotate(store, EXAMPLE, algorithm, now=NOW + DAY, succession=succession, revoke_now=revoke_now)


def held(store: Store) -> list[StoredKey]:
    with store.reading() as tx:
        return keys.all(tx, EXAMPLE)


def test_what_a_domain_signs_with_is_what_is_rotated(store: Store) -> None:
    assert rotation.kinds(store, EXAMPLE, "ed25519") == ["ed25519"]
    add(store, "z1", kind="rsa2048")
    assert rotation.kinds(store, EXAMPLE, "ed25519") == ["ed25519"], "a key that waits does not sign"
    add(store, "z2", KeyState.ACTIVE)
    add(store, "z3", KeyState.ACTIVE, kind="rsa3072")
    assert rotation.kinds(store, EXAMPLE, "x") == ["rsa3072", "ed25519"]
    with pytest.raises(StoreError, match=r"example\.com"):
        rotation.kinds(store, Domain.parse("example.com"), "ed25519")


def test_a_key_is_made_that_is_to_follow(store: Store) -> None:
    former = add(store, "z1", KeyState.ACTIVE)
    begun = rotation.rotate(store, EXAMPLE, "ed25519", now=NOW + DAY)
    assert begun == Rotation(Way.MADE, begun.key, former)
    assert (begun.key.state, begun.key.succession, begun.key.created) == (KeyState.PENDING, PLANNED, NOW + DAY)
    assert (begun.key.algorithm, begun.key.selector[:9]) == ("ed25519", "z202609e-")
    assert held(store) == [former, begun.key]
    with store.reading() as tx:
        pem = keys.private_pem(tx, EXAMPLE, begun.key.selector)
    assert Key("example.be", "x", pem).public == begun.key.public


def test_the_first_key_follows_none(store: Store) -> None:
    begun = rotate(store, succession=EMERGENCY, revoke_now=True)
    assert (begun.way, begun.former, begun.revoked, begun.key.succession) == (Way.MADE, None, None, EMERGENCY)


@pytest.mark.parametrize("algorithm", ["rsa2048", "rsa3072", "rsa4096"])
def test_rsa_keys_that_are_made_have_2048_bits(store: Store, algorithm: str) -> None:
    """RFC 8301 3.2 wants no more of a signer; longer ones may be moved in."""
    former = add(store, "z1", KeyState.ACTIVE, kind=algorithm)
    begun = rotate(store, algorithm)
    assert (begun.former, begun.key.algorithm, begun.key.key_type) == (former, "rsa2048", "rsa")


@pytest.mark.parametrize(
    ("waits", "asked", "becomes"),
    [
        (PLANNED, PLANNED, PLANNED),
        (PLANNED, EMERGENCY, EMERGENCY),
        (EMERGENCY, PLANNED, EMERGENCY),
        (EMERGENCY, EMERGENCY, EMERGENCY),
    ],
)
@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.VISIBLE])
def test_what_is_under_way_is_taken_and_an_emergency_stays_one(
    store: Store, waits: Succession, asked: Succession, becomes: Succession, state: KeyState
) -> None:
    former = add(store, "z1", KeyState.ACTIVE)
    next_one = add(store, "z2", state, succession=waits)
    add(store, "z3")
    begun = rotate(store, succession=asked)
    assert begun == Rotation(Way.UNDER_WAY, replace(next_one, succession=becomes), former)
    assert [key.succession for key in held(store)] == [NONE, becomes, NONE]


def test_of_several_under_way_the_newest_is_taken(store: Store) -> None:
    add(store, "z1", succession=PLANNED)
    add(store, "z2", succession=PLANNED)
    assert rotate(store).key.selector == "z2"


def test_a_spare_that_is_visible_is_taken_in_an_emergency_only(store: Store) -> None:
    former = add(store, "z1", KeyState.ACTIVE)
    add(store, "z2", KeyState.VISIBLE)
    spare = add(store, "z3", KeyState.VISIBLE)
    waits = add(store, "z4", succession=PLANNED)
    add(store, "z5")
    assert rotate(store).key == waits
    assert rotate(store, succession=EMERGENCY) == Rotation(Way.SPARE, replace(spare, succession=EMERGENCY), former)


def test_what_is_no_spare_is_left_for_a_new_one(store: Store) -> None:
    """A key that waits for a person is nobody's successor; neither is one that is not visible yet, even in an emergency."""
    add(store, "z1", KeyState.VISIBLE)
    assert rotate(store).way is Way.MADE
    add(store, "r1", kind="rsa2048")
    assert rotate(store, "rsa2048", succession=EMERGENCY).way is Way.MADE


def test_the_former_may_be_revoked_at_once(store: Store) -> None:
    former = add(store, "z1", KeyState.ACTIVE)
    other = add(store, "r1", KeyState.ACTIVE, kind="rsa2048")
    begun = rotate(store, succession=EMERGENCY, revoke_now=True)
    assert begun.revoked == keychanges.revoked(former, now=NOW + DAY)
    assert begun.former is None
    assert [key.state for key in held(store)] == [KeyState.REVOKED, KeyState.ACTIVE, KeyState.PENDING]
    assert held(store)[1] == other


def test_each_type_is_under_way_by_itself(store: Store) -> None:
    def under_way() -> list[bool]:
        with store.reading() as tx:
            return [rotation.is_under_way(tx, EXAMPLE, kind) for kind in ("rsa", "ed25519")]

    add(store, "z1", KeyState.ACTIVE)
    add(store, "z2")
    add(store, "r1", KeyState.ACTIVE, kind="rsa2048")
    assert under_way() == [False, False]
    visible = add(store, "r2", KeyState.VISIBLE, succession=PLANNED, kind="rsa2048")
    assert under_way() == [True, False]
    assert rotate(store).way is Way.MADE
    assert under_way() == [True, True]
    assert rotate(store, "rsa2048").key == visible
    with store.writing() as tx:
        keychanges.remove(tx, EXAMPLE, "r2", now=NOW)
    assert under_way() == [False, True]


def test_a_key_that_is_made_for_a_person_waits(store: Store) -> None:
    made = rotation.make(store, EXAMPLE, "rsa4096", now=NOW + DAY)
    assert (made.state, made.succession, made.algorithm, made.created) == (KeyState.PENDING, NONE, "rsa2048", NOW + DAY)
    assert held(store) == [made]
    with pytest.raises(StoreError, match=r"example\.com"):
        rotation.make(store, Domain.parse("example.com"), "ed25519", now=NOW)


def test_keys_are_made_in_the_slots_of_their_type(store: Store) -> None:
    with store.writing() as tx:
        slots.add(tx, EXAMPLE, Domain.parse("dkim.agency.be"), "ed25519", 2, now=NOW)
    assert rotation.make(store, EXAMPLE, "ed25519", now=NOW).slot == "e1.example-be.dkim.agency.be"
    assert rotate(store).key.slot == "e2.example-be.dkim.agency.be"
    assert rotate(store, "rsa2048").key.slot == ""
    with pytest.raises(StoreError, match=r"no slot of example\.be is free for ed25519"):
        rotation.make(store, EXAMPLE, "ed25519", now=NOW)
    assert len(held(store)) == 3


def test_a_slot_that_a_wrong_clock_freed_comes_nearer_at_each_rotation(store: Store) -> None:
    with store.writing() as tx:
        slots.add(tx, EXAMPLE, Domain.parse("dkim.agency.be"), "ed25519", 2, now=NOW)
    first = rotation.make(store, EXAMPLE, "ed25519", now=NOW)
    with store.writing() as tx:
        keychanges.remove(tx, EXAMPLE, first.selector, now=4_000_000_000)
    rotation.make(store, EXAMPLE, "ed25519", now=NOW)
    with pytest.raises(StoreError, match="the next one is on 2026"):
        rotate(store)
    assert rotation.rotate(store, EXAMPLE, "ed25519", now=NOW + 20 * DAY).key.selector == first.selector


def test_an_unknown_domain_has_no_rotation(store: Store) -> None:
    with pytest.raises(StoreError, match=r"example\.com"):
        rotation.rotate(store, Domain.parse("example.com"), "ed25519", now=NOW)
