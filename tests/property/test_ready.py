"""Properties of what is made ready to be signed: readers decode the same from it, it is 7bit data, and doing it twice changes nothing."""

from __future__ import annotations

import binascii
import email
import email.policy
from email.message import EmailMessage, Message

from hypothesis import example, given, settings
from hypothesis import strategies as st

from zegel.submission.ready import Ready, make_ready
from zegel.submission.transfer import encode, is_7bit, mend
from zegel.submission.unfit import Unfit

HEADER = b"From: info@example.be\r\nTo: suzie@example.org\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.be>\r\n"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=60)
LINES = st.lists(TEXTS | st.sampled_from(["", ".", "From you", "=41", "trailing ", "tab\t", "x" * 999, "é" * 700, "--b"]), max_size=8)
LABELS = st.sampled_from([None, "7bit", "8bit", "binary", "8-bit", "quoted-printable", "base64"])
TYPES = st.sampled_from(
    [None, "text/plain; charset=utf-8", "text/html; charset=iso-8859-1", "application/pdf", "image/png; name=a", "text"]
)


def ready(message: bytes, *, utf8: bool = False) -> Ready:
    return make_ready(message, now=1_795_000_000, unique="u1", domain="example.be", utf8=utf8)


def ready_or_not(message: bytes, *, utf8: bool = False) -> Ready | Unfit:
    try:
        return ready(message, utf8=utf8)
    except Unfit as error:
        return error


@st.composite
def leaves(draw: st.DrawFn, boundaries: tuple[bytes, ...] = ()) -> bytes:
    data = "\r\n".join(draw(LINES)).encode("utf-8")
    if draw(st.booleans()):
        data = data.replace(b"\xc3", b"\xff")  # no UTF-8
    data = b"\r\n".join(line for line in data.split(b"\r\n") if not line.startswith(tuple(b"--" + each for each in boundaries)))
    head = [f"Content-Type: {kind}" for kind in [draw(TYPES)] if kind]
    label = draw(LABELS)
    if label == "base64" and draw(st.booleans()):
        data = binascii.b2a_base64(data, newline=False)  # one long line
    head += [f"Content-Transfer-Encoding: {label}"] if label else []
    return b"".join(line.encode() + b"\r\n" for line in head) + b"\r\n" + data


@st.composite
def parts(draw: st.DrawFn, depth: int = 0, above: tuple[bytes, ...] = ()) -> bytes:
    kind = draw(st.sampled_from(["leaf", "leaf", "multipart", "message"])) if depth < 3 else "leaf"
    if kind == "leaf":
        return draw(leaves(above))
    label = draw(st.sampled_from([b"", b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Transfer-Encoding: binary\r\n"]))
    if kind == "message":
        return b"Content-Type: message/rfc822\r\n" + label + b"\r\nSubject: within\r\n" + draw(parts(depth + 1, above))
    boundary = b"b" * (depth + 1)
    inside = draw(st.lists(parts(depth + 1, (*above, boundary)), min_size=1, max_size=3))
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in inside) + b"--" + boundary + b"--\r\n"
    return b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n' + label + b"\r\n" + body


def decoded(message: Message) -> list[tuple[str, object]]:
    """What the standard library's reader sees: each part's type, and its content."""
    return [(part.get_content_type(), None if part.is_multipart() else part.get_payload(decode=True)) for part in message.walk()]


@settings(max_examples=400)
@given(parts())
def test_readers_decode_the_same_and_no_server_needs_to_change_it(part: bytes) -> None:
    message = HEADER + part
    made = ready_or_not(message)
    if isinstance(made, Unfit):
        assert (made.id, made.values) == ("encoding", {"encoding": "base64"})
        assert b"base64" in message
        return
    assert is_7bit(made.data)
    assert not made.utf8
    after = email.message_from_bytes(made.data)
    assert decoded(after) == decoded(email.message_from_bytes(message))
    for each in after.walk():
        assert str(each.get("content-transfer-encoding", "")).lower() not in ("8bit", "binary")
    assert ready(made.data) == (made.data, (), False)
    if is_7bit(message) and b"8bit" not in message and b"binary" not in message:
        assert made == (message, (), False)


@settings(max_examples=300)
@given(st.binary(max_size=400), st.booleans())
def test_any_data_decodes_to_itself(data: bytes, text: bool) -> None:
    data = data.replace(b"\r", b"\r\n").replace(b"\n\n", b"\n") if text else data
    made = encode(data, text=text)
    assert is_7bit(made.data)
    part = EmailMessage()
    part["Content-Transfer-Encoding"] = made.encoding
    part.set_payload(made.data.decode("ascii"))
    assert part.get_payload(decode=True) == data
    assert max(map(len, made.data.split(b"\r\n"))) <= 76


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"=", b"41", b"=41", b"=\r\n", b"\r\n", b" ", b"x", b"\xe9", b"=C3", b"==", b"\x00"]), max_size=40))
@example([b"=C3=A9" * 400])
def test_quoted_printable_that_breaks_the_rules_decodes_to_the_same(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    made = mend(data, "quoted-printable")
    assert is_7bit(made.data)
    assert binascii.a2b_qp(made.data) == binascii.a2b_qp(data)


PIECES = [
    *(b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/signed; boundary=b", b"Content-Type: message/rfc822"),
    *(
        b"Content-Type: message/partial",
        b"Content-Transfer-Encoding: 8bit",
        b"Content-Transfer-Encoding: x-uuencode",
        b"--b",
        b"--b--",
        b"--b ",
    ),
    *(b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\xc3\xa9", b"\xe9", b"x" * 999, b"\x00", b" ", b":", b'"', b"Subject: h\xc3\xa9"),
    *(b"To: caf\xc3\xa9@example.org", b"To: R\xc3\xa9my <a@example.org>", b"X: " + b"y " * 600, b"\r", b"\n", b";boundary=c", b"no field"),
]


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(PIECES), max_size=25), st.booleans())
def test_whatever_it_is_it_is_refused_or_made_ready(pieces: list[bytes], utf8: bool) -> None:
    message = HEADER + b"".join(pieces)
    made = ready_or_not(message, utf8=utf8)
    if isinstance(made, Unfit):
        assert made.id
        assert "{" not in str(made)
        return
    header, _, _ = made.data.partition(b"\r\n\r\n")
    assert utf8 or header.isascii()
    assert utf8 or is_7bit(made.data)
    assert all(len(line) <= 998 for line in made.data.split(b"\r\n"))
    assert ready(made.data, utf8=utf8).data == made.data
    assert ready(made.data, utf8=utf8).changed == ()
    assert email.message_from_bytes(made.data, policy=email.policy.compat32)["from"] == "info@example.be"
