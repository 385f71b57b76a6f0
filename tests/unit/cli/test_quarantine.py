"""``zegel quarantine``: what is kept is listed, shown and dropped, and who did so is in the audit log."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from zegel.store import audit, queue
from zegel.store.database import Store
from zegel.store.quarantine import Depot, Kept
from zegel.store.spool import Spool

from .conftest import Run

MESSAGE = b"From: x@town.example\r\nSubject: \x1b[2J\r\n\r\nhello\r\n"


@pytest.fixture
def kept(data: Path) -> str:
    Store.open(data).close()
    depot = Depot(data)
    depot.prepare()
    about = Kept(
        "", 1000, "4X1", "203.0.113.9", "x@bad.example", ("jan@ours.example", "p@ours.example"), "town.example", "Fac" * 50,
        "policy_reject", " mx; dkim=none", len(MESSAGE),
    )  # fmt: skip
    return depot.keep(about, [MESSAGE])


def test_what_is_kept_is_listed_and_shown(zegel: Run, kept: str) -> None:
    listed = zegel("quarantine", "list")
    row = listed.text.splitlines()[1]
    assert [word in row for word in (kept, "town.example", "jan@ours.example +1", "policy_reject")] == [True] * 4
    (line,) = zegel("quarantine", "list", "--json").text.splitlines()
    assert json.loads(line)["recipients"] == ["jan@ours.example", "p@ours.example"]
    shown = zegel("quarantine", "show", kept)
    assert "zegel message show 4X1" in " ".join(shown.text.split())
    assert "\x1b" not in shown.text
    assert zegel("quarantine", "show", kept, "--raw").stdout == MESSAGE


def test_an_empty_one_says_how_messages_get_there(zegel: Run, data: Path) -> None:
    Store.open(data).close()
    assert 'quarantine = "keep"' in zegel("quarantine", "list").text


def test_what_is_dropped_is_gone_and_logged_without_addresses(zegel: Run, data: Path, kept: str) -> None:
    assert zegel("quarantine", "drop", kept).status == 0
    assert Depot(data).all() == []
    ended = zegel("quarantine", "drop", kept)
    assert (ended.status, "see: zegel quarantine list" in ended.errors) == (2, True)
    with Store.open(data) as store, store.reading() as tx:
        (line,) = [line for line in audit.all(tx) if line.action.startswith("quarantine")]
    assert (line.action, line.subject) == ("quarantine.drop", kept)
    assert "@" not in json.dumps(line.before)


def test_what_was_released_is_sent_again_only_where_that_is_said(zegel: Run, data: Path, kept: str) -> None:
    def waiting() -> int:
        with Spool.open(data) as spool, spool.reading() as tx:
            return queue.waiting_of(tx, "quarantine")

    other = Depot(data).keep(Depot(data).get(kept), [MESSAGE])
    assert zegel("quarantine", "release", kept, kept).status == 0
    assert waiting() == 1, "a name given twice is one message"
    released = Depot(data).get(kept).released
    assert released is not None
    refused = zegel("quarantine", "release", other, kept)
    assert (refused.status, waiting()) == (2, 1), "all or none"
    assert f"{kept} was released before, on {time.strftime('%Y-%m-%d %H:%M', time.localtime(released))}" in refused.errors
    assert "--again" in refused.errors
    assert "released on" in " ".join(zegel("quarantine", "show", kept).text.split())
    assert json.loads(zegel("quarantine", "show", kept, "--json").text)["released"] == released

    assert zegel("quarantine", "release", kept, "--again").status == 0
    assert waiting() == 2
    with Store.open(data) as store, store.reading() as tx:
        first, second = [line for line in audit.all(tx, subject=kept) if line.action == "quarantine.release"]
    assert first.before is not None
    assert second.before is not None
    assert ("released" in first.before, second.before["released"]) == (False, released)
