"""Our own names from outside: RFC 9989 7.4 leaves such knowledge to the receiver."""

from __future__ import annotations

import pytest

from zegel.grammar.domain import Domain
from zegel.verdict.own import ImitatesUs, Names, imitates_us

OWN = Names(map(Domain.parse, ("example.be", "sub.example.be", "bücher.example")))


@pytest.mark.parametrize(
    ("author", "own"),
    [
        ("example.be", "example.be"),
        ("mail.example.be", "example.be"),
        ("a.b.example.be", "example.be"),
        ("x.sub.example.be", "sub.example.be"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("notexample.be", None),
        ("be", None),
        ("example.be.attack.example", None),
        ("example", None),
    ],
)
def test_ours_and_all_below(author: str, own: str | None) -> None:
    domain = Domain.parse(author)
    assert OWN.holding(domain) == own
    found = imitates_us(domain, OWN, aligned=False)
    assert found == (None if own is None else ImitatesUs(domain, Domain.parse(own)))
    assert imitates_us(domain, OWN, aligned=True) is None
    assert Names(()).holding(domain) is None


def test_without_an_author_there_is_nothing_to_say() -> None:
    assert imitates_us(None, OWN, aligned=False) is None


def test_the_sentence_has_its_values_beside_it() -> None:
    found = imitates_us(Domain.parse("x.example.be"), OWN, aligned=False)
    assert found is not None
    assert (found.id, found.section) == ("imitates_us", "RFC 9989 7.4")
    assert str(found.told) == "x.example.be is ours (example.be), and the message came from outside without proof of it"
    assert found.told.values == {"author": "x.example.be", "own": "example.be"}
