from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import zegel
from support.nexthop import HANG, LEAVE, NextHop
from support.outbox import PATIENT, QUICK, TEXT, ZONE, Rig, rig
from support.servers import free_port
from zegel.adapters.whose import Whose
from zegel.ask import Answer, Question
from zegel.store import once, queue, transit
from zegel.store.posting import Item, Recipient, State
from zegel.store.spool import state

DAY = 86_400


def test_a_message_arrives_byte_for_byte_and_its_body_is_deleted(tmp_path: Path) -> None:
    text = b".first\r\nFrom: info@example.be\r\n\r\n.\r\n..\r\n.end\r\n\xc3\xa9\r\n"

    async def run() -> None:
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                name = await made.put("a@example.net", "b@example.org", data=text)
                await made.until(lambda: not made.waiting())
                (taken,) = hop.taken
                assert taken.data == text
                assert taken.recipients == ("a@example.net", "b@example.org")
                assert taken.mail == f"<info@example.be> SIZE={len(text)} BODY=8BITMIME"
                (item,) = made.items()
                assert item.queue_id == name
                assert {each.state for each in item.recipients} == {State.DELIVERED}
                assert {each.answer for each in item.recipients} == {"250 2.0.0 taken"}
                assert item.finished is not None
                with made.spool.reading() as tx:
                    assert transit.body(tx, item.id) is None

    asyncio.run(run())


def test_a_session_is_used_again_and_commands_go_in_a_group_where_that_is_offered(tmp_path: Path) -> None:
    async def run(hop: NextHop) -> None:
        async with rig(tmp_path, f"127.0.0.1:{hop.port}", concurrency=1) as made:
            for _ in range(20):
                await made.put()
            await made.until(lambda: not made.waiting())
            assert hop.connections == 1
            assert len(hop.taken) == 20

    for offers in (("PIPELINING",), ()):
        with NextHop(offers=offers) as hop:
            asyncio.run(run(hop))
        for file in tmp_path.iterdir():
            file.unlink()


def test_a_server_that_leaves_between_messages_costs_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", concurrency=1) as made:
                hop.hop.messages_of_a_session = 1
                for _ in range(6):
                    hop.hop.messages_of_a_session = 1
                    await made.put()
                    await made.until(lambda: not made.waiting())
                assert len(hop.taken) == 6
                assert [each.tries for item in made.items() for each in item.recipients] == [1] * 6

    asyncio.run(run())


def test_each_recipient_has_its_own_answer(tmp_path: Path) -> None:
    # RFC 5321 4.2.1: 4xx is tried again, 5xx is not. RFC 5321 4.5.4.
    async def run() -> None:
        rcpt = {"no@example.net": "550 5.1.1 no such user", "later@example.net": "451 4.7.1 greylisted"}
        with NextHop(rcpt=rcpt) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                await made.put("yes@example.net", "no@example.net", "later@example.net")
                await made.until(lambda: len(hop.taken) >= 2)
                await made.until(lambda: made.waiting() == 1)
                states = {each.address: each for each in made.items()[0].recipients}
                assert states["yes@example.net"].state is State.DELIVERED
                assert (states["no@example.net"].state, states["no@example.net"].answer) == (State.FAILED, "550 5.1.1 no such user")
                later = states["later@example.net"]
                assert (later.state, later.tries, later.answer) == (State.WAITING, 1, "451 4.7.1 greylisted")
                assert 230 < later.due - made.clock() < 370
                hop.hop.rcpt.clear()
                made.clock.ahead += 400
                await made.until(lambda: not made.waiting())
                # Nobody got it twice.
                assert sorted(taken.recipients for taken in hop.taken if taken.mail.startswith("<info")) == [
                    ("later@example.net",),
                    ("yes@example.net",),
                ]

    asyncio.run(run())


