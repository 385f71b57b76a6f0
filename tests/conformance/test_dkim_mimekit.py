"""MimeKit's messages: Gmail's signatures over several shapes of MIME, RFC 8463's example, and a key pair with its zone texts."""

from __future__ import annotations

import re

import pytest

import zegel
from support import cases

FOLDER = cases.suite("dkim/mimekit")
NOW = 1_700_000_000
PEM_LINES = re.compile(r"-----.*?-----|\s")
EXPECTED = {
    "gmail": "pass",
    "multipart-no-end-boundary": "pass",
    "related": "pass",
    "rfc8463-example": "pass pass",
}
EXCEPTIONS: dict[str, str] = {}


def zone() -> zegel.Zone:
    gmail = PEM_LINES.sub("", (FOLDER / "gmail.pub").read_text("ascii"))
    return cases.txt_zone({**cases.RFC_RECORDS, "20120113._domainkey.gmail.com": f"k=rsa; p={gmail}"})


@pytest.mark.parametrize("name", EXPECTED)
def test_case(name: str) -> None:
    assert cases.words(zegel.verify(cases.message(FOLDER / f"{name}.msg"), resolver=zone(), now=NOW)) == EXPECTED[name]


def test_all_are_there() -> None:
    assert {path.stem for path in FOLDER.glob("*.msg")} == set(EXPECTED)
    assert not EXCEPTIONS


def test_zone_text_and_key_pair() -> None:
    """Its zone text is a multi-string TXT record in brackets; the key signs, and that record verifies."""
    published = zegel.Zone.parse((FOLDER / "example.bind9").read_text("ascii"))
    key = zegel.Key("example.com", "1433868189.example", (FOLDER / "example.pem").read_bytes())
    assert PEM_LINES.sub("", (FOLDER / "example.pub").read_text("ascii")) == key.public
    message = b"From: a@example.com\r\nSubject: hello\r\n\r\nbody\r\n"
    results = zegel.verify(zegel.sign(message, key, now=NOW) + message, resolver=published, now=NOW)
    assert cases.words(results) == "pass"
