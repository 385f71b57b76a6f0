"""A name that is nearly one in the store is guessed; one that is not like any, and one of elsewhere, is not."""

from __future__ import annotations

import pytest

from zegel.grammar.domain import Domain
from zegel.store import domains, keys, schema
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.near import near

PEM = b"-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def filled(store: Store) -> Store:
    with store.writing() as tx:
        for name in ("example.be", "example.org", "town.example"):
            domains.add(tx, Domain.parse(name), now=1)
        keys.add(tx, Domain.parse("example.be"), "z202611r-k7qd", "rsa2048", PEM, "AAAA", now=1)
    return store


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("exampel.be", "example.be"),
        ("xample.be", "example.be"),
        ("exampple.org", "example.org"),
        ("twon.example", "town.example"),
        ("partner.example", None),
        ("example.be.example.be", None),
        ("", None),
    ],
)
def test_what_is_like_it_is_meant(filled: Store, typed: str, meant: str | None) -> None:
    with filled.reading() as tx:
        assert near(tx, schema.domains.c.name, typed) == meant


def test_a_domain_typed_wrong_is_asked_about(filled: Store) -> None:
    with filled.reading() as tx:
        with pytest.raises(StoreError, match=r"did you mean example\.be\? If not, add it first: zegel domain add exampel\.be"):
            domains.row_ids(tx, Domain.parse("exampel.be"))
        with pytest.raises(StoreError, match=r"is not in the store; add it first"):
            domains.row_ids(tx, Domain.parse("partner.example"))


def test_a_selector_is_looked_for_at_its_own_domain_alone(filled: Store) -> None:
    with filled.reading() as tx:
        with pytest.raises(StoreError, match=r"did you mean z202611r-k7qd\? See: zegel key list example\.be"):
            keys.get(tx, Domain.parse("example.be"), "z202611r-k7dq")
        with pytest.raises(StoreError, match=r"no key with selector z202611r-k7dq; see: zegel key list example\.org"):
            keys.get(tx, Domain.parse("example.org"), "z202611r-k7dq")
        with pytest.raises(StoreError, match=r"did you mean example\.be"):
            keys.get(tx, Domain.parse("exampel.be"), "z202611r-k7qd")
