from __future__ import annotations

import dataclasses
import os
import re
import stat
from datetime import date
from pathlib import Path

import msgspec
import pytest

from zegel.cli import template
from zegel.cli.place import usual_data
from zegel.config import Config, parse
from zegel.gateway.site import make_site
from zegel.limits import Limits

from .conftest import Run


def _uncommented(text: str, only: str = r"[a-z_]+ = ") -> str:
    return re.sub(rf"^#(?={only})", "", text, flags=re.MULTILINE)


def test_the_file_says_the_defaults() -> None:
    text = template.text()
    assert parse(text) == Config()
    # The examples of [[outbound.allow]], [[inbound.rule]] and [[zone]] are no defaults.
    general = text[: text.index("#[[outbound.allow]]")] + text[text.index("[inbound]") : text.index("#[[inbound.rule]]")]
    general += text[text.index("[signing]") : text.index("#[[zone]]")] + text[text.index("[messages]") :]
    assert parse(_uncommented(general)) == Config()


def test_every_option_is_there_with_its_sentence() -> None:
    lines = template.text().splitlines()
    for section in msgspec.structs.fields(Config):
        if section.name == "zone":
            assert lines.count("#[[zone]]") == 2
            continue
        at = lines.index(f"[{section.name}]")
        end = next((number for number in range(at + 1, len(lines)) if lines[number].startswith("[")), len(lines))
        kind = type(section.default)
        names = [f.name for f in (dataclasses.fields(Limits) if kind is Limits else msgspec.structs.fields(kind))]
        for name in names:
            if (section.name, name) in (("outbound", "allow"), ("inbound", "rule")):
                assert f"#[[{section.name}.{name}]]" in lines[at:end]
                continue
            where = next(number for number in range(at, end) if lines[number].startswith(f"#{name} = "))
            assert lines[where - 1].startswith("# ")


def test_the_examples_are_right() -> None:
    text = _uncommented(template.text()[: template.text().index("[inbound]")], r"(?:\[\[|[a-z_]+ = )")
    allow = parse(text).outbound.allow
    inbound = template.text()[template.text().index("#[[inbound.rule]]") : template.text().index("[signing]")]
    (rule,) = make_site(parse(_uncommented(inbound, r"(?:\[\[|[a-z_]+ = )")).inbound).rules
    assert (rule.kind, rule.until - rule.since) == ("list", (date(2027, 6, 30) - date(2026, 11, 1)).days * 86_400)
    assert [bool(entry.login) + 2 * bool(entry.network) + 3 * entry.local for entry in allow] == [1, 2, 3]


def test_the_zones_of_the_example_are_right() -> None:
    text = template.text()
    zones = parse(_uncommented(text[text.index("#[[zone]]") : text.index("[messages]")], r"(?:\[\[|[a-z0-9_]+ = )")).zone
    assert [(zone.name, zone.way) for zone in zones] == [("dkim.example.be", "rfc2136"), ("example.be", "file")]


def test_init_makes_all_and_overwrites_nothing(zegel: Run, data: Path) -> None:
    first = zegel("init")
    assert first.status == 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "master.key").stat().st_mode) == 0o600
    assert parse((data / "zegel.toml").read_text()) == Config()
    for step in (
        "domain add",
        "key new",
        "domain records",
        "key activate",
        "[[outbound.allow]]",
        "serve",
        "postfix setup --dry-run",
        "backup",
    ):
        assert step in first.text
    (data / "zegel.toml").write_text("# mine\n")
    key = (data / "master.key").read_bytes()
    second = zegel("init")
    assert second.status == 0
    assert (data / "zegel.toml").read_text() == "# mine\n"
    assert (data / "master.key").read_bytes() == key
    assert second.text.count("left as it is") == 2


def test_the_next_steps_name_another_data_folder(zegel: Run, tmp_path: Path) -> None:
    assert f"zegel --data '{tmp_path}/an other' key new" in zegel("--data", tmp_path / "an other", "init").text
    assert "zegel key new" in zegel("init").text


def test_a_damaged_configuration_is_told_first(zegel: Run, data: Path) -> None:
    zegel("init")
    (data / "zegel.toml").write_text("[nonsense]\n")
    ended = zegel("init")
    assert ended.status == 2
    assert "nonsense" in ended.errors


def test_a_folder_that_cannot_be_made(zegel: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = zegel("--data", tmp_path / "file" / "data", "init")
    assert ended.status == 2
    assert ended.errors.startswith("zegel: ")
    assert ended.errors.count("\n") == 1


def test_where_the_data_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEGEL_DATA", "/srv/zegel")
    assert usual_data() == Path("/srv/zegel")
    monkeypatch.delenv("ZEGEL_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/anna/share")
    assert usual_data() == Path("/home/anna/share/zegel")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/anna")
    assert usual_data() == Path("/home/anna/.local/share/zegel")


def test_the_master_key_of_the_environment(zegel: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEGEL_MASTER_KEY", "A" * 43 + "=")
    assert "ZEGEL_MASTER_KEY" in zegel("init").text
    assert not (data / "master.key").exists()
    assert (data / "zegel.db").exists()
    monkeypatch.setenv("ZEGEL_MASTER_KEY", "B" * 42 + "A=")
    ended = zegel("domain", "add", "example.be")
    assert ended.status == 2
    assert "is not the one" in ended.errors


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_foreign_data_folder(zegel: Run, data: Path) -> None:
    zegel("init")
    os.chown(data, 12345, 12345)
    ended = zegel("key", "list")
    assert ended.status == 2
    assert f"type: runuser -u #12345 -- zegel --data {data} ..." in ended.errors
