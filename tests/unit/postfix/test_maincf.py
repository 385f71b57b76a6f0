from __future__ import annotations

from pathlib import Path

import pytest

from support.postconf import Folder
from zegel.postfix import maincf

MASTER = """\
submission inet n - - - - smtpd
  -o { smtpd_milters = inet:a:1, $mine }
  -o milter_macro_daemon_name=ORIGINATING
dovecot unix - n n - - pipe flags=DRhu user=vmail argv=/usr/lib/dovecot/deliver
"""


def test_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "mine = unix:b\nsmtpd_milters = $mine,\n  inet:c:1\n", MASTER)
    settings = maincf.read(folder.path)
    assert settings.queue_directory == str(folder.queue)
    assert settings.raw["smtpd_milters"] == "$mine, inet:c:1"
    assert settings.expanded["smtpd_milters"] == "unix:b, inet:c:1"
    assert [entry.address for entry in settings.milters("smtpd_milters")] == ["unix:b", "inet:c:1"]
    smtp, submission = settings.receivers
    assert (smtp.label, smtp.chroot, dict(smtp.overrides)) == ("smtp/inet", True, {})
    assert submission.label == "submission/inet"
    assert submission.overrides["milter_macro_daemon_name"] == "ORIGINATING"
    assert [entry.address for entry in settings.milters("smtpd_milters", submission)] == ["inet:a:1", "unix:b"]
    assert [service.label for service in settings.speakers] == ["smtp/inet", "cleanup/unix", "submission/inet"]


@pytest.mark.parametrize(("level", "chroot"), [("0", True), ("1", False), ("3.6", False)])
def test_an_open_chroot_column_follows_the_compatibility_level(tmp_path: Path, level: str, chroot: bool) -> None:
    folder = Folder(tmp_path, f"compatibility_level = {level}\n", MASTER)
    assert maincf.read(folder.path).receivers[1].chroot is chroot


def test_a_command_that_fails_says_which_and_why(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(maincf.PostfixError, match=r"postconf.*-P"):
        maincf.edit_service(folder.path, "smtp/inet", "smtpd_milters", "with spaces")
    assert not maincf.is_running(folder.path)
