"""``zegel authenticate``."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import inbound, samples

from .conftest import Run

ZONE = """
example.org. TXT "v=spf1 ip4:192.0.2.0/24 -all"
mx.example.org. TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.org. TXT "v=DMARC1; p=reject"
"""
SENDER = ("--helo", "mx.example.org", "--mail-from", inbound.SENDER, "--now", str(samples.NOW))


@pytest.fixture
def dns(tmp_path: Path) -> Path:
    file = tmp_path / "zone"
    file.write_text(samples.with_key(ZONE))
    return file


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    file = tmp_path / "mail.eml"
    file.write_bytes(inbound.signed())
    return file


def test_a_message_that_passes(zegel: Run, dns: Path, mail: Path, data: Path) -> None:
    ended = zegel("authenticate", mail, "--ip", "192.0.2.1", *SENDER, "--zone", dns)
    assert (ended.status, ended.errors) == (0, "")
    assert f"{mail}: pass, accept" in ended.text
    for line in ("├─ SPF", "├─ DKIM", "├─ DMARC", "└─ What happens to it", "✓ the message is accepted: nothing speaks against the message"):
        assert line in ended.text, line
    assert "TXT: 1 found" not in ended.text
    assert not data.exists()


def test_the_whole_story(zegel: Run, dns: Path, mail: Path) -> None:
    ended = zegel("authenticate", mail, "--ip", "192.0.2.1", *SENDER, "--zone", dns, "--explain")
    assert "│  ├─ ed._domainkey.example.org TXT: 1 found" in ended.text
    assert "_dmarc.example.org TXT: 1 found" in ended.text


@pytest.mark.parametrize(("mode", "action"), [("observe", "accept"), ("quarantine", "quarantine"), ("reject", "reject")])
def test_a_message_that_fails_in_each_mode(zegel: Run, dns: Path, mode: str, action: str) -> None:
    options = ("--ip", "198.51.100.7", *SENDER, "--zone", dns, "--mode", mode, "--own-domain", "example.org")
    ended = zegel("authenticate", "-", *options, stdin=inbound.changed())
    assert ended.status == 1
    assert f"standard input: fail, {action}" in ended.text
    assert "✗ fail MAIL FROM example.org" in ended.text
    assert "example.org is ours" in ended.text
    assert "RFC 9989 7.4" in ended.text
    told = zegel("authenticate", *options, "--json", stdin=inbound.changed()).json
    assert (told["status"], told["action"], told["would"], told["reason"]) == ("fail", action, "reject", "policy_reject")
    assert [mark["reason"] for mark in told["marks"]] == ["imitates_us"]
    assert told["authentication_results"].endswith("header.from=example.org policy.dmarc=reject")
    assert told["story"][-1]["action"] == action
    assert (told["override"] is None) is (mode == "reject")


def test_several_messages_and_one_that_is_not_there(zegel: Run, dns: Path, mail: Path, tmp_path: Path) -> None:
    ended = zegel("authenticate", mail, tmp_path / "none", mail, "--ip", "192.0.2.1", *SENDER, "--zone", dns, "--json")
    assert ended.status == 2
    assert ended.text.count('"status": "pass", "action": "accept"') == 2
    assert "cannot be read" in ended.errors


@pytest.mark.parametrize(
    "wrong",
    [
        ("--ip", "192.0.2", *SENDER),
        ("--ip", "192.0.2.1"),
        ("--ip", "192.0.2.1", *SENDER, "--mode", "off"),
        ("--ip", "192.0.2.1", *SENDER, "--own-domain", "no domain"),
        ("--ip", "192.0.2.1", *SENDER, "--trusted-sealer", ".."),
        SENDER,
    ],
)
def test_usage(zegel: Run, dns: Path, wrong: tuple[str, ...]) -> None:
    ended = zegel("authenticate", *wrong, "--zone", dns, stdin=b"")
    assert ended.status == 2
    assert ended.errors.startswith("zegel: ")
    assert ended.errors.count("\n") == 1


def test_what_a_stranger_wrote_steers_no_terminal(zegel: Run, dns: Path) -> None:
    message = b"From: \x1b]0;x\x07 <a@b.example>, \xc2\x9b31m\r\n\r\n"
    ended = zegel("authenticate", "--ip", "192.0.2.1", "--helo", "\x1b[2J.example", "--mail-from", "\x07", "--zone", dns, stdin=message)
    assert ended.status == 1
    assert "✗ From cannot be trusted" in ended.text
    assert all(char.isprintable() or char == "\n" for char in ended.text)
