"""The test data of the public suffix list itself, for the comparison with RFC 7489."""

from __future__ import annotations

import re

import pytest

from support import cases
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain

TEXT = (cases.suite("dmarc/psl") / "tests" / "test_psl.txt").read_text("utf-8")
ROWS = re.findall(r"^checkPublicSuffix\('?([^',]*)'?, '?([^')]*)'?\);", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("name", "registered"), ROWS)
def test_case(name: str, registered: str) -> None:
    if name == "null" or name.startswith("."):
        # These are no names: nothing is looked up for them.
        assert registered == "null"
        with pytest.raises(ValueError):
            Domain.parse("" if name == "null" else name)
        return
    domain = Domain.parse(name)
    # Of a public suffix there is no registered domain; it stands for itself.
    assert organizational_domain(domain) == (domain if registered == "null" else Domain.parse(registered))


def test_the_list_is_whole() -> None:
    assert len(ROWS) == TEXT.count("\ncheckPublicSuffix(") == 78
    assert TEXT.count("\n//checkPublicSuffix(") == 4, "those that the list itself leaves out"
