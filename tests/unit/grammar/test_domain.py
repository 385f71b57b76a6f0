"""Domain names: one spelling, and no mending."""

from __future__ import annotations

import pytest

from zegel.grammar.domain import Domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.Org.", "example.org"),
        ("a_b._domainkey.example.org", "a_b._domainkey.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("faß.example", "xn--fa-hia.example"),
        (b"b\xc3\xbccher.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("1.2.3.4", "1.2.3.4"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_valid(text: str | bytes, domain: str) -> None:
    """RFC 1034 3.5 and RFC 5321 2.3.5, with RFC 5890 2.3 for U-labels: one spelling of each."""
    assert Domain.parse(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".a",
        "-a.example",
        "a-.example",
        "a b",
        "a\x00.example",
        "a(.example",
        "a@b",
        "a" * 64 + ".example",
        "a." * 127 + "a",
        "a\n",
        "a;b",
        "a/b",
        "exa\xadmple..org",
        "․.example",
        "a" * 2000,
        "é" * 300 + ".example",
        "[192.0.2.1]",
        "a,b",
        "a:b",
    ],
)
def test_invalid(text: str) -> None:
    """RFC 1034 3.5: letters, digits and hyphens within a label, 63 octets a label, 253 a name."""
    with pytest.raises(ValueError):
        Domain.parse(text)


def test_bytes_that_are_no_utf8() -> None:
    with pytest.raises(ValueError):
        Domain.parse(b"\xff.example")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("a b.example", "'a b.example' is not a domain name"),
        ("", "'' is not a domain name: one has 1 to 253 characters"),
        ("\x1b[2J\r\n.example", r"'\x1b[2J\r\n.example' is not a domain name"),
        (b"\xff.example", r"'\xff.example' is not a domain name: it is not UTF-8"),
        ("a" * 254, f"'{'a' * 64}'... is not a domain name: one has 1 to 253 characters"),
        ("\u2026.example", r"'\u2026.example' is not an internationalised domain name: "),
    ],
)
def test_what_is_refused_is_named(given: str | bytes, named: str) -> None:
    with pytest.raises(ValueError) as refused:
        Domain.parse(given)
    assert str(refused.value).startswith(named)


@pytest.mark.parametrize("letter", ["\x1b", "\r", "\u202e", "\U0001f600", "\ud800", " ", "\N{LATIN SMALL LETTER E WITH ACUTE}-"])
@pytest.mark.parametrize("many", [1, 60, 254, 1000, 5000])
def test_the_error_is_short_and_steers_no_terminal(letter: str, many: int) -> None:
    with pytest.raises(ValueError) as refused:
        Domain.parse(letter * many)
    text = str(refused.value)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 900


def test_relations() -> None:
    domain = Domain.parse("a.mail.example.org")
    assert domain.parents == ("mail.example.org", "example.org", "org")
    assert domain.labels == ("a", "mail", "example", "org")
    assert domain.within("example.org")
    assert domain.within("a.mail.example.org")
    assert not domain.within("ample.org")
    assert not domain.within("b.a.mail.example.org")


def test_as_people_write_it() -> None:
    assert Domain.parse("xn--bcher-kva.example").unicode == "bücher.example"
    assert Domain.parse("example.org").unicode == "example.org"
    assert Domain.parse("xn--a.example").unicode == "xn--a.example"
