from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zegel.store import transit
from zegel.store.posting import Outcome, Posting, State, queue_id
from zegel.store.spool import Spool

ID = 1_790_000_000_000_000
TEXT = b"From: info@example.be\r\n\r\nHello.\r\n"


@pytest.fixture
def waiting(zegel: Any, data: Path) -> str:
    """One message that waits for two recipients."""
    assert zegel("init").status == 0
    posting = Posting("info@example.be", ("a@example.net", "b@example.net"), TEXT, "form", "w@example.be")
    with Spool.open(data) as spool, spool.writing() as tx:
        transit.add(tx, [(ID, posting)], now=1_790_000_000, direct=False)
        transit.settle(tx, [(ID, [Outcome(0, State.WAITING, "451 4.7.1 later\x1b[2J", due=1_790_000_300, doubt=True)])], now=1_790_000_001)
    return queue_id(ID)


def test_without_an_outbox_it_says_who_makes_it(zegel: Any) -> None:
    zegel("init")
    ended = zegel("outbox", "list")
    assert (ended.status, "there is no outbox in" in ended.errors) == (2, True)


def test_without_a_data_folder_it_says_so(zegel: Any, tmp_path: Path) -> None:
    for command in (("outbox", "list"), ("quarantine", "list"), ("quarantine", "show", "abcd-efgh")):
        ended = zegel("--data", str(tmp_path / "nowhere"), *command)
        assert ended.status == 2
        assert "there is no data folder" in ended.errors
        assert "zegel --data" in ended.errors


def test_list_and_show(zegel: Any, waiting: str) -> None:
    listed = zegel("outbox", "list")
    assert listed.status == 0
    assert waiting in listed.text
    assert "a@example.net +1" in listed.text
    assert "Recipients that mail waits for: 2" in listed.text
    assert "\x1b" not in listed.text
    (line,) = zegel("outbox", "list", "--json").stdout.splitlines()
    assert waiting.encode() in line
    shown = zegel("outbox", "show", waiting.lower())
    assert shown.status == 0
    assert "451 4.7.1 later?[2J" in shown.text
    assert "it may arrive more than once" in shown.text
    found = zegel("outbox", "show", waiting, "--json").json
    assert [each["in_doubt"] for each in found["recipients"]] == [1, 0]
    for name in ("4W1Yz", "!", "0"):
        assert zegel("outbox", "show", name).status == 1
    assert zegel("outbox", "list", "--state", "lost").status == 2
    assert zegel("outbox", "list", "--state", "failed").status == 0


def test_drop_and_retry(zegel: Any, waiting: str) -> None:
    assert zegel("outbox", "retry").status == 2
    assert zegel("outbox", "retry", waiting, "--all").status == 2
    assert "tried now: 2" in zegel("outbox", "retry", "--all").text
    assert "dropped for so many recipients: 2" in zegel("outbox", "drop", waiting).text
    assert zegel("outbox", "drop", waiting).status == 1
    assert "Recipients that mail waits for: 0" in zegel("outbox", "list").text
    assert waiting in zegel("outbox", "list", "--state", "dropped").text
    assert "tried now: 2" in zegel("outbox", "retry", waiting).text
    assert "Recipients that mail waits for: 2" in zegel("outbox", "list").text
    assert zegel("status").text.count("the outbox opens; recipients that mail waits for: 2") == 1
