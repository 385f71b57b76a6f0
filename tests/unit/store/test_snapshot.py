"""The snapshot: one moment, whole or not at all, and no secret in a log."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from zegel.grammar.domain import Domain
from zegel.store import domains, keychanges, keys, schema
from zegel.store.database import Store
from zegel.store.errors import StoreError

EXAMPLE = Domain.parse("example.be")


def fill(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, sign_subdomains=True, now=1)
        for selector, algorithm in (("e1", "ed25519"), ("r1", "rsa2048"), ("r2", "rsa2048")):
            keys.add(tx, EXAMPLE, selector, algorithm, b"secret " + selector.encode(), "AAAA", now=1)
        for selector in ("e1", "r1"):
            keychanges.activate(tx, EXAMPLE, selector, now=1)


def test_an_empty_store_has_an_empty_snapshot(store: Store) -> None:
    taken = store.snapshot()
    assert (taken.generation, taken.domains, taken.keys) == (0, (), ())


def test_domains_and_active_keys_opened(store: Store) -> None:
    fill(store)
    taken = store.snapshot()
    assert taken.generation == store.generation() == 6
    assert [(one.name, one.sign_subdomains) for one in taken.domains] == [(EXAMPLE, True)]
    assert [(key.selector, key.algorithm, key.organisation, key.private_pem) for key in taken.keys] == [
        ("r1", "rsa2048", "default", b"secret r1"),
        ("e1", "ed25519", "default", b"secret e1"),
    ]


def test_one_key_that_does_not_open_means_no_snapshot(store: Store) -> None:
    fill(store)
    with store.writing() as tx:
        tx.connection.execute(update(schema.keys).where(schema.keys.c.selector == "e1").values(private=b"\x01" + bytes(60)))
    with pytest.raises(StoreError, match=r"the private key e1 of example\.be does not open"):
        store.snapshot()


def test_a_reader_keeps_its_moment_while_another_writes(store: Store) -> None:
    fill(store)
    with store.reading() as old:
        before = keys.all(old)
        with Store.open(store.folder) as other, other.writing() as tx:
            keychanges.activate(tx, EXAMPLE, "r2", now=9)
        assert keys.all(old) == before
    assert [key.selector for key in store.snapshot().keys] == ["r2", "e1"]


def test_the_private_half_is_not_shown(store: Store) -> None:
    fill(store)
    assert "secret" not in repr(store.snapshot())
