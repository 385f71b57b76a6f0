"""The table of keys: the exact domain, else the nearest parent that allows; changed whole."""

from __future__ import annotations

import pytest

from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain


def entry(name: str, *selectors: str, below: bool = False) -> DomainKeys:
    return DomainKeys(Domain.parse(name), tuple(Key.generate(name, selector, "ed25519") for selector in selectors), below)


KEYRING = Keyring(
    [
        entry("example.be", "a", "b", below=True),
        entry("own.example.be", "c"),
        entry("empty.example.be", below=True),
        entry("closed.example", "d"),
    ]
)


@pytest.mark.parametrize(
    ("name", "selectors"),
    [
        ("example.be", ["a", "b"]),
        ("EXAMPLE.be.", ["a", "b"]),
        ("shop.example.be", ["a", "b"]),
        ("a.b.c.example.be", ["a", "b"]),
        ("own.example.be", ["c"]),
        ("x.own.example.be", ["a", "b"]),
        ("empty.example.be", ["a", "b"]),
        ("x.empty.example.be", ["a", "b"]),
        ("closed.example", ["d"]),
        ("x.closed.example", []),
        ("notexample.be", []),
        ("be", []),
        ("example.be.evil.example", []),
    ],
)
def test_the_nearest_that_may_sign(name: str, selectors: list[str]) -> None:
    assert [key.selector for key in KEYRING.find(Domain.parse(name))] == selectors


def test_it_is_replaced_whole() -> None:
    keyring = Keyring([entry("one.example", "a")], generation=3)
    before = keyring.find(Domain("one.example"))
    keyring.replace([entry("two.example", "b", "c")], generation=4)
    assert [key.selector for key in before] == ["a"]
    assert keyring.find(Domain("one.example")) == ()
    assert (len(keyring), keyring.generation) == (2, 4)
    assert sorted(keyring.known()) == [("two.example", "b"), ("two.example", "c")]


def test_a_table_that_cannot_be_made_changes_nothing() -> None:
    keyring = Keyring([entry("one.example", "a")], generation=3)

    def broken() -> list[DomainKeys]:
        raise ValueError("half of it")

    with pytest.raises(ValueError):
        keyring.replace((item for item in [entry("two.example", "b"), *broken()]), generation=4)
    assert (len(keyring), keyring.generation) == (1, 3)
