"""Any split of the octets of a submission gives one list of events; what was stuffed comes out as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fuzz.harnesses import smtp as harness
from zegel.smtp.codec import DataStream
from zegel.smtp.path import read

lines = st.lists(st.binary(max_size=20).map(lambda line: line.translate(None, b"\r\n")), max_size=8)
streams = st.lists(st.sampled_from(harness.WORDS) | st.binary(max_size=12), max_size=12).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    inside = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *inside], [*inside, len(data)], strict=True)]


@given(streams, st.lists(st.integers(0, 5000), max_size=20), st.booleans())
def test_any_split_gives_one_list_of_events(stream: bytes, places: list[int], secure: bool) -> None:
    assert harness.listen([cut(stream, places)], secure=secure) == harness.listen([[stream]], secure=secure)


@given(lines, st.lists(st.integers(0, 400), max_size=12))
def test_a_message_comes_out_as_it_was_sent(message: list[bytes], places: list[int]) -> None:
    sent = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in message) + b".\r\n"
    stream = DataStream()
    read_back = b"".join([stream.feed(piece) for piece in cut(sent, places) if not stream.ended])
    assert read_back == b"".join(line + b"\r\n" for line in message)
    assert (stream.ended, stream.bare) == (True, 0)


@given(st.from_regex(r"[a-z!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9]{1,5})?", fullmatch=True), st.sampled_from(["example.be", "a.example.org"]))
def test_a_path_is_read_as_it_was_written(local: str, domain: str) -> None:
    assert read(f"FROM:<{local}@{domain}>".encode(), "FROM", hostname="x.example").address == f"{local}@{domain}"
