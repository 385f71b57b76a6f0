"""A real Postfix signs its outgoing mail with the real daemon: who may, with which keys, and that two verifiers say yes to what leaves."""

from __future__ import annotations

import signal
import smtplib
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from support.daemon import Daemon, allow
from support.postfix import Postfix
from support.proof import fields, holds, tags, values
from support.servers import free_port
from support.sink import Arrived

BOTH = [("rsa-sha256", "example.org"), ("ed25519-sha256", "example.org")]
HEAD = b"From: Us <info@example.org>\r\nTo: someone@example.net\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 12:00:00 +0100\r\n"
PLAIN = HEAD + b"Message-ID: <1@example.org>\r\n\r\nhello\r\n"
MESSAGES = {
    "plain": PLAIN,
    "folded": b"From: Us\r\n\t<info@example.org>\r\n"
    b"Subject: folded\r\n\tand  odd   spacing \r\n and  more\t\r\nX-Other:\r\n lower\r\n\r\ntext\r\n",
    "eight-bit": HEAD + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9  \xff\r\n \t \r\n.dot\r\n\r\n\r\n",
    "empty": HEAD + b"\r\n",
    "no final line end": HEAD + b"\r\nthe last line  ",
    "long header lines": HEAD.replace(b"hello", b"x" * 900)
    + b"References:"
    + b"".join(b"\r\n <%d@example.org>" % n for n in range(900))
    + b"\r\n\r\nt\r\n",
    "5 MB": HEAD + b"\r\n" + b"".join(b"%07d %s  \r\n" % (n, b"lorem ipsum " * 5) for n in range(70_000)),
}
CANONICALIZATIONS = ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")


class Site(NamedTuple):
    """A Postfix, the daemon beside it, and the port of its listener behind the content filter."""

    postfix: Postfix
    daemon: Daemon
    filter_port: int

    def submit(self, message: bytes, *, login: str = "alice", sender: str = "info@example.org") -> Arrived:
        before = len(self.postfix.sink.messages)
        self.postfix.send(message, sender=sender, submission=True, login=login, address="203.0.113.5", port=4711)
        return self.postfix.sink.wait(before + 1)[-1]

    def configure(self, text: str) -> None:
        """Have the running daemon take other settings."""
        taken = self.daemon.log().count("configuration taken over")
        self.daemon.config = CONFIG + text
        self.daemon.write_config()
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log("configuration taken over", taken + 1)


