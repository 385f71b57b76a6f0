from __future__ import annotations

import pytest

from zegel.milter import codec
from zegel.milter.edits import (
    FAULT,
    Accept,
    Action,
    AddHeader,
    ChangeHeader,
    Continue,
    DeleteHeader,
    Discard,
    Edit,
    InsertHeader,
    Outcome,
    Quarantine,
    Reject,
    TempFail,
    render,
    render_action,
    required_actions,
)


def test_edits_come_before_the_action_in_their_order() -> None:
    outcome = Outcome((DeleteHeader(2, b"A"), DeleteHeader(1, b"A"), InsertHeader(0, b"B", b" c")), Accept())
    assert render(outcome, leading_space=True) == (
        codec.chgheader(2, b"A", b"") + codec.chgheader(1, b"A", b"") + codec.insheader(0, b"B", b" c") + codec.ACCEPT
    )


@pytest.mark.parametrize("value", [b" v=1;\r\n\tb=x", b" v=1;\n\tb=x", b"v=1;\r\n\tb=x"])
def test_the_delivered_field_is_the_same_in_both_modes(value: bytes) -> None:
    # The MTA adds one space where SMFIP_HDR_LEADSPC was not agreed.
    kept = render(Outcome((AddHeader(b"X", value),)), leading_space=True)
    added = render(Outcome((AddHeader(b"X", value),)), leading_space=False)
    assert kept == codec.addheader(b"X", b" v=1;\n\tb=x") + codec.ACCEPT
    assert added == codec.addheader(b"X", b"v=1;\n\tb=x") + codec.ACCEPT


@pytest.mark.parametrize(
    "value", [b" a\r\nBcc: x", b" a\nBcc: x", b" a\rb", b" a\n", b" a\n \n b", b" a\n\n b", b"", b" ", b" a\0", b" a\r\n \r\n"]
)
def test_values_that_end_the_field_or_say_nothing_are_refused(value: bytes) -> None:
    """A line end that is no fold; and the fold of white space alone, which RFC 5322 4.2 has only for reading."""
    for edit in (InsertHeader(0, b"X", value), AddHeader(b"X", value), ChangeHeader(1, b"X", value)):
        with pytest.raises(ValueError):
            render(Outcome((edit,)), leading_space=True)


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        (Accept(), codec.ACCEPT),
        (Continue(), codec.CONTINUE),
        (Discard(), codec.DISCARD),
        (Reject("554", "5.7.26", "no 100%"), codec.replycode("554", "no 100%", "5.7.26")),
        (TempFail("450", "4.1.8", "later"), codec.replycode("450", "later", "4.1.8")),
    ],
)
def test_actions(action: Action, reply: bytes) -> None:
    assert render_action(action) == reply


@pytest.mark.parametrize("action", [TempFail("550", "5.7.1"), Reject("451", "4.7.0")])
def test_a_refusal_of_the_other_kind_is_refused(action: Action) -> None:
    with pytest.raises(ValueError, match="reply code"):
        render_action(action)


def test_our_own_fault_is_451() -> None:
    assert render(FAULT, leading_space=True)[5:15] == b"451 4.7.0 "


@pytest.mark.parametrize(
    ("edit", "needed"),
    [
        (InsertHeader(0, b"X", b" v"), codec.SMFIF_ADDHDRS),
        (AddHeader(b"X", b" v"), codec.SMFIF_ADDHDRS),
        (ChangeHeader(1, b"X", b" v"), codec.SMFIF_CHGHDRS),
        (DeleteHeader(1, b"X"), codec.SMFIF_CHGHDRS),
        (Quarantine("why"), codec.SMFIF_QUARANTINE),
    ],
)
def test_what_edits_need(edit: Edit, needed: int) -> None:
    assert required_actions((edit,)) == needed
