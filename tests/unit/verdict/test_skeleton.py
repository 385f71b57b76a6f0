"""Skeletons: what looks the same has one (UTS 39 4), and the table of letters is the one that ICU's data give."""

from __future__ import annotations

import pytest

from support import icu
from support.servers import unavailable
from zegel.verdict.confusables import ALIKE, UNICODE_VERSION
from zegel.verdict.skeleton import label_skeleton, seen_label, skeleton, substitutions

SAME = [
    ("paypal", "раураӏ"),  # Cyrillic
    ("paypal", "paypaⅼ"),
    ("paypal", "𝓹𝒶ỿ𝕡𝕒ℓ".replace("ỿ", "y")),
    ("paypal", "PAYPAL"),
    ("paypal", "paypa1"),
    ("paypal", "p\u00aday\u200bpal"),
    ("example", "éxämplę"),
    ("example", "ｅｘａｍｐｌｅ"),
    ("modem", "modern"),
    ("www", "vvvvvv"),
    ("google", "g00gle"),
    ("PayPal", "PayPaI"),
    ("apple", "αррӏе"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_look(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("paypal", "paypei"), ("kbc", "kdc"), ("be", "de"), ("u", "v")])
def test_another_look(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_a_label_is_read_as_it_is_seen() -> None:
    assert label_skeleton("xn--exmple-4nf") == "example"
    assert seen_label("xn--mgba3gch31f060k") == "نامه\u200cای"
    assert seen_label("xn--ls8h") == "💩", "not allowed in RFC 5891, and shown by some"
    assert seen_label("xn--\u007f") == "xn--\u007f"
    assert seen_label("xn--9999999999") == "xn--9999999999"
    assert skeleton("x" * 5000) == "x" * 1000
    assert len(skeleton("\ufdfa" * 5000)) <= 4000


@pytest.mark.parametrize(("one", "other", "count"), [("modern", "modem", 1), ("b01", "bol", 2), ("vvww", "wvvw", 2), ("same", "same", 0)])
def test_places_that_differ(one: str, other: str, count: int) -> None:
    assert substitutions(one, other) == count


def test_the_table_is_what_icu_gives() -> None:
    """Where ICU has the Unicode version of the table; with another one, the letters of both are still those of the table."""
    try:
        checker = icu.Icu()
    except OSError as error:
        unavailable(f"ICU cannot be asked ({error}); on Debian, apt-get install libicu-dev")
    rows = icu.rows(checker)
    if checker.unicode_version == UNICODE_VERSION:
        assert rows == ALIKE
        assert icu.TABLE.read_text("utf-8") == icu.source(checker)
    else:
        known = {char: letter for letter, chars in ALIKE.items() for char in chars}
        assert sum(known.get(char) == letter for letter, chars in rows.items() for char in chars) > 0.9 * len(known)


def test_the_table_is_bounded_and_plain() -> None:
    chars = [char for alike in ALIKE.values() for char in alike]
    assert len(chars) == len(set(chars)) == 459
    assert all(letter.isascii() and letter.isalnum() and letter == letter.casefold() for letter in ALIKE)
    assert not any(char.isascii() for char in chars)
