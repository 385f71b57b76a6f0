"""The milter codec and session under a hostile mail server: one list of events however the bytes are cut, and one kind of exception.

After milter-protocol.txt. What the MTA waits for is counted by a table of its own here, and the order of the events is held against a
regular expression over their letters.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from random import Random

from fuzz.dice import Dice
from support import milter_bytes as mta
from support.overheard import Seen, overhear
from zegel.milter import codec
from zegel.milter.codec import PACKET_CAP, Decoder, ProtocolError
from zegel.milter.edits import FAULT, AddHeader, ChangeHeader, DeleteHeader, Discard, Edit, InsertHeader, Outcome, Quarantine, Reject
from zegel.milter.events import Event, Negotiated
from zegel.milter.session import Session

WORDS = (mta.START, mta.EOH, mta.ABORT, mta.QUIT, mta.mail(), mta.rcpt(), mta.packet("K"), mta.packet("E"), mta.optneg(2, 0x3F, 0x7F))
_MACROS = (b"i", b"{auth_type}", b"j", b"{")
_LETTERS = {
    "Negotiated": "N",
    "Connected": "C",
    "Helo": "H",
    "MailFrom": "M",
    "Recipient": "R",
    "Data": "D",
    "UnknownCommand": "U",
    "Headers": "h",
    "EndOfHeaders": "e",
    "BodyChunk": "B",
    "EndOfMessage": "E",
    "Aborted": "A",
    "Reset": "K",
    "Closed": "Q",
}
# The flag that spares the reply to each event, as the protocol's text has it.
_SPARED = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "D": 0x10000, "U": 0x20000, "h": 0x80, "e": 0x40000, "B": 0x80000}
_ENDED = "M[RDHU]*(?:h*eB*E|h*(?:eB*)?A)"
_OPEN = "M[RDHU]*h*(?:eB*)?"
_CLIENT = f"U*(?:C(?:[HU]|{_ENDED})*(?:{_OPEN})?)?"
_ORDER = re.compile(f"(?:N(?:{_CLIENT}K)*(?:{_CLIENT}))?Q?")
_COMMANDS = b"OCHMRTULNBEDAKQ?"
_EDITS: tuple[Edit, ...] = (
    *(InsertHeader(0, b"A", b" b"), AddHeader(b"A", b" b\r\n c"), ChangeHeader(1, b"A", b"b"), DeleteHeader(2, b"A"), Quarantine("held")),
    *(AddHeader(b"A", b" b\r\nX: y"), InsertHeader(-1, b"A", b" b"), AddHeader(b"A b", b" c"), AddHeader(b"A", b" \0"), Quarantine("a\nb")),
)


def starts() -> Iterator[bytes]:
    yield b"\x01" + mta.START + mta.macros("M", i="4Tg") + mta.message() + mta.mail() + mta.ABORT + mta.message() + mta.QUIT
    yield b"\x01" + mta.optneg(2, 0x3F, 0x7F) + mta.connect(family=b"6", address=b"IPv6:2001:db8::1") + mta.message() + mta.packet("K")
    yield b"\x01" + mta.optneg() + mta.packet("C", b"h\0U") + mta.mail() + mta.mail() + mta.packet("?")
    talk = b"\x00\x00\x00" + b"".join(bytes((command, 0)) for command in (1, 2, 3, 4, 7, 7, 8, 9, 9, 10, 3, 4, 7, 8, 10, 14))
    yield b"\x00" + talk
    rnd = Random(6)
    yield from (b"\x00" + talk[:cut] + rnd.randbytes(60) for cut in range(3, len(talk), 3))


def fuzz(data: bytes) -> None:
    dice = Dice(data[-24:])
    stream = data[1:] if data[:1] == b"\x01" else _talk(Dice(data[1:]))
    plan = data[-1:]
    whole = listen([stream], plan)
    assert listen(dice.cut(stream, 12), plan) == whole
    if len(stream) < 400 and dice.flag():
        assert listen([stream[at : at + 1] for at in range(len(stream))], plan) == whole
    packets(stream, dice)
    order(whole, refuses=bool(plan and plan[0] & 7 == 7))


def _talk(dice: Dice) -> bytes:
    """A conversation of whole packets, mostly in order, with any payload."""
    protocol = dice.pick((mta.ALL_PROTOCOL, 0, 0x7F, mta.ALL_PROTOCOL & ~0x400, 0x80000))
    stream = mta.optneg(protocol=protocol) if dice.number(8) < 7 else b""
    while dice.left and len(stream) < 2000:
        command = chr(_COMMANDS[dice.number(len(_COMMANDS))])
        if dice.number(4) < 3:
            stream += _usual(command, dice)
        else:
            stream += mta.packet(command, dice.octets(60) + dice.pick((b"", b"\0")))
        if dice.number(32) == 31:
            stream += dice.octets(5)
    return stream


def _usual(command: str, dice: Dice) -> bytes:
    if command == "C":
        return mta.connect(family=dice.pick((b"4", b"6", b"L", b"U", b"x")))
    if command == "L":
        return mta.header(dice.pick((b"From", b"X", b"")), dice.pick((b" a", b"\tb", b"", b"c\n d")))
    if command == "D":
        return mta.macros(dice.pick("CHMRTLNBE?"), **{dice.pick(("i", "{auth_type}", "j")): dice.pick("abc")})
    payload = {"H": b"helo\0", "M": b"<a@example.org>\0SIZE=1\0", "R": b"<b@example.com>\0", "U": b"XYZZY\0", "B": b"body\r\n", "E": b""}
    return mta.optneg(dice.number(8)) if command == "O" else mta.packet(command, payload.get(command, b""))


def listen(pieces: list[bytes], plan: bytes) -> Seen:
    """What comes of the pieces when the plan says what is answered; a message is in progress from MAIL on, and only then."""
    session = Session(skip_body=bool(plan and plan[0] & 8))

    def heard(event: Event, count: int) -> None:
        letter = _LETTERS[type(event).__name__]
        assert letter in "HU" or session.in_message == (letter in "MRDheBE")
        if plan and plan[0] & 7 == 7 and (count + plan[0]) % 5 == 0:
            session.respond(codec.REJECT)

    return overhear(session, pieces, _MACROS, heard=heard, finish=lambda count: finish(session, plan, count))


def finish(session: Session, plan: bytes, turn: int) -> None:
    """Say an outcome; one that cannot be sent is refused whole, and then another can be said."""
    assert session.awaiting_finish
    choice = (plan[0] if plan else 0) + turn
    edits = (_EDITS[choice % len(_EDITS)], _EDITS[choice // 3 % len(_EDITS)]) if choice % 4 else ()
    before = session.outgoing()
    assert before == b""
    try:
        session.finish(Outcome(edits, Reject() if choice % 3 == 0 else Discard()))
    except ValueError:
        assert session.outgoing() == b""
        session.finish(FAULT)
    assert not session.awaiting_finish


def packets(stream: bytes, dice: Dice) -> None:
    """The decoder against a cutter of three lines, and what it keeps."""
    expected: list[tuple[int, bytes]] = []
    at, bad = 0, False
    while at + 4 <= len(stream) and not bad:
        (length,) = struct.unpack_from(">I", stream, at)
        bad = not 0 < length <= PACKET_CAP
        if bad or at + 4 + length > len(stream):
            break
        expected.append((stream[at + 4], stream[at + 5 : at + 4 + length]))
        at += 4 + length
    decoder, found, refused = Decoder(), [], False
    try:
        for piece in dice.cut(stream):
            decoder.feed(piece)
            while (packet := decoder.take()) is not None:
                found.append(packet)
            assert decoder.waiting < PACKET_CAP + 4
    except ProtocolError:
        refused = True
    assert (found, refused) == (expected, bad)
    if not bad:
        assert decoder.waiting == len(stream) - at


def order(seen: Seen, *, refuses: bool) -> None:
    events, said, _ = seen
    letters = "".join(_LETTERS[type(event).__name__] for event, _ in events)
    if not refuses:
        assert _ORDER.fullmatch(letters), letters
    protocol = next((event.protocol for event, _ in events if isinstance(event, Negotiated)), 0)
    replies = sum(letter in _SPARED and not protocol & _SPARED[letter] for letter in letters)
    codes = "".join(chr(command) for command, _ in replied(said))
    assert codes.count("O") == letters.count("N")
    final = len(re.findall("[dyt]", codes))
    assert final == letters.count("E"), (letters, codes)
    assert len(re.findall("[cr]", codes)) == replies, (letters, codes)


def replied(said: bytes) -> list[tuple[int, bytes]]:
    """What we say is whole packets, and no header value in it ends its field."""
    decoder = Decoder()
    decoder.feed(said)
    found = []
    while (packet := decoder.take()) is not None:
        found.append(packet)
        assert not re.search(rb"\r|\n(?![ \t])", packet[1]) or packet[0] == ord("O"), packet
    assert decoder.waiting == 0
    return found
