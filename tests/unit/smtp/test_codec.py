"""Lines and data of a submission: only CRLF ends a line, only CRLF.CRLF a message, wherever the network cut them."""

from __future__ import annotations

import itertools

import pytest

from zegel.smtp.codec import LINE_CAP, DataStream, LineError, Lines, reply


def take_all(lines: Lines) -> list[bytes | str]:
    found: list[bytes | str] = []
    while True:
        try:
            line = lines.take()
        except LineError as error:
            found.append("long" if error.long else "bare")
            continue
        if line is None:
            return found
        found.append(line)


def fed(pieces: list[bytes]) -> list[bytes | str]:
    lines, found = Lines(), []
    for piece in pieces:
        lines.feed(piece)
        found += take_all(lines)
    return found


def read(pieces: list[bytes], *, mend: bool = False) -> tuple[bytes, bool, bool, bytes]:
    """The message, whether it ended, whether a CR or LF stood alone, and what came behind."""
    stream = DataStream(mend=mend)
    message, rest = b"", b""
    for piece in pieces:
        if stream.ended:
            rest += piece
        else:
            message += stream.feed(piece)
    return message, stream.ended, stream.bare > 0, stream.rest + rest


def test_lines_end_in_crlf_alone() -> None:
    assert fed([b"EHLO x\r\nNOOP\r\n"]) == [b"EHLO x", b"NOOP"]
    assert fed([b"EHLO x\nNOOP\r\n"]) == ["bare", b"NOOP"]
    assert fed([b"EHLO\rx\r\nNOOP\r\n"]) == ["bare", b"NOOP"]
    assert fed([b"EHLO x\r\r\n"]) == ["bare"]


@pytest.mark.parametrize(
    "stream", [b"A\r\nBC\r\nD\r\n", b"A\nB\r\n", b"x" * LINE_CAP + b"\r\nQUIT\r\n", b"x" * (LINE_CAP - 2) + b"\r\nQUIT\r\n"]
)
def test_any_cut_gives_the_same_lines(stream: bytes) -> None:
    whole = fed([stream])
    assert fed([stream[at : at + 1] for at in range(len(stream))]) == whole
    for at in range(0, len(stream), 1 + len(stream) // 200):
        assert fed([stream[:at], stream[at:]]) == whole


def test_a_line_that_is_too_long_is_told_once_and_kept_by_nobody() -> None:
    # RFC 5321 4.5.3.1.4.
    lines = Lines()
    told = 0
    for _ in range(1000):
        lines.feed(b"x" * 1000)
        try:
            assert lines.take() is None
        except LineError as error:
            told += error.long
        assert lines.waiting <= LINE_CAP
    lines.feed(b"\r\nNOOP\r\n")
    assert (told, take_all(lines)) == (1, [b"NOOP"])


def test_periods_are_unstuffed() -> None:
    assert read([b"a\r\n..b\r\n.c\r\n.\r\nQUIT"]) == (b"a\r\n.b\r\nc\r\n", True, False, b"QUIT")
    assert read([b".\r\n"]) == (b"", True, False, b"")
    assert read([b"..\r\n.\r\n"]) == (b".\r\n", True, False, b"")
    assert read([b".a\r\n.\r\n"]) == (b"a\r\n", True, False, b"")


SMUGGLED = [
    b"a\n.\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\n.\r\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\r\n.\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\r.\rMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\r\n.\rMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\r.\r\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\r\r\n.\r\r\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\n\r.\r\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b"a\r\n.\0\r\nMAIL FROM:<b@c.example>\r\nb\n.\r\n\r\n.\r\n",
    b"\n.\r\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b".\nMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
    b".\rMAIL FROM:<b@c.example>\r\nb\r\n.\r\n",
]


@pytest.mark.parametrize("stream", SMUGGLED)
@pytest.mark.parametrize("mend", [False, True])
def test_nothing_but_crlf_period_crlf_ends_a_message_however_it_is_cut(stream: bytes, mend: bool) -> None:
    message, ended, bare, rest = whole = read([stream], mend=mend)
    assert ended
    assert bare
    assert rest == b""
    assert b"MAIL FROM:<b@c.example>" in message
    if mend:
        assert message.count(b"\r") == message.count(b"\n") == message.count(b"\r\n")
    for at in range(len(stream) + 1):
        assert read([stream[:at], stream[at:]], mend=mend) == whole
    assert read([stream[at : at + 1] for at in range(len(stream))], mend=mend) == whole


def test_all_short_streams_are_read_as_a_slow_reader_does() -> None:
    for length in range(1, 8):
        for letters in itertools.product(b"\r\n.a", repeat=length):
            stream = bytes(letters) + b"\r\n.\r\n"
            expected, rest = slow(stream)
            assert read([stream])[0] == expected
            assert read([stream])[3] == rest
            assert read([stream[at : at + 1] for at in range(len(stream))])[0] == expected


def slow(stream: bytes) -> tuple[bytes, bytes]:
    """RFC 5321 4.5.2 by lines that end in CRLF, and in nothing else."""
    message: list[bytes] = []
    while True:
        line, _, stream = stream.partition(b"\r\n")
        if line == b".":
            return b"".join(message), stream
        message.append(line.removeprefix(b".") + b"\r\n")


def test_data_takes_constant_memory_and_linear_time() -> None:
    stream = DataStream()
    given = 0
    for _ in range(2000):
        given += len(stream.feed(b"x" * 98 + b"\r\n"))
        assert len(stream._held) <= 4
    assert given >= 2000 * 100 - 4


def test_replies_are_lines_of_ascii_with_both_codes() -> None:
    # RFC 2034 4.
    assert reply("250", "2.1.0", "OK") == b"250 2.1.0 OK\r\n"
    assert reply("550", "5.7.1", "caf\u00e9\r\n250 OK") == b"550 5.7.1 caf???250 OK\r\n"
    lines = reply("550", "5.7.1", "word " * 200).split(b"\r\n")
    assert [line[:10] for line in lines[:-2]] == [b"550-5.7.1 "] * (len(lines) - 2)
    assert lines[-2].startswith(b"550 5.7.1 ")
    assert max(map(len, lines)) < 510
