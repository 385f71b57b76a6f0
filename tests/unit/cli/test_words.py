from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from zegel.cli import words


def _compiled(sentences: dict[str, str]) -> bytes:
    """A catalogue as msgfmt writes it: sorted sentences, each with length and offset, without a hash table."""
    texts = {"": "Content-Type: text/plain; charset=UTF-8\n", **sentences}
    pairs = [(text.encode(), texts[text].encode()) for text in sorted(texts)]
    where = 28 + 16 * len(pairs)
    tables: list[list[int]] = [[], []]
    strings = b""
    for side in (0, 1):
        for pair in pairs:
            tables[side] += [len(pair[side]), where + len(strings)]
            strings += pair[side] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, where)
    return head + struct.pack(f"<{4 * len(pairs)}I", *tables[0], *tables[1]) + strings


@pytest.fixture
def dutch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "nl" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "zegel.mo").write_bytes(_compiled({"Now make its key:": "Maak nu de sleutel:"}))
    monkeypatch.setattr(words, "FOLDER", tmp_path)
    words._catalogue.cache_clear()
    yield
    words._catalogue.cache_clear()


@pytest.mark.parametrize(
    ("variable", "value"), [("LANGUAGE", "nl"), ("LC_ALL", "nl_BE.UTF-8"), ("LANG", "nl_NL.UTF-8"), ("LANGUAGE", "de:nl")]
)
def test_the_language_of_the_environment(dutch: None, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert words._("Now make its key:") == "Maak nu de sleutel:"
    assert words._("not in the catalogue") == "not in the catalogue"
    assert words._("") == ""


def test_english_without_a_catalogue(dutch: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "fr")
    assert words._("Now make its key:") == "Now make its key:"


def test_the_collected_sentences_hold_those_of_all_floors() -> None:
    collected = (words.FOLDER / "zegel.pot").read_text()
    for sentence in ("Now make its key:", "the signature verifies", "DNS has nothing at {name} (NXDOMAIN)"):
        assert f'msgid "{sentence}"' in collected