def test_the_contact_of_the_site_is_told_signed_and_aligned_and_nobody_is_told_of_a_notice(tmp_path: Path) -> None:
    # RFC 5321 6.1. RFC 3464 2.2.2 for who reports.
    async def run() -> None:
        rcpt = {"no@example.net": "550 5.1.1 no such user\x1b[31m", "webmaster@example.be": "550 5.2.2 full"}
        with NextHop(rcpt=rcpt) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                name = await made.put("no@example.net")
                await made.until(lambda: len(made.items(State.FAILED)) == 2 and not made.waiting())
                assert not hop.taken
                del hop.hop.rcpt["webmaster@example.be"]
                with made.spool.writing() as tx:
                    again = queue.retry(tx, made.items()[1].id, now=int(made.clock()))
                assert again == 1
                (taken,) = await asyncio.to_thread(hop.wait, 1)
                assert taken.mail.startswith("<> ")
                assert taken.recipients == ("webmaster@example.be",)
                report = taken.data
                assert re.search(rb"\r\nFrom: \"?Zegel\"? <mailer-daemon@example.be>\r\n", report)
                assert b"\r\nAuto-Submitted: auto-replied\r\n" in report
                assert re.search(rb"Final-Recipient: rfc822; no@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n", report)
                assert name.encode() in report
                assert b"Reporting-MTA: dns; mail.example.be\r\n" in report
                assert b"\x1b" not in report
                assert [result.status for result in zegel.verify(report, resolver=ZONE)] == ["pass"]
                assert made.counted("zegel_outbox_notices_total", kind="failed") == 1
                assert made.counted("zegel_outbox_notices_total", kind="nobody") == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        ({"mail": "450 4.3.2 not now"}, "450 4.3.2 not now"),
        ({"data": "451 4.3.0 not now"}, "451 4.3.0 not now"),
        ({"end": "452 4.3.1 full"}, "452 4.3.1 full"),
        ({"mail": HANG}, "the server said nothing for 1 seconds"),
        ({"data": LEAVE}, "the server closed the connection"),
        ({"mail": "250-ok\r\n251 mixed"}, "the server answers DATA with 250 2.1.5 ok"),
        ({"mail": "what?"}, "what the server says is no reply"),
        ({"mail": "250-" + "x" * 3000}, "no reply"),
    ],
)
def test_what_fails_for_now_is_tried_again(tmp_path: Path, behaviour: dict[str, Any], answer: str) -> None:
    # Silence has a bound: RFC 5321 4.5.3.2.
    async def run() -> None:
        with NextHop(**behaviour) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", times=QUICK if HANG in behaviour.values() else PATIENT) as made:
                await made.put()
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                (recipient,) = made.items()[0].recipients
                assert recipient.state is State.WAITING
                assert recipient.answer.endswith(answer)
                assert recipient.doubts == 0
                made.courier.take_over(replace(made.courier.terms, times=PATIENT))
                hop.hop.mail, hop.hop.data, hop.hop.end = "250 ok", "354 go", "250 ok"
                made.clock.ahead += 400
                await made.until(lambda: not made.waiting())
                assert len(hop.taken) == 1

    asyncio.run(run())


@pytest.mark.parametrize("end", [LEAVE, HANG])
def test_a_lost_answer_is_a_doubt_and_counted(tmp_path: Path, end: str) -> None:
    async def run() -> None:
        with NextHop(end=end) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", times=replace(PATIENT, end=1.0)) as made:
                await made.put()
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                assert made.items()[0].recipients[0].doubts == 1
                await made.until(lambda: made.counted("zegel_outbox_in_doubt_total") == 1)
                made.courier.take_over(replace(made.courier.terms, times=PATIENT))
                hop.hop.end = "250 ok"
                made.clock.ahead += 400
                await made.until(lambda: not made.waiting())
                assert len(hop.taken) == 2  # it had been taken, and nobody could know

    asyncio.run(run())


