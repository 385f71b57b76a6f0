"""Our own quarantine in the way of mail: kept and discarded, never lost, and let through once when released."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import inbound
from support.gateway import THEIRS, Server, play
from support.inbound import BAD
from support.mta import Mta, Result
from support.proof import values
from zegel.adapters.zone import Zone
from zegel.gateway.settings import Quarantine
from zegel.store.quarantine import FIELD, Depot

JAN = "jan@ours.example"
ZONE = Zone.from_dict({("partner.example", "TXT"): ["v=spf1 -all"], ("_dmarc.partner.example", "TXT"): ["v=DMARC1; p=reject"]})
LARGE = THEIRS + b"line of a large message\r\n" * 20_000


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    made = Depot(tmp_path)
    made.prepare()
    return made


def send(depot: Depot, *messages: bytes, mode: str = "quarantine", to: str = JAN) -> tuple[list[Result], Server]:
    """What becomes of messages on one connection."""
    seen: list[Server] = []
    results: list[Result] = []

    def mail(server: Server) -> None:
        seen.append(server)
        with Mta(("127.0.0.1", server.port)) as mta:
            mta.open(address=BAD)
            results.extend(mta.send(message, "x@bad.example", (to,)) for message in messages)
        assert server.faults == []

    play(mail, resolver=ZONE, site=inbound.site(mode), quarantine=Quarantine(depot=depot))
    return results, seen[0]


@pytest.mark.parametrize("message", [THEIRS, LARGE], ids=["small", "large"])
def test_it_is_kept_whole_and_discarded(depot: Depot, message: bytes) -> None:
    (result,), server = send(depot, message)
    assert result.action == "discard"
    (kept,) = depot.all()
    assert depot.message(kept.name) == message
    assert (kept.sender, kept.recipients, kept.from_domain, kept.reason) == ("x@bad.example", (JAN,), "partner.example", "policy_reject")
    assert kept.subject == "folded value"
    assert [record.action for record in server.records] == ["quarantined"]


def test_nothing_is_copied_where_nothing_can_be_kept(depot: Depot) -> None:
    depot.folder.rmdir()  # whoever copies a large message there fails
    (result,), _server = send(depot, LARGE, mode="observe")
    assert result.action == "accept"


def test_what_is_refused_or_accepted_is_not_kept(depot: Depot) -> None:
    good = THEIRS.replace(b"partner.example", b"unknown.example")
    (refused, accepted), _server = send(depot, THEIRS, good, mode="reject")
    assert (refused.action, accepted.action) == ("replycode", "accept")
    assert depot.all() == []


def test_a_full_quarantine_defers_and_loses_nothing(tmp_path: Path) -> None:
    depot = Depot(tmp_path, max_bytes=10)
    depot.prepare()
    (result,), server = send(depot, THEIRS)
    assert (result.action, result.reply[:9]) == ("replycode", "451 4.3.0")
    assert depot.all() == []
    assert [record.action for record in server.records] == ["deferred"]


def test_a_released_message_passes_once_with_what_was_found_when_it_came(depot: Depot) -> None:
    send(depot, THEIRS)
    (kept,) = depot.all()
    token = depot.allow(kept.name, now=kept.time)
    again = f"{FIELD}: {token}\r\n".encode() + b"Authentication-Results: mx.example.org; dkim=pass\r\n" + depot.message(kept.name)
    (first, second), server = send(depot, again, again)
    assert (first.action, second.action) == ("accept", "discard")
    assert values(first.message, FIELD) == []
    assert [value.split(";")[1].strip() for value in values(first.message, "Authentication-Results")] == ["dkim=none"]
    assert first.message.endswith(THEIRS)
    assert [record.action for record in server.records] == ["released", "quarantined"]


def test_a_token_opens_nothing_for_others(depot: Depot) -> None:
    send(depot, THEIRS)
    (kept,) = depot.all()
    token = depot.allow(kept.name, now=kept.time)
    (other,), _server = send(depot, f"{FIELD}: {token}\r\n".encode() + THEIRS, to="els@ours.example")
    assert other.action == "discard"
    twice = f"{FIELD}: {token}\r\n".encode() * 2 + THEIRS
    good = f"{FIELD}: {token}\r\n".encode() + THEIRS.replace(b"partner.example", b"unknown.example")
    (several, foreign), _server = send(depot, twice, good, to="els@ours.example")
    assert several.action == "discard"
    assert (foreign.action, values(foreign.message, FIELD)) == ("accept", [])  # our field leaves with nobody
