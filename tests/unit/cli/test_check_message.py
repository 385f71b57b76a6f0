"""``zegel check --message``, ``--profile`` and ``--html``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import inbound, samples
from support.testmail import MAIL, signed

from .conftest import Run

ZONE = """
example.org. TXT "v=spf1 ip4:192.0.2.0/24 -all"
example.org. MX 10 mx.example.org.
mx.example.org. A 192.0.2.1
mx.example.org. TXT "v=spf1 ip4:192.0.2.1 -all"
1.2.0.192.in-addr.arpa. PTR mx.example.org.
_dmarc.example.org. TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"
"""
RECEIVED = (
    b"Return-Path: <joe@example.org>\r\nReceived: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mail.example.com (Postfix) with "
    b"ESMTPS id 1;\r\n\tTue, 22 Sep 2026 14:13:20 +0000\r\n"
)
NOW = ("--now", str(samples.NOW))


@pytest.fixture
def dns(tmp_path: Path) -> Path:
    file = tmp_path / "zone"
    file.write_text(samples.with_key(ZONE))
    return file


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    file = tmp_path / "mail.eml"
    file.write_bytes(RECEIVED + signed())
    return file


def test_a_message_from_a_mailbox_tells_its_own_envelope(zegel: Run, dns: Path, mail: Path, data: Path) -> None:
    ended = zegel("check", "--message", mail, "--zone", dns, *NOW)
    assert (ended.status, ended.errors) == (0, "")
    for words in (
        f"{mail}: hello",
        "✓ Yes: DKIM proves that the message is of example.org",
        "the server mx.example.org [192.0.2.1] brought it, as the Received field of",
        "✓ SPF of example.org for 192.0.2.1: pass",
        "✓ it came over an encrypted connection (TLS)",
        "✓ 192.0.2.1 is mx.example.org",
    ):
        assert words in ended.text, words
    assert not data.exists()


def test_the_envelope_may_be_named(zegel: Run, dns: Path, mail: Path) -> None:
    ended = zegel("check", "--message", mail, "--ip", inbound.BAD, "--helo", "mx.example.org", "--zone", dns, *NOW)
    assert ended.status == 1
    assert "✗ SPF of example.org for 198.51.100.7: fail" in ended.text
    assert '    example.org. 3600 IN TXT "v=spf1 ip4:198.51.100.7 ip4:192.0.2.0/24 -all"' in ended.text
    other = zegel("check", "--message", mail, "--mail-from", "x@other.example", "--zone", dns, *NOW)
    assert "SPF of other.example" in other.text


def test_json_and_several_messages(zegel: Run, dns: Path, mail: Path) -> None:
    ended = zegel("check", "--message", mail, "--message", "-", "--json", "--profile", "google", "--zone", dns, *NOW, stdin=MAIL)
    first, second = (json.loads(line) for line in ended.text.splitlines())
    assert (first["level"], first["subject"], first["file"]) == ("pass", "hello", str(mail))
    (profile,) = first["profiles"]
    assert {test["id"]: test["result"] for test in profile["tests"]}["4.7.30"] == "pass"
    assert second["file"] == "-"
    untested = {item["id"] for item in second["items"] if item["level"] == "not_tested"}
    assert untested == {"message.path", "message.spf"}
    assert ended.status == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--message", "-", "--ip", "x"), "'x' is no IP address"),
        (("--message", "-", "--helo", "x"), "--helo goes with --ip"),
        (("example.org", "--message", "-"), "either domains or test mails"),
        (
            ("example.org", "--profile", "x"),
            "'x' is no profile; take one of: google, yahoo, microsoft, internet.nl, bod-18-01, belgium, all",
        ),
        (("--message", "/nowhere.eml"), "/nowhere.eml cannot be read"),
    ],
)
def test_what_is_wrong_is_said(zegel: Run, dns: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = zegel("check", *arguments, "--zone", dns, stdin=MAIL)
    assert ended.status == 2
    assert said in ended.errors


def test_a_profile_of_a_domain(zegel: Run, dns: Path) -> None:
    ended = zegel("check", "example.org", "--selector", "ed", "--profile", "internet.nl", "--zone", dns)
    lines = ended.text.splitlines()
    assert ended.status == 1
    assert any(line.startswith("✗ internet.nl, mail test: not met; 4 of ") for line in lines)  # no IPv6, DANE, CAA, TLS-RPT
    assert any(line.startswith("✓ mail_auth_dmarc_policy ") for line in lines)
    assert any(line.startswith("? mail_starttls_tls_available ") for line in lines)
    passed = zegel("check", "example.org", "--selector", "ed", "--profile", "belgium", "--zone", dns)
    assert passed.status == 0


def test_all_profiles_in_json(zegel: Run, dns: Path) -> None:
    ended = zegel("check", "example.org", "--profile", "all", "--json", "--zone", dns)
    assert [profile["profile"] for profile in ended.json["profiles"]] == [
        "google",
        "yahoo",
        "microsoft",
        "internet.nl",
        "bod-18-01",
        "belgium",
    ]
    tests = [test for profile in ended.json["profiles"] for test in profile["tests"]]
    assert {test["result"] for test in tests} >= {"pass", "fail", "not_tested"}
    assert all(test["items"] for test in tests if test["result"] in ("pass", "fail"))


def test_a_page_of_several_domains(zegel: Run, dns: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = zegel("check", "example.org", "nothing.example", "--html", page, "--zone", dns)
    assert f"The report is in {page}" in ended.text.replace("\n", " ")
    text = page.read_text("utf-8")
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert "2 domains" in text
    assert "nothing.example" in text
    assert [path.name for path in tmp_path.glob(".zegel-*")] == []


def test_a_page_in_dutch(zegel: Run, dns: Path, mail: Path, tmp_path: Path) -> None:
    page = tmp_path / "verslag.html"
    command = [sys.executable, "-m", "zegel.cli.main", "check", "--message", str(mail), "--html", str(page), "--zone", str(dns), *NOW]
    environment = {**os.environ, "LANGUAGE": "nl", "LANG": "nl_BE.UTF-8", "ZEGEL_DATA": str(tmp_path / "d")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert '<html lang="nl">' in page.read_text("utf-8")


def test_a_page_that_cannot_be_written_leaves_nothing(zegel: Run, dns: Path, tmp_path: Path) -> None:
    page = tmp_path / "no" / "report.html"
    ended = zegel("check", "example.org", "--html", page, "--zone", dns)
    assert ended.status == 2
    assert ended.errors == f"zegel: there is no folder {page.parent}; make it, or name the page elsewhere\n"
    assert not ended.stdout, "it is told before the work is done"
    assert not page.parent.exists()