def test_a_next_hop_that_is_down_for_days_is_one_alert_and_no_notice(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        async with rig(tmp_path, f"127.0.0.1:{port}") as made:
            for _ in range(30):
                await made.put()
            await made.until(lambda: made.counted("zegel_next_hop_up") == 0)
            for _ in range(9):
                made.clock.ahead += DAY
                await asyncio.sleep(0.15)
            assert made.waiting() == 30
            assert {each.tries for item in made.items() for each in item.recipients} == {0}
            with NextHop(port) as hop:
                made.clock.ahead += 100
                await made.until(lambda: not made.waiting())
                assert len(hop.taken) == 30
                assert {taken.mail.split()[0] for taken in hop.taken} == {"<info@example.be>"}
            assert made.counted("zegel_next_hop_up") == 1

    asyncio.run(run())


def test_a_message_runs_out_by_a_try_in_vain_after_its_time(tmp_path: Path) -> None:
    # RFC 5321 4.5.4.1; the code of a message that ran out is in RFC 3463 3.5.
    async def run() -> None:
        with NextHop(rcpt={"later@example.net": "451 4.7.1 greylisted"}) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", expiry_days=5, warn_hours=4) as made:
                await made.put("later@example.net")
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                assert not hop.taken
                made.clock.ahead += 4 * 3600 + 10
                (late,) = await asyncio.to_thread(hop.wait, 1)
                assert b"Action: delayed\r\nStatus: 4.7.1\r\n" in late.data
                assert b"Will-Retry-Until: " in late.data
                made.clock.ahead += DAY
                await made.until(lambda: made.items()[0].recipients[0].tries == 3)
                await asyncio.sleep(0.2)
                assert len(hop.taken) == 1  # told once
                made.clock.ahead += 4 * DAY
                await made.until(lambda: len(hop.taken) == 2)
                assert b"Action: failed\r\nStatus: 4.4.7\r\n" in hop.taken[1].data
                failed = made.items()[0].recipients[0]
                assert failed.state is State.FAILED
                assert failed.answer == "given up after 5 days; last answer: 451 4.7.1 greylisted"

    asyncio.run(run())


def test_a_clock_that_leaps_gives_up_nothing_at_once(tmp_path: Path) -> None:
    """It was tried for a second; the clock says ten years. It is given up when expiry has come so far, and by a try."""

    async def run() -> None:
        with NextHop(rcpt={"later@example.net": "451 4.7.1 greylisted"}) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", expiry_days=5, warn_hours=0) as made:
                start = int(made.clock())
                made.reached = lambda now: min(now, start)
                await made.put("later@example.net")
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                made.clock.ahead += 3650 * DAY
                await made.until(lambda: made.items()[0].recipients[0].tries == 2)
                made.reached = lambda now: min(now, start + 4 * DAY - 60)
                made.clock.ahead += DAY
                await made.until(lambda: made.items()[0].recipients[0].tries == 3)
                await asyncio.sleep(0.2)
                assert (made.items()[0].recipients[0].state, hop.taken) == (State.WAITING, [])
                made.reached = lambda now: min(now, start + 4 * DAY + 60)
                made.clock.ahead += DAY
                await made.until(lambda: len(hop.taken) == 1)
                assert made.items()[0].recipients[0].state is State.FAILED

    asyncio.run(run())


def test_a_clock_that_leaps_forgets_nothing_at_once(tmp_path: Path) -> None:
    """The text of what failed is there to be sent again, and a name under which something was handed in is taken once."""

    async def run() -> None:
        asked: list[int] = []
        with NextHop(rcpt={"no@example.net": "550 5.1.1 no such user"}) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", keep_days=3, started=False) as made:
                start, came_to = int(made.clock()), [0]

                def reached(now: int) -> int | None:
                    asked.append(now)
                    return min(now, start + came_to[0])

                made.reached = reached
                await made.courier.start()
                await made.put("no@example.net", contact="", once="1000 x")
                await made.until(lambda: not made.waiting())

                async def tidied() -> tuple[int, bool]:
                    """Another round, ten years on: how many messages are left, and if the name is known."""
                    rounds = len(asked)
                    made.clock.ahead += 3650 * DAY
                    await made.until(lambda: len(asked) > rounds)
                    await asyncio.sleep(0.3)
                    with made.spool.reading() as tx:
                        return len(made.items()), once.taken(tx, "1000 x") is not None

                assert await tidied() == (1, True)
                came_to[0] = 3 * DAY - 60
                assert await tidied() == (1, True)
                came_to[0] = 3 * DAY + 60
                assert await tidied() == (0, True)
                came_to[0] = 7 * DAY - 60
                assert await tidied() == (0, True)
                came_to[0] = 7 * DAY + 60
                assert await tidied() == (0, False)

    asyncio.run(run())


def test_before_the_first_expiry_nothing_is_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        asked: list[int] = []
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", keep_days=0, started=False) as made:
                made.reached = asked.append
                await made.courier.start()
                await made.put("a@example.net")
                await made.until(lambda: not made.waiting())
                rounds = len(asked)
                made.clock.ahead += 3650 * DAY
                await made.until(lambda: len(asked) > rounds)
                await asyncio.sleep(0.3)
                assert len(made.items()) == 1

    asyncio.run(run())


def test_smtputf8_that_the_next_hop_lacks_is_a_bounce_and_never_a_downgrade(tmp_path: Path) -> None:
    # RFC 6531 3.2, RFC 3463 3.7, RFC 1870 6.1.
    async def run() -> None:
        with NextHop(offers=("8BITMIME", "SIZE 500")) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", warn_hours=0) as made:
                await made.put("zoë@example.net", sender="", utf8=True)
                await made.put("a@example.net", sender="", data=TEXT + b"x\r\n" * 200)
                hop.hop.offers = ("8BITMIME", "SIZE 500")
                await made.until(lambda: not made.waiting())
                answers = [item.recipients[0].answer for item in made.items()]
                assert answers[0] == "550 5.6.7 the address or header needs SMTPUTF8, which the server does not offer"
                assert answers[1] == "552 5.3.4 the message is larger than the 500 octets that the server takes"
                assert not hop.taken
                assert not any(command.startswith("MAIL") for command in hop.commands)

    asyncio.run(run())


def test_8bit_data_needs_8bitmime(tmp_path: Path) -> None:
    # RFC 6152 3.
    async def run() -> None:
        with NextHop(offers=()) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                await made.put(sender="", data=TEXT + b"\xe9\r\n")
                await made.until(lambda: not made.waiting())
                assert made.items()[0].recipients[0].answer.startswith("554 5.6.3 ")
                assert not hop.taken

    asyncio.run(run())


def test_a_hundred_recipients_in_a_transaction_and_the_rest_behind(tmp_path: Path) -> None:
    # RFC 5321 4.5.3.1.8; and RFC 5321 4.5.3.1.10: what was too many for a server goes soon after.
    async def run() -> None:
        with NextHop(rcpt={"u249@example.net": "452 4.5.3 too many recipients"}) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                await made.put(*(f"u{number}@example.net" for number in range(250)))
                await asyncio.to_thread(hop.wait, 3)
                hop.hop.rcpt.clear()
                await made.until(lambda: not made.waiting())
                assert [len(taken.recipients) for taken in hop.taken] == [100, 100, 49, 1]

    asyncio.run(run())


def test_with_421_the_server_leaves_and_the_next_message_has_a_session_of_its_own(tmp_path: Path) -> None:
    # RFC 5321 3.8.
    async def run() -> None:
        with NextHop(mail="421 4.3.2 going down") as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", concurrency=1) as made:
                await made.put()
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                hop.hop.mail = "250 ok"
                await made.put()
                await asyncio.to_thread(hop.wait, 1)
                assert hop.connections == 2

    asyncio.run(run())


def test_a_message_that_is_dropped_while_it_is_sent_does_not_go(tmp_path: Path) -> None:
    async def run() -> None:
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                mark = made.courier.mark

                async def dropped_before(item: Item, chosen: list[Recipient]) -> bool:
                    with made.spool.writing() as tx:
                        queue.drop(tx, item.id, now=1)
                    return await mark(item, chosen)

                made.courier.mark = dropped_before  # type: ignore[method-assign]
                await made.put()
                await made.until(lambda: not made.waiting())
                await asyncio.sleep(0.2)
                assert not hop.taken
                assert made.items()[0].recipients[0].state is State.DROPPED

    asyncio.run(run())


def test_what_others_change_is_noticed_within_a_second(tmp_path: Path) -> None:
    async def run() -> None:
        with NextHop(rcpt={"a@example.net": "450 not yet"}) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                await made.put()
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                hop.hop.rcpt.clear()
                with made.spool.writing() as tx:
                    assert queue.retry(tx, None, now=int(made.clock())) == 1
                await made.until(lambda: not made.waiting(), 5)
                assert len(hop.taken) == 1

    asyncio.run(run())


def test_ten_thousand_that_wait_are_sent_with_their_bodies_read_one_by_one(tmp_path: Path) -> None:
    async def run() -> None:
        with NextHop() as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}", started=False) as made:
                for _ in range(10):
                    await asyncio.gather(*(made.put() for _ in range(1000)))
                most, now, read = 0, 0, made.courier.read

                async def counting(work: Callable[..., object]) -> object:
                    nonlocal most, now
                    found = await read(work)
                    if isinstance(found, bytes):
                        now += 1
                        most = max(most, now)
                    return found

                settle = made.courier.settle

                async def settled(item: Item, data: bytes, trial: object) -> None:
                    nonlocal now
                    await settle(item, data, trial)  # type: ignore[arg-type]
                    now -= 1

                made.courier.read, made.courier.settle = counting, settled  # type: ignore[method-assign,assignment]
                await made.courier.start()
                await asyncio.to_thread(hop.wait, 500, 60)
                assert most <= 10

    asyncio.run(run())


