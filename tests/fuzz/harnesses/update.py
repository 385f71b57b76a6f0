"""The reply to a dynamic update: one kind of exception, and signed is what the server signed and nothing else. RFC 2136, RFC 8945."""

from __future__ import annotations

from collections.abc import Iterator

import dns.message
import dns.rcode
import dns.update

from fuzz.dice import Dice
from zegel.adapters import update
from zegel.adapters.exchange import Address
from zegel.adapters.update import Tsig, UpdateError

WORDS = (
    b"\xc0\x0c",
    b"\0\xfa\0\xff\0\0\0\0",
    b"\0\6\0\1",
    b"\0\x29\4\xd0\0\0\0\0\0\0",
    b"\xa8\0",
    b"\xa8\5",
    b"\0\x10",
    b"\0\x11",
    b"\0\x12",
)
KEY = Tsig("zegel", "hmac-sha256", bytes(32))
CODES = (dns.rcode.NOERROR, dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.YXRRSET)
IDS = ("malformed", "tsig_key", "tsig_secret", "tsig_time")


def _asked(*, signed: bool = True, text: str = "v=DKIM1; p=") -> dns.update.UpdateMessage:
    """An update, as it went out."""
    message = dns.update.UpdateMessage("example.be", id=7)
    message.add("s._domainkey", 300, "TXT", f'"{text}"')
    if signed:
        update._sign(message, KEY)
    message.to_wire()
    return message


def _reply(code: int, asked: dns.update.UpdateMessage) -> bytes:
    """What a server says to it now."""
    seen = dns.message.from_wire(asked.wire or b"", keyring=asked.keyring)
    answer = dns.message.make_response(seen)
    answer.set_rcode(dns.rcode.Rcode(code))
    return bytes(answer.to_wire())


def starts() -> Iterator[bytes]:
    """Octets as they are; or a reply of now (its signature holds for minutes), and what becomes of it on the way."""
    for code in CODES:
        yield b"\0" + _reply(code, _asked())
        yield b"\0" + _reply(code, _asked(signed=False))
    for kind in range(8):
        yield bytes((1, kind))
        yield bytes((1, kind, 3, 1, 40, 0x20, 3, 1, 1, 250, 0, 100))


def fuzz(data: bytes) -> None:
    asked = _asked()
    if data[:1] != b"\1":
        judge(data[1:], asked, None)
        return
    dice = Dice(data[1:])
    code, replayed = CODES[dice.number(4)], dice.flag()
    packet = genuine = _reply(code, _asked(text="x") if replayed else asked)  # a replay: to another question, signed all the same
    for _ in range(dice.number(4)):
        at = dice.number(len(packet))
        packet = packet[:at] + dice.octets(8) + packet[at + dice.number(8) :]
    judge(packet, asked, b"" if replayed else genuine)


def judge(packet: bytes, asked: dns.update.UpdateMessage, genuine: bytes | None) -> None:
    """``genuine``: what the server did say to this question, and signed; empty when it said nothing, None when nobody knows."""
    try:
        reply = update._read(packet, asked, "192.0.2.1", "example.be", KEY)
    except UpdateError as error:
        assert error.id in IDS
        assert str(error)
        assert packet != genuine or not genuine
        return
    assert reply.id == asked.id
    if reply.had_tsig and genuine is not None:
        # The signature is over all that stands before it, with the question that was asked.
        said = len(_reply(0, _asked(signed=False)))
        assert genuine
        assert packet[:said] == genuine[:said]
    try:
        update._judge(reply, Address("192.0.2.1", 53), "example.be", KEY)
    except UpdateError as error:
        assert str(error)
