from __future__ import annotations

import io
import os
import sys

import pytest

from support.terminal import on_a_terminal
from zegel.cli import screen
from zegel.cli.screen import Mark


class Stream(io.TextIOWrapper):
    """A standard output of a given encoding, a terminal or not."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def written(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


def _narrow(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """Standard output becomes a terminal of 40 columns without colour."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Stream("utf-8", terminal=True)
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_prose_wraps_and_lines_to_copy_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = _narrow(monkeypatch)
    text = "word " * 20
    screen.say(text)
    assert max(map(len, narrow.written.splitlines())) <= 40
    before = len(narrow.written)
    screen.exact("v=DKIM1; k=rsa; p=" + "A" * 400)
    screen.command("zegel key activate " + "a" * 80)
    assert len(narrow.written[before:].splitlines()) == 2


def test_changes_are_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = _narrow(monkeypatch)
    line = "+ smtpd_milters = " + ", ".join(["inet:127.0.0.1:8891"] * 5)
    screen.changes(f"a reason\n{line}\n")
    assert line in narrow.written.splitlines()


def test_prose_breaks_no_word_and_leaves_no_trailing_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = _narrow(monkeypatch)
    path = "/srv/" + "a-folder/" * 8 + "main.cf"
    screen.marked(Mark.OK, f"a copy is kept, as it was, in {path}")
    screen.say(f"a copy is kept in {path}")
    screen.advice(f"look at it in {path}")
    lines = narrow.written.splitlines()
    assert [line.strip() for line in lines].count(path) == 3
    assert all(line == line.rstrip() for line in lines)
    assert lines[1].startswith("  ")


def test_no_word_of_a_table_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = _narrow(monkeypatch)
    name = "a-very-long-selector-name._domainkey.of-a-long-domain.example"
    screen.table(("Domain", "State"), [(name, "active")])
    assert narrow.written.splitlines()[2:] == [name, "    active"]
    assert "…" not in narrow.written


def test_what_a_table_has_no_room_for_stands_below_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = _narrow(monkeypatch)
    screen.table(
        ("Time", "Id", "Sender", "Done"), [("2026-11-24 08:18:28", "4Wx1Z21Bcd", "jan@example.be", "accepted"), ("now", "5", "", "")]
    )
    assert [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in narrow.written.splitlines()] == [
        "Time                  Id",
        "    Sender   Done",
        "2026-11-24 08:18:28   4Wx1Z21Bcd",
        "    jan@example.be   accepted",
        "now                   5",
    ]


def test_a_last_column_of_prose_wraps_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = _narrow(monkeypatch)
    screen.table(("State", "Waits for"), [("pending", "visible at 2 of 3 servers, and one is silent"), ("active", "")])
    assert [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in narrow.written.splitlines()] == [
        "State     Waits for",
        "pending   visible at 2 of 3 servers, and",
        "          one is silent",
        "active",
    ]


def test_a_table_for_a_program_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    screen.table(("A", "B"), [("a" * 300, "b " * 300)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_an_error_is_one_line_that_only_a_terminal_wraps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    screen.fail("there is no such thing, " * 5)
    assert len(capsys.readouterr().err.splitlines()) == 1
    _narrow(monkeypatch)
    stream = Stream("utf-8", terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    screen.fail("there is no such thing, " * 5)
    assert max(map(len, stream.written.splitlines())) <= 40
    assert "thin\n" not in stream.written


def test_nothing_is_wrapped_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    stream = Stream("utf-8", terminal=False)
    monkeypatch.setattr(sys, "stdout", stream)
    screen.marked(Mark.NOTE, "word " * 30, "zegel status")
    assert len(stream.written.splitlines()) == 2
    assert stream.written.splitlines()[1] == "    zegel status"


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "✓"), ("ascii", "+")])
def test_a_mark_is_a_sign(monkeypatch: pytest.MonkeyPatch, encoding: str, sign: str) -> None:
    stream = Stream(encoding, terminal=False)
    monkeypatch.setattr(sys, "stdout", stream)
    screen.marked(Mark.OK, "fine")
    assert stream.written.split() == [sign, "fine"]
    assert len({mark.plain for mark in Mark}) == len({mark.sign for mark in Mark}) == len(Mark)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain café", "plain café"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\x07", "a\\r\\nb\\x07"),
        ("evil\u202egpj", "evil\\u202egpj"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert screen.safe(text) == shown


_LONG = """
import time
from zegel.cli import screen
screen._PATIENCE = {patience}
with screen.bar("Working", 3) as bar:
    for _ in range(3):
        time.sleep(0.2)
        bar.advance()
print("result")
"""


@pytest.mark.parametrize(("patience", "shown"), [(0.05, True), (60, False)])
def test_the_bar_is_for_a_terminal_and_for_what_takes_long(patience: float, shown: bool) -> None:
    command = [sys.executable, "-c", _LONG.format(patience=patience)]
    there = on_a_terminal(command, {**os.environ, "TERM": "xterm"}, piped=True)
    assert (there.status, there.piped) == (0, b"result\n")
    assert ("Working" in there.screen) is shown


def test_no_bar_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Stream("utf-8", terminal=False))
    with screen.bar("Working", 3) as bar:
        assert bar is None


@pytest.mark.parametrize("terminal", [True, False])
def test_a_message_steers_no_terminal_and_reaches_a_program_octet_for_octet(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    """What is in quarantine was written by the very people that it was kept from."""
    data = b"Subject: \x1b]0;title\x07\r\n\r\na\tb \xe2\x80\xae \xff\x9b2J\r\n"
    stream = Stream("utf-8", terminal=terminal)
    monkeypatch.setattr(sys, "stdout", stream)
    screen.message(data)
    if terminal:
        assert stream.written == "Subject: \\x1b]0;title\\x07\n\na\tb \\u202e \ufffd\ufffd2J\n\n"
    else:
        assert isinstance(stream.buffer, io.BytesIO)
        assert stream.buffer.getvalue() == data


@pytest.mark.parametrize(("scrolls", "total", "shown"), [(False, 3, True), (True, 3, False), (True, 1, True)])
def test_no_bar_beside_results_that_scroll_by(monkeypatch: pytest.MonkeyPatch, scrolls: bool, total: int, shown: bool) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream("utf-8", terminal=True))
    with screen.bar("Working", total, scrolls=scrolls) as bar:
        assert (bar is not None) is shown
