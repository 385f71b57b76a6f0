"""The edits that follow: what claims our name goes, counted as the mail server counts, and our field stands on top."""

from __future__ import annotations

import pytest

from zegel.arc.result import ArcReason, ArcResult
from zegel.authres.model import MethodResult
from zegel.milter.edits import DeleteHeader
from zegel.verdict.edits import Claims, arc_method

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


def test_a_field_of_another_version_goes_whoever_it_names() -> None:
    """RFC 8601 5: "an MTA MUST remove such a header field if the SMTP connection [...] is not from a trusted internal MTA"."""
    claims = seen((b"Authentication-Results", b" other.example 1; x=y"), (b"Authentication-Results", b" other.example 2; x=y"))
    assert claims.removals() == [DeleteHeader(2, b"Authentication-Results")]


def test_the_result_of_a_chain() -> None:
    """RFC 8617 6: smtp.remote-ip and header.oldest-pass."""
    passed = ArcResult(ArcReason.VERIFIED, oldest_pass=0)
    wanted = MethodResult("arc", "pass", "", (("header", "oldest-pass", "0"), ("smtp", "remote-ip", "2001:db8::1")))  # type: ignore[arg-type]
    assert arc_method(passed, remote_ip="2001:db8::1") == wanted
    assert arc_method(ArcResult(ArcReason.NO_CHAIN)) == MethodResult("arc", "none")
    failed = arc_method(ArcResult(ArcReason.SEAL_MISMATCH, detail="AS 2: b="))
    assert (failed.result, failed.properties) == ("fail", ())
    assert failed.reason.endswith("(AS 2: b=)")
