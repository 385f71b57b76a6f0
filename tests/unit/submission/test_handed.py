"""The lines before a message that is handed in: what is written is read, and nothing else is. RFC 5321 4.5.3.1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zegel.submission.handed import MAX_RECIPIENTS, MAX_SIZE, Handed, HandedError, read_head

ID = "0123456789abcdef" * 2


@settings(max_examples=300)
@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=5), st.integers(-1, MAX_SIZE + 1))
def test_what_is_written_is_read_again_or_refused(sender: str, recipients: list[str], size: int) -> None:
    try:
        head = Handed(ID, sender, recipients, size).head()
        handed = read_head(head)
    except HandedError:
        return
    assert (handed.id, handed.sender, handed.recipients, handed.size) == (ID, sender, recipients, size)
    assert head.count(b"\n") == 5 + len(recipients), "no address has a line of its own"


@pytest.mark.parametrize("sender", ["", "www-data@web01", "é@café.example", "a" * 320])
def test_senders(sender: str) -> None:
    assert read_head(Handed(ID, sender, ["info@example.be"], 0).head()).sender == sender


@pytest.mark.parametrize(
    "recipients", [[], [""], ["a b"], ["a\nto b"], ["a\r"], ["a\0"], ["a" * 321], ["a@b"] * (MAX_RECIPIENTS + 1), ["\udc80@x"]]
)
def test_recipients_that_cannot_be(recipients: list[str]) -> None:
    with pytest.raises(HandedError):
        Handed(ID, "a@b", recipients, 0).head()


GOOD = b"zegel-handover 1\nid %s\nvia django\nfrom a@b\nto c@d\nsize 5\n" % ID.encode()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        GOOD.replace(b"handover 1", b"handover 2"),
        GOOD.replace(b"id ", b"ID "),
        GOOD.replace(ID.encode(), b"../../../etc/passwd"),
        GOOD.replace(ID.encode(), ID.upper().encode()),
        GOOD.replace(b"to c@d\n", b""),
        GOOD.replace(b"to c@d", b"to "),
        GOOD.replace(b"to c@d", b"cc c@d"),
        GOOD.replace(b"size 5", b"size -5"),
        GOOD.replace(b"size 5", b"size 5.0"),
        GOOD.replace(b"size 5", "size ٥".encode()),
        GOOD.replace(b"size 5", b"size 99999999999"),
        GOOD.replace(b"size 5", b"size " + b"9" * 5000),
        GOOD.replace(b"c@d", b"\xff"),
        GOOD.replace(b"django", b"telnet"),
        GOOD + b"size 5\n",
        GOOD.replace(b"from a@b\nto c@d", b"to c@d\nfrom a@b"),
    ],
)
def test_lines_that_are_no_envelope(head: bytes) -> None:
    assert read_head(GOOD).size == 5
    with pytest.raises(HandedError):
        read_head(head)
