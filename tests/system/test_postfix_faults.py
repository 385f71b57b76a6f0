"""A real Postfix, and a daemon that is killed, stopped, restarted, given new keys or a broken configuration: no mail is lost, none is left
unsigned that should be signed, and none leaves twice."""

from __future__ import annotations

import contextlib
import grp
import signal
import smtplib
import sqlite3
import threading
from collections.abc import Iterator

import pytest

from support.daemon import Daemon, allow
from support.postfix import Postfix
from support.proof import holds, tags
from support.servers import wait_for
from zegel.grammar.domain import Domain
from zegel.store import keychanges
from zegel.store.database import Store

PLAIN = b"From: Us <info@example.org>\r\nTo: someone@example.net\r\nSubject: hello\r\n\r\nhello\r\n"
SIGNED = [("ed25519-sha256", "example.org")]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon(allow("alice", ["example.org"]) + allow("local", ["example.org"]))
    made.add_key("example.org", "e1")
    with made:
        yield made


@pytest.fixture
def postfix(daemon: Daemon) -> Iterator[Postfix]:
    with Postfix(smtpd_milters=daemon.milter_address, non_smtpd_milters=daemon.milter_address) as running:
        yield running


def begin(postfix: Postfix) -> smtplib.SMTP:
    """A client of alice's that has said MAIL, RCPT and DATA."""
    client = postfix.client(submission=True, login="alice", address="203.0.113.5", port=4711)
    client.mail("info@example.org")
    client.rcpt("someone@example.net")
    assert client.docmd("DATA")[0] == 354
    return client


def end(client: smtplib.SMTP, text: bytes) -> int:
    """Send the rest of a message; the code that Postfix answers with."""
    client.send(text + b".\r\n")
    code = client.getreply()[0]
    client.close()
    return code


def submit(postfix: Postfix) -> None:
    postfix.send(PLAIN, sender="info@example.org", submission=True, login="alice", address="203.0.113.5", port=4711)


@pytest.mark.parametrize("moment", ["while the client sends", "after the whole message"])
def test_killed_in_mid_message_means_4xx_and_nothing_lost(daemon: Daemon, postfix: Postfix, moment: str) -> None:
    client = begin(postfix)
    if moment == "while the client sends":
        client.send(PLAIN[:60])
        daemon.kill()
        code = end(client, PLAIN[60:])
    else:
        # Stopped, it answers no more; Postfix hands header and body over after the end of the data, and waits.
        daemon.signal(signal.SIGSTOP)
        timer = threading.Timer(1.0, daemon.kill)
        timer.start()
        code = end(client, PLAIN)
        timer.join()
    assert code // 100 == 4
    assert postfix.sink.messages == ()
    daemon.start()
    submit(postfix)
    (arrived,) = postfix.sink.wait(1)
    assert holds(arrived.data, daemon.records) == SIGNED
    wait_for(lambda: postfix.queue() == [], what="the queue is empty")
    assert len(postfix.sink.messages) == 1


def test_local_mail_waits_for_a_daemon_that_is_down_and_leaves_signed_once(daemon: Daemon, postfix: Postfix) -> None:
    daemon.kill()
    postfix.sendmail(PLAIN.replace(b"\r\n", b"\n"), sender="info@example.org")
    wait_for(lambda: "milter-reject" in postfix.log() or "Connection refused" in postfix.log(), what="Postfix misses the milter")
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        submit(postfix)
    assert refused.value.smtp_code // 100 == 4
    assert [waiting["sender"] for waiting in postfix.queue()] == ["info@example.org"]
    assert postfix.sink.messages == ()
    daemon.start()
    postfix.flush()
    (arrived,) = postfix.sink.wait(1)
    assert holds(arrived.data, daemon.records) == SIGNED
    wait_for(lambda: postfix.queue() == [], what="the queue is empty")
    assert len(postfix.sink.messages) == 1


def test_sigterm_lets_the_message_in_progress_end(daemon: Daemon, postfix: Postfix) -> None:
    client = begin(postfix)
    client.send(PLAIN[:60])
    daemon.signal(signal.SIGTERM)
    daemon.wait_log("event=stopping")
    with pytest.raises(smtplib.SMTPResponseException):
        submit(postfix)  # no new connection is taken
    assert end(client, PLAIN[60:]) == 250
    (arrived,) = postfix.sink.wait(1)
    assert holds(arrived.data, daemon.records) == SIGNED
    assert daemon.wait() == 0
    assert "messages_cut=0" in daemon.log()


