"""``zegel message``: what was recorded is found, shown, handed out and erased, and what is wrong is said in one line."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from support.messages import DAY, JAN, inbound, outbound, traces
from zegel import front
from zegel.adapters.zone import Zone
from zegel.cli.message import moment
from zegel.cli.screen import Refusal
from zegel.store import messages
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping, Owners
from zegel.store.record import Result

from .conftest import Run

NOW = int(time.time())


HELO = (Result("spf", "fail", "not_permitted", "klant.example", "mailfrom"), Result("spf", "none", "no_record", "mx.example", "helo"))
OBSERVED: dict[str, Any] = {"reason": "policy_reject", "would": "refused", "marks": ("imitates_us", "look_alike"), "results": HELO}
ZONE = Zone.from_dict({("_dmarc.example.org", "TXT"): ["v=DMARC1; p=quarantine"]})


def fill(data: Path, *, hashed: bool = False) -> None:
    with Store.open(data) as store, store.writing() as tx:
        assert store.vault is not None
        keeping = Keeping(Addresses(store.vault, hashed=hashed))
        batch = [
            outbound(1, time=NOW - 3 * DAY),
            inbound(2, time=NOW - DAY, action="refused", reason="dmarc_reject", would="refused"),
            outbound(3, time=NOW - 60, recipients=(JAN, "els@klant.example"), story=()),
            outbound(4, time=NOW - 40 * DAY),
            outbound(5, time=NOW - 20 * DAY),
            inbound(6, time=NOW - 28 * DAY, sender="x@bad.example", from_domain="bad.example", story=())._replace(**OBSERVED),
        ]
        messages.add(tx, batch, keeping, Owners(tx), {"klant.example": "provider.example"})


@pytest.fixture
def filled(data: Path) -> Path:
    fill(data)
    return data


def ids(ended_text: str) -> list[str]:
    return [json.loads(line)["queue_id"] for line in ended_text.splitlines()]


def test_the_list_for_people(zegel: Run, filled: Path) -> None:
    listed = zegel("message", "list")
    assert listed.status == 0
    head, newest, *_rest = listed.text.splitlines()
    assert head.split()[:4] == ["Time", "Queue", "id", "Way"]
    for word in ("4Wx3", "out", "info@example.be", "Jan.Peeters@klant.example +1", "dkim=signed", "signed"):
        assert word in newest
    assert "refused (dmarc_reject)" in listed.text
    (observed,) = [line for line in listed.text.splitlines() if "5Wx6" in line]
    assert "spf=fail spf.helo=none" in observed
    assert observed.endswith("accepted (policy_reject), would be refused [imitates_us, look_alike]")
    assert "for more: --limit" in zegel("message", "list", "--limit", "2").text
    assert zegel("message", "list", "--queue-id", "none").text == "No message is recorded that fits.\n"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["4Wx3", "5Wx2", "4Wx1", "4Wx5", "5Wx6", "4Wx4"]),
        (("--since", "2d"), ["4Wx3", "5Wx2"]),
        (("--until", "2d", "--since", "25d"), ["4Wx1", "4Wx5"]),
        (("--queue-id", "5Wx2"), ["5Wx2"]),
        (("--address", "ELS@klant.example"), ["4Wx3"]),
        (("--address", JAN, "--direction", "inbound"), ["5Wx2"]),
        (("--domain", "Klant.Example", "--since", "2d"), ["4Wx3", "5Wx2"]),
        (("--action", "refused"), ["5Wx2"]),
        (("--would", "refused"), ["5Wx2", "5Wx6"]),
        (("--would", "refused", "--action", "accepted"), ["5Wx6"]),
        (("--mark", "look_alike"), ["5Wx6"]),
        (("--mark", "look"), []),
        (("--organisation", "default", "--limit", "1"), ["4Wx3"]),
        (("--organisation", "gent"), []),
    ],
)
@pytest.mark.parametrize("hashed", [False, True])
def test_the_list_for_programs(zegel: Run, data: Path, options: tuple[str, ...], found: list[str], hashed: bool) -> None:
    fill(data, hashed=hashed)
    listed = zegel("message", "list", "--json", *options)
    assert (listed.status, ids(listed.text)) == (0, found)


@pytest.mark.parametrize(("option", "last"), [("--action", "released"), ("--would", "deferred")])
def test_a_word_that_no_message_can_have_is_not_nothing_found(zegel: Run, filled: Path, option: str, last: str) -> None:
    ended = zegel("message", "list", option, "quarantine")
    assert (ended.status, ended.text) == (2, "")
    assert ended.errors.startswith(f"zegel: 'quarantine' is nothing that {option} takes; take one of: ")
    assert ended.errors.endswith(f"{last}\n")


def test_one_message_with_its_story(zegel: Run, filled: Path) -> None:
    shown = zegel("message", "show", "4Wx1")
    assert shown.status == 0
    for word in ("sent by us: signed", "Jan.Peeters@klant.example (mail taken by provider.example)", "signed d=example.be s=z202611r-k7qd",
                 "step: signed; keys: ['z202611r-k7qd._domainkey.example.be']"):  # fmt: skip
        assert word in shown.text
    message = zegel("message", "show", "4Wx1", "--json").json
    assert message["story"] == [{"step": "signed", "keys": ["z202611r-k7qd._domainkey.example.be"]}]
    assert zegel("message", "show", str(message["id"]), "--json").json == message
    assert "Its story is not kept" in zegel("message", "show", "4Wx3").text
    missing = zegel("message", "show", "4Wx99")
    assert (missing.status, missing.stdout) == (1, b"")
    assert missing.errors.startswith("zegel: no message is recorded under 4Wx99")
    assert missing.errors.rstrip().endswith("message list")


def test_what_is_typed_wrong_is_one_line(zegel: Run, filled: Path) -> None:
    for arguments in (
        ("list", "--since", "yesterday"),
        ("list", "--direction", "sideways"),
        ("list", "--domain", "a b"),
        ("export", "jan"),
        ("export", "@example.be"),
        ("erase", "jan@a b"),
    ):
        ended = zegel("message", *arguments)
        assert (ended.status, ended.stdout) == (2, b"")
        assert ended.errors.count("\n") == 1
        assert ended.errors.startswith("zegel: ")


def test_there_is_no_store_yet(zegel: Run) -> None:
    for arguments in (("list",), ("show", "x"), ("export", "a@b.example"), ("erase", "a@b.example"), ("expire",)):
        ended = zegel("message", *arguments)
        assert ended.status == 2
        assert "zegel" in ended.errors


def test_times() -> None:
    assert [moment(text, 1_790_000_000.9) for text in ("30m", "2h", "3d")] == [1_789_998_200, 1_789_992_800, 1_789_740_800]
    assert moment("2026-11-24T09:30+00:00", 0) == 1_795_512_600
    assert moment("2026-11-24", 0) == int(time.mktime((2026, 11, 24, 0, 0, 0, 0, 0, -1)))
    for odd in ("", "d", "3w", "-1d", "99999999d", "\u0663d"):
        with pytest.raises(Refusal):
            moment(odd, 0)


@pytest.mark.parametrize("hashed", [False, True])
def test_a_copy_for_a_person(zegel: Run, data: Path, tmp_path: Path, hashed: bool) -> None:
    fill(data, hashed=hashed)
    copy = zegel("message", "export", "jan.peeters@KLANT.example")
    assert (copy.status, ids(copy.text)) == (0, ["4Wx4", "4Wx5", "4Wx1", "5Wx2", "4Wx3"])
    assert "els@" not in copy.text
    file = tmp_path / "copy.json"
    written = zegel("message", "export", JAN, file)
    assert written.text == f"✓ {file}: 5 messages\n"
    assert file.read_bytes() == copy.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = zegel("message", "export", JAN, file)
    assert (again.status, file.read_bytes()) == (2, copy.stdout)
    assert "not overwritten" in again.errors
    assert zegel("message", "export", "nobody@klant.example").stdout == b""


@pytest.mark.parametrize("hashed", [False, True])
def test_a_person_is_erased(zegel: Run, data: Path, hashed: bool) -> None:
    fill(data, hashed=hashed)
    asked = zegel("message", "erase", JAN)
    assert asked.status == 2
    assert "is in 5 messages that are recorded. Erase? Say so with --yes" in asked.errors
    assert len(ids(zegel("message", "list", "--json").text)) == 6
    erased = zegel("message", "erase", JAN, "--yes")
    assert erased.status == 0
    assert "4 messages deleted, and taken out of 1 more" in erased.text
    assert "Backups" in erased.text
    assert traces(data, "jan.peeters") == []
    assert ids(zegel("message", "list", "--json").text) == ["4Wx3", "5Wx6"]
    assert "0 messages deleted" in zegel("message", "erase", JAN).text


def test_the_term_by_hand(zegel: Run, filled: Path) -> None:
    assert "deleted: 1 messages over 30 days old, and 1 more stories over 14 days old" in zegel("message", "expire").text
    assert ids(zegel("message", "list", "--json").text) == ["4Wx3", "5Wx2", "4Wx1", "4Wx5", "5Wx6"]
    (filled / "zegel.toml").write_text("[messages]\nkeep_days = 2\nstory_days = 0\n")
    assert "deleted: 3 messages" in zegel("message", "expire").text
    assert [zegel("message", "show", name, "--json").json["story"] for name in ("4Wx3", "5Wx2")] == [None, None]


def test_the_table_is_harmless_for_a_terminal(zegel: Run, data: Path) -> None:
    with Store.open(data) as store, store.writing() as tx:
        assert store.vault is not None
        record = inbound(1, time=NOW, sender="\x1b[2Jx@evil.example", story=({"a": "\x1b[2J\u202e"},))
        messages.add(tx, [record], Keeping(Addresses(store.vault, hashed=False)), Owners(tx), {})
    assert "\x1b[2J" not in zegel("message", "list").text
    shown = zegel("message", "show", "5Wx1").text
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_the_story_of_a_verdict_is_told_as_a_tree(zegel: Run, data: Path) -> None:
    verdict = front.authenticate(
        b"From: a@example.org\r\n\r\n", ip="192.0.2.1", helo="mx.example.net", mail_from="a@example.org", resolver=ZONE
    )
    with Store.open(data) as store, store.writing() as tx:
        assert store.vault is not None
        record = inbound(1, time=NOW, story=tuple(verdict.story))
        messages.add(tx, [record], Keeping(Addresses(store.vault, hashed=False)), Owners(tx), {})
    shown = zegel("message", "show", "5Wx1").text
    assert "├─ SPF" in shown
    assert "192.0.2.1 (mx.example.net) sends for a@example.org" in shown
    assert "_dmarc.example.org TXT: 1 found" in shown
    assert "the message fails DMARC, and the domain asks for quarantine" in shown
