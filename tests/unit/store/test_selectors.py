"""Selectors: the ones we make, the ones we refuse."""

from __future__ import annotations

import pytest

from zegel.grammar.domain import Domain
from zegel.store import selectors
from zegel.store.errors import StoreError

EXAMPLE = Domain.parse("example.be")
NOVEMBER_2026 = 1_795_000_000


@pytest.mark.parametrize(("algorithm", "start"), [("rsa2048", "z202611r-"), ("rsa4096", "z202611r-"), ("ed25519", "z202611e-")])
def test_a_proposal_has_the_month_and_the_kind(algorithm: str, start: str) -> None:
    made = {selectors.propose(algorithm, NOVEMBER_2026) for _ in range(50)}
    assert len(made) > 45
    for selector in made:
        assert selector.startswith(start)
        assert len(selector) == 13
        assert selectors.parse(selector, EXAMPLE) == selector


def test_an_unknown_algorithm_is_named_with_the_known_ones() -> None:
    with pytest.raises(StoreError, match=r"'dsa' is no kind of key; take one of: rsa2048.*ed25519"):
        selectors.propose("dsa", NOVEMBER_2026)


@pytest.mark.parametrize("name", ["google", "selector1", "mail", "default", "s1", "k1", "dkim", "GOOGLE", "brevo1", "protonmail2"])
def test_well_known_names_need_force(name: str) -> None:
    with pytest.raises(StoreError, match=f"{name.lower()} is one that mail providers hand out"):
        selectors.parse(name, EXAMPLE)
    assert selectors.parse(name, EXAMPLE, force=True) == name.lower()


def test_every_well_known_name_is_a_selector() -> None:
    for name in selectors.WELL_KNOWN:
        assert selectors.parse(name, EXAMPLE, force=True) == name


@pytest.mark.parametrize("name", ["", ".", "a b", "a\0b", "-a", "a;b", "a..b", "x" * 64, "a" * 5000])
def test_what_is_no_dns_name_is_refused_even_with_force(name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a selector"):
        selectors.parse(name, EXAMPLE, force=True)


def test_several_labels_are_one_selector() -> None:
    # RFC 6376 3.1: selector = sub-domain *( "." sub-domain )
    assert selectors.parse("Nov2026.Gent", EXAMPLE) == "nov2026.gent"


def test_the_whole_name_fits_in_dns() -> None:
    long = Domain.parse(".".join(["a" * 60] * 3 + ["b" * 50]))
    room = 253 - len(f"._domainkey.{long}")
    assert selectors.parse("z" * room, long) == "z" * room
    with pytest.raises(StoreError, match="too long"):
        selectors.parse("z" * (room + 1), long)
