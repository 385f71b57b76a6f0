"""Organisations and domains: what belongs to whom."""

from __future__ import annotations

import pytest

from zegel.grammar.domain import Domain
from zegel.store import domains, keys, organisations
from zegel.store.database import Store
from zegel.store.domains import OwnDomain
from zegel.store.errors import StoreError
from zegel.store.organisations import Organisation

EXAMPLE = Domain.parse("example.be")


def test_a_new_store_has_the_default_organisation(store: Store) -> None:
    with store.reading() as tx:
        assert organisations.all(tx) == [Organisation("default", 1000)]


def test_organisations_are_listed_by_name(store: Store) -> None:
    with store.writing() as tx:
        assert organisations.add(tx, "Stad Brugge", now=5) == Organisation("Stad Brugge", 5)
        organisations.add(tx, "Égalité 'n co; --", now=6)
    with store.reading() as tx:
        assert [one.name for one in organisations.all(tx)] == ["Stad Brugge", "default", "Égalité 'n co; --"]


def test_an_organisation_is_there_once(store: Store) -> None:
    with store.writing() as tx, pytest.raises(StoreError, match="default is in the store already"):
        organisations.add(tx, "default", now=5)


def test_a_name_of_one_label_cannot_sign(store: Store) -> None:
    with store.writing() as tx, pytest.raises(StoreError, match=r"com has one part only.*example\.be"):
        domains.add(tx, Domain.parse("com"), now=5)
    with store.reading() as tx:
        assert domains.all(tx) == []


@pytest.mark.parametrize("name", ["", " ", " x", "x ", "a\nb", "a\0b", "x" * 101, "\u202egnp"])
def test_names_that_are_no_names(store: Store, name: str) -> None:
    with store.writing() as tx, pytest.raises(StoreError, match="cannot be the name"):
        organisations.add(tx, name, now=5)


def test_a_domain_carries_its_organisation(store: Store) -> None:
    with store.writing() as tx:
        organisations.add(tx, "gent", now=1)
        domains.add(tx, Domain.parse("zo.example"), now=2)
        added = domains.add(tx, EXAMPLE, organisation="gent", sign_subdomains=True, now=3)
    assert added == OwnDomain(EXAMPLE, "gent", True, 3)
    with store.reading() as tx:
        assert domains.all(tx) == [added, OwnDomain(Domain.parse("zo.example"), "default", False, 2)]
        found = domains.get(tx, EXAMPLE)
    assert found == added
    assert isinstance(found.name, Domain)


def test_a_name_is_there_once_whoevers_it_is(store: Store) -> None:
    with store.writing() as tx:
        organisations.add(tx, "gent", now=1)
        domains.add(tx, EXAMPLE, organisation="gent", now=1)
    with store.writing() as tx, pytest.raises(StoreError, match=r"example\.be is in the store already, with organisation gent"):
        domains.add(tx, EXAMPLE, now=2)
    with store.reading() as tx:
        assert [one.organisation for one in domains.all(tx)] == ["gent"]


def test_unknown_names_say_what_to_do(store: Store) -> None:
    with store.writing() as tx:
        with pytest.raises(StoreError, match=r"no organisation gent.*add it first"):
            domains.add(tx, EXAMPLE, organisation="gent", now=1)
        with pytest.raises(StoreError, match=r"zegel domain add example\.be"):
            domains.get(tx, EXAMPLE)
        assert not domains.holds(tx, EXAMPLE)
    with store.reading() as tx:
        assert domains.all(tx) == []
    assert store.generation() == 0


def test_each_new_domain_counts_as_a_change(store: Store) -> None:
    for number in range(1, 4):
        with store.writing() as tx:
            domains.add(tx, Domain.parse(f"d{number}.example"), now=1)
        assert store.generation() == number


def test_only_a_domain_without_keys_is_taken_out(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=5)
    before = store.generation()
    with store.writing() as tx:
        domains.remove(tx, EXAMPLE, now=9)
    assert store.generation() == before + 1
    with store.writing() as tx, pytest.raises(StoreError, match="not in the store"):
        domains.remove(tx, EXAMPLE, now=9)
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=6)
        keys.add(tx, EXAMPLE, "one", "ed25519", b"PEM", "AAAA", now=6)
    with store.writing() as tx, pytest.raises(StoreError, match="has keys"):
        domains.remove(tx, EXAMPLE, now=9)
    with store.reading() as tx:
        assert domains.get(tx, EXAMPLE).created == 6
