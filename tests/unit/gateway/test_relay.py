"""A site's message on its way: what is refused and why, would it pass, and that each leaves one line and one record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import zegel
from support.relay import FORM, KEY, SITE, Stand, play
from zegel.adapters.keyring import Keyring
from zegel.ask import Rcode
from zegel.config.outbox import Outbox as OutboxTable
from zegel.gateway.intake import Intake
from zegel.gateway.judge import Answer, Egress
from zegel.gateway.outbox import Posting
from zegel.gateway.relay import Bounds, may_write_to
from zegel.grammar.domain import Domain
from zegel.store import post, transit
from zegel.store.errors import StoreError
from zegel.store.posting import number
from zegel.submission.trace import Origin


def test_what_was_judged_before_keys_changed_is_asked_again(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        assert (await stand.send()).warnings == ()
        # The key is revoked: its record has no key any more (RFC 6376 3.6.1), and the old answer would hold for minutes.
        stand.publish({(KEY.name, "TXT"): ["v=DKIM1; k=ed25519; p="]})
        assert (await stand.send()).warnings == ()
        stand.judge.forget()
        assert "would not pass" in (await stand.send()).warnings[0]
        # One that is being asked while keys change is not kept either.
        stand.judge.forget()
        author = Domain.parse("example.be")
        asking = asyncio.create_task(stand.judge.judge(stand.settings, FORM, author, "noreply@example.be", (KEY,)))
        await asyncio.sleep(0)
        stand.judge.forget()
        await asking
        asked = stand.zone.asked
        await stand.send()
        assert stand.zone.asked > asked

    play(tmp_path, test)


def test_it_is_corrected_signed_judged_queued_and_told(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        accepted = await stand.send()
        assert accepted.warnings == ()
        (record,) = stand.kept
        assert (record.queue_id, record.sender, record.from_domain) == (accepted.queue_id, "noreply@example.be", "example.be")
        assert (record.action, record.reason) == ("signed", "")
        assert [(result.method, result.status) for result in record.results] == [("dkim", "signed"), ("dmarc", "pass")]
        corrected = next(item for item in record.story if item["step"] == "corrected")
        assert corrected["original"] == "Jan <jan@visitor.example>"

    play(tmp_path, test)


def test_what_is_known_costs_no_question_and_what_is_not_is_asked_once(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        await asyncio.gather(*(stand.send() for _ in range(20)))
        asked = stand.zone.asked
        assert asked <= 10
        await asyncio.gather(*(stand.send() for _ in range(20)))
        assert stand.zone.asked == asked
        stand.judge.egress = Egress("other.example.be")
        await stand.send()
        assert stand.zone.asked > asked

    play(tmp_path, test)


@pytest.mark.parametrize("would_fail", ["warn", "refuse"])
def test_what_would_fail_warns_or_is_refused(tmp_path: Path, would_fail: Any) -> None:
    async def test(stand: Stand) -> None:
        stand.publish({(KEY.name, "TXT"): []})
        site = replace(SITE, would_fail=would_fail)
        if would_fail == "warn":
            accepted = await stand.send(site=site)
            assert "would not pass" in accepted.warnings[0]
        else:
            refused = await stand.refused(site=site)
            assert (refused.code, refused.enhanced) == ("550", "5.7.1")
        (record,) = stand.kept
        assert record.reason.startswith("would_fail_")
        assert record.action == ("signed" if would_fail == "warn" else "refused")

    play(tmp_path, test)


def test_a_message_without_a_key_is_told_to_be_unsigned(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        stand.settings = replace(stand.settings, keyring=Keyring())
        accepted = await stand.send()
        assert "no active key for example.be" in accepted.warnings[0]
        assert stand.kept[0].action == "unsigned"

    play(tmp_path, test)


def test_dns_trouble_refuses_nothing(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        stand.publish({(KEY.name, "TXT"): Rcode.TIMEOUT, ("_dmarc.example.be", "TXT"): Rcode.SERVFAIL})
        accepted = await stand.send(site=replace(SITE, would_fail="refuse"))
        assert accepted.warnings == ()
        assert [result.status for result in stand.kept[0].results if result.method == "dmarc"] == ["temperror"]

    play(tmp_path, test)


@pytest.mark.parametrize(
    ("egress", "record", "answer"),
    [
        (("192.0.2.25",), "v=spf1 ip4:192.0.2.25 -all", Answer.YES),
        (("192.0.2.26",), "v=spf1 ip4:192.0.2.25 -all", Answer.NO),
        (("192.0.2.25", "192.0.2.26"), "v=spf1 ip4:192.0.2.25 -all", Answer.NO),
        ((), "v=spf1 ip4:192.0.2.25 -all", Answer.NO),
    ],
)
def test_without_dkim_spf_decides_for_every_address_that_mail_leaves_from(
    tmp_path: Path, egress: tuple[str, ...], record: str, answer: Answer
) -> None:
    async def test(stand: Stand) -> None:
        stand.publish({("example.be", "TXT"): [record]})
        judged = await stand.judge.judge(stand.settings, b"From: a@example.be\r\n\r\nx\r\n", Domain("example.be"), "noreply@example.be", ())
        assert judged.answer is answer
        assert (judged.story == ()) == (answer is not Answer.NO)

    play(tmp_path, test, egress=egress)


def test_without_a_policy_a_signature_of_the_domain_is_enough(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        stand.publish({("_dmarc.example.be", "TXT"): []})
        assert (await stand.send(site=replace(SITE, would_fail="refuse"))).warnings == ()

    play(tmp_path, test)


@pytest.mark.parametrize(
    ("changes", "reason", "code"),
    [
        ({"site": replace(SITE, disabled=5)}, "site_disabled", "550"),
        ({"recipients": ()}, "no_recipients", "554"),
        ({"recipients": ("a@example.org",) * 101}, "too_many_recipients", "550"),
        ({"recipients": ("a@example.org",) * 10_000}, "too_many_recipients", "550"),
        ({"data": FORM + b"x" * 2_000_000}, "too_large", "552"),
        ({"site": replace(SITE, recipients=("example.net",))}, "recipient_not_allowed", "550"),
        ({"site": replace(SITE, foreign_from="refuse")}, "not_ours", "550"),
        ({"data": b"no header at all\r\n\r\nx\r\n"}, "header", "550"),
        ({"data": FORM.replace(b"dag", b"d\0ag")}, "field_nul", "554"),
        ({"data": FORM.replace(b"dag", b"d\rBcc: b@example.net")}, "header", "550"),
        ({"data": FORM.replace(b"Hallo", b"Hal\rlo")}, "bare_line_end", "554"),
        ({"data": b"From: a@example.be\r\n" + FORM}, "several_fields", "550"),
    ],
)
def test_what_is_refused_says_why_and_is_recorded_once(tmp_path: Path, changes: dict[str, Any], reason: str, code: str) -> None:
    async def test(stand: Stand) -> None:
        refused = await stand.refused(**changes)
        assert (refused.reason, refused.code) == (reason, code)
        (record,) = stand.kept
        assert (record.action, record.reason, record.queue_id) == ("refused", reason, "")
        assert len(record.recipients) <= 1001

    play(tmp_path, test, bounds=Bounds(size=1_000_000))


def test_form_abuse_is_bounded_by_site_and_by_visitor(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        site = replace(SITE, rate=5, visitor_rate=2)
        for _ in range(2):
            await stand.send(site=site)
        refused = await stand.refused(site=site)
        assert (refused.code, refused.enhanced, refused.reason) == ("450", "4.7.1", "visitor_rate")
        assert "jan@visitor.example has sent 2 messages" in refused.text
        # A visitor writes his address in another case: he is the same.
        assert (await stand.refused(FORM.replace(b"jan@", b"JAN@"), site=site)).reason == "visitor_rate"
        await stand.send(FORM.replace(b"jan@", b"els@"), site=site)
        assert (await stand.refused(FORM.replace(b"jan@", b"an@"), site=site)).reason == "site_rate"
        await stand.send(site=replace(SITE, name="other"))
        # What is to come again is no message at its end.
        assert [record.action for record in stand.kept] == ["signed"] * 4

    play(tmp_path, test)


def test_the_tags_of_one_mailbox_are_counted_together_and_replies_go_to_the_address_as_written(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        site = replace(SITE, visitor_rate=3)
        for tag in range(3):
            sent = await stand.send(FORM.replace(b"jan@", b"jan+%d@" % tag), site=site)
            identity = number(sent.queue_id)
            assert identity is not None
            with stand.spool.reading() as tx:
                assert b"<jan+%d@visitor.example>" % tag in (transit.body(tx, identity) or b"")
        assert (await stand.refused(FORM, site=site)).reason == "visitor_rate"
        refused = await stand.refused(FORM.replace(b"jan@", b"jan+3@"), site=site)
        assert refused.reason == "visitor_rate"
        assert "jan+3@visitor.example has sent 3 messages" in refused.text
        await stand.send(FORM.replace(b"jan@visitor", b"jan+3@other"), site=site)
        await stand.send(FORM.replace(b"jan@", b"els+3@"), site=site)

    play(tmp_path, test)


def test_a_header_that_a_visitor_wrote_makes_no_recipient_and_no_author(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        evil = FORM.replace(b"Jan <jan@visitor.example>", b"=?utf-8?q?Jan=0D=0ABcc=3A_b=40example=2Enet?= <jan@visitor.example>")
        await stand.send(evil)
        assert stand.kept[0].recipients == ("info@example.org",)

    play(tmp_path, test)


def test_a_full_or_broken_outbox_is_a_refusal_for_now(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        stand.outbox._settings = lambda: OutboxTable(max_bytes=1)
        refused = await stand.refused()
        assert (refused.code, refused.enhanced) == ("452", "4.3.1")
        stand.outbox._settings = lambda: OutboxTable(max_message_bytes=10)
        assert (await stand.refused()).code == "552"

    play(tmp_path, test)


class Broken:
    """An outbox whose disk is gone."""

    intake = Intake()

    async def put(self, posting: Posting) -> str:
        raise StoreError("the disk is on fire")


def test_a_disk_that_fails_is_451_and_the_client_hears_nothing_of_it(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        stand.relay._outbox = Broken()  # type: ignore[assignment]
        refused = await stand.refused()
        assert (refused.code, refused.reason) == ("451", "not_stored")
        assert "fire" not in refused.text

    play(tmp_path, test)


class Stumbling:
    """A part with a bug: whatever is asked of it fails."""

    def __getattr__(self, name: str) -> Any:
        raise MemoryError(name)


class Full:
    """A recorder whose store is gone."""

    def take(self, record: object) -> None:
        raise StoreError("the disk is on fire")


@pytest.mark.parametrize("part", ["keyring", "clock", "style", "limits", "resolver"])
def test_a_fault_of_ours_at_any_step_refuses_nothing_and_takes_nothing(tmp_path: Path, part: str) -> None:
    """It is an exception, for which the door says 451; or the message goes without what only warns."""

    async def test(stand: Stand) -> None:
        stand.settings = replace(stand.settings, **{part: cast(Any, Stumbling())})
        try:
            accepted = await stand.send()
        except (MemoryError, TypeError):
            assert waiting(stand) == 0
        else:
            assert accepted.queue_id
            assert waiting(stand) == 1

    play(tmp_path, test)


def test_a_fault_once_the_message_is_on_disk_is_no_reason_to_have_it_again(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        stand.settings = replace(stand.settings, recorder=Full())
        accepted = await stand.send()
        assert accepted.queue_id
        assert waiting(stand) == 1
        assert stand.settings.journal.registry.get_sample_value("zegel_faults_total") == 1
        # What is not on disk is a fault for the door to answer, and stays with the client.
        with pytest.raises(StoreError):
            await stand.send(FORM + b"\x00\xff", site=replace(SITE, foreign_from="refuse"))
        assert waiting(stand) == 1

    play(tmp_path, test)


def test_a_client_that_goes_away_at_the_end_sends_nothing_untold(tmp_path: Path) -> None:
    """Else whoever hangs up in time has mail sent in our name of which there is neither a line nor a record."""

    async def test(stand: Stand) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        class Slow:
            intake = Intake()

            async def put(self, posting: Posting) -> str:
                begun.set()
                await go_on.wait()
                return await stand.outbox.put(posting)

        stand.relay._outbox = Slow()  # type: ignore[assignment]
        sending = asyncio.create_task(stand.send())
        await begun.wait()
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        go_on.set()
        await asyncio.gather(*stand.relay._keeping)
        assert waiting(stand) == 1
        assert stand.kept[0].action == "signed"
        assert stand.kept[0].queue_id

    play(tmp_path, test)


def waiting(stand: Stand) -> int:
    with stand.spool.reading() as tx:
        return post.waiting(tx)


def test_its_trace_stands_on_top_under_the_queue_id(tmp_path: Path) -> None:
    """RFC 5321 4.4: whoever takes a message MUST write a Received field. What was just put is sent as what was read back."""

    async def test(stand: Stand) -> None:
        fresh: list[Posting] = []
        stand.outbox.arrived = lambda _number, posting: fresh.append(posting)
        origin = Origin("portal.example.be", "192.0.2.80", "ESMTPSA")
        accepted = await stand.send(origin=origin)
        with stand.spool.reading() as tx:
            stored = transit.body(tx, number(accepted.queue_id) or 0)
        assert stored is not None
        top = b"Received: from portal.example.be ([192.0.2.80])\r\n\tby mx.example.be (Zegel) with ESMTPSA id "
        assert stored.startswith(top + accepted.queue_id.encode() + b";\r\n\t")
        assert stored.count(b"Received:") == 1
        assert fresh[0].data == stored
        assert zegel.verify(stored, resolver=stand.zone.zone)[0].status == "pass", "no signature covers it"

    play(tmp_path, test)


def test_a_message_in_a_circle_is_refused(tmp_path: Path) -> None:
    """RFC 5321 6.3: "normally at least 100 Received entries"."""

    async def test(stand: Stand) -> None:
        await stand.send(b"Received: by a; x\r\n" * 100 + FORM)
        refused = await stand.refused(b"Received: by a; x\r\n" * 101 + FORM)
        assert (refused.code, refused.enhanced, refused.reason) == ("554", "5.4.6", "loop")

    play(tmp_path, test)


def test_large_messages_take_the_same_way(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        await stand.send(FORM + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 10_000)
        assert stand.kept[0].action == "signed"

    play(tmp_path, test)


@pytest.mark.parametrize(
    ("listed", "recipient", "may"),
    [
        ((), "anybody@example.net", True),
        (("example.org",), "a@EXAMPLE.org", True),
        (("example.org",), "a@sub.example.org", False),
        (("Info@example.org",), "INFO@example.org", True),
        (("info@example.org",), "other@example.org", False),
        (("example.org",), "no domain@", False),
    ],
)
def test_the_recipients_of_a_site(listed: tuple[str, ...], recipient: str, may: bool) -> None:
    assert may_write_to(replace(SITE, recipients=listed), recipient) is may