def test_direct_delivery_by_mx(tmp_path: Path) -> None:
    records: dict[tuple[str, str], list[str]] = {
        ("example.net", "MX"): ["10 mx.example.net"],
        ("mx.example.net", "A"): ["127.0.0.1"],
        ("nothing.example", "MX"): ["0 ."],
        ("ours.example", "MX"): ["10 mail.example.be", "20 mx.example.net"],
    }
    zone = zegel.Zone.from_dict(records)

    async def run() -> None:
        with NextHop() as hop:
            direct = partial(replace, resolver=zone, port=hop.port, nearest=Whose.MACHINE)
            async with rig(tmp_path, "mx", terms=direct) as made:
                await made.put(
                    "a@example.net", "b@EXAMPLE.net", "c@nothing.example", "d@ours.example", "e@[192.0.2.1]", "f@gone.example", contact=""
                )
                await made.until(lambda: not made.waiting())
                states = {each.address: (each.state, each.answer[:10]) for each in made.items()[0].recipients}
                assert states == {
                    "a@example.net": (State.DELIVERED, "250 2.0.0 "),
                    "b@EXAMPLE.net": (State.DELIVERED, "250 2.0.0 "),
                    "c@nothing.example": (State.FAILED, "556 5.1.10"),
                    "d@ours.example": (State.FAILED, "550 5.4.6 "),
                    "e@[192.0.2.1]": (State.FAILED, "550 5.1.2 "),
                    "f@gone.example": (State.FAILED, "550 5.1.2 "),
                }
                (taken,) = hop.taken
                assert taken.recipients == ("a@example.net", "b@EXAMPLE.net")

    asyncio.run(run())


