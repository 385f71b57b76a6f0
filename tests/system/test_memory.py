"""The daemon's memory does not grow with a message: 100 MB go through it in Postfix's pieces, to be signed and then to be verified."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.daemon import Daemon, allow
from support.mta import CHUNK, Mta, Result
from support.proof import results, tags

CEILING = 16 << 20
HEADER = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: large\r\n\r\n"
ALICE = {"{auth_type}": "PLAIN", "{auth_authen}": "alice"}
# Blank lines and runs of white space at the seams of the pieces are what a canonicalization has to hold back.
BODY = (b"one line  with \t white space at its end \t\r\n\r\n" + b"x" * 900 + b"\r\n\r\n") * 70
PIECE = BODY[:CHUNK]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon(allow("alice", ["example.org"]))
    daemon.add_key("example.org", "r1", "rsa2048")
    with daemon:
        yield daemon


class Watched:
    """The pieces of a body, and the most memory that the daemon held while they went through."""

    def __init__(self, daemon: Daemon, size: int, piece: bytes = PIECE) -> None:
        self.daemon, self.size, self.piece, self.most = daemon, size, piece, 0

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self.size // len(self.piece) + 1):
            if number % 50 == 0:
                self.most = max(self.most, self.daemon.rss())
            yield self.piece
        self.most = max(self.most, self.daemon.rss())


def play(daemon: Daemon, header: bytes, body: Watched, macros: dict[str, str] | None = None) -> Result:
    with Mta(("127.0.0.1", daemon.port), timeout=120) as mta:
        mta.open()
        return mta.stream(header, body, macros=macros)


@pytest.mark.parametrize(
    ("megabytes", "piece"),
    [(100, PIECE), (20, b" \r\n" * (CHUNK // 3)), (20, b"\r\n" * (CHUNK // 2)), (20, b"x" * CHUNK)],
    ids=["text", "blanks", "empty lines", "one line"],
)
def test_a_large_message_takes_no_memory(daemon: Daemon, megabytes: int, piece: bytes) -> None:
    small = play(daemon, HEADER, Watched(daemon, 1), ALICE)  # both ways once: what is loaded on first use is there
    play(daemon, small.message, Watched(daemon, 1))
    before = daemon.rss()
    body = Watched(daemon, megabytes * 1_000_000, piece)
    signed = play(daemon, HEADER, body, ALICE)
    assert [found["d"] for found in tags(signed.message)] == ["example.org"]
    received = play(daemon, signed.message, body)
    assert "dkim=pass" in results(received.message)
    assert body.most - before < CEILING, f"{(body.most - before) / 1e6:.1f} MB more"
