"""The gateway behind the real pump, over a real socket, with a mail server's side: message after message on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import zegel
from support.gateway import ALICE, FORGED, MAIL, OWN, PARTNER, RECORDS, THEIRS, ZONE, Server, play
from support.mta import ALL_PROTOCOL, LEADSPC, SKIP, Mta, Result
from support.proof import holds, results, tags, values
from support.servers import wait_for
from zegel.ask import Answer, Question, Rcode
from zegel.config import parse
from zegel.gateway.outbound import Policy
from zegel.limits import Limits


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capsys.readouterr()


def opened(server: Server, **options: int) -> Mta:
    mta = Mta(("127.0.0.1", server.port), **options)
    mta.open()
    return mta


@pytest.mark.parametrize(
    "offered", [ALL_PROTOCOL, ALL_PROTOCOL & ~LEADSPC, ALL_PROTOCOL & ~SKIP, 0], ids=["all", "no space", "no skip", "nothing"]
)
def test_messages_on_one_connection_each_get_their_own(offered: int) -> None:
    def mail(server: Server) -> None:
        with opened(server, offered_protocol=offered) as mta:
            signed = mta.send(MAIL, macros=ALICE)
            passed = mta.send(zegel.sign(THEIRS, PARTNER) + THEIRS)
            failed = mta.send((zegel.sign(THEIRS, PARTNER) + THEIRS).replace(b"hello", b"hallo"))
            none = mta.send(FORGED + THEIRS, macros={"i": "4B"})
            again = mta.send(MAIL.replace(b"hello", b"again"), macros=ALICE)
        assert holds(signed.message, RECORDS) == [("ed25519-sha256", "example.org")]
        assert results(passed.message).startswith("mx.example.org; dkim=pass header.d=partner.example")
        assert results(failed.message).startswith("mx.example.org; dkim=fail")
        assert none.message.endswith(b"\r\n" + THEIRS)
        assert results(none.message).startswith("mx.example.org; dkim=none; spf=none ")
        assert none.message.count(b"Authentication-Results:") == 1
        assert holds(again.message, RECORDS) == [("ed25519-sha256", "example.org")]
        assert server.faults == []

    play(mail)


def test_a_cr_or_lf_alone_is_signed_as_it_is_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    def mail(server: Server) -> None:
        with opened(server) as mta:
            plain = mta.send(MAIL, macros=ALICE)
            odd = mta.send(MAIL + b"one line\rand no other\r\n", macros=ALICE)
        assert holds(plain.message, RECORDS) == holds(odd.message, RECORDS) == [("ed25519-sha256", "example.org")]

    play(mail)
    lines = [line for line in capsys.readouterr().out.splitlines() if "signed" in line]
    assert ["a hop may break this signature: a CR or LF alone in the body" in line for line in lines] == [False, True], lines


def test_a_message_that_is_given_up_leaves_nothing() -> None:
    def mail(server: Server) -> None:
        with opened(server) as mta:
            mta.envelope(macros=ALICE)
            mta.write("L", b"From\0 a@example.org\0")
            mta.write("L", b"Authentication-Results\0 mx.example.org; x=y\0")
            mta.abort()
            result = mta.send(THEIRS)
        assert result.message.endswith(b"\r\n" + THEIRS)
        assert results(result.message).startswith("mx.example.org; dkim=none; ")
        assert server.counted("zegel_forged_results_total") == 0

    play(mail)


class Slow:
    """A resolver that says when it was asked, and never answers."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.cancelled = 0

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError


@pytest.mark.parametrize("ending", ["abort", "abort at once", "close", "close at the end", "new client"])
def test_a_look_up_ends_with_its_message(ending: str) -> None:
    slow = Slow()

    def mail(server: Server) -> None:
        server.set(resolver=slow)
        with opened(server) as mta:
            mta.envelope()
            mta.write("L", b"DKIM-Signature\0" + zegel.sign(THEIRS, PARTNER)[15:-2] + b"\0")
            mta.write("L", b"From\0 a@partner.example\0")
            mta.write("N")
            mta.flush()
            if ending != "abort at once":
                wait_for(lambda: bool(slow.asked))
            if ending == "close at the end":
                mta.write("E", b"hello\r\n")
                mta.flush()
            elif ending.startswith("abort"):
                mta.abort()
            elif ending == "new client":
                mta.quit_new()
                mta.open()
                assert mta.send(THEIRS).action == "accept"
            if ending.startswith("abort"):
                server.set(resolver=ZONE)
                assert mta.send(THEIRS).action == "accept"
        assert server.faults == []

    play(mail)
    assert slow.cancelled == len(slow.asked)


