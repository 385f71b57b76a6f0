"""``zegel postfix``, on a copy of a Postfix configuration in the test's own folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from support.servers import free_port, require

from .conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small main.cf and the master.cf of the package."""
    require("postconf")
    made = tmp_path / "postfix"
    made.mkdir()
    queue = tmp_path / "queue"
    queue.mkdir()
    (made / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {queue}\nmyhostname = mail.example.be\n")
    package = Path("/etc/postfix/master.cf")
    if package.exists():
        shutil.copy(package, made / "master.cf")
    else:
        (made / "master.cf").write_text("smtp inet n - y - - smtpd\n")
    return made


def test_a_dry_run_shows_and_changes_nothing(zegel: Run, folder: Path) -> None:
    before = (folder / "main.cf").read_bytes()
    ended = zegel("postfix", "setup", "--dry-run", "--config-dir", folder)
    assert (ended.status, ended.errors) == (0, "")
    assert "+ smtpd_milters = inet:127.0.0.1:8899" in ended.text.splitlines()
    assert "internal_mail_filter_classes = bounce" in ended.text
    assert "unix:" in ended.text
    assert "Nothing was changed" in ended.text
    assert (folder / "main.cf").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["main.cf", "master.cf"]


def test_a_socket_in_the_queue_folder_is_preferred(zegel: Run, folder: Path, data: Path, tmp_path: Path) -> None:
    zegel("init")
    (data / "zegel.toml").write_text(f'[milter]\nlisten = ["inet:127.0.0.1:1", "unix:{tmp_path}/queue/zegel/milter.sock"]\n')
    assert "smtpd_milters = unix:zegel/milter.sock" in zegel("postfix", "setup", "--dry-run", "--config-dir", folder).text


def test_check_says_what_is_wrong(zegel: Run, folder: Path) -> None:
    ended = zegel("postfix", "check", "--config-dir", folder)
    assert ended.status == 1
    assert "is not in smtpd_milters" in " ".join(ended.text.split())
    shown = zegel("postfix", "check", "--config-dir", folder, "--json")
    assert (shown.status, shown.json["worst"]) == (1, "wrong")
    assert {"level", "about", "sentence", "step"} == set(shown.json["findings"][0])


def test_the_commands_to_type_are_for_this_folder(zegel: Run, folder: Path) -> None:
    shown = zegel("postfix", "check", "--config-dir", folder).text
    assert f"    postconf -c {folder} -e 'disable_mime_output_conversion = yes'" in shown.splitlines()
    assert f"    zegel postfix setup --dry-run --config-dir {folder}" in shown.splitlines()
    shown = zegel("postfix", "check", "--config-dir", folder, "--listen", "inet:127.0.0.1:1").text
    assert f"    zegel postfix setup --dry-run --listen inet:127.0.0.1:1 --config-dir {folder}" in shown.splitlines()
    assert "postconf -e" not in shown
    silent = zegel("--data", folder, "postfix", "check", "--config-dir", folder, "--listen", f"inet:127.0.0.1:{free_port()}").text
    assert f"    systemctl start zegel  # or: zegel --data {folder} serve; its log: journalctl -u zegel" in silent.splitlines()


def test_what_to_write_in_the_configuration_stands_on_lines_of_its_own(zegel: Run, folder: Path, tmp_path: Path) -> None:
    lines = zegel("postfix", "setup", "--dry-run", "--config-dir", folder).text.splitlines()
    assert f'    listen = ["unix:{tmp_path}/queue/zegel/milter.sock"]' in lines
    assert '    socket_group = "postfix"' in lines
    assert all(line == line.rstrip() for line in lines)


def test_a_broken_main_cf_is_told_in_a_line(zegel: Run, folder: Path) -> None:
    (folder / "master.cf").write_text("smtp inet n\n")
    ended = zegel("postfix", "check", "--config-dir", folder)
    assert ended.status == 2
    assert ended.errors.count("\n") == 1
    assert len(ended.errors) < 400
    assert "master.cf" in ended.errors


def test_a_folder_without_postfix(zegel: Run, tmp_path: Path) -> None:
    for command in (("setup", "--dry-run"), ("check",)):
        ended = zegel("postfix", *command, "--config-dir", tmp_path)
        assert (ended.status, ended.stdout) == (2, b"")
        assert "main.cf" in ended.errors


def test_an_address_that_is_none(zegel: Run, folder: Path) -> None:
    ended = zegel("postfix", "setup", "--dry-run", "--config-dir", folder, "--listen", "nonsense")
    assert ended.status == 2
    assert "nonsense" in ended.errors


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change Postfix")
def test_setup_keeps_copies_and_has_nothing_to_do_twice(zegel: Run, folder: Path) -> None:
    words = ("postfix", "setup", "--config-dir", folder, "--listen", f"inet:127.0.0.1:{free_port()}")
    ended = zegel(*words)
    if ended.status == 2 and "postfix" in ended.errors and "check" in ended.errors:
        pytest.skip(f"this Postfix cannot check a folder of a test: {ended.errors}")
    assert (ended.status, ended.errors) == (0, "")
    assert len(list(folder.glob("main.cf.zegel-*"))) == 1
    assert "Zegel does not answer" in ended.text
    assert "    zegel serve" in ended.text.splitlines()
    assert f"    zegel postfix check --config-dir {folder} --listen {words[-1]}" in ended.text.splitlines()
    again = zegel(*words)
    assert again.status == 0
    assert "Nothing to change" in again.text
    assert len(list(folder.glob("main.cf.zegel-*"))) == 1


def test_the_folder_of_the_socket_is_for_whom_the_data_is(zegel: Run, folder: Path, data: Path, tmp_path: Path) -> None:
    listen = ("--listen", f"unix:{tmp_path}/queue/zegel/milter.sock")
    before = zegel("postfix", "setup", "--dry-run", "--config-dir", folder, *listen).text
    assert "$ install -d -o zegel -g postfix" in before
    zegel("init")
    after = zegel("postfix", "setup", "--dry-run", "--config-dir", folder, *listen).text
    assert f"$ install -d -o {data.owner()} -g postfix" in after
