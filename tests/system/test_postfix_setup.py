"""Setting up a real, chrooted Postfix: what the plan writes is what its processes then do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.listener import Listener
from support.postfix import Postfix
from zegel.postfix import apply, check
from zegel.postfix.finding import Level

MESSAGE = b"From: Us <info@example.org>\r\nTo: a@example.net\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 12:00:00 +0100\r\n\r\ntext\r\n"


@pytest.fixture
def opendkim() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def test_taking_over_from_opendkim_in_a_running_chrooted_postfix(opendkim: Listener, tmp_path: Path) -> None:
    conf = tmp_path / "opendkim.conf"
    conf.write_text(f"Socket inet:{opendkim.address.rpartition(':')[2]}@127.0.0.1\n")
    files = (conf, tmp_path / "none")
    settings = {"milter_default_action": "accept", "internal_mail_filter_classes": ""}
    submission = {"smtpd_milters": opendkim.address}
    with Postfix(
        smtpd_milters=opendkim.address, non_smtpd_milters="$smtpd_milters", settings=settings, submission=submission, chroot=True
    ) as postfix:
        postfix.send(MESSAGE, sender="info@example.org")
        postfix.sink.wait(1)
        before = len(opendkim.connects)
        assert before

        listen = f"unix:{postfix.queue_folder}/zegel/milter.sock"
        faults = check.run(postfix.config, listen, opendkim_files=files)
        assert {"smtpd_milters", "non_smtpd_milters", "socket"} <= {finding.about for finding in faults if finding.level is Level.WRONG}
        done = apply.apply(apply.prepare(postfix.config, listen, owner="postfix", opendkim_files=files))
        assert done.reloaded

        # Zegel is down still: with accept for all milters, mail would pass unsigned; our own entry says tempfail.
        with postfix.client(submission=True) as client:
            assert client.mail("info@example.org")[0] == 451

        path = postfix.queue_folder / "zegel" / "milter.sock"
        with Listener(path) as zegel:
            path.chmod(0o660)
            assert {
                finding.about for finding in check.run(postfix.config, listen, opendkim_files=files) if finding.level is Level.WRONG
            } == set()
            postfix.send(MESSAGE, sender="info@example.org")
            postfix.send(MESSAGE, sender="info@example.org", submission=True)
            postfix.sendmail(MESSAGE, sender="info@example.org")
            postfix.sink.wait(4)
            assert len(zegel.connects) >= 3
        assert len(opendkim.connects) == before
        assert apply.prepare(postfix.config, listen, owner="postfix", opendkim_files=files).is_empty


def test_bounces_pass_the_milter_after_setup() -> None:
    with Postfix(settings={"internal_mail_filter_classes": "", "error_notice_recipient": "postmaster@example.org"}) as postfix:
        listen = f"unix:{postfix.queue_folder}/zegel/milter.sock"
        apply.apply(apply.prepare(postfix.config, listen, owner="postfix", opendkim_files=(Path("/nonexistent"), Path("/nonexistent"))))
        postfix.set(transport_maps="inline:{nobody@example.net=error:5.1.1_no_such_user}")
        with Listener(postfix.queue_folder / "zegel" / "milter.sock") as zegel:
            (postfix.queue_folder / "zegel" / "milter.sock").chmod(0o666)
            postfix.sendmail(MESSAGE, sender="info@example.org", recipients=["nobody@example.net"])
            (bounce,) = postfix.sink.wait(1)
        assert bounce.mail_from == ""
        assert [value for name, value in zegel.fields if name == "From" and "MAILER-DAEMON" in value]
