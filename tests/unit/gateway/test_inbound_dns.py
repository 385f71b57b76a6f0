"""Mail from outside while DNS is slow, dead or a fault of ours: one result suffers, the message is answered, and nothing is left over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

import zegel
from support import inbound
from support.gateway import FORGED, PARTNER, THEIRS, Server, play
from support.inbound import BAD, GOOD
from support.mta import Mta, Result
from support.proof import results
from support.servers import wait_for
from zegel.ask import Answer, Question
from zegel.limits import Limits
from zegel.spf.client import Network

SPF, POLICY, KEY = "partner.example", "_dmarc.partner.example", PARTNER.name
ZONE = zegel.Zone.from_dict(
    {
        (SPF, "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
        (POLICY, "TXT"): ["v=DMARC1; p=reject"],
        (KEY, "TXT"): [PARTNER.record],
    }
)
SLOW, DEAD = 0.05, None  # seconds until the answer comes, or never
SOON = Limits(dns_seconds=0.4)
FAR = Limits(dns_seconds=3600)
SENDER = "a@partner.example"


class Weather:
    """A resolver of which some names are slow, and some are dead; all others are answered in a turn of the loop."""

    def __init__(self, delays: Mapping[str, float | None]) -> None:
        self._delays = delays
        self.waiting: list[str] = []
        self.cancelled: list[str] = []

    async def resolve(self, question: Question) -> Answer:
        delay = self._delays.get(question.name, 0.0)
        self.waiting.append(question.name)
        try:
            await (asyncio.Event().wait() if delay is None else asyncio.sleep(delay))
        except asyncio.CancelledError:
            self.cancelled.append(question.name)
            raise
        return ZONE.answer(question)


def signed() -> bytes:
    return zegel.sign(THEIRS, PARTNER) + THEIRS


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capsys.readouterr()


def opened(server: Server, client: str = BAD) -> Mta:
    mta = Mta(("127.0.0.1", server.port))
    mta.open(address=client)
    return mta


def statuses(server: Server) -> dict[str, str]:
    """The results of the one message, by method; of SPF that of MAIL FROM."""
    (record,) = server.records
    return {found.method: str(found.status) for found in reversed(record.results)}


class Case(NamedTuple):
    """What DNS does, whose mail it is, and what comes of it in the mode reject."""

    delays: dict[str, float | None]
    client: str
    found: tuple[str, str, str]  # spf, dkim, dmarc
    action: str = "accepted"
    reason: str = "nothing_against"


CASES = {
    "all is slow": Case({SPF: SLOW, KEY: SLOW, POLICY: SLOW}, GOOD, ("pass", "pass", "pass")),
    "slow SPF and a dead key": Case({SPF: SLOW, KEY: DEAD}, GOOD, ("pass", "temperror", "pass")),
    "dead SPF": Case({SPF: DEAD}, GOOD, ("temperror", "pass", "pass")),
    "dead SPF and a slow key": Case({SPF: DEAD, KEY: SLOW, POLICY: SLOW}, BAD, ("temperror", "pass", "pass")),
    "a dead key of a stranger": Case({SPF: SLOW, KEY: DEAD}, BAD, ("fail", "temperror", "temperror"), reason="dns_trouble"),
    "a dead policy": Case({POLICY: DEAD}, GOOD, ("pass", "pass", "temperror"), reason="dns_trouble"),
    "all is dead": Case({SPF: DEAD, KEY: DEAD, POLICY: DEAD}, GOOD, ("temperror", "temperror", "temperror"), reason="dns_trouble"),
}


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_what_is_dead_is_one_temperror_and_the_mail_goes_on(name: str, relayed: bool) -> None:
    """Behind a relay the question of SPF leaves with the header; the shares are the same."""
    case = CASES[name]
    weather = Weather(case.delays)
    relay = "203.0.113.9"
    received = b"Received: from mail.partner.example (unknown [%s])\r\n\tby relay.ours.example (Postfix)\r\n" % case.client.encode()

    def mail(server: Server) -> None:
        with opened(server, relay if relayed else case.client) as mta:
            result = mta.send((received if relayed else b"") + signed(), SENDER)
        assert server.faults == []
        found = statuses(server)
        assert (found["spf"], found["dkim"], found["dmarc"]) == case.found
        (record,) = server.records
        assert (record.action, record.reason) == (case.action, case.reason)
        assert result.action == "accept"
        assert f"dmarc={case.found[2]}" in results(result.message)
        assert record.story

    site = inbound.site("reject", relays=(Network.parse(f"{relay}/32"),))
    play(mail, resolver=weather, limits=SOON, site=site)
    dead = {name for name, delay in case.delays.items() if delay is DEAD}
    assert set(weather.cancelled) == dead


def test_a_message_that_waits_keeps_no_other_waiting() -> None:
    weather = Weather({KEY: DEAD})

    def mail(server: Server) -> None:
        with opened(server) as waiting, opened(server) as other:
            waiting.envelope(SENDER)
            for part in (b"DKIM-Signature\0" + zegel.sign(THEIRS, PARTNER)[15:-2] + b"\0", b"From\0 a@partner.example\0"):
                waiting.write("L", part)
            waiting.write("N")
            waiting.write("E", b"hello\r\n")
            waiting.flush()
            wait_for(lambda: KEY in weather.waiting)
            for _ in range(3):
                assert other.send(THEIRS, SENDER).reply.startswith("550 ")
            assert [record.action for record in server.records] == ["refused"] * 3
        assert server.faults == []

    play(mail, resolver=weather, limits=FAR, site=inbound.site("reject"))
    assert weather.cancelled == [KEY]


class Faulty(Weather):
    """A resolver with a bug for one name."""

    def __init__(self, name: str) -> None:
        super().__init__({KEY: DEAD} if name != KEY else {POLICY: DEAD})
        self._name = name

    async def resolve(self, question: Question) -> Answer:
        if question.name == self._name:
            raise LookupError("a bug of ours")
        return await super().resolve(question)


@pytest.mark.parametrize("name", [SPF, KEY, POLICY])
@pytest.mark.parametrize("mode", ["observe", "reject"])
def test_a_fault_in_any_part_is_451_and_no_record_has_a_verdict(name: str, mode: str) -> None:
    """The others of its questions, one of which would wait for ever, end with it."""
    faulty = Faulty(name)

    def mail(server: Server) -> None:
        with opened(server, GOOD) as mta:
            result = mta.send(signed(), SENDER)
            assert (result.action, result.reply[:9], result.edits) == ("replycode", "451 4.7.0", [])
            assert [type(error) for error in server.faults] == [LookupError]
            assert server.records == []
            assert server.counted("zegel_would_total", outcome="accepted", reason="nothing_against") == 0
            server.set(resolver=ZONE)
            assert mta.send(signed(), SENDER).action == "accept"
            assert [record.action for record in server.records] == ["accepted"]

    play(mail, resolver=faulty, limits=FAR, site=inbound.site(mode))
    assert set(faulty.cancelled) <= {KEY, POLICY}


STAGES = ["mail", "recipient", "header", "end of header", "body", "end"]


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize("ending", ["abort", "close"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_leaves_at_any_stage_leaves_nothing(stage: str, ending: str, relayed: bool) -> None:
    """``play`` sees that no task is left over. Nothing is recorded of what had no end."""
    weather = Weather({SPF: DEAD, KEY: DEAD, POLICY: DEAD})
    reached = STAGES.index(stage)
    asked = {SPF} if not relayed else set()
    if reached >= STAGES.index("end of header"):
        asked |= {KEY, POLICY}

    def mail(server: Server) -> None:
        with opened(server) as mta:
            mta.envelope(SENDER, ["jan@ours.example"] if reached else [])
            if reached >= 2:
                mta.write("L", b"DKIM-Signature\0" + zegel.sign(THEIRS, PARTNER)[15:-2] + b"\0")
                mta.write("L", b"From\0 a@partner.example\0")
            if reached >= 3:
                mta.write("N")
            if reached >= 4:
                mta.write("B", b"hello\r\n")
            if reached >= 5:
                mta.write("E")
            mta.flush()
            wait_for(lambda: asked <= set(weather.waiting))
            if ending == "abort" and stage != "end":
                mta.abort()
                server.set(resolver=ZONE)
                assert mta.send(signed(), SENDER).action == "accept"
        assert server.faults == []

    kept: list[int] = []

    def counted(server: Server) -> None:
        mail(server)
        kept.append(len(server.records))

    relays = (Network.parse(f"{BAD}/32"),) if relayed else ()
    play(counted, resolver=weather, limits=FAR, site=inbound.site("reject", relays=relays))
    assert kept == [1 if ending == "abort" and stage != "end" else 0]
    assert sorted(weather.cancelled) == sorted(name for name in weather.waiting if name in (SPF, KEY, POLICY))


def test_a_flood_of_claims_is_recorded_as_refused_and_asks_no_more() -> None:
    weather = Weather({SPF: DEAD, POLICY: DEAD})

    def mail(server: Server) -> None:
        with opened(server) as mta:
            refused: Result = mta.send(FORGED * 501 + THEIRS, SENDER)
        assert refused.reply.startswith("550 5.7.1 ")
        (record,) = server.records
        assert (record.action, record.reason, record.results, record.story) == ("refused", "too_many_claims", (), ())

    play(mail, resolver=weather, limits=FAR)
    assert sorted(weather.cancelled) == sorted(name for name in weather.waiting if name in (SPF, KEY, POLICY))


def test_a_setting_of_now_is_for_the_next_message() -> None:
    """A message keeps the settings that it began with, through all of its parts."""

    def mail(server: Server) -> None:
        with opened(server) as mta:
            mta.envelope(SENDER)
            mta.flush()
            wait_for(lambda: SPF in weather.waiting)  # so it has begun
            server.set(site=inbound.site("reject"))
            with opened(server) as other:
                assert other.send(THEIRS, SENDER).reply.startswith("550 ")
            mta.write("L", b"From\0 a@partner.example\0")
            mta.write("N")
            mta.write("E", b"hello\r\n")
            assert mta.outcome([(b"From", b" a@partner.example")], b"hello\r\n").action == "accept"
            assert mta.send(THEIRS, SENDER).reply.startswith("550 ")
        assert [record.action for record in server.records] == ["refused", "accepted", "refused"]

    weather = Weather({})
    play(mail, resolver=weather, site=inbound.site("observe"))
