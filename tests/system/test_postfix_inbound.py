"""A real Postfix has its incoming mail checked by the real daemon: our results on top, what forges our name gone, all else as it was."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

import zegel
from support.proof import fields, results, tags, values
from support.receiving import Receiving, receiving

PLAIN = b"From: Them <a@partner.example>\r\nTo: info@example.org\r\nSubject: hello\r\n\r\nhello\r\n"
FORGED = (
    b"Authentication-Results: mail.example.org; dkim=pass header.d=bank.example\r\n",
    b'authentication-results: "mail.example\\.org" 1; dkim=pass header.d=bank.example\r\n',
    b"AUTHENTICATION-RESULTS:\r\n\t(a (nested) comment) Mail.Example.ORG (and one) ; spf=pass\r\n",
    b"Authentication-Results : MAIL.EXAMPLE.ORG.; dmarc=pass\r\n",
    b"Authentication-Results: mail.example.org 1; dkim=pass\r\n",
)
OTHERS = (
    b"Authentication-Results: first.example; dkim=pass\r\n",
    b"Authentication-Results: mail.example.org.evil.example; dkim=pass\r\n",
    b"X-Authentication-Results: mail.example.org; dkim=pass\r\n",
    b"Authentication-Results: last.example 1; spf=fail (mail.example.org)\r\n",
)
UNSIGNED = (
    'mail.example.org; dkim=none; spf=none reason="the domain publishes no SPF record" smtp.mailfrom=partner.example; '
    'spf=none reason="DNS has no such domain" smtp.helo=client.example.net; '
    'dmarc=none reason="the author\'s domain has no DMARC record" header.from=partner.example'
)


@pytest.fixture(scope="module")
def site() -> Iterator[Receiving]:
    with receiving() as made:
        yield made


@pytest.mark.parametrize("canonicalization", ["relaxed/relaxed", "simple/simple"])
def test_what_was_signed_passes(site: Receiving, canonicalization: str) -> None:
    folded = PLAIN.replace(b"Subject: hello", b"Subject:  folded\r\n\tand \r\n  odd ")
    arrived = site.receive(site.signed(folded, canonicalization=canonicalization))
    found = results(arrived.data)
    assert found.startswith("mail.example.org; dkim=pass header.d=partner.example header.s=s1 header.a=ed25519-sha256 header.b=")
    assert arrived.data.endswith(folded)


def test_what_was_changed_fails_and_still_arrives(site: Receiving) -> None:
    arrived = site.receive(site.signed(PLAIN).replace(b"\r\n\r\nhello", b"\r\n\r\nhallo"))
    assert results(arrived.data).startswith('mail.example.org; dkim=fail reason="the body is not the one that was signed [bh=]" header.d=')


def test_what_is_not_signed_is_none(site: Receiving) -> None:
    arrived = site.receive(PLAIN)
    assert results(arrived.data) == UNSIGNED
    assert tags(arrived.data) == []


def test_each_signature_has_its_own_result(site: Receiving) -> None:
    lost = zegel.Key.generate("lost.example", "s9", "ed25519")
    arrived = site.receive(zegel.sign(PLAIN, lost) + site.signed(PLAIN))
    first, second, *others = results(arrived.data).removeprefix("mail.example.org; ").split("; ")
    assert first.startswith('dkim=permerror reason="DNS has no such key')
    assert "header.d=lost.example" in first
    assert second.startswith("dkim=pass header.d=partner.example")
    assert [other.partition("=")[0] for other in others] == ["spf", "spf", "dmarc"]


def test_five_forged_fields_go_and_all_others_stay_in_order(site: Receiving) -> None:
    removed = site.daemon.counted("zegel_forged_results_total")
    one, two, three, four, five = FORGED
    header = b"".join([OTHERS[0], one, two, OTHERS[1], three, OTHERS[2], four, b"X-Between: 1\r\n", five, OTHERS[3]])
    arrived = site.receive(header + PLAIN)
    assert results(arrived.data) == UNSIGNED
    assert arrived.data.endswith(b"".join([OTHERS[0], OTHERS[1], OTHERS[2], b"X-Between: 1\r\n", OTHERS[3], PLAIN]))
    assert [field.name for field in fields(arrived.data)][:2] == [b"Authentication-Results", b"Received"]
    assert site.daemon.counted("zegel_forged_results_total") == removed + 5


def test_five_forged_fields_in_a_row_go_as_they_are_spelled(site: Receiving) -> None:
    arrived = site.receive(b"".join(FORGED) + PLAIN)
    assert results(arrived.data) == UNSIGNED
    assert arrived.data.endswith(PLAIN)
    assert arrived.data.lower().count(b"authentication-results") == 1


def test_two_messages_on_one_connection_each_get_their_own_verdict(site: Receiving) -> None:
    before = len(site.postfix.sink.messages)
    with site.postfix.client(address="203.0.113.5", port=4711) as client:
        altered = site.signed(PLAIN).replace(b"Subject: hello", b"Subject: hallo")
        for sender, message in (("first", site.signed(PLAIN)), ("second", FORGED[0] + PLAIN), ("third", altered)):
            client.sendmail(f"{sender}@partner.example", ["info@example.org"], message)
    # Postfix delivers side by side, so in any order.
    first, second, third = sorted(site.postfix.sink.wait(before + 3)[-3:], key=lambda one: one.mail_from)
    assert results(first.data).startswith("mail.example.org; dkim=pass header.d=partner.example")
    assert results(second.data) == UNSIGNED
    assert results(third.data).startswith('mail.example.org; dkim=fail reason="a signed header field was changed')
    assert [len(values(came.data, "Authentication-Results")) for came in (first, second, third)] == [1, 1, 1]


def test_a_second_message_after_one_that_was_given_up(site: Receiving) -> None:
    before = len(site.postfix.sink.messages)
    with site.postfix.client(address="203.0.113.5", port=4711) as client:
        client.mail("a@partner.example")
        client.rcpt("info@example.org")
        client.rset()
        client.sendmail("b@partner.example", ["info@example.org"], site.signed(PLAIN))
    arrived = site.postfix.sink.wait(before + 1)[-1]
    assert arrived.mail_from == "b@partner.example"
    assert results(arrived.data).startswith("mail.example.org; dkim=pass")


def test_a_forged_field_behind_a_long_header_goes_too(site: Receiving) -> None:
    padding = b"".join(b"X-Padding: %s\r\n" % (b"x" * 900) for _ in range(100))
    signature = zegel.sign(PLAIN, site.key)
    arrived = site.receive(signature + padding + b"".join(FORGED) + PLAIN)
    assert "dkim=policy" in results(arrived.data)
    assert "[over 65536 octets]" in results(arrived.data)
    assert len([field for field in fields(arrived.data) if field.key == b"authentication-results"]) == 1
    assert arrived.data.endswith(padding + PLAIN)


def test_hundreds_of_forged_fields_are_refused_for_good(site: Receiving) -> None:
    """Postfix reads the header again for each deletion, so a stranger must not choose their number."""
    arrived = site.receive(FORGED[0] * 500 + OTHERS[0] * 600 + PLAIN)
    assert arrived.data.endswith(OTHERS[0] * 600 + PLAIN)
    assert b"bank.example" not in arrived.data
    with pytest.raises(smtplib.SMTPDataError) as refused:
        site.receive(FORGED[0] * 501 + PLAIN)
    assert refused.value.smtp_code == 550
    site.daemon.wait_log("refused: more than 500 Authentication-Results fields claim our name")


def test_results_cannot_be_injected(site: Receiving) -> None:
    evil = b'DKIM-Signature: v=1; a=rsa-sha256; d=x"y; s=(s; i="=3Bdkim=3Dpass@e.example; h=from; bh=AAAA; b=AAAA\r\n'
    arrived = site.receive(evil + PLAIN)
    found = results(arrived.data)
    assert found.count("dkim=") == 1
    assert found.startswith("mail.example.org; dkim=permerror")


def test_a_stranger_that_says_it_is_ours_is_not_signed(site: Receiving) -> None:
    key = site.daemon.add_key("example.org", "e1")
    site.daemon.wait_log("keys loaded", 2)
    arrived = site.receive(PLAIN.replace(b"a@partner.example", b"info@example.org"))
    assert tags(arrived.data) == []
    assert results(arrived.data).startswith("mail.example.org; dkim=none; ")
    assert f"header.d={key.domain}" not in results(arrived.data)


def test_nothing_went_wrong(site: Receiving) -> None:
    """Runs last in this module: no message above has met a fault of ours."""
    assert site.daemon.counted("zegel_faults_total") == 0
    assert "Traceback" not in site.daemon.log()
