"""Forgeries through a real Postfix: the parser differentials between its line reader, our splitter and readers of what is delivered.

Postfix mends what it is sent (NUL, bare CR, names with white space, a "From " line on top, headers of 110 kB) before or after the milter
sees it. So what counts is the delivered message: nobody may find our name on a result that is not ours, nor another From under a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import zegel
from support.proof import results
from support.receiving import Receiving, receiving

HEADER = b"From: Them <a@partner.example>\r\nTo: info@example.org\r\nSubject: hello\r\n"
BODY = b"\r\nhello\r\n"
CLAIM = b"Authentication-Results: mail.example.org; dkim=pass header.d=bank.example"
EVIL = b"From: evil@evil.example"


@pytest.fixture(scope="module")
def site() -> Iterator[Receiving]:
    with receiving() as made:
        yield made


def readings(message: bytes) -> Iterator[list[tuple[bytes, bytes]]]:
    """The fields (name in lower case, value) as readers of three kinds see them: CRLF only, without NULs, and with any line end."""
    for end, text in (
        (b"\r\n", message),
        (b"\r\n", message.replace(b"\0", b"")),
        (b"\n", re.sub(rb"\r\n|\r|\n", b"\n", message)),
    ):
        lines = re.split(end + rb"(?![ \t])", text.partition(end * 2)[0])
        yield [(name.strip(b" \t\0\x0b\x0c\r\n").lower(), value) for name, _, value in (line.partition(b":") for line in lines)]


CLAIMS = {
    "bare CR": HEADER + b"X: a\r" + CLAIM + b"\r\n",
    "bare CR on top": b"X: a\r" + CLAIM + b"\r\n" + HEADER,
    "two bare CRs": HEADER + b"X: a\r\r" + CLAIM + b"\r\n",
    "bare LF": HEADER + b"X: a\n" + CLAIM + b"\r\n",
    "behind a NUL": HEADER + b"X: a\0\r\n" + CLAIM + b"\r\n",
    "NUL in the name": HEADER + CLAIM.replace(b"Auth", b"Auth\0") + b"\r\n",
    "NUL behind the name": HEADER + CLAIM.replace(b":", b"\0:") + b"\r\n",
    "NUL before the id": HEADER + CLAIM.replace(b": ", b": \0") + b"\r\n",
    "white space on top": b" " + CLAIM + b"\r\n" + HEADER,
    "behind white space on top": b" x\r\n" + CLAIM + b"\r\n" + HEADER,
    "behind a From line": b"From attacker Mon\r\n" + CLAIM + b"\r\n" + HEADER,
    "behind no field": HEADER + b"no field\r\n" + CLAIM + b"\r\n",
    "behind an empty name": HEADER + b": x\r\n" + CLAIM + b"\r\n",
    "behind two words": HEADER + b"X Y: x\r\n" + CLAIM + b"\r\n",
    "tab before the colon": HEADER + CLAIM.replace(b":", b"\t:") + b"\r\n",
    "fold before the colon": HEADER + CLAIM.replace(b":", b"\r\n :", 1) + b"\r\n",
    "vertical tab before the colon": HEADER + CLAIM.replace(b":", b"\x0b:") + b"\r\n",
    "behind a line of white space": HEADER + b"X: a\r\n \r\n" + CLAIM + b"\r\n",
    "behind a long field": HEADER + b"X: " + b"a" * 110_000 + b"\r\n" + CLAIM + b"\r\n",
    "at the limit of a line": HEADER + b"X: " + b"a" * 2045 + CLAIM + b"\r\n",
    "behind a long comment": HEADER + CLAIM.replace(b": ", b": (" + b"a" * 110_000 + b") ") + b"\r\n",
    "past our bound": HEADER + (b"Y: " + b"b" * 900 + b"\r\n") * 100 + CLAIM + b"\r\n",
    "folds of white space": HEADER + CLAIM.replace(b": ", b":\r\n\t\r\n ") + b"\r\n",
    "CR for a space": HEADER + CLAIM.replace(b": ", b":\r") + b"\r\n",
    "between others": HEADER + (CLAIM + b"\r\nAuthentication-Results: first.example; dkim=pass\r\n") * 5,
}


@pytest.mark.parametrize("name", CLAIMS)
def test_nobody_finds_our_name_on_a_forged_result(site: Receiving, name: str) -> None:
    delivered = site.receive(CLAIMS[name] + BODY).data
    assert results(delivered).startswith("mail.example.org; dkim=")
    for fields in readings(delivered):
        ours = [value for field, value in fields if field == b"authentication-results" and b"mail.example.org" in value.lower()]
        assert len(ours) == 1, ours
        assert b"bank.example" not in ours[0]


ALTERATIONS = {
    "on top": EVIL + b"\r\n%b",
    "white space before the colon": EVIL.replace(b":", b" :") + b"\r\n%b",
    "tab before the colon": EVIL.replace(b":", b"\t:") + b"\r\n%b",
    "vertical tab before the colon": EVIL.replace(b":", b"\x0b:") + b"\r\n%b",
    "NUL in the name": EVIL.replace(b"Fr", b"Fr\0") + b"\r\n%b",
    "NUL behind the name": EVIL.replace(b":", b"\0:") + b"\r\n%b",
    "NUL on top": b"\0" + EVIL + b"\r\n%b",
    "white space on top": b" " + EVIL + b"\r\n%b",
    "bare CR": b"X: a\r" + EVIL + b"\r\n%b",
    "bare LF": b"X: a\n" + EVIL + b"\r\n%b",
    "behind a From line": b"From attacker Mon\r\n" + EVIL + b"\r\n%b",
    "behind no field": b"no field\r\n" + EVIL + b"\r\n%b",
}


@pytest.mark.parametrize("canonicalization", ["relaxed/relaxed", "simple/simple"])
@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_pass_has_no_other_author_beside_it(site: Receiving, name: str, canonicalization: str) -> None:
    signed = site.signed(HEADER + BODY, canonicalization=canonicalization)
    delivered = site.receive(ALTERATIONS[name] % signed).data
    assert "dkim=" in results(delivered)
    if "dkim=pass" in results(delivered):
        for fields in readings(delivered):
            assert [value.strip() for field, value in fields if field == b"from"] == [b"Them <a@partner.example>"]


@pytest.mark.parametrize("what", [b"Them <a@partner.example>", b"hello\r\n\r\n", b"hello\r\n"])
@pytest.mark.parametrize("added", [b"\0, b@evil.example", b"\r, b@evil.example", b"\0\r\n evil"])
def test_what_a_pass_covers_is_what_arrives(site: Receiving, what: bytes, added: bytes) -> None:
    """Postfix cuts a field at a NUL: what it shows us must be what it delivers."""
    message = HEADER + BODY
    signed = zegel.sign(message, site.key) + message.replace(what, what.rstrip() + added + what[len(what.rstrip()) :], 1)
    delivered = site.receive(signed).data
    assert ("dkim=pass" in results(delivered)) <= (b"evil" not in delivered)
