"""Who a caller is, and what all callers together may hold."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace
from typing import Any, cast

import pytest

from zegel.adapters.journal import Journal
from zegel.gateway.desk import Desk
from zegel.gateway.relay import Accepted, Refused, Relay, Submission
from zegel.gateway.sitebook import Sitebook
from zegel.smtp.auth import Credentials
from zegel.smtp.events import MailFrom, Recipient
from zegel.store.sites import Site, digest
from zegel.store.vault import Vault

VAULT = Vault(bytes(32))


def site(name: str, **changes: Any) -> Site:
    return Site(name, "default", "a@example.be", "a@example.be", digest=digest(VAULT, name, f"{name} secret"), **changes)


class Taking:
    """A relay that keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Submission] = []
        self.refusal: Refused | None = None

    async def submit(self, submission: Submission) -> Accepted:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(submission)
        return Accepted("1K1", ("watch out",))


def desk(*sites: Site, max_held: int = 1000) -> tuple[Desk, Taking]:
    relay = Taking()
    return Desk(Sitebook(VAULT, sites), cast(Relay, relay), Journal(), max_held=max_held), relay


def test_sites_are_found_by_secret_address_network_and_user() -> None:
    book = Sitebook(
        VAULT,
        [
            site("portal", networks=("192.0.2.0/24",), unix_user="www"),
            site("any"),
            site("off", disabled=5, unix_user="off"),
            site("wide", networks=("127.0.0.0/8",)),
            site("one", networks=("127.0.0.1/32", "::1/128")),
            site("twin", networks=("127.0.0.2/32",)),
            site("twin2", networks=("127.0.0.2/32",)),
        ],
    )
    assert book.login("portal", "portal secret", "192.0.2.7") is not None
    assert book.login("portal", "portal secret", "::ffff:192.0.2.7") is not None
    assert book.login("portal", "portal secret", "198.51.100.1") is None
    assert book.login("portal", "any secret", "192.0.2.7") is None
    assert book.login("any", "any secret", "198.51.100.1") is not None
    assert book.login("off", "off secret", "192.0.2.7") is None
    assert book.login("nobody", "nobody secret", "192.0.2.7") is None
    found = {address: (match.name if (match := book.of_network(address)) else None) for address in
             ("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1", "192.0.2.7", "x")}  # fmt: skip
    assert found == {"127.0.0.1": "one", "127.0.0.2": None, "127.0.0.3": "wide", "::1": "one", "192.0.2.7": None, "x": None}
    assert (book.of_user("www"), book.of_user("off"), book.of_user("x")) == (book.named("portal"), None, None)


def test_a_caller_logs_in_and_sends() -> None:
    async def run() -> None:
        made, relay = desk(site("portal"))
        caller = made.caller("192.0.2.7", False)
        assert not caller.known
        assert (await caller.login(Credentials("PLAIN", "portal", "wrong"))).code == "535"
        assert (await caller.login(Credentials("PLAIN", "portal", "portal secret"))).code == "235"
        assert caller.mail_from(MailFrom("", 10, True)) is None
        assert caller.recipient(Recipient("b@example.org")) is None
        caller.content(b"x\r\n")
        caller.content(b"y\r\n")
        reply = await caller.end_of_message()
        assert reply == ("250", "2.0.0", "queued as 1K1; watch out")
        (taken,) = relay.taken
        assert (taken.data, taken.recipients, taken.via, taken.utf8, taken.sender) == (b"x\r\ny\r\n", ("b@example.org",), "smtp", True, "")
        relay.refusal = Refused("550", "5.7.1", "no", reason="x")
        caller.mail_from(MailFrom("a@example.be"))
        caller.content(b"x\r\n")
        assert (await caller.end_of_message()) == ("550", "5.7.1", "no")
        assert not made.held

    asyncio.run(run())


@pytest.mark.parametrize(("loopback", "known"), [(True, True), (False, False)])
def test_a_network_is_believed_on_the_loopback_listener_only(loopback: bool, known: bool) -> None:
    made, _ = desk(site("local", networks=("127.0.0.1/32",)))
    assert made.caller("127.0.0.1", loopback).known is known


