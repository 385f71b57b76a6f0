"""zegel audit: who changed what, as people read it, and whether the log is whole."""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
from pathlib import Path

import pytest

from zegel.cli.audit import difference
from zegel.cli.people import named

from .conftest import Run

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def changed(zegel: Run) -> None:
    zegel("domain", "add", "a.example", "--organisation", "Gent")
    zegel("domain", "add", "b.example", "--sign-subdomains")
    zegel("domain", "remove", "b.example")
    zegel("key", "new", "a.example", "--algorithm", "ed25519", "--selector", "z1")


def rows(text: str) -> list[tuple[str, str]]:
    return [(line.split("  ")[3], line.split("  ")[4]) for line in text.splitlines() if not line.startswith(" ")]


def test_what_was_done_is_told_in_order(zegel: Run, changed: None) -> None:
    shown = zegel("audit").text
    assert rows(shown) == [
        ("organisation.add", "Gent"),
        ("domain.add", "a.example"),
        ("domain.add", "b.example"),
        ("domain.remove", "b.example"),
        ("key.add", "z1._domainkey.a.example"),
    ]
    assert "    + organisation: Gent\n    + sign_subdomains: no\n" in shown
    assert "    - sign_subdomains: yes\n" in shown
    assert shown.splitlines()[0].split("  ")[2].endswith(ME)


def test_of_one_subject_and_from_a_time_on(zegel: Run, changed: None) -> None:
    assert rows(zegel("audit", "a.example").text) == [("domain.add", "a.example"), ("key.add", "z1._domainkey.a.example")]
    assert len(rows(zegel("audit", "--since", "1h").text)) == 5
    assert zegel("audit", "--since", "2099-01-01").text == "Nothing of the kind was changed. All changes:\n    zegel audit\n"
    assert zegel("audit", "--since", "2099-01-01 10:00", "--json").text == ""
    wrong = zegel("audit", "--since", "soon")
    assert (wrong.status, "is no time" in wrong.errors) == (2, True)


def test_json_has_the_whole_line(zegel: Run, changed: None) -> None:
    lines = [json.loads(line) for line in zegel("audit", "b.example", "--json").text.splitlines()]
    assert [line["action"] for line in lines] == ["domain.add", "domain.remove"]
    assert lines[1]["before"] == {"organisation": "default", "sign_subdomains": True}
    assert set(lines[0]) == {"number", "time", "who", "action", "subject", "before", "after"}


def test_a_whole_log_and_one_that_is_not(zegel: Run, data: Path, changed: None) -> None:
    fine = zegel("audit", "--verify")
    assert (fine.status, "all 5 lines" in fine.text) == (0, True)
    link = fine.text.splitlines()[-1]
    zegel("domain", "add", "c.example")
    assert zegel("audit", "--verify", "--kept", link).status == 0
    assert zegel("audit", "--verify", "--json").json["lines"] == 6
    with sqlite3.connect(data / "zegel.db") as database:
        database.execute("DELETE FROM audit WHERE id > 3")
    # Off the end: only the link that was kept shows it.
    assert zegel("audit", "--verify").status == 0
    taken = zegel("audit", "--verify", "--kept", link)
    assert (taken.status, "off its end" in taken.errors) == (1, True)
    with sqlite3.connect(data / "zegel.db") as database:
        database.execute("UPDATE audit SET who = 'nobody' WHERE id = 2")
    broken = zegel("audit", "--verify")
    assert (broken.status, "line 2 " in broken.errors) == (1, True)
    assert zegel("audit", "--kept", "abc").status == 2


def test_a_difference_is_read_at_a_glance() -> None:
    assert difference({"state": "pending", "a": 1, "gone": True}, {"state": "active", "a": 1, "new": None}) == [
        "- gone: yes",
        "+ new: none",
        "  state: pending -> active",
    ]
    assert difference(None, {"public": "A" * 100, "slot": ""}) == [f"+ public: {'A' * 60}..."]
    assert difference({"x": 1}, None) == ["- x: 1"]
    assert difference(None, None) == []


ROOT, DAEMON = pwd.getpwuid(0).pw_name, pwd.getpwuid(1).pw_name


@pytest.mark.parametrize(
    ("user", "login", "environment", "name"),
    [
        (0, None, {}, ROOT),
        (0, 1, {}, f"{DAEMON} as {ROOT}"),
        (1, 1, {}, DAEMON),
        (0, None, {"SUDO_USER": DAEMON, "SUDO_UID": "1"}, f"{DAEMON} as {ROOT}"),
        # Anybody can set a variable: it never stands in the place of the user, and never against the kernel's word.
        (1, None, {"SUDO_USER": ROOT, "SUDO_UID": "0"}, f"{ROOT} as {DAEMON}"),
        (0, 1, {"SUDO_USER": "boss", "SUDO_UID": "5"}, f"{DAEMON} as {ROOT}"),
        (0, None, {"SUDO_USER": DAEMON}, ROOT),
        (0, None, {"SUDO_USER": DAEMON, "SUDO_UID": "0"}, ROOT),
        (0, None, {"SUDO_USER": DAEMON, "SUDO_UID": "9" * 30}, ROOT),
        (0, None, {"USER": DAEMON, "LOGNAME": DAEMON}, ROOT),
        (3_999_999_999, None, {}, "#3999999999"),
    ],
)
def test_who_acts(user: int, login: int | None, environment: dict[str, str], name: str) -> None:
    assert named(user, login, environment) == name
