"""A visitor's address as it is counted."""

from __future__ import annotations

import pytest

from zegel.grammar.address import mailboxes
from zegel.submission.visitor import untagged


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("jan@visitor.example", "jan@visitor.example"),
        ("jan+1@visitor.example", "jan@visitor.example"),
        ("jan+a+b@visitor.example", "jan@visitor.example"),
        ("jan+@visitor.example", "jan@visitor.example"),
        ("+jan@visitor.example", "+jan@visitor.example"),
        ("++@visitor.example", "++@visitor.example"),
        ("j.an-x_y@visitor.example", "j.an-x_y@visitor.example"),
        ("zoé+1@visitor.example", "zoé@visitor.example"),
        ('"jan+a b"@visitor.example', "jan@visitor.example"),
        ('"jan+a@b"@visitor.example', "jan@visitor.example"),
        ('"jan de"@visitor.example', '"jan de"@visitor.example'),
        ('"+ jan"@visitor.example', '"+ jan"@visitor.example'),
    ],
)
def test_a_tag_is_no_other_mailbox(address: str, counted: str) -> None:
    (mailbox,) = mailboxes(address.encode())
    assert mailbox.address == address, "as From has it"
    assert untagged(address) == counted


def test_the_domain_is_left_alone() -> None:
    assert untagged("jan@a+b.example") == "jan@a+b.example"
    assert untagged("jan") == "jan"
    assert untagged("") == ""
