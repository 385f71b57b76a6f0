"""A message handed over on this machine: what is read is written again the same, and an address that is taken stays within its path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zegel.adapters.dropfolder import _parsed
from zegel.smtp.path import PathError, mailbox, read
from zegel.submission.handed import MAX_HEAD, MAX_RECIPIENTS, HandedError, read_head

WORDS = (
    *(b"zegel-handover 1\n", b"id ", b"via sendmail\n", b"via django\n", b"from ", b"to ", b"size ", b"\n", b"\r", b"\0", b"<", b">", b'"'),
    *(b'"a b"@example.org', "jan@bücher.example".encode(), b"@a:", b"\\", b" ", b"\xe2\x80\xae", b"info@example.org"),
)
_ID = b"id " + b"0123456789abcdef" * 2
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"@')


def starts() -> Iterator[bytes]:
    head = b"zegel-handover 1\n" + _ID + b"\nvia sendmail\nfrom a@example.be\nto b@example.org\n"
    yield head + b"size 3\nabc"
    yield head + b"to c@example.org\nsize 0\n"
    yield head + 'to "x y"@example.org\nto jan@bücher.example\nsize 3\nabc'.encode()
    yield head.replace(b"from a@example.be", b"from ") + b"size 3\nab"


def fuzz(data: bytes) -> None:
    head = data[: data.find(b"\n", data.find(b"\nsize ") + 1) + 1]
    try:
        handed = read_head(head)
    except HandedError:
        handed = None
    try:
        found = _parsed(data)
    except HandedError:
        found = None
    if found is not None:
        whole, content = found
        assert len(content) == whole.size
        assert data.endswith(content)
    if handed is None or len(head) > MAX_HEAD:
        assert found is None
        return
    assert 1 <= len(handed.recipients) <= MAX_RECIPIENTS
    # The number may have been written with zeros before it.
    assert handed.head().rpartition(b"size ")[0] == head.rpartition(b"size ")[0]
    for address in handed.recipients:
        try:
            taken = mailbox(address)
        except PathError as error:
            assert error.code[0] == "5"
            continue
        assert mailbox(taken) == taken
        assert set(taken).isdisjoint("\r\n\0")
        assert set(_QUOTED.sub("@", taken)).isdisjoint("<> ")
        # What stands in the path of a command is read back as that address and nothing else. RFC 5321 4.1.2.
        path = read(f"TO:<{taken}>".encode(), "TO", hostname="mail.example.be")
        assert (path.address, path.parameters) == (taken, {})
