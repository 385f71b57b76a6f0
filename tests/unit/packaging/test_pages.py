"""The man pages and the reference are written from the code: not behind it, whole, and without a fault that man's own tools find."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zegel
from docs.writers import command_line, manual, reference, settings, tables
from support.servers import require
from zegel.dmarc.faults import Fault

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
MAN = (DOCS / "man" / "zegel.1", DOCS / "man" / "zegel.toml.5", DOCS / "man" / "zegel-sendmail.1")


def test_no_page_is_behind_the_code() -> None:
    # As a process of its own, since the language is chosen once; a Dutch reader must get the same pages.
    environment = os.environ | {"LANGUAGE": "nl", "LANG": "nl_BE.UTF-8"}
    command = [sys.executable, "-m", "docs.writers", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), f"say make pages: {done.stdout}{done.stderr[-2000:]}"


def test_the_check_names_what_is_behind(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    page = tmp_path / "docs" / "man" / "zegel.1"
    page.write_text(page.read_text().replace("\\-\\-once", "\\-\\-twice"))
    (tmp_path / "docs" / "reference" / "log.md").unlink()
    command = [sys.executable, "-m", "docs.writers"]
    done = subprocess.run([*command, "--check"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (1, ["docs/man/zegel.1", "docs/reference/log.md"])
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode == 0
    assert page.read_text() == MAN[0].read_text()


def test_the_manual_has_every_command_option_and_setting() -> None:
    command, configuration, _ = (page.read_text() for page in MAN)
    for page in command_line.read():
        assert f".SS {manual.roff(f'zegel {page.name}')}" in command or not page.name
        for item in page.items:
            assert item.typed.replace("-", "\\-") in command
    for option in settings.read():
        assert f"\\fB{option.name}\\fR = " in configuration


@pytest.mark.parametrize("page", MAN, ids=lambda page: page.name)
def test_man_and_mandoc_find_no_fault_in_the_manual(page: Path) -> None:
    man, mandoc = require("man"), require("mandoc")
    environment = os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""}
    shown = subprocess.run([man, "--warnings", "-l", str(page)], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    lint = subprocess.run([mandoc, "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True, timeout=60, check=False)
    assert (lint.returncode, lint.stdout) == (0, "")
    # What it shows is text: nothing of roff's own language is left in it.
    assert not re.search(r"\\f|\\&|^\.[A-Z]{2}", shown.stdout, re.MULTILINE)
    assert "zegel" in shown.stdout


def test_a_line_cannot_begin_like_a_request_of_roff() -> None:
    assert manual.roff(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert manual.roff("'tis a \\n") == "\\&'tis a \\en"
    assert manual.roff("--dry-run") == "\\-\\-dry\\-run"


def test_what_cannot_be_explained_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(command_line.EXIT_STATUS, "backup")
    with pytest.raises(LookupError, match="backup"):
        command_line.read()
    monkeypatch.delitem(settings.ALLOW, "sign")
    with pytest.raises(LookupError, match="sign"):
        settings.read()
    monkeypatch.delitem(tables.NOT_SIGNED, "no_key")
    with pytest.raises(LookupError, match="no_key"):
        tables.own_ids()
    monkeypatch.setattr(tables, "CHAPTERS", tables.CHAPTERS[:1])
    with pytest.raises(LookupError, match="DmarcReason"):
        tables.chapters()


def test_every_reason_is_on_its_page_with_a_link_to_its_section() -> None:
    text = reference.reasons()
    for reason in (*zegel.DkimReason, *zegel.SpfReason, *zegel.ArcReason, *zegel.DmarcReason):
        number, section = reason.section.removeprefix("RFC ").split(" ")
        assert f"| `{reason.id}` | `{reason.status}` | {reason.sentence} | [{reason.section}]" in text
        assert f"rfc{number}#section-{section})" in text
    for fault in Fault:
        assert f"| `{fault.id}` | {fault.sentence} | [{fault.section}]" in text


def test_every_name_of_the_front_door_is_on_its_page() -> None:
    text = (DOCS / "reference" / "python.md").read_text()
    for name in zegel.__all__:
        assert f"zegel.{name}" in text


def test_the_side_is_ours_at_the_width_where_the_theme_makes_it_dark() -> None:
    (width,) = re.findall(r'"page_width": "(\d+px)"', (DOCS / "conf.py").read_text())
    style = (DOCS / "_static" / "zegel.css").read_text()
    narrow = style.partition(f"@media screen and (max-width: {width})")[2]
    assert "div.sphinxsidebar { background: var(--soft); color: var(--ink); }" in narrow
