"""The packets of the milter protocol: bytes to (command, payload), and replies to bytes.

After milter-protocol.txt ("LINK/PACKET PROTOCOL", "COMMAND CODES", "RESPONSE CODES") and its extras for version 6. A packet is a 32-bit
length, one command byte and a payload. This room knows no order of commands (that is ``session``) and keeps nothing but the bytes of a
packet that has not come in whole. It refuses lengths of zero and above a cap, and replies that an MTA would not take as they are meant.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import Final

# Commands from the MTA.
SMFIC_ABORT: Final = ord("A")
SMFIC_BODY: Final = ord("B")
SMFIC_CONNECT: Final = ord("C")
SMFIC_MACRO: Final = ord("D")
SMFIC_BODYEOB: Final = ord("E")
SMFIC_HELO: Final = ord("H")
SMFIC_QUIT_NC: Final = ord("K")
SMFIC_HEADER: Final = ord("L")
SMFIC_MAIL: Final = ord("M")
SMFIC_EOH: Final = ord("N")
SMFIC_OPTNEG: Final = ord("O")
SMFIC_QUIT: Final = ord("Q")
SMFIC_RCPT: Final = ord("R")
SMFIC_DATA: Final = ord("T")
SMFIC_UNKNOWN: Final = ord("U")

# Replies from the milter.
SMFIR_ACCEPT: Final = ord("a")
SMFIR_CONTINUE: Final = ord("c")
SMFIR_DISCARD: Final = ord("d")
SMFIR_ADDHEADER: Final = ord("h")
SMFIR_INSHEADER: Final = ord("i")
SMFIR_CHGHEADER: Final = ord("m")
SMFIR_PROGRESS: Final = ord("p")
SMFIR_QUARANTINE: Final = ord("q")
SMFIR_REJECT: Final = ord("r")
SMFIR_SKIP: Final = ord("s")
SMFIR_TEMPFAIL: Final = ord("t")
SMFIR_REPLYCODE: Final = ord("y")

# What a milter may do to a message.
SMFIF_ADDHDRS: Final = 0x01
SMFIF_CHGBODY: Final = 0x02
SMFIF_ADDRCPT: Final = 0x04
SMFIF_DELRCPT: Final = 0x08
SMFIF_CHGHDRS: Final = 0x10
SMFIF_QUARANTINE: Final = 0x20
SMFIF_CHGFROM: Final = 0x40
SMFIF_ADDRCPT_PAR: Final = 0x80
SMFIF_SETSYMLIST: Final = 0x100

# What the MTA need not send (NO*), need not wait for (NR_*), or may do otherwise.
SMFIP_NOCONNECT: Final = 0x01
SMFIP_NOHELO: Final = 0x02
SMFIP_NOMAIL: Final = 0x04
SMFIP_NORCPT: Final = 0x08
SMFIP_NOBODY: Final = 0x10
SMFIP_NOHDRS: Final = 0x20
SMFIP_NOEOH: Final = 0x40
SMFIP_NR_HDR: Final = 0x80
SMFIP_NOUNKNOWN: Final = 0x100
SMFIP_NODATA: Final = 0x200
SMFIP_SKIP: Final = 0x400
SMFIP_RCPT_REJ: Final = 0x800
SMFIP_NR_CONN: Final = 0x1000
SMFIP_NR_HELO: Final = 0x2000
SMFIP_NR_MAIL: Final = 0x4000
SMFIP_NR_RCPT: Final = 0x8000
SMFIP_NR_DATA: Final = 0x10000
SMFIP_NR_UNKN: Final = 0x20000
SMFIP_NR_EOH: Final = 0x40000
SMFIP_NR_BODY: Final = 0x80000
SMFIP_HDR_LEADSPC: Final = 0x100000

VERSION: Final = 6
PACKET_CAP: Final = 1024 * 1024 + 64
"""The longest packet taken: body chunks are at most 65535 octets, or 1 MiB where SMFIP_MDS_1M is agreed (which is never asked for)."""

_LENGTH = Struct(">I")
_HEAD = Struct(">IB")
_OPTNEG = Struct(">III")
_INDEX_CAP: Final = 0x7FFFFFFF

_REPLY_CODE = re.compile(r"[45][0-5][0-9]")
_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}")
_REPLY_TEXT = re.compile(r"[\x20-\x7e]{0,450}")
_FIELD_NAME = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,998}")


class ProtocolError(Exception):
    """The peer does not keep to the milter protocol; the connection cannot go on."""


class Decoder:
    """Cuts a stream of bytes into packets, in linear time however small the pieces come.

    ``feed`` only stores; ``take`` gives the next whole packet. A caller that feeds without taking must bound that itself, by ``waiting``.
    """

    __slots__ = ("_cap", "_data", "_later", "_pos")

    def __init__(self, cap: int = PACKET_CAP) -> None:
        self._cap = cap
        self._data = b""  # what is being cut, from _pos on
        self._pos = 0
        self._later = bytearray()  # what came after _data and is joined to it once a packet is whole

    @property
    def waiting(self) -> int:
        """How many bytes are stored."""
        return len(self._data) - self._pos + len(self._later)

    def feed(self, data: bytes) -> None:
        """Store more bytes of the stream."""
        if self._pos == len(self._data) and not self._later:
            self._data = data
            self._pos = 0
        else:
            self._later += data

    def take(self) -> tuple[int, bytes] | None:
        """Give the next packet as (command, payload), or None when it is not whole yet. Raises ProtocolError for a length out of bounds."""
        while True:
            data, pos = self._data, self._pos
            have = len(data) - pos
            need = 4
            if have >= 4:
                (length,) = _LENGTH.unpack_from(data, pos)
                if not 0 < length <= self._cap:
                    raise ProtocolError(f"a packet of {length} octets (1 to {self._cap} are taken)")
                need += length
                if have >= need:
                    self._pos = pos + need
                    return data[pos + 4], data[pos + 5 : pos + need]
            if not self._later or have + len(self._later) < need:
                return None
            self._join()

    def take_run(self, command: int, passed_over: bytes) -> list[bytes]:
        """Give the payloads of the packets of ``command`` that follow now, up to another one or to what is not whole yet.

        Between them packets of SMFIC_MACRO with the payload ``passed_over`` are dropped: Postfix repeats its macros before each field.
        """
        data, pos = self._data, self._pos
        end, macros = len(data), packet(SMFIC_MACRO, passed_over)
        found: list[bytes] = []
        while end - pos >= _HEAD.size:
            if data.startswith(macros, pos):
                pos += len(macros)
                continue
            length, code = _HEAD.unpack_from(data, pos)
            stop = pos + _LENGTH.size + length
            if code != command or stop > end or not length:
                break
            found.append(data[pos + _HEAD.size : stop])
            pos = stop
        self._pos = pos
        return found

    def _join(self) -> None:
        self._data = self._data[self._pos :] + self._later
        self._pos = 0
        self._later = bytearray()


def packet(command: int, payload: bytes = b"") -> bytes:
    """Format one packet."""
    return _HEAD.pack(len(payload) + 1, command) + payload


ACCEPT: Final = packet(SMFIR_ACCEPT)
CONTINUE: Final = packet(SMFIR_CONTINUE)
DISCARD: Final = packet(SMFIR_DISCARD)
PROGRESS: Final = packet(SMFIR_PROGRESS)
REJECT: Final = packet(SMFIR_REJECT)
SKIP: Final = packet(SMFIR_SKIP)
TEMPFAIL: Final = packet(SMFIR_TEMPFAIL)


def optneg(version: int, actions: int, protocol: int) -> bytes:
    """Format the option negotiation, the same in both directions."""
    return packet(SMFIC_OPTNEG, _OPTNEG.pack(version, actions, protocol))


def parse_optneg(payload: bytes) -> tuple[int, int, int]:
    """Read (version, actions, protocol); what a later version puts behind them is left alone. Raises ProtocolError when it is too short."""
    if len(payload) < _OPTNEG.size:
        raise ProtocolError(f"an option negotiation of {len(payload)} octets (at least {_OPTNEG.size} are needed)")
    version, actions, protocol = _OPTNEG.unpack_from(payload)
    return version, actions, protocol


def strings(payload: bytes) -> list[bytes]:
    """Split NUL-terminated strings. Raises ProtocolError when the last one is not terminated."""
    if payload[-1:] != b"\0":
        raise ProtocolError("a string without its final NUL")
    return payload[:-1].split(b"\0")


def replycode(code: str, text: str, enhanced: str = "") -> bytes:
    """Format a reply of our own words: ``code`` 4yz or 5yz, ``enhanced`` of the same class (RFC 3463 2), ``text`` one line of ASCII.

    Without ``enhanced`` the general X.0.0 stands there: Postfix takes a reply without one for malformed, or for misconfiguration of the
    milter. ``%`` is doubled, as the MTA may print the text as a format. Raises ValueError for anything else.
    """
    if not _REPLY_CODE.fullmatch(code):
        raise ValueError(f"not a reply code of a refusal: {code!r}")
    enhanced = enhanced or f"{code[0]}.0.0"
    if not _ENHANCED.fullmatch(enhanced) or enhanced[0] != code[0]:
        raise ValueError(f"not an enhanced status code of the class of {code}: {enhanced!r}")
    if not _REPLY_TEXT.fullmatch(text):
        raise ValueError("a reply text is one line of printable ASCII of at most 450 characters")
    line = f"{code} {enhanced} {text.replace('%', '%%')}"
    return packet(SMFIR_REPLYCODE, line.encode("ascii") + b"\0")


def addheader(name: bytes, value: bytes) -> bytes:
    """Format a field to be added at the end of the header block. Raises ValueError for a name or a value that no packet can hold."""
    return packet(SMFIR_ADDHEADER, _field(name, value))


def insheader(index: int, name: bytes, value: bytes) -> bytes:
    """Format a field to be inserted at ``index``, 0 being the top. Raises ValueError as addheader, and for an index out of range."""
    return packet(SMFIR_INSHEADER, _index(index, 0) + _field(name, value))


def chgheader(index: int, name: bytes, value: bytes) -> bytes:
    """Format a change of the ``index``-th field of that name, from 1; an empty value deletes it. Raises ValueError as insheader."""
    return packet(SMFIR_CHGHEADER, _index(index, 1) + _field(name, value))


def quarantine(reason: str) -> bytes:
    """Format the wish to hold the message. Raises ValueError when ``reason`` is not one line of printable ASCII."""
    if not reason or not _REPLY_TEXT.fullmatch(reason):
        raise ValueError("a reason is one line of printable ASCII of 1 to 450 characters")
    return packet(SMFIR_QUARANTINE, reason.encode("ascii") + b"\0")


def _index(index: int, least: int) -> bytes:
    if not least <= index <= _INDEX_CAP:
        raise ValueError(f"a header index of {index}")
    return _LENGTH.pack(index)


def _field(name: bytes, value: bytes) -> bytes:
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(f"not a header field name: {name[:60]!r}")
    if b"\0" in value:
        raise ValueError(f"NUL in the value of {name[:60]!r}")
    return name + b"\0" + value + b"\0"
