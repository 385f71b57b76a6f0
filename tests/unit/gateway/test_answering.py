"""Mail to the address that answers, through the milter: what is kept of it, who is answered, and what the answer is."""

from __future__ import annotations

import asyncio
import email
import email.policy
import time
from dataclasses import replace
from typing import Any

import pytest

import zegel
from support import inbound
from support.gateway import OWN, PARTNER, RECORDS, THEIRS, Server, play
from support.inbound import BAD, GOOD
from support.mta import Mta
from support.proof import dkim_verifies
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.check.answers import MAX_TASKS, Answers, Means
from zegel.config.check import Check
from zegel.dkim.header import Header
from zegel.dkim.sign import Style
from zegel.gateway.testmail import MAX_BODY, BodyCopy, Trial
from zegel.grammar.domain import Domain
from zegel.grammar.message import split_message
from zegel.limits import Limits

ZONE = zegel.Zone.from_dict(
    {
        **{(name, "TXT"): [text] for name, text in RECORDS.items()},
        ("partner.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
        ("_dmarc.partner.example", "TXT"): ["v=DMARC1; p=reject"],
    }
)
OURS = "check@example.org"
TABLE = Check(answer=OURS)


class Box:
    """Takes the answers as the outbox would."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.taken: list[tuple[str, bytes]] = []

    async def __call__(self, recipient: str, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append((recipient, data))

    def wait(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.taken) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.taken) == count


def answers(box: Box, table: Check = TABLE, keys: tuple[zegel.Key, ...] = (OWN,)) -> tuple[Answers, Journal]:
    journal = Journal()
    keyring = Keyring([DomainKeys(Domain("example.org"), keys)])
    return Answers(table, lambda: Means(ZONE, keyring, Style(), Limits()), box, journal, time.time, version="1"), journal


def send(server: Server, message: bytes, *, client: str = GOOD, sender: str = "a@partner.example", recipient: str = OURS) -> Any:
    with Mta(("127.0.0.1", server.port)) as mta:
        mta.open(address=client)
        return mta.send(message, sender, (recipient,), {"i": "4X1"})


def signed() -> bytes:
    return zegel.sign(THEIRS, PARTNER) + THEIRS


@pytest.mark.parametrize("recipient", [OURS, "<Check@Example.ORG>"])
def test_a_test_mail_is_answered_with_its_report(recipient: str) -> None:
    box = Box()

    def mail(server: Server) -> None:
        assert send(server, signed(), recipient=recipient).action == "accept"
        box.wait(1)

    play(mail, resolver=ZONE, answering=answers(box)[0])
    ((to, octets),) = box.taken
    assert to == "a@partner.example"
    assert dkim_verifies(octets, RECORDS)
    parsed = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert (parsed["From"], parsed["Auto-Submitted"]) == ("Zegel <check@example.org>", "auto-replied")
    assert "Yes, DKIM proves partner.example" in octets.decode().replace("=\r\n", "")


@pytest.mark.parametrize(
    ("message", "session", "mode"),
    [
        (THEIRS, {"client": BAD}, "observe"),  # a forgery that is let through
        (THEIRS, {"client": BAD}, "reject"),
        (signed(), {"sender": ""}, "observe"),
        (b"Auto-Submitted: auto-generated\r\n" + signed(), {}, "observe"),
        (signed(), {"recipient": "jan@example.org"}, "observe"),
        (signed(), {"sender": "victim@example.com"}, "observe"),
    ],
)
def test_nobody_else_is_answered(message: bytes, session: dict[str, str], mode: str) -> None:
    box = Box()

    def mail(server: Server) -> None:
        send(server, message, **session)
        send(server, signed(), sender="b@partner.example")
        box.wait(1)

    play(mail, resolver=ZONE, site=inbound.site(mode), answering=answers(box)[0])
    assert [to for to, _ in box.taken] == ["b@partner.example"]


def test_what_changed_the_body_is_found_on_the_way() -> None:
    box = Box()

    def mail(server: Server) -> None:
        send(server, signed() + b"-- \r\nfooter of a list\r\n")
        box.wait(1)

    play(mail, resolver=ZONE, answering=answers(box)[0])
    assert "footer of a list" in box.taken[0][1].decode().replace("=\r\n", "")


def test_a_large_body_is_kept_in_part() -> None:
    copy = BodyCopy()
    assert (copy.feed(b"a" * (MAX_BODY - 1)), copy.whole) == (False, True)
    assert (copy.feed(b"bc"), copy.whole) == (True, False)
    assert copy.octets() == b"a" * (MAX_BODY - 1) + b"b"
    assert copy.feed(b"d" * 100)
    assert len(copy.octets()) == MAX_BODY


def test_without_a_key_there_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    box = Box()
    play(lambda server: send(server, signed()), resolver=ZONE, answering=answers(box, keys=())[0])
    assert box.taken == []
    assert "no_key" in capsys.readouterr().out


def test_trouble_of_the_outbox_is_ours_alone() -> None:
    box = Box(OSError("full"))
    found, journal = answers(box)

    def mail(server: Server) -> None:
        assert send(server, signed()).action == "accept"
        deadline = time.monotonic() + 60
        while not journal.registry.get_sample_value("zegel_faults_total") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.faults == []

    play(mail, resolver=ZONE, answering=found)
    assert journal.registry.get_sample_value("zegel_faults_total") == 1


def test_no_address_answers_nobody() -> None:
    found, _journal = answers(Box(), Check())
    assert [found.wants([OURS])] == [False]
    found.table = TABLE
    assert found.wants(["jan@example.org", OURS])
    found.table = Check(answer="other@example.org")
    assert not found.wants([OURS])


def test_few_are_written_at_a_time() -> None:
    """What waits for a slow DNS is bounded; the mail itself goes on."""

    async def run() -> int:
        stuck = asyncio.Event()

        async def hand_over(_recipient: str, _data: bytes) -> None:
            await stuck.wait()

        journal = Journal()
        keyring = Keyring([DomainKeys(Domain("example.org"), (OWN,))])
        found = Answers(TABLE, lambda: Means(ZONE, keyring, Style(), Limits()), hand_over, journal, time.time, version="1")
        verdict = inbound.judge(signed(), ZONE, mail_from="a@partner.example")
        split = split_message(signed(), header_bytes=100_000)
        for number in range(MAX_TASKS + 5):
            evidence = replace(verdict.evidence, mail_from=f"a{number}@partner.example")
            found.take(Trial(Header(split.header), split.body, True, replace(verdict, evidence=evidence), "4X"))
        waiting = len(found._tasks)
        await found.stop(0.05)
        return waiting

    assert asyncio.run(run()) == MAX_TASKS
