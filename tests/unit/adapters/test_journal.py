"""The log and the counters: one line each, whatever a stranger wrote, and mail goes on when the log does not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

import zegel
from zegel.adapters.journal import About, Journal, set_up_log
from zegel.dkim.result import DkimReason, DkimResult
from zegel.grammar.domain import Domain
from zegel.verdict.authenticate import Verdict

ABOUT = About("4ABC", "a@example.org", "login", "192.0.2.1", "alice")
HOSTILE = 'x\r\nevent=signed level="info"\x1b[2J\u2028\x00\u202e' + "y" * 5000


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    set_up_log(terminal=False)
    yield
    structlog.reset_defaults()


def with_signatures(results: list[DkimResult]) -> Verdict:
    """A verdict on an unsigned message, with other results for its signatures."""
    zone = zegel.Zone.from_dict({("_dmarc.example.org", "TXT"): ["v=DMARC1; p=none"]})
    verdict = zegel.authenticate(b"From: a@example.org\r\n\r\n", ip="192.0.2.1", helo=HOSTILE, mail_from=HOSTILE, resolver=zone)
    return replace(verdict, findings=verdict.findings._replace(dkim=results))


def counted(journal: Journal, name: str, **labels: str) -> float:
    return journal.registry.get_sample_value(name, labels) or 0.0


def test_a_signed_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    journal.signed(ABOUT, ["r._domainkey.example.org", "e._domainkey.example.org"], "example.org", warning="8-bit data in the body")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert line.startswith("event=signed queue_id=4ABC route=login client=192.0.2.1 login=alice mail_from=a@example.org ")
    assert 'warning="a hop may break this signature: 8-bit data in the body"' in line
    assert counted(journal, "zegel_messages_total", route="login", outcome="signed") == 1
    assert counted(journal, "zegel_signatures_total", domain="example.org") == 2


def test_what_is_not_signed_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    journal.not_signed(ABOUT, "no_key", "not signed: no key for example.org")
    assert capsys.readouterr().out.startswith('event="not signed: no key for example.org" queue_id=4ABC')
    assert counted(journal, "zegel_not_signed_total", reason="no_key") == 1


def test_results_are_counted_by_result_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    good, bad = DkimResult(DkimReason.VERIFIED, Domain("example.org"), "s"), DkimResult(DkimReason.BODY_CHANGED, detail="bh=")
    journal.verified(ABOUT, with_signatures([good, bad, bad]), 3)
    line = capsys.readouterr().out
    assert "forged_results_removed=3" in line
    assert " outcome=accepted reason=policy_none from=example.org dmarc=" in line, line
    assert counted(journal, "zegel_would_total", outcome="accepted", reason="policy_none") == 1
    assert counted(journal, "zegel_dkim_results_total", result="fail", reason="body_changed") == 2
    assert counted(journal, "zegel_messages_total", route="login", outcome="accepted") == 1
    assert counted(journal, "zegel_forged_results_total") == 3


def test_nothing_of_a_stranger_makes_a_line_or_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    about = About(HOSTILE, HOSTILE, "inbound", HOSTILE, HOSTILE)
    journal.signed(about, ["s._domainkey.example.org"], "example.org")
    journal.not_signed(about, "from_syntax", HOSTILE)
    journal.refused(about, "too_many_claims", HOSTILE)
    journal.verified(about, with_signatures([DkimResult(DkimReason.TAG_SYNTAX, detail=HOSTILE)] * 1000), 0)
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 5
    for line in lines:
        assert line.isprintable()
        assert len(line) < 8000


def test_a_fault_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    try:
        raise RuntimeError("half\nof it")
    except RuntimeError as error:
        journal.fault(error)
    line = capsys.readouterr().out
    assert "event=fault" in line
    assert "RuntimeError: half?of it" in line
    assert "Traceback" in line
    assert counted(journal, "zegel_faults_total") == 1


class Broken(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError("nobody reads")


def test_a_log_that_cannot_be_written_is_counted_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Broken())
    journal = Journal()
    journal.signed(ABOUT, ["s._domainkey.example.org"], "example.org")
    journal.fault(RuntimeError("x"))
    assert counted(journal, "zegel_log_lines_lost_total") == 2
    assert counted(journal, "zegel_messages_total", route="login", outcome="signed") == 1


def test_people_at_a_terminal_get_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log(terminal=True)
    Journal().note("keys loaded", generation=3)
    assert "keys loaded" in capsys.readouterr().out


@pytest.mark.parametrize("terminal", [True, False])
def test_a_fault_shows_no_local_variable(capsys: pytest.CaptureFixture[str], terminal: bool) -> None:
    def fails() -> None:
        private_pem = "-----BEGIN " + "".join(["PRI", "VATE"])
        raise ValueError(len(private_pem))

    set_up_log(terminal=terminal)
    try:
        fails()
    except ValueError as error:
        Journal().fault(error)
    shown = capsys.readouterr().out
    assert "ValueError" in shown
    assert "in fails" in shown
    assert "BEGIN PRIVATE" not in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_a_traceback_steers_no_terminal(capsys: pytest.CaptureFixture[str], terminal: bool) -> None:
    """An error may say what a stranger wrote, and so may the one that it came from."""
    set_up_log(terminal=terminal)
    try:
        try:
            raise ValueError(HOSTILE)
        except ValueError as cause:
            raise RuntimeError("\x1b]0;title\x07\x9b31m\r") from cause
    except RuntimeError as error:
        Journal().fault(error)
    shown = capsys.readouterr().out
    assert "RuntimeError: ?]0;title" in shown
    assert not set(shown.replace("\x1b[", "")) & set("\x1b\x07\x9b\r\u2028\x00\u202e")


def test_a_command_that_sets_up_no_log_shows_no_local_variable_either(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    secret = "MC4CAQAwBQYDK2Vw" * 2
    try:
        raise ValueError(len(secret))
    except ValueError as error:
        Journal().fault(error)
    shown = capsys.readouterr().out
    assert "ValueError" in shown
    assert secret not in shown
