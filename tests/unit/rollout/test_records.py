from __future__ import annotations

import pytest

import zegel
from zegel.ask import Question, RRType
from zegel.rollout.records import Record, as_value, as_zone_line, cut, key_record


class Public:
    """What a stored key shows of itself."""

    def __init__(self, key: zegel.Key) -> None:
        self.domain, self.selector, self.key_type, self.public = key.domain, key.selector, key.type, key.public


@pytest.mark.parametrize("kind", ["rsa2048", "ed25519"])
def test_what_is_published_is_the_record_of_the_key(kind: str) -> None:
    """RFC 6376 3.6.2: under its name, as TXT; RFC 1035 5.1: in a line that a master file takes."""
    key = zegel.Key.generate("example.be", "sel", "rsa2048" if kind == "rsa2048" else "ed25519")
    record = key_record(Public(key))
    assert record.name == key.name
    assert as_value(record) == key.record
    zone = zegel.Zone.parse(as_zone_line(record) + "\n")
    assert zone.answer(Question(key.name, RRType.TXT)).records == (key.record.encode(),)


def test_long_text_is_one_record_of_several_strings() -> None:
    key = zegel.Key.generate("example.be", "sel", "rsa2048")
    record = key_record(Public(key))
    assert [len(string) for string in record.strings] == [255, len(key.record) - 255]
    assert "\n" not in as_zone_line(record)


@pytest.mark.parametrize(("length", "strings"), [(0, 1), (1, 1), (255, 1), (256, 2), (510, 2), (511, 3)])
def test_cut(length: int, strings: int) -> None:
    """RFC 1035 3.3.14: strings of at most 255 octets."""
    parts = cut("x" * length)
    assert len(parts) == strings
    assert "".join(parts) == "x" * length
    assert all(len(part) <= 255 for part in parts)


def test_quotes_and_backslashes_survive_a_zone_file() -> None:
    record = Record("a.example", "TXT", ('say "v=1\\2"; x',))
    zone = zegel.Zone.parse(as_zone_line(record) + "\n")
    assert zone.answer(Question("a.example", RRType.TXT)).records == (b'say "v=1\\2"; x',)


def test_relative_names() -> None:
    record = Record("s._domainkey.mail.example.be", "TXT", ("x",))
    assert record.relative_to("mail.example.be") == "s._domainkey"
    assert record.relative_to("example.be") == "s._domainkey.mail"
    assert record.relative_to(record.name) == "@"
    with pytest.raises(ValueError, match="not within"):
        record.relative_to("ample.be")
