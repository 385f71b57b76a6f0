"""The edits that follow: what claims our name goes, counted as the mail server counts, and our field stands on top."""

from __future__ import annotations

import pytest

from zegel.milter.edits import DeleteHeader
from zegel.verdict.edits import Claims

OURS = "mail.example.org"


def seen(*header: tuple[bytes, bytes]) -> Claims:
    claims = Claims()
    claims.see(header[:2], OURS)
    claims.see(header[2:], OURS)
    return claims


def test_deletions_go_from_the_highest_index_down() -> None:
    """RFC 8601 5 and 7.1: every field in our name goes, and no other."""
    mine, other = (b"Authentication-Results", b" mail.example.org; x=y"), (b"Authentication-Results", b" other.example; x=y")
    claims = seen(mine, other, (b"From", b" a"), mine, mine, other, mine, other, mine)
    assert claims.removals() == [DeleteHeader(index, b"Authentication-Results") for index in (8, 6, 4, 3, 1)]
    assert claims.count == 5
    assert claims.ours


@pytest.mark.parametrize(
    "name", [b"authentication-results", b"AUTHENTICATION-RESULTS", b"Authentication-Results ", b"Authentication-Results\t "]
)
def test_names_are_compared_as_readers_do(name: bytes) -> None:
    """RFC 5322 4.5: white space may stand before the colon."""
    claims = seen((b"Authentication-Results", b" other.example; x=y"), (name, b" mail.example.org; x=y"))
    assert claims.removals() == [DeleteHeader(2, b"Authentication-Results")]


@pytest.mark.parametrize(
    "name", [b"X-Authentication-Results", b"ARC-Authentication-Results", b"Authentication-Result", b"Authentication_Results"]
)
def test_other_fields_are_not_counted(name: bytes) -> None:
    claims = seen((name, b" mail.example.org; x=y"))
    assert claims.removals() == []
    assert not claims.ours


def test_what_cannot_be_read_goes_but_is_not_ours() -> None:
    claims = seen((b"Authentication-Results", b" dkim=pass"), (b"Authentication-Results", b" (mail.example.org (x)) other.example; x=y"))
    assert claims.count == 2
    assert not claims.ours
