"""``zegel quarantine``: what is kept is listed, shown and dropped, and who did so is in the audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zegel.store import audit
from zegel.store.database import Store
from zegel.store.quarantine import Depot, Kept

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
