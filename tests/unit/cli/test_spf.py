"""``zegel spf``."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run

ZONE = """
example.be. TXT "v=spf1 include:_spf.example.org -all exp=why.example.be"
_spf.example.org. TXT "v=spf1 ip4:192.0.2.0/24 ?all"
why.example.be. TXT "%{i} may not send for %{d} at %{t}"
mx.example.org. TXT "v=spf1 a -all"
mx.example.org. A 192.0.2.1
broken.example. TXT "v=spf1 moo"
"""
OPTIONS = ("--helo", "mx.example.org", "--mail-from", "jan@example.be", "--now", "1700000000")


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    file = tmp_path / "zone"
    file.write_text(ZONE)
    return file


def test_a_pass_and_the_terms_that_led_to_it(zegel: Run, zone: Path, data: Path) -> None:
    ended = zegel("spf", "--ip", "192.0.2.1", *OPTIONS, "--zone", zone)
    assert (ended.status, ended.errors) == (0, "")
    assert "192.0.2.1: pass" in ended.text
    assert "at example.be: include:_spf.example.org" in ended.text
    assert "at _spf.example.org: ip4:192.0.2.0/24" in ended.text
    assert not data.exists()


def test_a_fail_and_its_explanation(zegel: Run, zone: Path) -> None:
    ended = zegel("spf", "--ip", "2001:db8::1", *OPTIONS, "--zone", zone)
    assert ended.status == 1
    assert "RFC 7208 2.6.4" in ended.text
    assert "example.be explains: 2.0.0.1.0.D.B.8" in ended.text
    assert "at 1700000000" in ended.text


def test_as_json(zegel: Run, zone: Path) -> None:
    told = zegel("spf", "--ip", "192.0.2.9", *OPTIONS, "--zone", zone, "--json").json
    assert (told["status"], told["helo"]["status"], told["mail_from"]["status"]) == ("pass", "fail", "pass")
    assert told["mail_from"]["path"][1] == {"domain": "_spf.example.org", "term": "ip4:192.0.2.0/24"}
    assert told["mail_from"]["mechanism"] == "include:_spf.example.org"
    assert (told["helo"]["reason"], told["helo"]["sender"]) == ("not_permitted", "postmaster@mx.example.org")


@pytest.mark.parametrize(
    ("helo", "mail_from", "status", "ended"),
    [
        ("mx.example.org", "", "pass", 0),
        ("mx.example.org", "<>", "pass", 0),
        ("localhost", "", "none", 1),
        ("x", "jan@nowhere.example", "none", 1),
        ("x", "jan@broken.example", "permerror", 1),
    ],
)
def test_the_status_is_that_of_mail_from(zegel: Run, zone: Path, helo: str, mail_from: str, status: str, ended: int) -> None:
    done = zegel("spf", "--ip", "192.0.2.1", "--helo", helo, "--mail-from", mail_from, "--zone", zone, "--json")
    assert (done.json["status"], done.status) == (status, ended)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ip", "192.0.2", "--helo", "x.example"), "'192.0.2' is no IP address"),
        (("--ip", "192.0.2.1"), "--mail-from"),
        (("--helo", "x.example"), "Missing option '--ip'"),
        (("--ip", "192.0.2.1", "--helo", "x", "--zone", "/no/such/file"), "/no/such/file"),
    ],
)
def test_usage(zegel: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = zegel("spf", *arguments)
    assert (ended.status, ended.stdout) == (2, b"")
    assert said in ended.errors
    assert ended.errors.count("\n") == 1


def test_what_a_stranger_wrote_does_not_steer_the_terminal(zegel: Run, zone: Path) -> None:
    ended = zegel("spf", "--ip", "192.0.2.1", "--helo", "\x1b[2J", "--mail-from", "\x1b]0;x\x07@", "--zone", zone)
    assert "\x1b" not in ended.text
    assert ended.status == 1
