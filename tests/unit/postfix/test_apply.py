"""A plan, done by the real postconf and judged by the real ``postfix check``, in a folder of its own."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from support.postconf import Folder
from support.servers import require, unavailable
from zegel.postfix import apply, plan
from zegel.postfix.maincf import PostfixError
from zegel.words import Sentence

OURS = "unix:zegel/milter.sock"
NO_OPENDKIM = (Path("/nonexistent/opendkim.conf"), Path("/nonexistent/default"))
MASTER = """\
submission inet n - y - - smtpd
  -o smtpd_milters=inet:localhost:11332,inet:localhost:8891
  -o { milter_macro_daemon_name = ORIGINATING }
127.0.0.1:10025 inet n - n - - smtpd -o smtpd_milters= -o receive_override_options=no_milters
"""


@pytest.fixture(autouse=True)
def root() -> None:
    require("postfix")
    if os.geteuid() != 0:
        unavailable("postfix check runs only as root")


def prepare(folder: Folder, owner: str = "postfix") -> plan.Plan:
    return apply.prepare(folder.path, folder.listen, owner=owner, opendkim_files=NO_OPENDKIM)


def test_a_fresh_debian(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = folder.files()
    done = apply.apply(prepare(folder))
    assert done.changed
    assert done.folder
    assert not done.reloaded
    assert folder.says("smtpd_milters") == OURS
    assert folder.says("non_smtpd_milters") == OURS
    assert folder.says("internal_mail_filter_classes") == "bounce"
    assert {copy.name.split(".zegel-")[0]: copy.read_bytes() for copy in done.copies} == before
    found = (folder.queue / "zegel").stat()
    assert stat.S_IMODE(found.st_mode) == 0o2710
    assert found.st_uid != 0
    assert found.st_gid != 0


def test_taking_over_in_main_and_master(tmp_path: Path) -> None:
    main = (
        "milter_default_action = accept\nmilter_protocol = 2\nsigner = inet:localhost:8891\n"
        "smtpd_milters = { inet:localhost:11332, default_action=tempfail }, $signer,\n    local:opendmarc/opendmarc.sock\n"
        "non_smtpd_milters = $smtpd_milters\n"
    )
    folder = Folder(tmp_path, main, MASTER)
    apply.apply(prepare(folder))
    entry = f"{{ {OURS}, protocol=6, default_action=tempfail }}"
    expected = f"{{ inet:localhost:11332, default_action=tempfail }}, {entry}, local:opendmarc/opendmarc.sock"
    assert folder.says("smtpd_milters") == expected
    assert folder.says("non_smtpd_milters") == expected
    assert folder.says("milter_default_action") == "accept"
    compact = f"{{{OURS},protocol=6,default_action=tempfail}}"
    assert folder.says_service("submission/inet/smtpd_milters") == f"inet:localhost:11332,{compact}"
    assert folder.says_service("submission/inet/milter_macro_daemon_name") == "ORIGINATING"
    assert folder.says_service("127.0.0.1:10025/inet/smtpd_milters") == ""


def test_the_second_run_changes_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "smtpd_milters = inet:localhost:8891\n", MASTER)
    apply.apply(prepare(folder))
    files, others = folder.files(), folder.copies()
    again = prepare(folder)
    assert again.is_empty
    done = apply.apply(again)
    assert not done.changed
    assert done.copies == ()
    assert (folder.files(), folder.copies()) == (files, others)


def test_preparing_writes_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = folder.files()
    assert not prepare(folder).is_empty
    assert (folder.files(), folder.copies(), list(folder.queue.iterdir())) == (before, [], [])


def test_all_is_as_it_was_when_postfix_check_objects(tmp_path: Path) -> None:
    folder = Folder(tmp_path, master=MASTER)
    before = folder.files()
    bad = plan.Change("queue_directory", str(folder.queue), str(tmp_path / "nowhere"), Sentence("to make postfix check object"))
    made = prepare(folder)
    with pytest.raises(PostfixError):
        apply.apply(replace(made, changes=(*made.changes, bad)))
    assert folder.files() == before
    assert folder.says("smtpd_milters") == ""
    assert not (folder.queue / "zegel").exists()
    assert len(folder.copies()) == 2


def test_all_is_as_it_was_when_an_edit_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = folder.files()
    bad = plan.Change("smtpd_milters", "", "with spaces, refused by postconf", Sentence(""), service="smtp/inet")
    made = prepare(folder)
    with pytest.raises(PostfixError):
        apply.apply(replace(made, changes=(*made.changes, bad)))
    assert folder.files() == before


def test_a_postfix_that_is_broken_already_is_not_touched(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    made = prepare(folder)
    with (folder.path / "main.cf").open("a") as main:
        main.write("data_directory = /nonexistent/data\nmail_owner = nobody-at-all\n")
    before = folder.files()
    with pytest.raises(PostfixError):
        apply.apply(made)
    assert (folder.files(), folder.copies()) == (before, [])
    assert not (folder.queue / "zegel").exists()


def test_a_missing_user_is_told_before_anything_changes(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = folder.files()
    with pytest.raises(PostfixError, match="useradd"):
        apply.apply(prepare(folder, owner="no-such-user"))
    assert (folder.files(), folder.copies()) == (before, [])


def test_a_folder_with_other_rights_is_mended_and_a_link_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (folder.queue / "zegel").mkdir(0o777)
    apply.apply(prepare(folder))
    assert stat.S_IMODE((folder.queue / "zegel").stat().st_mode) == 0o2710
    (folder.queue / "zegel").rmdir()
    (folder.queue / "zegel").symlink_to(tmp_path)
    mode = tmp_path.stat().st_mode
    with pytest.raises(PostfixError):
        apply.apply(prepare(folder))
    assert tmp_path.stat().st_mode == mode


def test_problems_stop_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = folder.files()
    made = apply.prepare(folder.path, f"unix:{tmp_path}/elsewhere/milter.sock", owner="postfix", opendkim_files=NO_OPENDKIM)
    assert made.problems
    with pytest.raises(PostfixError):
        apply.apply(made)
    assert folder.files() == before


def test_no_configuration_there(tmp_path: Path) -> None:
    with pytest.raises(PostfixError, match=r"main\.cf"):
        apply.prepare(tmp_path, "inet:127.0.0.1:8891")


def test_opendkim_files_are_read(tmp_path: Path) -> None:
    conf, default = tmp_path / "opendkim.conf", tmp_path / "default"
    conf.write_text("Socket inet:12345@localhost\n")
    assert apply.opendkim_addresses((conf, default)) == ("inet:localhost:12345",)
    default.write_text("SOCKET=local:/run/x.sock\n")
    assert apply.opendkim_addresses((conf, default)) == ("inet:localhost:12345", "unix:/run/x.sock")