def test_one_domain_that_cannot_be_reached_holds_up_no_other_and_runs_out(tmp_path: Path) -> None:
    records = {("dead.example", "MX"): ["10 mx.dead.example"], ("mx.dead.example", "A"): ["127.0.0.9"],
               ("example.net", "MX"): ["10 mx.example.net"], ("mx.example.net", "A"): ["127.0.0.1"],
               ("example.be", "MX"): ["10 mx.example.net"]}  # fmt: skip
    zone = zegel.Zone.from_dict(records)

    async def run() -> None:
        with NextHop() as hop:
            direct = partial(replace, resolver=zone, port=hop.port, nearest=Whose.MACHINE)
            async with rig(tmp_path, "mx", terms=direct, warn_hours=0) as made:
                # In one commit: what comes once the domain is left alone waits for it, untried.
                await asyncio.gather(*(made.put("a@dead.example", "b@example.net") for _ in range(5)))
                await made.until(lambda: made.waiting() == 5)
                assert len(hop.taken) == 5
                await made.until(lambda: all(each.tries == 1 for item in made.items(State.WAITING) for each in item.recipients))
                assert made.counted("zegel_next_hop_up") == 1
                made.clock.ahead += 5 * DAY + 10
                await made.until(lambda: len(hop.taken) == 10 and not made.items(State.WAITING))
                assert {taken.recipients for taken in hop.taken[5:]} == {("webmaster@example.be",)}

    asyncio.run(run())


def test_where_nobody_can_be_reached_it_is_our_own_way_out(tmp_path: Path) -> None:
    zone = zegel.Zone.from_dict({(name, "MX"): zegel.Rcode.TIMEOUT for name in ("a.example", "b.example", "c.example", "d.example")})

    async def run() -> None:
        direct = partial(replace, resolver=zone)
        async with rig(tmp_path, "mx", terms=direct) as made:
            for name in "abcd":
                await made.put(f"x@{name}.example")
            await made.until(lambda: made.counted("zegel_next_hop_up") == 0)
            for _ in range(8):
                made.clock.ahead += DAY
                await asyncio.sleep(0.15)
            assert made.waiting() == 4
            assert len(made.items()) == 4  # no notice

    asyncio.run(run())


