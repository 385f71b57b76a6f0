"""Changes of keys: only on what was looked at, whole or not at all, noted in the audit log; private halves destroyed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, keychanges, keys, schema
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keychanges import Change, OutdatedError
from zegel.store.keys import KeyState, StoredKey, Succession

EXAMPLE = Domain.parse("example.be")
SECRET = b"-----BEGIN PRIVATE KEY-----\nonly once\n-----END PRIVATE KEY-----\n"
DAY = 86_400


@pytest.fixture(autouse=True)
def domain(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)


def add(store: Store, selector: str, *, succession: Succession = Succession.NONE) -> StoredKey:
    with store.writing() as tx:
        return keys.add(tx, EXAMPLE, selector, "rsa2048", SECRET, "AAAA", now=10, succession=succession)


def get(store: Store, selector: str) -> StoredKey:
    with store.reading() as tx:
        return keys.get(tx, EXAMPLE, selector)


def activate(store: Store, selector: str, now: int = 20, keep: int = 7 * DAY) -> StoredKey | None:
    with store.writing() as tx:
        return keychanges.activate(tx, EXAMPLE, selector, now=now, keep=keep)


def test_a_change_is_made_on_what_was_looked_at_only(store: Store) -> None:
    seen = add(store, "z1")
    looked = Change(seen, replace(seen, looked=50, serving=2, servers=2))
    with store.writing() as tx:
        keychanges.apply(tx, [looked], now=50)
    with pytest.raises(OutdatedError, match=r"z1\._domainkey"), store.writing() as tx:
        keychanges.apply(tx, [looked], now=50)
    assert get(store, "z1").looked == 50


@pytest.mark.parametrize("first", [0, 1])
def test_what_belongs_together_is_changed_together_or_not(store: Store, first: int) -> None:
    one, two = add(store, "z1"), add(store, "z2")
    with store.writing() as tx:
        keychanges.apply(tx, [Change(two, replace(two, looked=5))], now=5)
    changes = [Change(one, keychanges.activated(one, now=9), "key.activate"), Change(two, replace(two, looked=9))]
    before = store.generation()
    with pytest.raises(OutdatedError), store.writing() as tx:
        keychanges.apply(tx, changes[first:] + changes[:first], now=9)
    assert get(store, "z1").state is KeyState.PENDING
    assert store.generation() == before


def test_the_former_goes_first_in_whatever_order(store: Store) -> None:
    one, two = add(store, "z1"), add(store, "z2")
    activate(store, "z1")
    one = get(store, "z1")
    changes = [
        Change(two, keychanges.activated(two, now=9), "key.activate"),
        Change(one, keychanges.retired(one, now=9, keep=5), "key.retire"),
    ]
    with store.writing() as tx:
        keychanges.apply(tx, changes, now=9)
    assert (get(store, "z1").state, get(store, "z2").state) == (KeyState.RETIRING, KeyState.ACTIVE)


def test_each_change_has_its_line_in_the_audit_log_and_a_look_has_none(store: Store) -> None:
    store.who = "beheer"
    seen = add(store, "z1")
    activate(store, "z1")
    add(store, "z2")
    activate(store, "z2", now=30)
    with store.writing() as tx:
        now = keys.get(tx, EXAMPLE, "z2")
        keychanges.apply(tx, [Change(now, replace(now, looked=99))], now=99)
        keychanges.revoke(tx, EXAMPLE, "z1", now=40)
        keychanges.remove(tx, EXAMPLE, "z1", now=50)
        lines = audit.all(tx, subject=seen.name)
        assert audit.broken(tx) is None
    assert [line.action for line in lines] == ["key.add", "key.activate", "key.retire", "key.revoke", "key.remove", "key.destroy"]
    assert {line.who for line in lines} == {"beheer"}
    assert lines[2].before == {"state": "active", "retired": None, "keep_until": None}
    assert lines[2].after == {"state": "retiring", "retired": 30, "keep_until": 30 + 7 * DAY}
    assert all("only once" not in str(line) for line in lines)


def test_a_person_who_activates_says_what_does_not_take_over_by_itself(store: Store) -> None:
    add(store, "z1", succession=Succession.PLANNED)
    add(store, "z2")
    activate(store, "z2")
    assert get(store, "z1").succession is Succession.NONE


def test_what_is_revoked_never_signs_again(store: Store) -> None:
    add(store, "z1")
    activate(store, "z1")
    with store.writing() as tx:
        keychanges.revoke(tx, EXAMPLE, "z1", now=30)
    assert store.snapshot().keys == ()
    with pytest.raises(StoreError, match="never signs again"):
        activate(store, "z1")
    with pytest.raises(StoreError, match="revoked already"), store.writing() as tx:
        keychanges.revoke(tx, EXAMPLE, "z1", now=30)


def test_a_key_goes_step_by_step(store: Store) -> None:
    add(store, "z1")
    with pytest.raises(StoreError, match="does not sign yet"), store.writing() as tx:
        keychanges.retire(tx, EXAMPLE, "z1", now=1)
    activate(store, "z1")
    with pytest.raises(StoreError, match="zegel key rotate"), store.writing() as tx:
        keychanges.remove(tx, EXAMPLE, "z1", now=1)
    with store.writing() as tx:
        retired = keychanges.retire(tx, EXAMPLE, "z1", now=30, keep=100)
    assert (retired.state, retired.keep_until) == (KeyState.RETIRING, 130)
    with pytest.raises(StoreError, match="on its way"), store.writing() as tx:
        keychanges.remove(tx, EXAMPLE, "z1", now=1)


def test_a_key_that_has_signed_is_not_taken_out_while_it_waits(store: Store) -> None:
    """It was left as its record was gone: mail that it signed is on its way, and it may sign again."""
    seen = add(store, "z1")
    activate(store, "z1")
    with store.writing() as tx:
        active = keys.numbered(tx, seen.number)
        keychanges.apply(tx, [Change(active, replace(active, state=KeyState.PENDING), "key.lost")], now=30)
    with store.writing() as tx, pytest.raises(StoreError, match="on its way; to revoke it"):
        keychanges.remove(tx, EXAMPLE, "z1", now=40)
    assert get(store, "z1").state is KeyState.PENDING


def test_a_key_that_is_to_follow_takes_over_from_the_one_that_signs(store: Store) -> None:
    """At a person's word: the former retires, and what was to follow by itself does so no more."""
    for selector, succession in (("z1", Succession.NONE), ("z2", Succession.PLANNED), ("z3", Succession.NONE)):
        add(store, selector, succession=succession)
    assert activate(store, "z1") is None
    assert get(store, "z2").succession is Succession.NONE
    former = activate(store, "z3", now=40, keep=100)
    assert former is not None
    assert (former.selector, former.state, former.retired, former.keep_until) == ("z1", KeyState.RETIRING, 40, 140)
    assert (activate(store, "z3", now=45), get(store, "z3").activated) == (None, 40)
    again = activate(store, "z1", now=46)
    assert again is not None
    assert (again.selector, get(store, "z1").state) == ("z3", KeyState.ACTIVE)
    with store.writing() as tx:
        keychanges.plan(tx, get(store, "z2"), Succession.EMERGENCY, now=50)
        revoked = keychanges.revoke(tx, EXAMPLE, "z2", now=60)
    assert (revoked.state, revoked.succession, revoked.retired) == (KeyState.REVOKED, Succession.NONE, 60)


