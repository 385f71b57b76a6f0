from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from support import milter_bytes as mta
from support.mta import join, split
from support.overheard import Seen, overhear
from zegel.milter import codec
from zegel.milter.codec import Decoder
from zegel.milter.edits import Outcome
from zegel.milter.session import Session

MACROS = (b"i", b"{auth_type}", b"j")


def _macros(stage: str, names: list[str], value: str) -> bytes:
    return mta.macros(stage, **{name: value for name in names})  # noqa: C420 - a typed mapping


word = st.text(alphabet="abcXYZ019-", min_size=1, max_size=8)
octets = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b""))
macro_packets = st.builds(
    _macros,
    st.sampled_from("CHMRTLNBE?"),
    st.lists(st.sampled_from([name.decode() for name in MACROS]), max_size=3),
    word,
)
fields = st.lists(st.tuples(word.map(str.encode), octets), max_size=4)
messages = st.builds(lambda found, body, queue: mta.message(found, body, i=queue), fields, octets, word)
strays = st.sampled_from(
    [
        mta.ABORT,
        mta.EOH,
        mta.mail(),
        mta.rcpt(),
        mta.connect(),
        mta.packet("K"),
        mta.packet("E"),
        mta.header(b"A", b" b"),
        mta.packet("?"),
        bytes(4),
    ]
)
streams = st.builds(
    lambda protocol, parts: mta.optneg(protocol=protocol) + mta.connect() + b"".join(parts),
    st.integers(0, mta.ALL_PROTOCOL),
    st.lists(st.one_of(messages, messages, macro_packets, strays, octets), max_size=8),
)


def listen(pieces: Iterable[bytes]) -> Seen:
    session = Session()
    return overhear(session, pieces, MACROS, finish=lambda _: session.finish(Outcome()))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


@settings(max_examples=200)
@given(streams, st.lists(st.integers(0, 600), max_size=12))
def test_any_split_of_bytes_gives_one_list_of_events(data: bytes, places: list[int]) -> None:
    assert listen(cut(data, places)) == listen([data])


@settings(max_examples=100)
@given(streams)
def test_octet_by_octet_gives_the_same_events(data: bytes) -> None:
    assert listen(data[at : at + 1] for at in range(len(data))) == listen([data])


@given(st.binary(max_size=300), st.booleans())
def test_hostile_bytes_raise_nothing_but_protocol_errors(data: bytes, negotiated: bool) -> None:
    listen([mta.START + mta.mail() + data if negotiated else data])


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=100)), max_size=20), st.lists(st.integers(0, 2000), max_size=20))
def test_packets_round_trip(packets: list[tuple[int, bytes]], places: list[int]) -> None:
    decoder = Decoder()
    found: list[tuple[int, bytes]] = []
    for piece in cut(b"".join(codec.packet(*packet) for packet in packets), places):
        decoder.feed(piece)
        while (packet := decoder.take()) is not None:
            found.append(packet)
    assert found == packets
    assert decoder.waiting == 0


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_optneg_round_trip(version: int, actions: int, protocol: int) -> None:
    assert codec.parse_optneg(codec.optneg(version, actions, protocol)[5:]) == (version, actions, protocol)


@given(word.map(str.encode), octets, st.integers(1, 0x7FFFFFFF))
def test_header_replies_round_trip(name: bytes, value: bytes, index: int) -> None:
    for reply, head in (
        (codec.addheader(name, value), 0),
        (codec.insheader(index, name, value), 4),
        (codec.chgheader(index, name, value), 4),
    ):
        decoder = Decoder()
        decoder.feed(reply)
        packet = decoder.take()
        assert packet is not None
        assert codec.strings(packet[1][head:]) == [name, value]
        assert head == 0 or int.from_bytes(packet[1][:4], "big") == index


@given(st.from_regex(r"[45][0-5][0-9]", fullmatch=True), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_replycode_round_trip(code: str, text: str) -> None:
    line = codec.replycode(code, text)[5:-1].decode()
    assert line.replace("%%", "%") == f"{code} {code[0]}.0.0 {text}"
    assert line.count("%") % 2 == 0


@given(fields, st.binary(max_size=60))
def test_the_client_of_the_tests_puts_messages_together_as_they_were(found: list[tuple[bytes, bytes]], body: bytes) -> None:
    found = [(name, value.replace(b"\n", b"").replace(b"\r", b"")) for name, value in found]
    body = body.replace(b"\r", b"").replace(b"\n", b"\r\n")
    message = join(found, body)
    if found:
        assert split(message) == (found, body)
