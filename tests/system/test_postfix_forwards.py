"""What leaves a real Postfix a second time: aliases, forwards and lists, as docs/inbound.md tells it in its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

import zegel
from support.daemon import Daemon
from support.postfix import Postfix
from support.proof import fields, holds, tags, values
from support.sink import Arrived

POST = b"From: Them <a@partner.example>\r\nTo: all@lists.example.org\r\nSubject: hello\r\n\r\nhello\r\n"
OWN = POST.replace(b"a@partner.example", b"all@lists.example.org")  # with its From rewritten
CONFIG = """
[[outbound.allow]]
network = "127.0.0.1/32"
sign = ["lists.example.org"]

[[outbound.allow]]
local = true
sign = ["lists.example.org"]
"""
SETTINGS = {
    "virtual_alias_maps": "inline:{ { alias@example.org = someone@example.net } }",
    "mydestination": "here.example.org",
    "alias_maps": "inline:{ { forward = someone@example.net } }",
}


class Site(NamedTuple):
    postfix: Postfix
    daemon: Daemon
    partner: zegel.Key

    def receive(self, message: bytes, recipient: str = "someone@example.net", address: str = "203.0.113.5") -> Arrived:
        """What arrives at the next server."""
        before = len(self.postfix.sink.messages)
        self.postfix.send(message, sender="a@partner.example", recipients=[recipient], address=address, port=4711)
        return self.postfix.sink.wait(before + 1)[-1]

    def lines(self) -> int:
        """How many messages the daemon has told of."""
        return self.daemon.log().count("queue_id=")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    daemon = Daemon(CONFIG)
    daemon.add_key("lists.example.org", "l1")
    partner = zegel.Key.generate("partner.example", "s1", "ed25519")
    daemon.publish(partner)
    with daemon, Postfix(smtpd_milters=daemon.milter_address, non_smtpd_milters=daemon.milter_address, settings=SETTINGS) as postfix:
        yield Site(postfix, daemon, partner)


def signers(message: bytes) -> list[str]:
    return [tag["d"] for tag in tags(message)]


@pytest.mark.parametrize("recipient", ["alias@example.org", "forward@here.example.org"], ids=["virtual", "alias"])
def test_an_alias_is_judged_once_and_its_signature_still_holds(site: Site, recipient: str) -> None:
    before = site.lines()
    arrived = site.receive(zegel.sign(POST, site.partner) + POST, recipient)
    assert arrived.recipients == ("someone@example.net",), "it was forwarded"
    assert holds(arrived.data, site.daemon.records) == [("ed25519-sha256", "partner.example")]
    assert len(values(arrived.data, "Authentication-Results")) == 1
    assert site.lines() == before + 1


def test_what_a_script_hands_on_is_not_signed_and_stays_whole(site: Site) -> None:
    arrived = site.receive(zegel.sign(POST, site.partner) + POST)
    before = len(site.postfix.sink.messages)
    site.postfix.sendmail(arrived.data.replace(b"\r\n", b"\n"), sender="a@partner.example")
    again = site.postfix.sink.wait(before + 1)[-1]
    assert holds(again.data, site.daemon.records) == [("ed25519-sha256", "partner.example")]
    site.daemon.wait_log("reason=checked_before")


@pytest.mark.parametrize(
    ("message", "signed", "reason"),
    [
        (OWN, True, ""),
        (POST.replace(b"hello", b"[all] hello"), False, "not_allowed"),
        (b"Authentication-Results: mail.example.org; dkim=pass\r\n" + OWN, False, "checked_before"),
    ],
    ids=["rewrites From", "keeps From", "keeps our results"],
)
def test_a_list_on_this_machine_signs_with_its_own_address_alone(site: Site, message: bytes, signed: bool, reason: str) -> None:
    before = site.daemon.log().count(f"reason={reason}")
    arrived = site.receive(message, address="127.0.0.1")
    assert signers(arrived.data) == (["lists.example.org"] if signed else [])
    assert reason == "" or site.daemon.log().count(f"reason={reason}") == before + 1


def test_a_list_that_is_not_listed_counts_as_from_outside(site: Site) -> None:
    arrived = site.receive(OWN, address="127.0.0.2")
    assert signers(arrived.data) == []
    assert fields(arrived.data)[0].name == b"Authentication-Results"
    assert "marks=imitates_us" in site.daemon.log()
