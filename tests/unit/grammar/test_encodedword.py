"""Encoded words as people are shown them: RFC 2047 2, RFC 2047 4, RFC 2047 6, RFC 2047 6.2."""

from __future__ import annotations

import pytest

from zegel.grammar.encodedword import decoded, printable, shown

WORDS = [
    ("plain", "plain"),
    ("=?utf-8?q?Caf=C3=A9?=", "Café"),
    ("=?UTF-8?B?UGF5UGFs?=", "PayPal"),
    ("=?iso-8859-1*en?Q?=E9_t=E9?= x", "é té x"),
    ("a =?utf-8?q?b?= c", "a b c"),
    ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
    ("=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?=", "aé"),
    ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
    ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
    ("=?windows-1252?q?=93x=94?=", "“x”"),
    # What cannot be decoded, and what is no charset of mail.
    ("=?utf-8?q?=FF?=", "\ufffd"),
    ("=?x-none?q?a=C3=A9?=", "aé"),
    ("=?iso-8859-99?q?a?=", "a"),
    ("=?unicode_escape?q?=5Cu0041?=", "\\u0041"),
    ("=?utf-7?q?+ADw-?=", "+ADw-"),
    ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
    ("=?utf-8?q?open", "=?utf-8?q?open"),
    ("=?utf-8?b?a?=", "a"),
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_words(text: str, expected: str) -> None:
    assert decoded(text) == expected


def test_one_line_of_bounded_length() -> None:
    assert shown("=?utf-8?q?a=0D=0AFrom:_b=00=1B?=") == "a From: b\ufffd\ufffd"
    assert shown("a\u202eb\u200b\u2028c\td") == "a\ufffdb\ufffd cd".replace("cd", "c d")
    assert printable("x" * 300) == "x" * 199 + "…"
    assert printable("x " * 300, longest=10) == "x x x x x…"
    assert printable(" " * 100_000) == ""