def test_a_message_that_does_not_end_is_cut_after_the_drain_time() -> None:
    daemon = Daemon(allow("alice", ["example.org"]), milter="drain_seconds = 0.5")
    daemon.add_key("example.org", "e1")
    with daemon, Postfix(smtpd_milters=daemon.milter_address) as postfix:
        client = begin(postfix)
        client.send(PLAIN[:60])
        assert daemon.stop() == 0
        assert "messages_cut=1" in daemon.log()
        assert end(client, PLAIN[60:]) // 100 == 4
        assert postfix.sink.messages == ()


def test_a_key_that_is_activated_signs_without_a_restart(daemon: Daemon, postfix: Postfix) -> None:
    generation = daemon.counted("zegel_generation")
    submit(postfix)
    postfix.sink.wait(1)
    daemon.add_key("example.org", "e2", activate=False)
    daemon.wait_log('event="keys loaded"', 2)
    submit(postfix)
    postfix.sink.wait(2)
    with Store.open(daemon.data, now=1) as store, store.writing() as tx:
        keychanges.activate(tx, Domain.parse("example.org"), "e2", now=1)
    daemon.wait_log('event="keys loaded"', 3)
    submit(postfix)
    first, second, third = postfix.sink.wait(3)
    assert [[found["s"] for found in tags(came.data)] for came in (first, second, third)] == [["e1"], ["e1"], ["e2"]]
    assert holds(third.data, daemon.records) == SIGNED
    assert daemon.counted("zegel_generation") > generation


def test_keys_that_cannot_be_loaded_leave_those_that_sign(daemon: Daemon, postfix: Postfix) -> None:
    """All or nothing: a good new key of another domain comes with one that does not open."""
    activate_a_key_that_does_not_open(daemon)
    daemon.wait_log("event=fault")
    submit(postfix)
    (arrived,) = postfix.sink.wait(1)
    assert holds(arrived.data, daemon.records) == SIGNED
    assert daemon.counted("zegel_active_keys") == 1


def activate_a_key_that_does_not_open(daemon: Daemon) -> None:
    """Damage a key behind the store's back, then change the state so that the daemon looks."""
    daemon.add_key("example.net", "e1", activate=False)
    with Store.open(daemon.data, now=1) as store:
        path = store.path
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        changed = connection.execute("update keys set private = zeroblob(64) where state = 'pending'")
        assert changed.rowcount == 1
    with Store.open(daemon.data, now=1) as store, store.writing() as tx:
        keychanges.activate(tx, Domain.parse("example.net"), "e1", now=1)


def test_sighup_with_a_broken_configuration_keeps_the_old_one(daemon: Daemon, postfix: Postfix) -> None:
    for number, broken in enumerate(("[milter", '[outbound]\nreinjcted = ["x"]\n', '[dns]\nzone = "/nowhere"\n'), 1):
        daemon.write_config(broken)
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("configuration not taken over", number)
    submit(postfix)
    postfix.sink.wait(1)
    daemon.config = allow("bob", ["example.org"])
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("configuration taken over")
    submit(postfix)
    first, second = postfix.sink.wait(2)
    assert holds(first.data, daemon.records) == SIGNED
    assert tags(second.data) == []
    daemon.wait_log("not signed: login alice is not listed for info@example.org")


def test_a_log_that_nobody_reads_stops_no_mail(daemon: Daemon, postfix: Postfix) -> None:
    daemon.stop()
    daemon.start_deaf()
    submit(postfix)
    submit(postfix)
    for arrived in postfix.sink.wait(2):
        assert holds(arrived.data, daemon.records) == SIGNED
    assert daemon.counted("zegel_log_lines_lost_total") == 2


@pytest.mark.parametrize("chroot", [False, True])
def test_the_socket_inside_the_queue_folder(chroot: bool) -> None:
    setting = "unix:zegel/milter.sock"
    with Postfix(smtpd_milters=setting, non_smtpd_milters=setting, chroot=chroot) as postfix:
        folder = postfix.queue_folder / "zegel"
        folder.mkdir()
        folder.chmod(0o755)
        daemon = Daemon(
            allow("alice", ["example.org"]) + allow("local", ["example.org"]),
            unix=folder / "milter.sock",
            milter='socket_group = "postfix"\nsocket_mode = "0660"',
        )
        daemon.add_key("example.org", "e1")
        with daemon:
            status = (folder / "milter.sock").stat()
            assert (status.st_mode & 0o777, status.st_gid) == (0o660, grp.getgrnam("postfix").gr_gid)
            submit(postfix)
            postfix.sink.wait(1)
            postfix.sendmail(PLAIN.replace(b"\r\n", b"\n"), sender="info@example.org")
            for arrived in postfix.sink.wait(2):
                assert holds(arrived.data, daemon.records) == SIGNED
            daemon.kill()
            daemon.start()  # over the socket that the killed one has left
            submit(postfix)
            postfix.sink.wait(3)
        assert not (folder / "milter.sock").exists()
