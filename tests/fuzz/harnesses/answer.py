"""What an SMTP server answers, read by a client: one list of replies however the octets are cut, that of a slow reader. RFC 5321 4.2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuzz.dice import Dice
from zegel.smtp.answer import MAX_LINE, MAX_REPLY, Answer, Answers, MalformedError, extensions

WORDS = (
    *(b"250", b"250-", b"250 ", b"354 ", b"421 4.7.0 ", b"550 5.1.1 ", b"550-4.1.1 "),
    *(b"\r\n", b"\n", b"\r", b"\0", b"\x1b[2J", b"AUTH=LOGIN"),
)
_LINE = re.compile(rb"[2345]\d\d(?:[ -].*)?", re.DOTALL)
Heard = tuple[list[Answer], bool]


def starts() -> Iterator[bytes]:
    yield b"\x03220 mx.example.org ESMTP\r\n250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 AUTH=LOGIN PLAIN\r\n"
    yield b"\x07250 2.1.0 ok\r\n550-5.1.1 no such\r\n550 5.1.1 user\r\n354\r\n250 2.0.0 queued\n"
    yield b"\x01550-5.7.1 a\r\n451 b\r\n"
    yield b"\x09" + b"250-x\r\n" * 100 + b"250 x\r\n"


def fuzz(data: bytes) -> None:
    octets = data[1:] * (1 + 40 * (data[:1] > b"\xf0"))  # a reply that does not end
    whole = hear([octets])
    assert whole == hear([octets[at : at + 1] for at in range(len(octets))])
    dice, pieces, at = Dice(data), [], 0
    while at < len(octets):
        size = 1 + dice.number(40)
        pieces.append(octets[at : at + size])
        at += size
    assert whole == hear(pieces)
    assert whole == slowly(octets)
    for answer in whole[0]:
        assert 200 <= answer.code <= 599
        assert answer.ok + answer.refused + (300 <= answer.code < 400) == 1
        assert not answer.enhanced or answer.enhanced[0] == str(answer.code)[0]
        assert sum(map(len, answer.lines)) <= MAX_REPLY
        assert "\n" not in answer.text
        assert all(keyword == keyword.upper() for keyword in extensions(answer))


def hear(pieces: list[bytes]) -> Heard:
    reader, found = Answers(), list[Answer]()
    try:
        for piece in pieces:
            # What was whole before the fault is lost with it, in one piece or in many.
            found += reader.feed(piece)
    except MalformedError:
        return [], True
    return found, False


def slowly(octets: bytes) -> Heard:
    """Line by line, after RFC 5321 4.2.1 alone."""
    *lines, rest = octets.split(b"\n")
    found: list[Answer] = []
    group: list[bytes] = []
    size = 0
    for line in lines:
        text = line[:-1] if line.endswith(b"\r") else line
        size += len(text)
        if len(text) > MAX_LINE or size > MAX_REPLY or not _LINE.fullmatch(text) or (group and text[:3] != group[0][:3]):
            return [], True
        group.append(text)
        if text[3:4] != b"-":
            words = [each[4:].decode("utf-8", "replace") for each in group]
            enhanced = re.match(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?= |$)", words[0])
            code = enhanced[1] if enhanced and enhanced[1][0] == chr(text[0]) else ""
            if code:
                words = [each[len(code) :].lstrip(" ") if each.startswith(code) else each for each in words]
            found.append(Answer(int(text[:3]), code, tuple(words)))
            group, size = [], 0
    return ([], True) if len(rest) > MAX_LINE else (found, False)
