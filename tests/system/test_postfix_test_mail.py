"""The address that answers, whole: a real Postfix takes a test mail, the daemon answers it through the outbox and that Postfix, signed."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import NamedTuple

import pytest

import zegel
from support.daemon import Daemon
from support.postfix import Postfix
from support.proof import dkim_verifies, results
from support.sink import Arrived

OURS = "check@example.org"
PLAIN = (
    b"From: Jan <jan@partner.example>\r\nTo: check@example.org\r\nSubject: is this right?\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <7@partner.example>\r\n\r\nGood day\r\n"
)


class Site(NamedTuple):
    postfix: Postfix
    daemon: Daemon
    key: zegel.Key

    def send(self, message: bytes, sender: str = "jan@partner.example", recipient: str = OURS) -> Arrived:
        """Hand in from outside; the message itself as it arrives."""
        before = len(self.postfix.sink.messages)
        self.postfix.send(message, sender=sender, recipients=[recipient], address="203.0.113.5", port=4711)
        arrived = self.postfix.sink.wait(before + 1)
        return next(one for one in arrived[before:] if one.recipients != ("jan@partner.example",))

    def answers(self) -> list[Arrived]:
        return [one for one in self.postfix.sink.messages if b"Auto-Submitted: auto-replied" in one.data]

    def signed(self, message: bytes) -> bytes:
        return zegel.sign(message, self.key) + message


@pytest.fixture
def site() -> Iterator[Site]:
    daemon = Daemon()
    daemon.add_key("example.org", "s1")
    key = zegel.Key.generate("partner.example", "p1", "rsa2048")
    daemon.publish(key)
    with daemon, Postfix(smtpd_milters=daemon.milter_address, non_smtpd_milters=daemon.milter_address) as postfix:
        next_hop = f'[outbox]\nnext_hop = "127.0.0.1:{postfix.smtp_port}"\ntls = "off"\n'
        daemon.reload(config=f'{next_hop}[check]\nanswer = "{OURS}"\nlanguage = "en"\n')
        yield Site(postfix, daemon, key)


def test_a_test_mail_is_answered_once_and_signed(site: Site) -> None:
    """From the empty sender, as RFC 3834 3.3 has it."""
    arrived = site.send(site.signed(PLAIN))
    assert results(arrived.data).startswith("mail.example.org; dkim=pass")
    site.daemon.wait_log('event="test mail answered"')
    site.postfix.sink.wait(2)
    (answer,) = site.answers()
    assert (answer.mail_from, answer.recipients) == ("", ("jan@partner.example",))
    # What the mail server put on top is not signed; what is below verifies with the key that is published.
    assert dkim_verifies(answer.data, site.daemon.records)
    parsed = email.message_from_bytes(answer.data, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    assert (parsed["From"], parsed["In-Reply-To"], parsed["Subject"]) == (
        "Zegel <check@example.org>",
        "<7@partner.example>",
        "Auto: is this right?",
    )
    plain = parsed.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "signature of partner.example: pass" in text
    assert "203.0.113.5" in text
    # The same sender again: taken, and not answered a second time.
    site.send(site.signed(PLAIN.replace(b"<7@", b"<8@")))
    site.daemon.wait_log("reason=sender_pause")
    assert len(site.answers()) == 1


def test_a_forger_and_a_robot_get_nothing(site: Site) -> None:
    site.send(PLAIN, sender="victim@elsewhere.example")
    site.daemon.wait_log("reason=not_proven")
    site.send(site.signed(b"Auto-Submitted: auto-generated\r\n" + PLAIN))
    site.daemon.wait_log("reason=automatic")
    site.send(site.signed(PLAIN), sender="")
    site.daemon.wait_log("reason=bounce")
    assert site.answers() == []


def test_it_is_off_where_no_address_is_set(site: Site) -> None:
    site.daemon.reload(config="")
    site.send(site.signed(PLAIN))
    site.daemon.wait_log("verified", 1)
    assert "test mail" not in site.daemon.log()
