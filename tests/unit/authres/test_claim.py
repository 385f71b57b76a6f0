"""Whose name a field claims, in every spelling that somebody may read as ours."""

from __future__ import annotations

import pytest

from support.work import lines
from zegel.authres.claim import authserv_id, claims, normal

OURS = "mail.example.org"

AS_OURS = [
    b" mail.example.org; dkim=pass",
    b"mail.example.org;dkim=pass",
    b" MAIL.Example.ORG; none",
    b" mail.example.org.; dkim=pass",
    b" mail.example.org",
    b" mail.example.org 1; dkim=pass",
    b" mail.example.org (x) 1 (y) ; dkim=pass",
    b"\r\n\tmail.example.org\r\n\t; dkim=pass",
    b' "mail.example.org"; dkim=pass',
    b' "mail\\.example\\.o\\rg"; dkim=pass',
    b' "mail.example.org."; dkim=pass',
    b' " mail.example.org "; dkim=pass',
    b' "mail.\r\n example.org"; dkim=pass',
    b' "mail.example.org\x00"; dkim=pass',
    b" (c) mail.example.org; dkim=pass",
    b" (a (nested) one\\)) mail.example.org; dkim=pass",
    b"(;)mail.example.org; dkim=pass",
    b" mail.example.org 001\t; dkim=pass",
    b" mAIL.eXAMPLE.oRG.\t1(x); dkim=pass",
    b' (a)(b) "Mail.Example.Org" (c) 1; dkim=pass',
    # Full-width and ideographic letters of a name that DNS takes for ours. RFC 5895, UTS 46.
    " ｍail.example.org; dkim=pass".encode(),
    " mail。example。org; dkim=pass".encode(),
]

UNREADABLE = [
    b"",
    b" ",
    b" ; dkim=pass",
    b" .; dkim=pass",
    b' " . "; dkim=pass',
    b" dkim=pass header.d=example.org",
    b" mail.example.org dkim=pass",
    b" mail.example.org, other; dkim=pass",
    b" mail.example.org/other; dkim=pass",
    b" (unclosed mail.example.org; dkim=pass",
    b" other.example (unclosed; dkim=pass",
    b" other.example" + b" " * 4096 + b"mail.example.org; dkim=pass",
    b" (" + b"a" * 4096 + b") mail.example.org; dkim=pass",
    b" (" + b"a" * 4096 + b") other.example; dkim=pass",  # costs the same as a short one, and nobody writes it
    b" (((((" + b"(" * 5000 + b" mail.example.org; dkim=pass",
    b' "mail.example.org; dkim=pass',
    b' "mail.example.org\\',
    b" " + b"a" * 100_000 + b"; dkim=pass",
    b' ""; dkim=pass',
    b" mail.(x)example.org; dkim=pass",
    b" <mail.example.org>; dkim=pass",
    b"\x00mail.example.org; dkim=pass",
    b" mail.example.org\x00; dkim=pass",
    b" other.example\x00mail.example.org; dkim=pass",
    # RFC 8601 5: "an MTA MUST remove such a header field" of a version that it does not support, whoever it names.
    b" other.example 2; dkim=pass",
    b" other.example (x) 10 (y); dkim=pass",
    b" mail.example.org 2; dkim=pass",
    b' "other.example"\r\n\t0; none',
    b" other.example " + b"9" * 5000 + b"; none",
]

OTHERS = [
    b" other.example; dkim=pass",
    b" other.example 1; dkim=pass (mail.example.org)",
    b" other.example 01; dkim=pass",
    b" other.example(x)1(y); dkim=pass",
    b" mail.example.org.evil.example; dkim=pass",
    b" xmail.example.org; dkim=pass",
    b" example.org; dkim=pass",
    b" other.example (mail.example.org); dkim=pass",
    b' "other.example"; dkim=pass header.d=mail.example.org',
    b" (just a note) other.example; none",
    b" \xff\xfe; dkim=pass",
    b" " + b"a" * 2000 + b"; dkim=pass",
]


@pytest.mark.parametrize("value", AS_OURS, ids=lambda value: repr(value[:50]))
def test_our_name_is_found_however_it_is_spelled(value: bytes) -> None:
    """RFC 8601 5: a field that claims our name goes. Comments nest, RFC 5322 3.2.2."""
    assert authserv_id(value) == OURS
    assert claims(value, OURS)


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: repr(value[:50]))
def test_what_cannot_be_read_claims_our_name(value: bytes) -> None:
    assert authserv_id(value) is None
    assert claims(value, OURS)


@pytest.mark.parametrize("value", OTHERS, ids=lambda value: repr(value[:50]))
def test_other_names_are_left_alone(value: bytes) -> None:
    assert authserv_id(value) not in (None, OURS)
    assert not claims(value, OURS)


@pytest.mark.parametrize(
    "value",
    [
        b" (a (b) mail.example.org; x) other.example; dkim=pass",
        b" (mail.example.org; dkim=pass) other.example; none",
        b" (a\\) MAIL.example.\r\n org) other.example; none",
    ],
)
def test_our_name_in_a_comment_before_the_id_is_a_claim(value: bytes) -> None:
    assert authserv_id(value) == "other.example"
    assert claims(value, OURS)


@pytest.mark.parametrize("value", [" mail.example.org\u00a0; dkim=pass", " \u3000mail.example.org; x", ' "mail.example.org\u2028"; x'])
def test_white_space_of_unicode_does_not_hide_our_name(value: str) -> None:
    """A reader that works on text strips it."""
    assert claims(value.encode(), OURS)


@pytest.mark.parametrize(
    "name", ["\u00a0mx.b\u00fccher.example", "mx.b\u00fccher.example\u3002", "mx\uff0ebu\u0308cher\u3002example\uff61\u3000"]
)
def test_nor_does_it_in_utf_8_or_a_final_stop_of_another_script(name: str) -> None:
    ours = normal("mx.b\u00fccher.example")
    assert claims(f" {name}; dkim=pass".encode(), ours)
    assert not claims(f" x{name.strip()}; dkim=pass".encode(), ours)


def test_a_field_costs_the_same_however_long_its_comment_is() -> None:
    """RFC 8601 7.8: a megabyte of comments would hold up all connections for a quarter of a second."""

    def steps(octets: int) -> int:
        field = b" (" + b"a" * octets + b") other.example; dkim=pass"
        return lines(lambda: claims(field, OURS))

    assert steps(200_000) <= 2.5 * steps(4_000)


def test_u_labels_and_a_labels_are_one_name() -> None:
    """RFC 8601 2.5 and 5: compared after U-labels have become A-labels."""
    ours = normal("mail.exämple.be")
    assert ours == "mail.xn--exmple-cua.be" == normal(b"MAIL.XN--EXMPLE-CUA.BE.")
    for spelled in ("mail.exämple.be", "mail.EXÄMPLE.be", "mail.xn--exmple-cua.be", "mail.exa\u0308mple.be"):
        assert claims(f' "{spelled}"; dkim=pass'.encode(), ours)
        assert claims(f" {spelled} 1; dkim=pass".encode(), ours)
        assert claims(f" (a \u00e9 (b)) {spelled.upper()}. (c) 1 (d); dkim=pass".encode(), ours)
    assert not claims(b" mail.exemple.be 1; dkim=pass", ours)


def test_a_name_that_is_no_domain_is_compared_without_case() -> None:
    assert normal("Our Gateway/1") == "our gateway/1"