def test_who_is_disabled_or_gone_meanwhile_sends_nothing() -> None:
    made, _ = desk(site("local", networks=("127.0.0.1/32",)))
    caller = made.caller("127.0.0.1", True)
    assert caller.mail_from(MailFrom("a@example.be")) is None
    for changed in ([site("local", disabled=5)], []):
        made.book.replace(changed)
        refusal = caller.mail_from(MailFrom("a@example.be"))
        assert refusal is not None
        assert refusal.code == "550"


@pytest.mark.parametrize(
    "now",
    [
        [],
        [site("portal", disabled=5)],
        [replace(site("portal"), digest=digest(VAULT, "portal", "another secret"))],  # a new secret, or a new site of that name
        [site("portal", networks=("198.51.100.0/24",))],
    ],
    ids=["removed", "disabled", "other secret", "other networks"],
)
def test_a_login_that_would_fail_now_sends_nothing_more_on_its_open_connection(now: list[Site]) -> None:
    made, _ = desk(site("portal"))
    caller = made.caller("192.0.2.7", False)
    assert asyncio.run(caller.login(Credentials("PLAIN", "portal", "portal secret"))).code == "235"
    assert caller.mail_from(MailFrom("a@example.be")) is None
    made.book.replace(now)
    refusal = caller.mail_from(MailFrom("a@example.be"))
    assert refusal is not None
    assert refusal.code == "550"
    made.book.replace([site("portal", rate=7)])
    assert caller.mail_from(MailFrom("a@example.be")) is None, "other settings end no login"


def test_a_recipient_that_is_not_listed_is_refused_at_once() -> None:
    made, _ = desk(site("local", networks=("127.0.0.1/32",), recipients=("example.org",)))
    caller = made.caller("127.0.0.1", True)
    caller.mail_from(MailFrom("a@example.be"))
    refusal = caller.recipient(Recipient("b@example.net"))
    assert refusal is not None
    assert refusal.code == "550"


def test_all_messages_in_hand_together_are_bounded_and_those_of_one_site() -> None:
    async def run() -> None:
        made, relay = desk(*(site(f"local{number}", networks=(f"127.0.0.{number}/32",)) for number in range(1, 4)), max_held=1000)
        callers = [made.caller(f"127.0.0.{number}", True) for number in range(1, 4)]
        for caller in callers:
            assert caller.mail_from(MailFrom("a@example.be")) is None
            caller.content(b"x" * 400)
        assert made.held.total() == 800
        refusal = made.caller("127.0.0.3", True).mail_from(MailFrom("a@example.be", 201))
        assert refusal is not None
        assert refusal.code == "452"
        assert made.caller("127.0.0.3", True).mail_from(MailFrom("a@example.be", 200)) is None
        # The first site has its half all but 100, and the others have their room.
        refusal = made.caller("127.0.0.1", True).mail_from(MailFrom("a@example.be", 101))
        assert refusal is not None
        assert refusal.code == "452"
        assert [(await caller.end_of_message()).code for caller in callers] == ["250", "250", "452"]
        assert not made.held
        callers[0].mail_from(MailFrom("a@example.be"))
        callers[0].content(b"x" * 400)
        callers[0].closed()
        assert not made.held
        assert len(relay.taken) == 2

    asyncio.run(run())


def test_what_is_in_hand_is_given_back_also_when_its_site_has_gone_meanwhile() -> None:
    made, _ = desk(site("local", networks=("127.0.0.1/32",)))
    caller = made.caller("127.0.0.1", True)
    caller.mail_from(MailFrom("a@example.be"))
    caller.content(b"x" * 400)
    made.book.replace([])
    caller.content(b"x" * 50)
    assert made.held == {"local": 450}
    caller.closed()
    assert not made.held


def test_octets_that_come_by_twos_take_their_own_room_alone() -> None:
    """In a list each pair would be an object of 35 octets, and a place of 8."""
    made, _ = desk(site("local", networks=("127.0.0.1/32",)), max_held=1_000_000)
    caller = made.caller("127.0.0.1", True)
    caller.mail_from(MailFrom("a@example.be"))
    tracemalloc.start()
    for number in range(150_000):
        caller.content(bytes((number & 127, 10)))
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
