"""Tag lists by example: RFC 6376 3.2, base64 of 2.10."""

from __future__ import annotations

import pytest

from zegel.grammar import taglist


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (b"a=1", {"a": "1"}),
        (b" a = 1 ; b=2;", {"a": "1", "b": "2"}),
        (b"a=1;\r\n\tb=2;\r\n ", {"a": "1", "b": "2"}),
        (b"a=", {"a": ""}),
        (b"a=;b=", {"a": "", "b": ""}),
        (b"a=x=y==", {"a": "x=y=="}),
        (b"a=x y\tz", {"a": "x y\tz"}),
        (b"A=1;a=2", {"A": "1", "a": "2"}),
        (b"a_1=1", {"a_1": "1"}),
        ("d=\u00e9t\u00e9.example".encode(), {"d": "\u00e9t\u00e9.example"}),
        (b"", {}),
        (b"  ", {}),
    ],
)
def test_valid(text: bytes, tags: dict[str, str]) -> None:
    assert taglist.parse(text) == tags
    assert list(taglist.parse(text)) == list(tags), "order counts: v= must come first in a key record"


@pytest.mark.parametrize(
    "text",
    [
        *(b"a", b"a=1;;b=2", b";", b"a=1;b", b"=1", b"1=a", b"_a=1", b"a-b=1", b"a b=1", b"a=1;a=1", b"a=1; a =2", b"a=\x00", b"a=\xff"),
        *("\u00e9=1".encode(), b"a=\x7f", b"a=1;\x0bb=2"),
        # RFC 6376 2.8: a CRLF stands with white space behind it, CR and LF do not stand alone.
        *(b"a=1;\nb=2", b"a=1;\n b=2", b"a=1\r;b=2", b"a=1;\r\nb=2", b"a=1\r\n", b"\r\na=1", b"a=\r\r\n 1", b"a=1\r\n\r\n b"),
    ],
)
def test_invalid(text: bytes) -> None:
    with pytest.raises(taglist.TagListError):
        taglist.parse(text)


@pytest.mark.parametrize(
    ("text", "emptied"),
    [
        (b" v=1; b=abc", b" v=1; b="),
        (b" v=1; b= ab\r\n c = ; h=x", b" v=1; b=; h=x"),
        (b" b=abc; bh=def", b" b=; bh=def"),
        (b" bh=b=; b=x", b" bh=b=; b="),
        (b" v=1;\r\n\tb\t=\r\n\tabc\r\n\t;", b" v=1;\r\n\tb\t=;"),
        (b" v=1", b" v=1"),
    ],
)
def test_emptied(text: bytes, emptied: bytes) -> None:
    """RFC 6376 3.5: the value goes, with the white space around it; all else stays as it is."""
    assert taglist.emptied(text, b"b") == emptied


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("QUJD", b"ABC"),
        ("QU JD", b"ABC"),
        ("Q\r\n\tUJD ", b"ABC"),
        ("QUI=", b"AB"),
        ("QUI", b"AB"),
        ("QQ==", b"A"),
        ("QQ", b"A"),
        ("Q Q = =", b"A"),
    ],
)
def test_base64(text: str, octets: bytes) -> None:
    assert taglist.base64(text) == octets


@pytest.mark.parametrize("text", ["Q", "QUJDQ", "QUJD=", "QUJD====", "QQ=", "=QQ=", "QQ=Q", "QUI==", "QU-D", "QU\u00e9D", "QU\nJD"])
def test_no_base64(text: str) -> None:
    with pytest.raises(ValueError):
        taglist.base64(text)
