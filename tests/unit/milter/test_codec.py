from __future__ import annotations

import struct

import pytest

from zegel.milter import codec
from zegel.milter.codec import Decoder, ProtocolError


def packets(data: bytes, decoder: Decoder | None = None) -> list[tuple[int, bytes]]:
    decoder = decoder or Decoder()
    decoder.feed(data)
    found = []
    while (packet := decoder.take()) is not None:
        found.append(packet)
    return found


def only(data: bytes) -> tuple[int, bytes]:
    (packet,) = packets(data)
    return packet


def test_decoder_gives_whole_packets_in_order() -> None:
    data = codec.packet(codec.SMFIC_HELO, b"a\0") + codec.packet(codec.SMFIC_EOH) + codec.packet(codec.SMFIC_BODY, b"\0\1")
    assert packets(data) == [(ord("H"), b"a\0"), (ord("N"), b""), (ord("B"), b"\0\1")]


def test_decoder_waits_for_the_rest() -> None:
    decoder = Decoder()
    data = codec.packet(codec.SMFIC_BODY, b"abc")
    for octet in data[:-1]:
        assert packets(bytes((octet,)), decoder) == []
    assert decoder.waiting == len(data) - 1
    assert packets(data[-1:], decoder) == [(ord("B"), b"abc")]
    assert decoder.waiting == 0


@pytest.mark.parametrize("length", [0, codec.PACKET_CAP + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_hostile_length_is_refused_before_its_payload_comes(length: int) -> None:
    with pytest.raises(ProtocolError, match=str(length)):
        packets(struct.pack(">I", length))


def test_longest_packet_is_taken() -> None:
    payload = bytes(codec.PACKET_CAP - 1)
    assert only(codec.packet(codec.SMFIC_BODY, payload)) == (codec.SMFIC_BODY, payload)


def test_packets_before_a_bad_length_are_given_first() -> None:
    decoder = Decoder()
    decoder.feed(codec.packet(codec.SMFIC_EOH) + bytes(4))
    assert decoder.take() == (codec.SMFIC_EOH, b"")
    with pytest.raises(ProtocolError):
        decoder.take()


class CountingDecoder(Decoder):
    """Counts the octets that are copied when pieces are joined."""

    copied = 0

    def _join(self) -> None:
        super()._join()
        self.copied += len(self._data)


def copied_for(size: int, piece: int) -> int:
    decoder = CountingDecoder()
    data = codec.packet(codec.SMFIC_BODY, bytes(size)) * 3
    found = []
    for at in range(0, len(data), piece):
        found += packets(data[at : at + piece], decoder)
    assert [len(payload) for _, payload in found] == [size] * 3
    return decoder.copied


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_small_pieces_are_not_copied_again_and_again(piece: int) -> None:
    once, twice = copied_for(20_000, piece), copied_for(40_000, piece)
    assert 0 < once <= 2 * 3 * 20_010
    assert twice <= 2.5 * once


def test_pieces_stored_without_taking_are_joined_once() -> None:
    decoder = CountingDecoder()
    data = codec.packet(codec.SMFIC_EOH) * 2000
    for octet in data:
        decoder.feed(bytes((octet,)))
    assert decoder.waiting == len(data)
    assert packets(b"", decoder) == [(codec.SMFIC_EOH, b"")] * 2000
    assert decoder.copied <= 2 * len(data)


def test_optneg_round_trip() -> None:
    command, payload = only(codec.optneg(6, 0x31, 0x1FFFFF))
    assert command == codec.SMFIC_OPTNEG
    assert codec.parse_optneg(payload) == (6, 0x31, 0x1FFFFF)
    assert codec.parse_optneg(payload + b"later versions say more") == (6, 0x31, 0x1FFFFF)


def test_short_optneg_is_refused() -> None:
    with pytest.raises(ProtocolError, match="11 octets"):
        codec.parse_optneg(bytes(11))


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        (codec.ACCEPT, "a"),
        (codec.CONTINUE, "c"),
        (codec.DISCARD, "d"),
        (codec.PROGRESS, "p"),
        (codec.REJECT, "r"),
        (codec.SKIP, "s"),
        (codec.TEMPFAIL, "t"),
    ],
)
def test_simple_replies(reply: bytes, letter: str) -> None:
    assert reply == b"\0\0\0\1" + letter.encode()


def test_header_replies() -> None:
    assert only(codec.addheader(b"X", b" v")) == (ord("h"), b"X\0 v\0")
    assert only(codec.insheader(0, b"X", b" v\n\tw")) == (ord("i"), b"\0\0\0\0X\0 v\n\tw\0")
    assert only(codec.chgheader(5, b"X", b"")) == (ord("m"), b"\0\0\0\5X\0\0")
    assert only(codec.quarantine("held: look at it")) == (ord("q"), b"held: look at it\0")


@pytest.mark.parametrize("name", [b"", b"A B", b"A:", b"A\0", b"A\r\nB", b"\xc3\xa9"])
def test_names_that_are_no_field_names_are_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="field name"):
        codec.addheader(name, b" v")


def test_nul_in_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        codec.insheader(0, b"X", b" a\0b")


@pytest.mark.parametrize("index", [-1, 0x80000000])
def test_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="index"):
        codec.insheader(index, b"X", b" v")


def test_change_counts_from_one() -> None:
    with pytest.raises(ValueError, match="index"):
        codec.chgheader(0, b"X", b" v")


def test_replycode() -> None:
    assert only(codec.replycode("451", "later", "4.7.0")) == (ord("y"), b"451 4.7.0 later\0")
    assert only(codec.replycode("550", "100% spam", "5.7.1")) == (ord("y"), b"550 5.7.1 100%% spam\0")
    assert only(codec.replycode("421", "bye")) == (ord("y"), b"421 4.0.0 bye\0")


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        ("250", "fine", "2.0.0"),
        ("45", "x", ""),
        ("4511", "x", ""),
        ("461", "x", ""),
        ("451", "x", "5.7.0"),
        ("451", "x", "4.7"),
        ("451", "a\r\nb", ""),
        ("451", "a\nb", ""),
        ("451", "a\0b", ""),
        ("451", "é", ""),
        ("451", "x" * 451, ""),
        ("٤51", "x", ""),
    ],
)
def test_replies_that_are_no_refusals_on_one_line_are_refused(code: str, text: str, enhanced: str) -> None:
    """RFC 3463 2: class "." subject "." detail, and the class is that of the reply."""
    with pytest.raises(ValueError):
        codec.replycode(code, text, enhanced)


@pytest.mark.parametrize("reason", ["", "a\nb", "a\0"])
def test_quarantine_needs_a_reason_on_one_line(reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        codec.quarantine(reason)


def test_strings() -> None:
    assert codec.strings(b"<a@b>\0SIZE=1\0") == [b"<a@b>", b"SIZE=1"]
    for payload in (b"", b"a"):
        with pytest.raises(ProtocolError):
            codec.strings(payload)
