"""The sendmail command and the real daemon: what programs hand in leaves signed and aligned, also when there was no daemon at the time."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.proof import fields, holds, values
from support.servers import free_port, wait_for
from support.sink import Arrived
from support.website import DOMAIN, SENDMAIL, Website
from zegel.integrations import drop, sendmail
from zegel.store import queue, transit
from zegel.store.posting import State
from zegel.store.spool import Spool

MESSAGE = b"From: Jan Peeters <jan@gmail.example>\r\nTo: info@example.org\r\nSubject: A question\r\n\nGood day,\nJan\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Website]:
    with Website() as running:
        yield running


def proves(site: Website, mail: Arrived) -> None:
    """It is signed for the domain of its one From, both verifiers say so, and the envelope sender is aligned."""
    assert holds(mail.data, site.daemon.records) == [("rsa-sha256", DOMAIN)]
    (author,) = values(mail.data, "from")
    assert author.endswith(f"@{DOMAIN}>")
    assert mail.mail_from.endswith(f"@{DOMAIN}")
    assert len([field for field in fields(mail.data) if field.key in (b"date", b"message-id")]) == 2


def test_a_form_that_sends_as_its_visitor_leaves_signed_and_aligned(site: Website) -> None:
    before = len(site.sink.messages)
    assert site.sendmail("-t", "-i", given=MESSAGE) == 0
    mail = site.next_mail(before)
    proves(site, mail)
    assert values(mail.data, "from") == ['"Jan Peeters via example.be" <noreply@example.be>']
    assert values(mail.data, "reply-to") == ['"Jan Peeters" <jan@gmail.example>']
    assert mail.data.endswith(b"\r\n\r\nGood day,\r\nJan\r\n")
    assert mail.recipients == ("info@example.org",)


def test_while_the_daemon_is_down_mail_waits_and_leaves_when_it_is_up(site: Website) -> None:
    before = len(site.sink.messages)
    site.daemon.stop()
    for number in range(5):
        assert site.sendmail("-t", "-i", given=MESSAGE.replace(b"A question", b"%d" % number)) == 0
    assert len(site.waiting()) == 5
    for file in site.waiting():
        os.utime(file, (1_700_000_000, 1_700_000_000))
    (site.drop / "new.junk").write_bytes(b"junk")
    os.mkfifo(site.drop / "new.pipe")
    (site.drop / "new.link").symlink_to("/etc/passwd")
    site.daemon.start()
    mails = site.sink.wait(before + 5)[before:]
    site.wait_picked_up()
    for mail in mails:
        proves(site, mail)
        assert values(mail.data, "date") == ["Tue, 14 Nov 2023 22:13:20 +0000"], "when it was left"
    assert {values(mail.data, "subject")[0] for mail in mails} == {"0", "1", "2", "3", "4"}
    time.sleep(1.5)
    assert len(site.sink.messages) == before + 5, "none of them twice"


def test_a_daemon_that_is_killed_in_between_loses_nothing(site: Website) -> None:
    before = len(site.sink.messages)
    for number in range(12):
        if number in (4, 8):
            site.daemon.signal(signal.SIGKILL)
            site.daemon.wait()
        assert site.sendmail("-t", "-i", given=MESSAGE.replace(b"A question", b"k%d" % number)) == 0
        if number in (6, 9):
            site.daemon.start()
    site.wait_picked_up()
    expected = {f"k{number}" for number in range(12)}
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if {values(mail.data, "subject")[0] for mail in site.sink.messages[before:]} >= expected:
            break
        time.sleep(0.2)
    assert {values(mail.data, "subject")[0] for mail in site.sink.messages[before:]} == expected


def test_a_daemon_that_is_killed_between_taking_and_answering_takes_each_message_once() -> None:
    """Without a next hop: what the outbox holds is what was taken, and how often."""
    with Website(next_hop=free_port(), rate=0, visitor_rate=0) as site, ThreadPoolExecutor(4) as programs:
        began = [programs.submit(site.sendmail, "-t", "-i", given=MESSAGE.replace(b"A question", b"k%d" % number)) for number in range(60)]
        for after in (5, 20, 35):
            wait_for(lambda after=after: sum(one.done() for one in began) >= after, 120, "some are handed over")  # type: ignore[misc]
            site.daemon.signal(signal.SIGKILL)
            site.daemon.wait()
            site.daemon.start()
        assert {one.result() for one in began} == {0}
        # And for sure: the answer is lost with the daemon, and the command leaves the message that was taken in the drop folder.
        handed, message = sendmail.prepared(sendmail.Asked(["-t"]), MESSAGE.replace(b"A question", b"lost"))
        assert sendmail.by_socket(str(site.socket), handed.head(), message).startswith("250 ")
        site.daemon.signal(signal.SIGKILL)
        site.daemon.wait()
        drop.leave(str(site.drop), handed.id, handed.head(), message)
        site.daemon.start()
        site.wait_picked_up()
        site.daemon.wait_log("handed over again, and taken once")
        assert Counter(subjects(site)) == Counter([*(f"k{number}" for number in range(60)), "lost"])


def subjects(site: Website) -> list[str]:
    """Of the messages in the outbox."""
    with Spool.open(site.daemon.data, create=False) as spool, spool.reading() as tx:
        found = queue.listed(tx, states=list(State), limit=1000)
        return [values(transit.body(tx, item.id) or b"", "subject")[0] for item in found]


def test_what_is_refused_says_why(site: Website) -> None:
    done = site.run("sh", "-c", f"exec {SENDMAIL} -t", given=MESSAGE.replace(b"From: Jan", b"From: els@gmail.example\r\nFrom: Jan"))
    assert done.returncode == 69
    assert b"send as noreply@example.be" in done.stderr


def test_a_dropped_message_that_is_refused_is_kept_aside(site: Website) -> None:
    site.daemon.stop()
    assert site.sendmail("-t", given=MESSAGE.replace(b"From: Jan", b"From: els@gmail.example\r\nFrom: Jan")) == 0
    site.daemon.start()
    site.wait_picked_up()
    site.daemon.wait_log("drop folder: refused")
    (kept,) = (site.daemon.data / "handover-refused").iterdir()
    assert kept.read_bytes().startswith(b"From: els@gmail.example\r\nFrom: Jan")


def test_a_user_without_a_site_is_refused() -> None:
    with Website(unix_user="nobody") as site:
        done = site.run("sh", "-c", f"exec {SENDMAIL} -t", given=MESSAGE)
        assert done.returncode == 69
        assert b"zegel site add --unix-user" in done.stderr
        large = MESSAGE + b"x" * 70 * 100_000
        done = site.run("sh", "-c", f"exec {SENDMAIL} -t", given=large)
        assert done.returncode == 69
        assert b"zegel site add --unix-user" in done.stderr, "also when it is told before it has said everything"


def test_a_name_in_another_charset_keeps_no_form_from_being_sent(site: Website) -> None:
    before = len(site.sink.messages)
    given = MESSAGE.replace(b"Jan Peeters", b"Ren\xe9 Peeters").replace(b"Good day", b"Caf\xe9")
    assert site.sendmail("-t", "-i", given=given) == 0
    mail = site.next_mail(before)
    proves(site, mail)
    assert values(mail.data, "from") == ['"Ren Peeters via example.be" <noreply@example.be>']
    assert b"Caf=E9" in mail.data


def test_cron_mail_without_a_from_gets_the_sites_own(site: Website) -> None:
    before = len(site.sink.messages)
    given = b"To: root@example.org\nSubject: Cron <www@web01> backup\n\nno such file\n"
    assert site.sendmail("-FCronDaemon", "-i", "-odi", "-oem", "root@example.org", given=given) == 0
    mail = site.next_mail(before)
    proves(site, mail)
    assert values(mail.data, "from") == ['"CronDaemon via example.be" <noreply@example.be>']