class Failing:
    """A resolver with a bug."""

    def __init__(self) -> None:
        self.failed = 0

    async def resolve(self, question: Question) -> Answer:
        self.failed += 1
        raise LookupError("a bug of ours")


@pytest.mark.parametrize("given_up", [False, True])
def test_a_fault_of_ours_is_451_and_never_a_verdict(given_up: bool) -> None:
    def mail(server: Server) -> None:
        signed = zegel.sign(THEIRS, PARTNER) + THEIRS
        failing = Failing()
        server.set(resolver=failing)
        with opened(server) as mta:
            if given_up:
                mta.envelope()
                mta.write("L", b"DKIM-Signature\0" + zegel.sign(THEIRS, PARTNER)[15:-2] + b"\0")
                mta.write("L", b"From\0 a@partner.example\0")
                mta.write("N")
                mta.flush()
                wait_for(lambda: failing.failed >= 2)
                mta.abort()
            else:
                result = mta.send(signed)
                assert (result.action, result.reply[:9]) == ("replycode", "451 4.7.0")
                assert result.edits == []
                assert [type(error) for error in server.faults] == [LookupError]
            server.set(resolver=ZONE)
            assert results(mta.send(signed).message).startswith("mx.example.org; dkim=pass")

    play(mail)


@pytest.mark.parametrize("rcode", [Rcode.TIMEOUT, Rcode.SERVFAIL])
def test_dns_trouble_is_temperror_and_the_mail_goes_on(rcode: Rcode) -> None:
    def mail(server: Server) -> None:
        server.set(resolver=zegel.Zone.from_dict({(PARTNER.name, "TXT"): rcode}))
        with opened(server) as mta:
            result = mta.send(zegel.sign(THEIRS, PARTNER) + THEIRS)
        assert result.action == "accept"
        assert results(result.message).startswith('mx.example.org; dkim=temperror reason="DNS did not give the key now')

    play(mail)


def test_a_resolver_that_never_answers_is_temperror_when_the_time_is_up() -> None:
    def mail(server: Server) -> None:
        server.set(resolver=Slow(), limits=Limits(dns_seconds=0.05))
        with opened(server) as mta:
            result = mta.send(zegel.sign(THEIRS, PARTNER) + THEIRS)
        assert (result.action, "dkim=temperror" in results(result.message)) == ("accept", True)

    play(mail)


def test_forged_results_behind_the_bound_of_the_header_are_removed() -> None:
    padding = b"X-Padding: " + b"x" * 60_000 + b"\r\n"

    def mail(server: Server) -> None:
        with opened(server) as mta:
            header = zegel.sign(THEIRS, PARTNER) + FORGED + padding * 5 + FORGED
            inbound = mta.send(header + THEIRS)
            outbound = mta.send(FORGED + padding * 5 + FORGED + MAIL, macros=ALICE)
        assert "dkim=policy" in results(inbound.message)
        assert inbound.message.endswith(padding * 5 + THEIRS)
        assert len(values(inbound.message, "Authentication-Results")) == 1
        assert outbound.message == padding * 5 + MAIL
        assert server.counted("zegel_not_signed_total", reason="header_too_large") == 1
        assert server.counted("zegel_forged_results_total") == 2

    play(mail)


@pytest.mark.parametrize("macros", [None, ALICE])
def test_a_flood_of_claims_is_refused(macros: dict[str, str] | None) -> None:
    def mail(server: Server) -> None:
        with opened(server) as mta:
            server.set(resolver=Slow())
            refused = mta.send(zegel.sign(MAIL, OWN) + FORGED * 501 + MAIL, macros=macros)
            server.set(resolver=ZONE)
            taken = mta.send(FORGED * 500 + MAIL, macros=macros)
        assert (refused.action, refused.reply[:9], refused.edits) == ("replycode", "550 5.7.1", [])
        assert (taken.action, b"mx.example.org; dkim=pass" in taken.message) == ("accept", False)

    play(mail)