def test_a_stop_lets_the_message_under_way_end(tmp_path: Path) -> None:
    async def run(work: Callable[[Rig], Awaitable[None]]) -> None:
        async with rig(tmp_path, f"127.0.0.1:{hop.port}", concurrency=2) as made:
            await work(made)

    async def first(made: Rig) -> None:
        for _ in range(50):
            await made.put()
        await asyncio.to_thread(hop.wait, 3)

    async def second(made: Rig) -> None:
        await made.until(lambda: not made.waiting())

    with NextHop() as hop:
        asyncio.run(run(first))
        before = len(hop.taken)
        asyncio.run(run(second))
        assert before < 50
        assert len(hop.taken) == 50


class Stumbling:
    """A resolver with a bug: it fails on one domain."""

    def __init__(self, records: dict[tuple[str, str], Any]) -> None:
        self.zone = zegel.Zone.from_dict(records)

    async def resolve(self, question: Question) -> Answer:
        if "stumble" in question.name:
            raise RuntimeError("a bug")
        return await self.zone.resolve(question)


def test_a_fault_of_ours_is_one_try_and_the_message_runs_out(tmp_path: Path) -> None:
    records = {("example.net", "A"): ["127.0.0.1"], ("example.be", "A"): ["127.0.0.1"]}

    async def run() -> None:
        with NextHop() as hop:
            direct = partial(replace, resolver=Stumbling(records), port=hop.port, nearest=Whose.MACHINE)
            async with rig(tmp_path, "mx", terms=direct, warn_hours=0) as made:
                await made.put("a@stumble.example", "b@example.net")
                await made.until(lambda: len(hop.taken) == 1)
                await made.until(lambda: {each.tries for each in made.items()[0].recipients} == {1})
                assert made.counted("zegel_faults_total") == 1
                made.clock.ahead += 5 * DAY + 10
                await made.until(lambda: not made.waiting())
                failed = [each for item in made.items() for each in item.recipients if each.state is State.FAILED]
                assert [(each.address, each.answer.partition(": ")[2][:9]) for each in failed] == [("a@stumble.example", "451 4.3.0")]

    asyncio.run(run())


def test_servers_that_only_let_us_wait_hold_up_nobody_else(tmp_path: Path) -> None:
    """One wildcard record of a stranger, and a form that writes to whom its visitor names: each domain is a lane that hangs."""
    many = 120
    records = {(f"d{number}.example", "A"): ["127.0.0.1"] for number in range(many)} | {("good.example", "A"): ["127.0.0.2"]}

    async def run() -> None:
        with NextHop(greeting=HANG) as tarpit, NextHop(address="127.0.0.2", port=tarpit.port) as hop:
            direct = partial(replace, resolver=zegel.Zone.from_dict(records), port=hop.port, nearest=Whose.MACHINE)
            async with rig(tmp_path, "mx", terms=direct) as made:
                await asyncio.gather(*(made.put(f"x@d{number}.example") for number in range(many)))
                await made.until(lambda: tarpit.connections == 100)
                await made.put("a@good.example")
                await asyncio.sleep(1.5)
                assert hop.taken == []
                made.clock.ahead += 31
                await made.until(lambda: len(hop.taken) == 1)
                assert tarpit.connections == many

    asyncio.run(run())


def test_what_comes_while_the_outbox_is_looked_at_waits_for_nothing(tmp_path: Path) -> None:
    """Of the route something waits already, and is due much later: that is what the look has found."""

    async def run() -> None:
        with NextHop(rcpt={"a@example.net": "450 not yet"}) as hop:
            async with rig(tmp_path, f"127.0.0.1:{hop.port}") as made:
                await made.put()
                await made.until(lambda: made.items()[0].recipients[0].tries == 1)
                await made.until(lambda: not made.courier._lanes)
                read = made.courier.read

                async def read_and_put(work: Callable[..., object]) -> object:
                    found = await read(work)
                    if isinstance(found, tuple):
                        made.courier.read = read  # type: ignore[method-assign]
                        await made.put("b@example.net")
                    return found

                made.courier.read = read_and_put  # type: ignore[method-assign,assignment]
                with made.spool.writing() as tx:  # somebody else has changed something
                    tx.execute(update(state).values(changes=state.c.changes + 1))
                await made.until(lambda: len(hop.taken) == 1)
                assert hop.taken[0].recipients == ("b@example.net",)

    asyncio.run(run())
