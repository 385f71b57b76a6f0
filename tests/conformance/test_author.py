"""Who the author is, over the suites: spoofing (espoofer), From fields (OpenDMARC), and the odd messages of Python's own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support import cases
from support.cases import Difference
from zegel.dkim.header import Header
from zegel.grammar.message import split_message
from zegel.verdict.author import Author, AuthorReason, read_author

SPOOFING = cases.load(cases.suite("attacks") / "spoofing.json")["cases"]
FROM_FIELDS = cases.load(cases.suite("dmarc") / "opendmarc-tables.json")["from_domain"]
ODD = sorted(cases.suite("mime").glob("python-stdlib/msg_*.txt"))


def author(message: bytes) -> Author:
    return read_author(Header(split_message(message, header_bytes=262_144).header))


# The rest of its cases lie about the envelope or in a signature: their From is plain, and says who is imitated.
FROM_ATTACKS = {
    "server_a8": AuthorReason.SEVERAL_FIELDS,
    "server_a9": AuthorReason.HIDDEN_FIELD,
    "client_a1": AuthorReason.SEVERAL_FIELDS,
}


@pytest.mark.parametrize("name", SPOOFING)
@pytest.mark.parametrize(
    "above", [b"", b"Received: from a.example by b.example; Tue, 07 Jan 2020 10:00:00 +0000\r\n"], ids=["first", "received"]
)
def test_spoofing(name: str, above: bytes) -> None:
    """A server puts its Received on top, under which a line that begins with a space is its continuation (RFC 5322 2.2.3)."""
    data = SPOOFING[name]["data"]
    fields = (data[key] for key in ("from_header", "to_header", "subject_header", "other_headers", "body"))
    found = author(above + "".join(fields).encode("latin-1"))
    expected = FROM_ATTACKS.get(name, AuthorReason.ONE_AUTHOR)
    if name == "server_a9" and above:
        expected = AuthorReason.FOLDED_FIELD
    assert found.reason is expected
    assert found.domain == ("legitimate.com" if expected is AuthorReason.ONE_AUTHOR else None)


_MAILBOX = 'RFC 5322 3.4: name-addr = [display-name] angle-addr; "addr-spec" alone has no name before it'
_SEVERAL = 'RFC 9989 5.3.1: "If zero or more than one domain is extracted [...] DMARC validation is not possible"; none is picked'
_COLON = "RFC 5322 3.4: a colon ends the name of a group, and there is no semicolon to end the group"
FROM_DIFFERENCES = {
    '"Johnson, Joe <joe@joe.com>" joe@joe.com': Difference("joe.com", "no_address", _MAILBOX),
    '"( bob@bob.com)" joe@joe.com': Difference("joe.com", "no_address", _MAILBOX),
    "<<<><joe@joe.com>>>": Difference("joe.com", "brackets", 'RFC 5322 3.4: angle-addr = "<" addr-spec ">", once'),
    "Joe Johnson <joe@joe.com>, ace@ace.com": Difference("joe.com", "several_addresses", _SEVERAL),
    "joe@joe.com, ace@ace.com": Difference("joe.com", "several_addresses", _SEVERAL),
    "Mail From:<joe@joe.com>": Difference("joe.com", "group_syntax", _COLON),
    "From: Davide D'Marco <user@blah.com>": Difference("blah.com", "group_syntax", _COLON),
}


@pytest.mark.parametrize("row", FROM_FIELDS, ids=lambda row: row["from"])
def test_from_field(row: dict[str, Any]) -> None:
    found = author(b"From: " + row["from"].encode() + b"\r\n\r\n")
    if row["from"] in FROM_DIFFERENCES:
        assert (row["expect"], found.reason.id) == FROM_DIFFERENCES[row["from"]][:2]
        assert found.domain is None
    else:
        assert found.domain == row["expect"]


# Those without one author; all others have one.
ODD_REASONS = {
    "msg_05.txt": "not_single",  # From: foo
    **dict.fromkeys(("msg_11.txt", "msg_18.txt", "msg_19.txt", "msg_37.txt", "msg_38.txt", "msg_39.txt", "msg_40.txt"), "no_field"),
    "msg_43.txt": "missing",  # From: MAILER DAEMON <>
}


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.name)
def test_odd_message(path: Path) -> None:
    found = author(cases.message(path))
    assert found.reason.id == ODD_REASONS.get(path.name, "one_author")
    assert (found.mailbox is None) is (found.reason is not AuthorReason.ONE_AUTHOR)


def test_the_lists_are_whole() -> None:
    assert (len(SPOOFING), len(FROM_FIELDS), len(ODD)) == (10, 13, 47)
    assert set(FROM_DIFFERENCES) <= {row["from"] for row in FROM_FIELDS}
    assert set(FROM_ATTACKS) <= set(SPOOFING)
    assert set(ODD_REASONS) <= {path.name for path in ODD}
