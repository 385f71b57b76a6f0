"""The values of Content-Type: what readers take them for, in work that their length bounds."""

from __future__ import annotations

import re

import pytest

from zegel.grammar import mediatype
from zegel.grammar.mediatype import MediaType, media_type


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" text/plain", MediaType("text/plain", {})),
        (b' Multipart/Mixed; Boundary="a\\"b" ; charset = utf-8', MediaType("multipart/mixed", {"boundary": b'a"b', "charset": b"utf-8"})),
        (b" text/plain;; ;\tcharset=utf-8;", MediaType("text/plain", {"charset": b"utf-8"})),
        (b" text/plain; charset=a; charset=b", MediaType("text/plain", {"charset": b"a"}, doubtful=True)),
        (b" text/plain; (comment); charset=a", MediaType("text/plain", {"charset": b"a"}, doubtful=True)),
        (b" text/plain; =x; charset=a", MediaType("text/plain", {"charset": b"a"}, doubtful=True)),
        (b" text/plain; charset", MediaType("text/plain", {}, doubtful=True)),
        (b" text", MediaType("", {}, doubtful=True)),
    ],
)
def test_values(value: bytes, expected: MediaType) -> None:
    assert media_type(value) == expected


class Counting:
    """A pattern that counts what it is asked."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern, self.count = pattern, 0

    def match(self, text: bytes, at: int) -> re.Match[bytes] | None:
        self.count += 1
        return self._pattern.match(text, at)


@pytest.mark.parametrize("piece", [b";", b"; ", b";\x0b", b";x;", b";=", b";(", b"; a", b';"'])
def test_what_is_no_parameter_is_looked_at_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    """A megabyte of it, as large as a header may be: each look from its place to the end took hours."""
    counting = Counting(mediatype._PARAMETER)
    monkeypatch.setattr(mediatype, "_PARAMETER", counting)
    found = media_type(b"text/plain" + piece * ((1 << 20) // len(piece)))
    assert counting.count <= 50
    assert found.parameters == {}
    assert found.doubtful is (piece not in (b";", b"; "))


def test_more_parameters_than_any_type_has_are_doubtful() -> None:
    many = b"".join(b"; a%d=x" % number for number in range(1000))
    found = media_type(b"text/plain" + many)
    assert (len(found.parameters), found.doubtful) == (50, True)