def test_the_private_half_of_a_removed_key_is_destroyed(store: Store) -> None:
    add(store, "z1")
    with store.reading() as tx:
        sealed = tx.connection.execute(select(schema.keys.c.private)).scalar_one()
    with store.writing() as tx:
        keychanges.remove(tx, EXAMPLE, "z1", now=30)
    assert not get(store, "z1").has_private
    with store.reading() as tx, pytest.raises(StoreError, match="was destroyed"):
        keys.private_pem(tx, EXAMPLE, "z1")
    store.rewrite()
    store.close()
    assert all(sealed[:40] not in path.read_bytes() for path in store.folder.iterdir())


def test_it_stays_while_it_is_to_be_published_and_is_then_destroyed_once(store: Store) -> None:
    seen = add(store, "z1")
    change = Change(seen, replace(seen, state=KeyState.REMOVED, removed=40), "key.remove")
    with store.writing() as tx:
        keychanges.apply(tx, [change], now=40, keep_private=True)
        assert keys.private_of(tx, seen) == SECRET
        keychanges.destroy_private(tx, seen, now=50, action="key.publish")
        with pytest.raises(OutdatedError):
            keychanges.destroy_private(tx, seen, now=50)


def test_only_a_removed_key_loses_its_private_half(store: Store) -> None:
    seen = add(store, "z1")
    with store.writing() as tx, pytest.raises(OutdatedError):
        keychanges.destroy_private(tx, seen, now=50)
    assert get(store, "z1").has_private
