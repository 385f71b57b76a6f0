"""Signed messages, and what forgers make of them: none passes but what was signed, and what was signed passes. RFC 6376 6.1.3.

The judge is a second verifier, slow and independent (:mod:`fuzz.reference`): the two must say the same of every signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from fuzz import reference, signer
from fuzz.dice import Dice
from fuzz.reference import CRLF, Line
from zegel.ask import rehearse
from zegel.dkim.header import Header
from zegel.dkim.result import DkimResult, DkimStatus
from zegel.dkim.verify import Verification, verify_message
from zegel.grammar.message import split_message
from zegel.limits import Limits

WORDS = ()
_LIMITS = Limits()
_NAMES = (
    b"From",
    b"To",
    b"Subject",
    b"Date",
    b"Received",
    b"Content-Type",
    b"List-Id",
    b"Reply-To",
    b"DKIM-Signature",
    b"X",
    b"fRoM ",
    b"Content-X",
)
_VALUES = (b" a@football.example.com", b" x  y ", b"", b"\tz\r\n \t q", b" a;b=c", b" v=1; b=", b" \r\n ", b" caf\xc3\xa9", b"\0 \x0b")
_LINES = (b"Hello  there", b"", b"  indented", b"ends in space ", b"\t", b"a\tb", b".", b"From x", b"\r", b"lone\nfeed", b"caf\xc3\xa9")
_JUNK = (b" ", b"  ", b"\t", CRLF, CRLF + b" ", b"\r", b"\n", b";", b"=", b":", b"b=", b"\0", b"A", b"a", b"; l=0", b"X: y\r\n", CRLF * 2)
Draft = tuple[list[Line], list[bytes]]


def starts() -> Iterator[bytes]:
    yield b""
    rnd = Random(6376)
    yield from (rnd.randbytes(size) for size in (20, 40, 60, 80, 120, 160, 240) for _ in range(8))


def fuzz(data: bytes) -> None:
    dice = Dice(data)
    fields: list[Line] = [(b"From", b" Joe <joe@football.example.com>")]
    for _ in range(dice.number(7)):
        fields.insert(0, (dice.pick(_NAMES), dice.pick(_VALUES) if dice.flag() else _plain(dice.octets(40))))
    lines = [dice.pick(_LINES) for _ in range(dice.number(8))]
    if dice.number(4) == 3:
        lines.append(dice.octets(60))
    for _ in range(1 + (dice.number(4) == 3)):
        fields.insert(0, signer.sign(fields, CRLF.join(lines), dice))
    draft = (fields, lines)
    for _ in range(dice.number(5)):
        dice.pick(CHANGES)(draft, dice)
    message = b"".join(name + b":" + value + CRLF for name, value in fields) + CRLF + CRLF.join(lines)
    for _ in range(dice.number(3)):
        message = splice(message, dice)
    if dice.number(16) == 15:
        message = message.replace(CRLF, b"\n")
    judge(message, dice)


def judge(message: bytes, dice: Dice) -> None:
    results = rehearse(verify_message(message, now=signer.NOW, limits=_LIMITS), signer.zone().answer)
    agree(results, reference.judge(message, signer.holds, signer.NOW), message)
    if not dice.flag():
        return
    split = split_message(message, header_bytes=_LIMITS.header_bytes)
    pieces = Verification(Header(split.header), now=signer.NOW, limits=_LIMITS)
    rehearse(pieces.look_up(), signer.zone().answer)
    for piece in dice.cut(split.body):
        pieces.feed(piece)
    assert [result._replace(normalized=split.normalized) for result in pieces.finish()] == results


def agree(results: list[DkimResult], expected: list[str], message: bytes) -> None:
    """The second verifier says the same of each signature."""
    known = {DkimStatus.PASS: "pass", DkimStatus.POLICY: "policy"}
    found = [known.get(result.status, "other") for result in results]
    assert found == expected, (found, expected, [str(result.reason) for result in results], message)


def _plain(octets: bytes) -> bytes:
    return octets.replace(b"\r", b"").replace(b"\n", b"")


def splice(message: bytes, dice: Dice) -> bytes:
    """Any octets in place of any others, anywhere."""
    at = dice.number(len(message) + 1)
    return message[:at] + (dice.pick(_JUNK) if dice.flag() else dice.octets(8)) + message[at + dice.number(4) :]


def rename(draft: Draft, dice: Dice) -> None:
    at = dice.number(len(draft[0]))
    name, value = draft[0][at]
    draft[0][at] = dice.pick((name.upper(), name.swapcase(), name + b" ", name + b"\t", b"X" + name)), value


def refold(draft: Draft, dice: Dice) -> None:
    at = dice.number(len(draft[0]))
    name, value = draft[0][at]
    old, new = dice.pick(((b" ", b"\r\n "), (b" ", b"  "), (b"\r\n", b""), (b" ", b"\t"), (b"  ", b" "), (b";", b"; "), (b"=", b" = ")))
    draft[0][at] = name, value.replace(old, new, 1 + dice.number(3))


def edge(draft: Draft, dice: Dice) -> None:
    at = dice.number(len(draft[0]))
    name, value = draft[0][at]
    space = dice.pick((b" ", b"\t", b"\r\n ", b"\r\n\t \t"))
    draft[0][at] = name, space + value if dice.flag() else value + space


def move(draft: Draft, dice: Dice) -> None:
    field = draft[0].pop(dice.number(len(draft[0])))
    draft[0].insert(dice.number(len(draft[0]) + 1), field)


def double(draft: Draft, dice: Dice) -> None:
    field = draft[0][dice.number(len(draft[0]))]
    for _ in range(1 if dice.number(8) < 7 else 11):
        draft[0].insert(dice.number(len(draft[0]) + 1), field)


def drop(draft: Draft, dice: Dice) -> None:
    if len(draft[0]) > 1:
        draft[0].pop(dice.number(len(draft[0])))


def add(draft: Draft, dice: Dice) -> None:
    draft[0].insert(dice.number(len(draft[0]) + 1), (dice.pick(_NAMES), dice.pick(_VALUES)))


def edit(draft: Draft, dice: Dice) -> None:
    at = dice.number(len(draft[0]))
    name, value = draft[0][at]
    draft[0][at] = name, splice(value, dice)


def line(draft: Draft, dice: Dice) -> None:
    at = dice.number(len(draft[1]) + 1)
    draft[1].insert(at, dice.pick(_LINES))


def unline(draft: Draft, dice: Dice) -> None:
    if draft[1]:
        draft[1].pop(dice.number(len(draft[1])))


def reline(draft: Draft, dice: Dice) -> None:
    if draft[1]:
        at = dice.number(len(draft[1]))
        old, new = dice.pick(((b" ", b"  "), (b"  ", b" "), (b" ", b"\t"), (b"\t", b" "), (b"e", b"E")))
        draft[1][at] = draft[1][at].replace(old, new) if dice.flag() else draft[1][at] + dice.pick((b" ", b"\t ", b"\r", b"x"))


CHANGES: tuple[Callable[[Draft, Dice], None], ...] = (rename, refold, edge, move, double, drop, add, edit, line, unline, reline)
