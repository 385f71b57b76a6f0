"""The language of the screens: which catalogue, whether it is whole, and that a sentence of any floor comes out in it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import string
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.servers import require
from zegel.cli import words

DUTCH = words.FOLDER / "nl" / "LC_MESSAGES" / "zegel.po"


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


def _entries(catalogue: Path) -> dict[str, tuple[str, bool]]:
    """The sentences of a catalogue, each with its translation and whether it is marked fuzzy; without the header."""
    found = {}
    for entry in catalogue.read_text(encoding="utf-8").split("\n\n"):
        sides = re.findall(r'^msg(?:id|str) ((?:"[^\n]*"\n?)+)', entry, re.MULTILINE)
        if len(sides) == 2:
            sentence, translation = ("".join(map(ast.literal_eval, side.splitlines())) for side in sides)
            found[sentence] = translation, bool(re.search("^#,.*fuzzy", entry, re.MULTILINE))
    found.pop("", None)
    return found


def _placeholders(sentence: str) -> list[tuple[str | None, str | None, str | None]]:
    return sorted((name, spec, conversion) for _text, name, spec, conversion in string.Formatter().parse(sentence) if name is not None)


def test_every_sentence_is_in_the_dutch_catalogue() -> None:
    collected, dutch = _entries(words.FOLDER / "zegel.pot"), _entries(DUTCH)
    assert len(collected) > 400
    assert set(dutch) == set(collected), "run make words, and translate what is new"
    assert [sentence for sentence, (translation, fuzzy) in dutch.items() if fuzzy or not translation] == []


def test_a_translation_has_the_placeholders_and_the_line_ends_of_its_sentence() -> None:
    for sentence, (translation, _fuzzy) in _entries(DUTCH).items():
        # What has no values may hold braces that are none.
        if _placeholders(sentence):
            assert _placeholders(translation) == _placeholders(sentence), sentence
        assert translation.endswith("\n") == sentence.endswith("\n")
        assert translation.startswith(" ") == sentence.startswith(" ")


def test_commands_and_options_are_not_translated() -> None:
    known = re.compile(
        r"zegel (?:backup|domain|init|key|postfix|serve|status)(?: (?:add|list|new|setup|check))?\b|--[a-z-]+|\b[A-Z]+_[A-Z_]+\b"
    )
    for sentence, (translation, _fuzzy) in _entries(DUTCH).items():
        assert sorted(known.findall(translation)) == sorted(known.findall(sentence)), sentence


def test_the_compiled_catalogue_is_that_of_the_sentences(tmp_path: Path) -> None:
    require("msgfmt")
    done = subprocess.run(["msgfmt", "--check", "--output-file", str(tmp_path / "zegel.mo"), str(DUTCH)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "zegel.mo").read_bytes() == DUTCH.with_suffix(".mo").read_bytes(), "run make words"


def test_the_catalogue_is_that_of_the_source(tmp_path: Path) -> None:
    """``make words`` on a copy changes nothing: no sentence was added or changed since."""
    require("xgettext")
    copy = tmp_path / "locale"
    shutil.copytree(words.FOLDER, copy)
    done = subprocess.run(["make", "words", f"LOCALE={copy}"], cwd=words.FOLDER.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for file in ("zegel.pot", "nl/LC_MESSAGES/zegel.po"):
        assert (copy / file).read_text(encoding="utf-8") == (words.FOLDER / file).read_text(encoding="utf-8"), "run make words"


def _in_dutch(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZEGEL_", "LC_"))}
    environment = kept | {"ZEGEL_DATA": str(data), "LANGUAGE": "nl", "LANG": "C.UTF-8", "COLUMNS": "200"}
    command = [sys.executable, "-m", "zegel.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)


def test_a_command_speaks_dutch(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert f"datamap {data}: gemaakt" in _in_dutch(data, "init").stdout
    assert "# De configuratie van Zegel." in (data / "zegel.toml").read_text(encoding="utf-8")
    assert "Maak nu de sleutel:" in _in_dutch(data, "domain", "add", "example.be").stdout
    assert "example.be staat al in de opslag, bij organisatie default" in _in_dutch(data, "domain", "add", "example.be").stderr
    help_ = _in_dutch(data, "--help").stdout
    assert "Zegel ondertekent de mail die" in help_
    assert "Opties" in help_
    assert "Toon deze uitleg en stop." in help_


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frob",), "Er is geen commando 'frob' (voor hulp: zegel --help)"),
        (("key", "new"), "Argument 'DOMAIN' ontbreekt (voor hulp: zegel key new --help)"),
        (("key", "new", "--frob", "example.be"), "Er is geen optie --frob (wel: --force) (voor hulp: zegel key new --help)"),
        (("key", "--frob"), "Er is geen optie --frob (voor hulp: zegel key --help)"),
        (("domain", "add", "a", "b"), "Te veel argumenten (b) (voor hulp: zegel domain add --help)"),
        (("domain", "add", "a b"), "'a b' is geen domeinnaam; schrijf hem zoals in example.be"),
    ],
)
def test_misuse_is_told_in_dutch(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    assert _in_dutch(tmp_path, *arguments).stderr == f"zegel: {said}\n"


def test_a_slip_is_asked_about_in_dutch(tmp_path: Path) -> None:
    asked = _in_dutch(tmp_path, "key", "neww").stderr
    assert re.fullmatch(r"zegel: Er is geen commando 'neww'\. Bedoel\w* \w+ 'new'\? \(voor hulp: zegel key --help\)\n", asked)


def test_an_error_of_the_configuration_speaks_dutch(tmp_path: Path) -> None:
    (tmp_path / "zegel.toml").write_text("[milter]\nlisten = 3\n")
    ended = _in_dutch(tmp_path, "serve")
    # A sentence within a sentence, both translated.
    assert ended.stderr == 'zegel: zegel.toml: milter.listen moet zo zijn: een lijst: ["...", "..."]\n'
    assert ended.returncode == 2
    assert ended.stderr.removeprefix("zegel: ").strip() in _in_dutch(tmp_path, "status").stdout


def test_postfix_speaks_dutch(tmp_path: Path) -> None:
    ended = _in_dutch(tmp_path, "postfix", "check", "--config-dir", str(tmp_path))
    assert ended.stderr == f"zegel: er is geen main.cf in {tmp_path}; noem de configuratiemap van Postfix met --config-dir\n"
    require("postconf")
    for name in ("main.cf", "master.cf"):
        (tmp_path / name).write_text("")
    plan = _in_dutch(tmp_path, "postfix", "setup", "--dry-run", "--config-dir", str(tmp_path)).stdout
    assert "mail van het commando sendmail, en bounces, gaan ook langs Zegel" in plan
    found = _in_dutch(tmp_path, "postfix", "check", "--config-dir", str(tmp_path)).stdout
    assert "staat niet in smtpd_milters; die mail wordt ondertekend noch gecontroleerd" in found
    assert f"zegel postfix setup --dry-run --config-dir {tmp_path}" in found
