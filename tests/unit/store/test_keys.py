"""Keys: sealed at rest, bound to their row, one of a type active."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from zegel.grammar.domain import Domain
from zegel.store import domains, keychanges, keys, organisations, schema
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keys import KeyState, StoredKey

EXAMPLE = Domain.parse("example.be")
OTHER = Domain.parse("example.nl")
PEM = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def two_domains(store: Store) -> None:
    with store.writing() as tx:
        organisations.add(tx, "gent", now=1)
        domains.add(tx, EXAMPLE, organisation="gent", now=1)
        domains.add(tx, OTHER, now=1)


def add(
    store: Store, selector: str, algorithm: str = "rsa2048", domain: Domain = EXAMPLE, *, active: bool = False, now: int = 10
) -> StoredKey:
    with store.writing() as tx:
        added = keys.add(tx, domain, selector, algorithm, PEM + selector.encode(), "MIIB+/==", now=now)
        if active:
            keychanges.activate(tx, domain, selector, now=now)
    return added


def states(store: Store, domain: Domain = EXAMPLE) -> dict[str, str]:
    with store.reading() as tx:
        return {key.selector: key.state for key in keys.all(tx, domain)}


def test_a_new_key_signs_nothing_yet(store: Store) -> None:
    added = add(store, "z1", now=77)
    assert added == StoredKey(EXAMPLE, "gent", "z1", "rsa2048", "rsa", "MIIB+/==", KeyState.PENDING, 77, number=1)
    assert added.name == added.record_name == "z1._domainkey.example.be"
    with store.reading() as tx:
        assert keys.get(tx, EXAMPLE, "z1") == added
        assert keys.get(tx, EXAMPLE, "Z1.") == added
    assert store.snapshot().keys == ()


def test_the_private_half_comes_back_and_is_nowhere_in_the_files(store: Store) -> None:
    add(store, "z1")
    with store.reading() as tx:
        assert keys.private_pem(tx, EXAMPLE, "z1") == PEM + b"z1"
    store.close()
    for path in store.folder.iterdir():
        assert b"PRIVATE KEY" not in path.read_bytes()
        assert b"c2VjcmV0" not in path.read_bytes()


@pytest.mark.parametrize("column", ["private", "selector", "algorithm", "domain"])
def test_a_ciphertext_moved_to_another_row_does_not_open(store: Store, column: str) -> None:
    add(store, "z1")
    add(store, "z2", domain=OTHER)
    table = schema.keys
    with store.writing() as tx:
        if column == "domain":
            values = tx.connection.execute(select(table.c.domain_id, table.c.organisation_id).where(table.c.selector == "z2")).one()
            tx.connection.execute(update(table).where(table.c.selector == "z1").values(domain_id=values[0], organisation_id=values[1]))
        elif column == "private":
            stolen = tx.connection.execute(select(table.c.private).where(table.c.selector == "z2")).scalar_one()
            tx.connection.execute(update(table).where(table.c.selector == "z1").values(private=stolen))
        else:
            tx.connection.execute(update(table).where(table.c.selector == "z1").values({column: "ed25519"}))
    with store.reading() as tx, pytest.raises(StoreError, match=r"does not open .*unpack a backup"):
        keys.private_pem(tx, OTHER if column == "domain" else EXAMPLE, "ed25519" if column == "selector" else "z1")


def test_a_key_cannot_be_of_another_organisation_than_its_domain(store: Store) -> None:
    add(store, "z1")
    with pytest.raises(StoreError, match="nothing was changed"), store.writing() as tx:
        tx.connection.execute(update(schema.keys).values(organisation_id=1))
    with store.reading() as tx:
        assert keys.get(tx, EXAMPLE, "z1").organisation == "gent"


def test_activating_retires_the_former_of_the_same_type_and_domain_only(store: Store) -> None:
    add(store, "r1", active=True)
    add(store, "e1", "ed25519", active=True)
    add(store, "r1", domain=OTHER, active=True)
    add(store, "r2", "rsa3072")
    with store.writing() as tx:
        retired = keychanges.activate(tx, EXAMPLE, "r2", now=99)
    assert retired is not None
    assert (retired.selector, retired.state, retired.retired) == ("r1", KeyState.RETIRING, 99)
    assert states(store) == {"r1": "retiring", "e1": "active", "r2": "active"}
    assert states(store, OTHER) == {"r1": "active"}
    with store.reading() as tx:
        assert keys.get(tx, EXAMPLE, "r2").activated == 99


def test_a_retired_key_can_be_taken_back(store: Store) -> None:
    add(store, "r1", active=True)
    add(store, "r2", active=True)
    with store.writing() as tx:
        retired = keychanges.activate(tx, EXAMPLE, "r1", now=50)
    assert retired is not None
    assert retired.selector == "r2"
    with store.reading() as tx:
        back = keys.get(tx, EXAMPLE, "r1")
    assert (back.state, back.activated, back.retired) == (KeyState.ACTIVE, 50, None)


def test_activating_twice_changes_nothing(store: Store) -> None:
    add(store, "r1", active=True, now=10)
    before = store.generation()
    with store.writing() as tx:
        assert keychanges.activate(tx, EXAMPLE, "r1", now=99) is None
        assert keys.get(tx, EXAMPLE, "r1").activated == 10
    assert store.generation() == before


def test_the_database_itself_holds_one_active_key_of_a_type(store: Store) -> None:
    add(store, "r1", active=True)
    add(store, "r2")
    with pytest.raises(StoreError, match="nothing was changed"), store.writing() as tx:
        tx.connection.execute(update(schema.keys).values(state="active"))
    assert states(store) == {"r1": "active", "r2": "pending"}


def test_a_state_is_one_of_three_words(store: Store) -> None:
    add(store, "r1")
    with pytest.raises(StoreError), store.writing() as tx:
        tx.connection.execute(update(schema.keys).values(state="lost"))


def test_selectors_are_unique_within_a_domain(store: Store) -> None:
    add(store, "z1")
    add(store, "z1", domain=OTHER)
    with store.writing() as tx, pytest.raises(StoreError, match="key with selector z1 already"):
        keys.add(tx, EXAMPLE, "Z1", "ed25519", PEM, "AAAA", now=1)


def test_well_known_selectors_need_force(store: Store) -> None:
    with store.writing() as tx:
        with pytest.raises(StoreError, match="google"):
            keys.add(tx, EXAMPLE, "google", "rsa2048", PEM, "AAAA", now=1)
        assert keys.add(tx, EXAMPLE, "google", "rsa2048", PEM, "AAAA", now=1, force=True).selector == "google"


@pytest.mark.parametrize(
    ("private", "public"),
    [(b"", "AAAA"), (b"x" * 20_000, "AAAA"), (PEM, ""), (PEM, "A" * 5000), (PEM, "AA AA"), (PEM, "AAAA\n"), (PEM, "p=AAAA;"), (PEM, "é")],
)
def test_what_is_no_key_is_refused(store: Store, private: bytes, public: str) -> None:
    with store.writing() as tx, pytest.raises(StoreError, match="this is no key"):
        keys.add(tx, EXAMPLE, "z1", "rsa2048", private, public, now=1)


def test_unknown_things_say_what_to_do(store: Store) -> None:
    nowhere = Domain.parse("nowhere.example")
    with store.writing() as tx:
        with pytest.raises(StoreError, match="zegel key list"):
            keychanges.activate(tx, EXAMPLE, "z9", now=1)
        with pytest.raises(StoreError, match="zegel domain add"):
            keys.add(tx, nowhere, "z1", "rsa2048", PEM, "AAAA", now=1)
        with pytest.raises(StoreError, match="zegel domain add"):
            keys.all(tx, nowhere)
        with pytest.raises(StoreError, match="no kind of key"):
            keys.add(tx, EXAMPLE, "z1", "rsa1023", PEM, "AAAA", now=1)


def test_keys_are_listed_by_domain_and_age(store: Store) -> None:
    add(store, "a9", domain=OTHER, now=1)
    add(store, "b2", now=9)
    add(store, "b1", now=9)
    add(store, "c1", now=3)
    with store.reading() as tx:
        assert [key.selector for key in keys.all(tx)] == ["c1", "b2", "b1", "a9"]
        assert keys.all(tx, OTHER)[0].organisation == "default"


def test_every_change_counts_in_its_own_transaction(store: Store) -> None:
    before = store.generation()
    add(store, "r1")
    assert store.generation() == before + 1
    with pytest.raises(ZeroDivisionError), store.writing() as tx:
        keychanges.activate(tx, EXAMPLE, "r1", now=1)
        raise ZeroDivisionError
    assert store.generation() == before + 1
    assert states(store) == {"r1": "pending"}
