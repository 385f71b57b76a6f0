"""Who gets an answer to a test mail: only a person who has proven to be the sender. RFC 3834 2, RFC 3834 4, RFC 3834 5."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest

import zegel
from support import inbound, samples
from support.testmail import MAIL, dns, report, signed
from support.work import calls, lines
from zegel.check.answerable import Refused, whom
from zegel.check.answers import Rates
from zegel.check.reply import Thread, reply
from zegel.config.check import Check
from zegel.dkim.header import Header
from zegel.grammar.address import Mailbox, mailboxes
from zegel.grammar.message import split_message

(OURS,) = mailboxes(b"check@example.be")
(JOE,) = mailboxes(b"joe@example.org")


def header(message: bytes) -> Header:
    return Header(split_message(message, header_bytes=100_000).header)


def found(message: bytes, ours: Mailbox = OURS, zone: Any = None, **session: Any) -> Mailbox | Refused:
    return whom(header(message), inbound.judge(message, zone or dns(), **session), ours)


def test_a_person_who_is_proven_gets_one() -> None:
    assert found(MAIL) == JOE  # by SPF
    assert found(signed(), ip=inbound.BAD) == JOE  # by DKIM
    assert found(signed(), mail_from="<joe@example.org>") == JOE


def test_a_domain_without_dmarc_gets_one_too() -> None:
    assert found(MAIL, zone=dns(policy=None)) == JOE


def test_a_parent_may_sign_for_the_sender() -> None:
    assert isinstance(found(signed(), ip=inbound.BAD, mail_from="joe@dept.example.org"), Mailbox)


@pytest.mark.parametrize(
    ("fields", "session", "refused"),
    [
        (b"", {"mail_from": ""}, Refused.BOUNCE),
        (b"", {"mail_from": "<>"}, Refused.BOUNCE),
        (b"", {"mail_from": "joe"}, Refused.SENDER_SYNTAX),
        (b"", {"mail_from": "a@example.org, b@example.org"}, Refused.SENDER_SYNTAX),
        (b"", {"mail_from": "Joe <joe@example.org>"}, Refused.SENDER_SYNTAX),
        (b"", {"mail_from": "j\u00f6e@example.org"}, Refused.SENDER_SYNTAX),
        (b"", {"mail_from": "MAILER-DAEMON@example.org"}, Refused.ROBOT),
        (b"", {"mail_from": "noreply@example.org"}, Refused.ROBOT),
        (b"", {"mail_from": "list-request@example.org"}, Refused.ROBOT),
        (b"", {"mail_from": "owner-list@example.org"}, Refused.ROBOT),
        (b"Auto-Submitted: auto-replied\r\n", {}, Refused.AUTOMATIC),
        (b"AUTO-SUBMITTED: Auto-Generated; x=y\r\n", {}, Refused.AUTOMATIC),
        (b"Auto-Submitted: no\r\nAuto-Submitted: auto-notified\r\n", {}, Refused.AUTOMATIC),
        (b"List-Id: <a.example.org>\r\n", {}, Refused.LIST),
        (b"List-Unsubscribe: <mailto:x@example.org>\r\n", {}, Refused.LIST),
        (b"Precedence: Bulk\r\n", {}, Refused.BULK),
        (b"Precedence:\tjunk \r\n", {}, Refused.BULK),
        (b"", {"ip": inbound.BAD}, Refused.NOT_PROVEN),
        (b"", {"mail_from": "victim@example.com"}, Refused.NOT_PROVEN),
        (b"", {"mail_from": "x@attack.example"}, Refused.NOT_ALIGNED),
    ],
)
def test_who_gets_none(fields: bytes, session: dict[str, Any], refused: Refused) -> None:
    assert found(fields + MAIL, **session) is refused


def test_no_is_the_word_of_a_person() -> None:
    assert found(b"Auto-Submitted: no\r\n" + MAIL) == JOE


def test_a_signature_of_his_own_sends_nothing_to_a_victim() -> None:
    """The attacker signs and is aligned with his own From; the sender of the envelope is somebody else."""
    key = zegel.Key.generate("attack.example", "s", "ed25519")
    message = MAIL.replace(b"example.org", b"attack.example")
    message = zegel.sign(message, key, now=samples.NOW) + message
    zone = dns(records={(key.name, "TXT"): [key.record]})
    assert found(message, zone=zone, mail_from="victim@example.org", ip=inbound.BAD) is Refused.NOT_PROVEN
    assert found(message, zone=zone, mail_from="victim@example.org", ip=inbound.GOOD) is Refused.NOT_ALIGNED


def test_the_address_itself_gets_none() -> None:
    assert found(MAIL, ours=JOE) is Refused.OWN_ADDRESS


def test_a_key_that_only_tests_proves_nobody() -> None:
    key = samples.ed25519()
    zone = dns(records={(key.name, "TXT"): [key.record.replace("; p=", "; t=y; p=")]})
    assert found(signed(), ip=inbound.BAD, zone=zone) is Refused.NOT_PROVEN


# -- how often -----------------------------------------------------------------------------------------------------------------------


def box(text: str) -> Mailbox:
    return mailboxes(text.encode())[0]


def test_one_answer_to_a_sender_in_a_while() -> None:
    rates, table = Rates(), Check(pause=600)
    assert rates.take(JOE, table, 1000) is None
    assert rates.take(box("JOE@Example.ORG"), table, 1599) is Refused.SENDER_PAUSE
    assert rates.take(JOE, table, 1600) is None


def test_a_domain_has_its_share() -> None:
    rates, table = Rates(), Check(domain_hourly=3, hourly=100)
    taken = [rates.take(box(f"p{number}@example.org"), table, 1000 + number) for number in range(4)]
    assert taken == [None, None, None, Refused.DOMAIN_LIMIT]
    assert rates.take(box("p@other.example"), table, 1004) is None
    assert rates.take(box("p9@example.org"), table, 1000 + 3600) is None


def test_all_have_one_share_together() -> None:
    rates, table = Rates(), Check(hourly=50, domain_hourly=20)
    taken = [rates.take(box(f"p@d{number}.example"), table, 1000) for number in range(60)]
    assert taken == [None] * 50 + [Refused.LIMIT] * 10
    assert rates.take(box("p@d99.example"), table, 4600) is None


def test_what_is_remembered_is_bounded() -> None:
    rates, table = Rates(), Check(hourly=10_000, domain_hourly=10_000, pause=86_400)
    for number in range(12_000):
        rates.take(box(f"p{number}@example.org"), table, 1000 + number)
    assert len(rates._senders) <= 10_001
    assert len(rates._all) <= 3600


def test_what_others_have_asked_costs_nobody_anything() -> None:
    table = Check(hourly=10_000, domain_hourly=10_000, pause=86_400)

    def cost(others: int) -> int:
        rates = Rates()
        for number in range(others):
            rates.take(box(f"p@d{number}.example"), table, 1000)
        latest = box("last@example.org")
        return calls(lambda: rates.take(latest, table, 1001)) + lines(lambda: rates.take(latest, table, 1002))

    assert cost(2000) <= cost(20) + 5


# -- what it says --------------------------------------------------------------------------------------------------------------------


def answered(message: bytes, language: str = "en") -> tuple[bytes, EmailMessage]:
    octets = reply(report(message), Thread.of(header(message)), OURS, JOE, language=language, token="abc", version="1")
    parsed = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    return octets, parsed


def test_an_answer() -> None:
    """RFC 3834 3.1, RFC 3834 3.1.5, RFC 3834 3.1.6, RFC 3834 3.1.7; both forms as in RFC 2046 5.1.4."""
    message = MAIL.replace(b"MIME-Version", b"References: <0@example.org> junk\r\nMIME-Version")
    octets, parsed = answered(signed(message))
    wanted = {
        "From": "Zegel <check@example.be>",
        "To": "joe@example.org",
        "Subject": "Auto: hello",
        "Message-ID": "<abc@example.be>",
        "In-Reply-To": "<1@example.org>",
        "References": "<0@example.org> <1@example.org>",
        "Auto-Submitted": "auto-replied",
        "Content-Language": "en",
    }
    assert {name: parsed[name] for name in wanted} == wanted
    plain, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Yes: DKIM proves" in plain.get_content()
    assert html.get_content().startswith("<!doctype html>")
    assert octets.isascii()
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert parsed.defects == []


@pytest.mark.parametrize(
    "message",
    [
        MAIL.replace(b"Subject: hello", b"Subject: =?utf-8?q?a=0D=0ABcc:_x@example.com?="),
        MAIL.replace(b"Subject: hello", b"Subject: \xff\xfe\x00 \xe2\x80\xae"),
        MAIL.replace(b"Subject: hello", b"Subject: " + b"a" * 5000),
        MAIL.replace(b"<1@example.org>", b"<1@example.org>\r\n Bcc: x@example.com"),
        MAIL.replace(b"<1@example.org>", b"<a b@c> <d@e> <f@g>"),
        MAIL.replace(b"MIME-Version", b"References: " + b"<r@example.org> " * 4000 + b"\r\nMIME-Version"),
    ],
)
def test_nothing_of_the_mail_breaks_the_answer(message: bytes) -> None:
    octets, parsed = answered(message)
    assert parsed["Bcc"] is None
    assert list(parsed.keys()).count("To") == 1
    assert parsed.defects == []
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert len(octets) < 100_000


def test_a_message_without_an_id_begins_no_thread() -> None:
    """RFC 5322 3.6.4."""
    _octets, parsed = answered(MAIL.replace(b"Message-ID", b"X-ID"))
    assert parsed["In-Reply-To"] is None
    assert parsed["References"] is None