CONFIG = (
    '[outbound]\nreinjected = ["filter-back"]\n'
    + allow("alice", ["example.org", ".example.org", "rsa.example", "ed.example", "nokey.example"])
    + allow("bob", ["bob@example.net", "other.example"])
    + allow("local", ["example.org"])
    + allow("192.0.2.0/24", ["example.net"], "network")
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    daemon, filter_port = Daemon(CONFIG), free_port()
    daemon.add_key("example.org", "r1", "rsa2048", subdomains=True)
    daemon.add_key("example.org", "e1")
    daemon.add_key("rsa.example", "r1", "rsa2048")
    daemon.add_key("ed.example", "e1")
    daemon.add_key("example.net", "e1")
    daemon.add_key("nokey.example", "e1", activate=False)
    with (
        daemon,
        Postfix(
            smtpd_milters=daemon.milter_address,
            non_smtpd_milters=daemon.milter_address,
            settings={"transport_maps": "inline:{ { bounce.example = error:5.1.1 nobody of that name } }"},
            services=[f"127.0.0.1:{filter_port} inet n - n - - smtpd", "  -o milter_macro_daemon_name=filter-back"],
        ) as postfix,
    ):
        yield Site(postfix, daemon, filter_port)


def body(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("kind", MESSAGES)
def test_submitted_mail_leaves_signed_and_verifies(site: Site, kind: str) -> None:
    arrived = site.submit(MESSAGES[kind])
    assert holds(arrived.data, site.daemon.records) == BOTH
    assert body(arrived.data).rstrip() == body(MESSAGES[kind]).rstrip()
    assert [field.name for field in fields(arrived.data)][:3] == [b"DKIM-Signature", b"DKIM-Signature", b"Received"]


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
def test_every_canonicalization_survives_postfix(site: Site, canonicalization: str) -> None:
    site.configure(f'[signing]\ncanonicalization = "{canonicalization}"\n')
    for kind in ("folded", "eight-bit", "empty", "no final line end"):
        arrived = site.submit(MESSAGES[kind])
        assert [found["c"] for found in tags(arrived.data)] == [canonicalization] * 2
        assert holds(arrived.data, site.daemon.records) == BOTH
    site.configure("")


@pytest.mark.parametrize(("domain", "algorithm"), [("rsa.example", "rsa-sha256"), ("ed.example", "ed25519-sha256")])
def test_a_domain_with_one_key_signs_once(site: Site, domain: str, algorithm: str) -> None:
    arrived = site.submit(PLAIN.replace(b"info@example.org", b"info@" + domain.encode()))
    assert holds(arrived.data, site.daemon.records) == [(algorithm, domain)]


def test_a_name_below_is_signed_by_the_parent_that_allows_it(site: Site) -> None:
    arrived = site.submit(PLAIN.replace(b"info@example.org", b"info@shop.example.org"))
    assert holds(arrived.data, site.daemon.records) == BOTH


def test_an_end_is_written_when_asked_for(site: Site) -> None:
    site.configure("[signing]\nexpire = 1209600\n")
    (first, _) = tags(site.submit(PLAIN).data)
    site.configure("")
    assert int(first["x"]) - int(first["t"]) == 1209600


def test_mail_of_the_sendmail_command_is_signed(site: Site) -> None:
    before = len(site.postfix.sink.messages)
    site.postfix.sendmail(MESSAGES["folded"].replace(b"\r\n", b"\n"), sender="info@example.org")
    arrived = site.postfix.sink.wait(before + 1)[-1]
    assert holds(arrived.data, site.daemon.records) == BOTH


def test_mail_of_a_listed_network_is_signed_for_its_senders_only(site: Site) -> None:
    before = len(site.postfix.sink.messages)
    site.postfix.send(PLAIN.replace(b"info@example.org", b"a@example.net"), sender="a@example.net", address="192.0.2.9", port=99)
    site.postfix.send(PLAIN, sender="info@example.org", address="192.0.2.9", port=99)
    ours, theirs = sorted(site.postfix.sink.wait(before + 2)[-2:], key=lambda one: one.mail_from, reverse=True)
    assert holds(theirs.data, site.daemon.records) == [("ed25519-sha256", "example.net")]
    assert tags(ours.data) == []


def test_two_messages_on_one_connection_each_get_their_own_signature(site: Site) -> None:
    before = len(site.postfix.sink.messages)
    with site.postfix.client(submission=True, login="alice", address="203.0.113.5", port=4711) as client:
        for domain, text in ((b"rsa.example", b"first"), (b"ed.example", b"second"), (b"nowhere.example", b"third")):
            message = PLAIN.replace(b"info@example.org", b"info@" + domain).replace(b"hello", text)
            client.sendmail("info@example.org", ["x@example.net"], message)
    came = site.postfix.sink.wait(before + 3)[-3:]  # Postfix delivers side by side, so in any order
    first, second, third = (next(one for one in came if one.data.endswith(text + b"\r\n")) for text in (b"first", b"second", b"third"))
    assert holds(first.data, site.daemon.records) == [("rsa-sha256", "rsa.example")]
    assert holds(second.data, site.daemon.records) == [("ed25519-sha256", "ed.example")]
    assert tags(third.data) == []


@pytest.mark.parametrize(
    ("login", "author", "reason", "sentence"),
    [
        ("bob", b"info@example.org", "not_allowed", "not signed: login bob is not listed for info@example.org"),
        ("bob", b"alice@example.net", "not_allowed", "not signed: login bob is not listed for alice@example.net"),
        ("carol", b"info@example.org", "not_allowed", "not signed: login carol is not listed"),
        ("Alice", b"info@example.org", "not_allowed", "not signed: login Alice is not listed"),
        ("alice", b"x@nokey.example", "no_key", "not signed: no key for nokey.example"),
        ("bob", b"x@other.example", "no_key", "not signed: no key for other.example"),
        ("alice", b"a@example.org>,<b@bank.example", "from_several", "not signed: From names several domains"),
        ("alice", b"a@example.org>:<b@bank.example", "from_syntax", "not signed: From cannot be read"),
        ("alice", b"a@example.org>\r\nFrom: <b@example.org", "from_count", "not signed: the message has 2 From fields"),
    ],
)
def test_what_is_not_signed_says_why(site: Site, login: str, author: bytes, reason: str, sentence: str) -> None:
    counted = site.daemon.counted("zegel_not_signed_total", {"reason": reason})
    said = site.daemon.log().count(sentence)
    arrived = site.submit(PLAIN.replace(b"info@example.org", author), login=login)
    assert tags(arrived.data) == []
    site.daemon.wait_log(sentence, said + 1)
    assert site.daemon.counted("zegel_not_signed_total", {"reason": reason}) == counted + 1


def test_an_address_that_is_listed_is_signed(site: Site) -> None:
    arrived = site.submit(PLAIN.replace(b"info@example.org", b"Bob@Example.NET"), login="bob")
    assert holds(arrived.data, site.daemon.records) == [("ed25519-sha256", "example.net")]


def test_a_client_cannot_hand_out_our_results(site: Site) -> None:
    forged = b"Authentication-Results: mail.example.org; dkim=pass header.d=bank.example\r\n"
    arrived = site.submit(forged + b"Authentication-Results: other.example; spf=pass\r\n" + PLAIN)
    assert values(arrived.data, "Authentication-Results") == ["other.example; spf=pass"]
    assert holds(arrived.data, site.daemon.records) == BOTH


def test_a_bounce_is_signed(site: Site) -> None:
    before = len(site.postfix.sink.messages)
    site.postfix.sendmail(PLAIN.replace(b"\r\n", b"\n"), sender="info@example.org", recipients=["nobody@bounce.example"])
    bounce = site.postfix.sink.wait(before + 1)[-1]
    assert bounce.mail_from == ""
    assert "MAILER-DAEMON@example.org" in values(bounce.data, "From")[0]
    assert holds(bounce.data, site.daemon.records) == BOTH


def test_mail_that_comes_back_from_a_filter_is_not_touched(site: Site) -> None:
    given = site.submit(b"Authentication-Results: mail.example.org; none\r\n" + PLAIN).data
    before = len(site.postfix.sink.messages)
    results = b"Authentication-Results: mail.example.org; dkim=none\r\n"
    with smtplib.SMTP("127.0.0.1", site.filter_port, "filter.example.org", 20) as client:
        client.sendmail("info@example.org", ["x@example.net"], results + given)
    came = site.postfix.sink.wait(before + 1)[-1].data
    assert came.startswith(b"Received: ")
    assert came.endswith(results + given)
    assert site.daemon.counted("zegel_not_signed_total", {"reason": "reinjected"}) == 1


def test_a_line_that_a_hop_may_break_is_in_the_log(site: Site) -> None:
    before = site.daemon.log().count("a hop may break this signature: a line of over 998 octets")
    site.submit(HEAD + b"\r\n" + b"x" * 1200 + b"\r\n")
    site.daemon.wait_log("a hop may break this signature: a line of over 998 octets", before + 1)


def test_nothing_went_wrong(site: Site) -> None:
    """Runs last in this module: no message above has met a fault of ours."""
    assert site.daemon.counted("zegel_faults_total") == 0
    assert "Traceback" not in site.daemon.log()