def test_a_client_that_is_not_known_is_not_local() -> None:
    def mail(server: Server) -> None:
        for family, address, port, signed in (
            ("4", "127.0.0.1", 0, 1),
            ("6", "IPv6:::1", 0, 1),
            ("U", "", 0, 0),
            ("4", "203.0.113.5", 0, 0),
        ):
            with Mta(("127.0.0.1", server.port)) as mta:
                mta.open(family=family, address=address, port=port)
                assert len(tags(mta.send(MAIL).message)) == signed, (family, address)

    play(mail)


def test_a_login_without_its_method_is_none() -> None:
    def mail(server: Server) -> None:
        with opened(server) as mta:
            result = mta.send(MAIL, macros={"i": "4C", "{auth_authen}": "alice"})
        assert tags(result.message) == []

    play(mail)


def test_keys_and_settings_change_between_messages() -> None:
    def mail(server: Server) -> None:
        with opened(server) as mta:
            first = mta.send(MAIL, macros=ALICE)
            server.settings[0].keyring.replace([], generation=2)
            second = mta.send(MAIL, macros=ALICE)
            server.set(policy=Policy(parse("").outbound))
            third = mta.send(MAIL, macros=ALICE)
        assert [len(tags(result.message)) for result in (first, second, third)] == [1, 0, 0]
        assert server.counted("zegel_not_signed_total", reason="no_key") == 1
        assert server.counted("zegel_not_signed_total", reason="not_allowed") == 1

    play(mail)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"Subject", b" a bare\rCR"),
        (b"X-Any", b" a\rFrom: boss@example.org"),  # a reader that ends lines at CR shows another author, with our signature
        (b"Two words", b" no field"),
    ],
)
def test_an_outgoing_message_with_a_malformed_header_is_not_signed(name: bytes, value: bytes) -> None:
    def mail(server: Server) -> None:
        with opened(server) as mta:
            mta.envelope(macros=ALICE)
            mta.write("L", b"From\0 a@example.org\0")
            mta.write("L", name + b"\0" + value + b"\0")
            mta.write("N")
            mta.write("E", b"hello\r\n")
            result = mta.outcome([(b"From", b" a@example.org")], b"hello\r\n")
        assert not tags(result.message)
        assert server.counted("zegel_not_signed_total", reason="header_malformed") == 1

    play(mail)


def raw_header(server: Server, value: bytes, macros: dict[str, str] | None, name: bytes = b"Subject") -> Result:
    """A message with a field value as the mail server's socket can carry it, CR and all."""
    with opened(server) as mta:
        mta.envelope(macros=macros)
        signature = zegel.sign(b"From: a@partner.example\r\nSubject: x\r\n\r\nhello\r\n", PARTNER, headers=["from"])
        mta.write("L", b"DKIM-Signature\0" + signature[15:-2].replace(b"\r\n", b"\n") + b"\0")
        mta.write("L", b"From\0 a@partner.example\0")
        mta.write("L", name + b"\0" + value + b"\0")
        mta.write("N")
        mta.write("E", b"hello\r\n")
        return mta.outcome([(b"From", b" a@partner.example"), (b"Subject", value)], b"hello\r\n")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b" plain", "pass"),
        (b" folded\n\tvalue", "pass"),
        (b" folded\r\n\tvalue", "pass"),
        (b" mixed\r\n\tvalue\n more", "pass"),
        (b" a bare\rCR", "permerror"),
        (b" a bare\rCR\n and a fold", "permerror"),
    ],
)
def test_line_ends_within_a_field(value: bytes, status: str) -> None:
    def mail(server: Server) -> None:
        assert f"dkim={status}" in results(raw_header(server, value, None).message)
        assert server.faults == []

    play(mail)


def test_a_name_that_is_no_field_name_is_no_field() -> None:
    def mail(server: Server) -> None:
        assert 'dkim=permerror reason="the header has lines that are no field' in results(
            raw_header(server, b" x", None, b"From\xc3").message
        )

    play(mail)
