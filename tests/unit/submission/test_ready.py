"""What is made ready to be signed: which parts are encoded, which octets stand, and what is refused. RFC 6376 5.3, RFC 2045 2.7."""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import tracemalloc
from contextlib import suppress
from email.message import EmailMessage

import pytest

from support.work import lines
from zegel.submission import transfer
from zegel.submission.ready import Change, Ready, make_ready
from zegel.submission.transfer import encode
from zegel.submission.unfit import Unfit

BASE = b"From: info@example.be\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.be>\r\n"
LONG = b"x" * 999


def ready(message: bytes, *, utf8: bool = False) -> Ready:
    return make_ready(message, now=1_795_514_400.7, unique="k3f9", domain="example.be", utf8=utf8)


def parsed(message: bytes) -> EmailMessage:
    read = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


@pytest.mark.parametrize(
    "message",
    [
        BASE + b"\r\n",
        BASE + b"Subject: plain\r\n\r\n" + b"x" * 998 + b"\r\n",
        BASE + b"Content-Transfer-Encoding: base64\r\n\r\nw6k=\r\n",
        BASE + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\nno part at all\r\n',
        BASE + b"Content-Type: multipart/mixed\r\nContent-Type: text/plain\r\n\r\nstrange, and plain\r\n",
        BASE + b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--b--\r\n",
        BASE + b"Content-Type: message/partial\r\n\r\nx: y\r\n",
        BASE + b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n",
    ],
)
def test_what_may_go_as_it_is_stays_as_it_is(message: bytes) -> None:
    assert ready(message) == (message, (), False)


def test_only_the_part_that_needs_it_is_encoded() -> None:
    # RFC 2045 6.7, RFC 2046 5.1.1
    plain = b"--b\r\nContent-Type:   text/plain\r\nX-Odd :  y \r\n\r\n  every octet\tstands \r\n"
    message = BASE + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nPreamble\r\n" + plain
    message += (
        b"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>caf\xc3\xa9</p>\r\n--b--\r\nEnd\r\n"
    )
    made = ready(message)
    expected = message.replace(b": 8bit", b": quoted-printable").replace(b"\xc3\xa9", b"=C3=A9")
    assert made == (expected, (Change.ENCODED, Change.LABELLED), False)


def test_a_label_that_is_no_longer_true_is_set_right_at_every_level() -> None:
    # RFC 2045 6.1, RFC 2045 6.4, RFC 2046 5.2.1, RFC 6152 3
    eight = b"Content-Transfer-Encoding: 8bit\r\n"
    message = (
        BASE
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        + eight
        + b"\r\n--b\r\nContent-Type: message/rfc822\r\n"
    )
    message += (
        eight + b"\r\nSubject: within\r\n" + eight + b"\r\nplain\r\n--b\r\nContent-Transfer-Encoding: BINARY\r\n\r\nplain\r\n--b--\r\n"
    )
    made = ready(message)
    assert made.data == message.replace(b" 8bit", b" 7bit").replace(b" BINARY", b" 7bit")
    assert made.changed == (Change.LABELLED,)


@pytest.mark.parametrize(
    ("kind", "data", "encoding"),
    [
        (b"text/plain; charset=utf-8", b"caf\xc3\xa9 and more ASCII", "quoted-printable"),
        (b"text/plain; charset=utf-8", "Ωμέγα".encode(), "base64"),
        (b"text/plain", LONG, "quoted-printable"),
        (b"text/plain", b"a NUL \0 in it", "quoted-printable"),
        (b"application/pdf", b"mostly ASCII \xff", "base64"),
        (b"message/global", "Subject: é\r\n\r\né".encode(), "base64"),
    ],
)
def test_text_goes_in_quoted_printable_and_the_rest_in_base64(kind: bytes, data: bytes, encoding: str) -> None:
    # RFC 2045 6.7, RFC 2045 6.8
    made = parsed(ready(BASE + b"MIME-Version: 1.0\r\nContent-Type: " + kind + b"\r\n\r\n" + data + b"\r\n").data)
    assert made["content-transfer-encoding"] == encoding
    if made.get_content_maintype() != "message":
        assert made.get_payload(decode=True) == data + b"\r\n"


@pytest.mark.parametrize(("data", "charset"), [(b"caf\xc3\xa9", "utf-8"), (b"caf\xe9", "unknown-8bit")])
def test_a_message_without_mime_gets_the_fields_that_it_needs(data: bytes, charset: str) -> None:
    # RFC 2045 4, RFC 1428 3
    made = ready(BASE + b"\r\n" + data + b"\r\n")
    message = parsed(made.data)
    assert (message["mime-version"], message.get_content_charset()) == ("1.0", charset)
    assert message.get_payload(decode=True) == data + b"\r\n"
    assert made.changed == (Change.ENCODED, Change.LABELLED, Change.MIME)


def test_what_no_reader_shows_is_left_out_when_it_cannot_go() -> None:
    message = (
        BASE + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npr\xe9amble\r\n--b\r\n\r\nx\r\n--b--\r\n" + LONG
    )
    made = ready(message)
    assert made.changed == (Change.SURROUNDINGS,)
    assert parsed(made.data).get_body().get_content() == "x"  # type: ignore[union-attr]


def test_date_and_message_id_are_added_when_missing() -> None:
    # RFC 5322 3.6.1, RFC 5322 3.6.4
    made = ready(b"From: a@example.be\r\n\r\nx\r\n")
    assert made.changed == (Change.DATE, Change.MESSAGE_ID)
    assert made.data == (b"From: a@example.be\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <k3f9@example.be>\r\n\r\nx\r\n")
    assert ready(b"From: a@example.be\r\n").data.endswith(b"<k3f9@example.be>\r\n\r\n")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Subject: Bevestiging café", "Bevestiging café"),
        ("Subject: =?utf-8?q?a=C3=A9?= é " + "woord " * 30, "aé é " + ("woord " * 30).strip()),
        ("X-Form: é", "é"),
        ('To: "Peeters, René" <r@example.org>, Zoë <z@café.example>', '"Peeters, René" <r@example.org>, Zoë <z@xn--caf-dma.example>'),
    ],
)
def test_other_letters_in_a_header_are_written_as_encoded_words(field: str, expected: str) -> None:
    # RFC 2047 5, RFC 5322 3.6.5, RFC 2045 8; with SMTPUTF8 they stay: RFC 6531 3.2
    made = ready(BASE + field.encode() + b"\r\n\r\nx\r\n")
    name = field.partition(":")[0]
    assert made.data.isascii()
    assert parsed(made.data)[name] == expected
    assert made.changed == (Change.HEADER,)
    assert not made.utf8
    kept = ready(BASE + field.encode() + b"\r\n\r\nx\r\n", utf8=True)
    assert kept == (BASE + field.encode() + b"\r\n\r\nx\r\n", (), True)


def test_the_name_of_a_file_is_written_by_its_own_rfc() -> None:
    # RFC 2231 4
    part = (
        '--b\r\nContent-Type: text/plain; name="é;\\"x.pdf"\r\nContent-Disposition: attachment;\r\n filename=Café.pdf\r\n\r\nx\r\n--b--\r\n'
    )
    message = parsed(ready(BASE + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part.encode()).data)
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "Café.pdf"
    assert attached.get_param("name") == 'é;"x.pdf'


@pytest.mark.parametrize(
    "field",
    [
        b"Subject: " + b"word " * 400,
        b"Subject: " + b"w" * 3000,
        b"References: " + b"<0123456789@example.be> " * 100,
        b"To: " + b",".join([b'"a, b" <c@example.org>'] * 100),
        b"X-Spam-Report: " + b"y" * 990 + b" " + b"z" * 990,
    ],
)
def test_long_fields_are_folded(field: bytes) -> None:
    message = BASE + field + b"\r\n\r\nx\r\n"
    made = ready(message)
    assert made.changed == (Change.HEADER,)
    assert max(map(len, made.data.split(b"\r\n"))) <= 998
    name = field.partition(b":")[0].decode()
    before, after = (parsed(data)[name] for data in (message, made.data))
    assert "".join(after.split()) == "".join(before.split())


@pytest.mark.parametrize(
    ("message", "id"),
    [
        (BASE + b"\r\na\nb", "bare_line_end"),
        (BASE + b"\r\na\rb\r\n", "bare_line_end"),
        (b"\r\nbody\r\n", "no_header"),
        (BASE + b"no field\r\n\r\n", "no_field"),
        (b"X: y\r\n" * 200_000 + b"\r\n", "header_too_large"),
        (BASE + b"Subject: a\0b\r\n\r\n", "field_nul"),
        (BASE + b"Subject: caf\xe9\r\n\r\n", "field_not_utf8"),
        (BASE + "References: <é@x>\r\n\r\n".encode(), "field_8bit"),
        (BASE + "To: Groep: é@x.example;\r\n\r\n".encode(), "field_8bit"),
        (BASE + "Content-Type: text/plain; charset=é\r\n\r\n".encode(), "field_8bit"),
        (BASE + "To: é@example.org\r\n\r\n".encode(), "address_8bit"),
        (BASE + b"References: <" + LONG + b">\r\n\r\n", "field_long"),
        (BASE + b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\ncaf\xe9\r\n--b--\r\n", "signed_part"),
        (BASE + b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" + LONG + b"\r\n--b--\r\n", "signed_part"),
        (
            BASE + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n\xe9",
            "signed_part",
        ),
        (BASE + b"Content-Type: message/partial\r\n\r\n\xe9", "message_part"),
        (BASE + b"Content-Type: message/delivery-status\r\n\r\n\xe9", "message_part"),
        (BASE + b"Content-Type: message/rfc822\r\n\r\nSubject: caf\xe9\r\n\r\n", "field_not_utf8"),
        (BASE + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xe9", "no_boundary"),
        (BASE + b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n\xe9", "no_boundary"),
        (BASE + b"Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n--b\r\n\r\n\xe9", "doubtful"),
        (BASE + b"Content-Type: text/plain\r\nContent-Type: image/png\r\n\r\n\xe9", "doubtful"),
        (BASE + b'Content-Type: message/rfc"822\r\n\r\nSubject: x\r\n\r\n\xe9', "doubtful"),
        (BASE + b"Content-Transfer-Encoding: base64\r\n\r\nw6k=\xe9", "encoding"),
        (BASE + b"Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64\r\n\r\n\xe9", "doubtful"),
        (BASE + b"Content-Transfer-Encoding: x-uuencode\r\n\r\n\xe9", "encoding"),
        (BASE + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 3000 + b"\xe9", "too_many_parts"),
        (
            BASE + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(22)) + b"\r\n\xe9",
            "nested",
        ),
    ],
)
def test_what_cannot_go_and_may_not_be_changed_is_refused(message: bytes, id: str) -> None:
    # RFC 1847 2.1, RFC 2046 5.2, RFC 2046 5.2.2, RFC 5321 2.3.8
    with pytest.raises(Unfit) as caught:
        ready(message)
    assert caught.value.id == id
    assert "{" not in str(caught.value)


def test_the_strangest_parts_may_go_when_they_are_plain() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60)) + b"\r\nx"
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 3000
    for message in (BASE + nested, BASE + many):
        assert ready(message) == (message, (), False)


def cost(message: bytes) -> int:
    """How many lines of Python a message costs."""

    def made() -> None:
        with suppress(Unfit):
            ready(message)

    return lines(made)


@pytest.mark.parametrize(
    "hostile",
    [
        b"X: y\r\n",
        b"Content-Type: text/plain; " + b'a="' * 20 + b"\r\n",
        b'To: "' + b'\\"' * 30 + b"\xc3\xa9\r\n",
        b"Subject: " + b"=?utf-8?q?a?= \xc3\xa9" * 3 + b"\r\n",
        b"\r\n--b\r\n\r\n\xe9\r\n",
        b"\r\n--b" + b" " * 50,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    ],
)
def test_twice_the_message_costs_twice_the_work(hostile: bytes) -> None:
    head = BASE + b"Content-Type: multipart/mixed; boundary=b\r\n"
    once, twice = (cost(head + hostile * count + b"\r\n\r\nx\r\n") for count in (150, 300))
    assert twice <= 2.5 * once


@pytest.mark.parametrize("size", [1, 56, 57, 58, 114, 1000])
def test_base64_has_lines_of_76_letters_and_none_that_is_open(size: int) -> None:
    """RFC 2045 6.8."""
    made = encode(b"\xff" * size, text=False)
    rows = made.data.split(b"\r\n")
    assert made.encoding == "base64"
    assert all(len(line) == 76 for line in rows[:-1])
    assert b"\n" not in b"".join(rows)
    assert base64.b64decode(b"".join(rows), validate=True) == b"\xff" * size


def test_millions_of_short_lines_take_no_memory_of_their_own() -> None:
    """Each line is an object of 40 octets and more: 25 MB of empty ones in one list were more than a gigabyte."""
    data = b"\r\n" * 2_000_000 + b"\xe9\r\n"
    tracemalloc.start()
    made = transfer.encode(data, text=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(data)
    assert made.data == data.replace(b"\xe9", b"=E9")


def test_blocks_change_no_line() -> None:
    for size in range(65_536 - 160, 65_536 + 4):
        for data in (b"a" * 70 + b"\r\n" + b"x" * size + b"\r\n\xe9 \r\n.\r\n", b"x\r\n" * (size // 3) + b"\r" * (size % 3) + b"\r\n\xe9"):
            assert binascii.a2b_qp(transfer.mend(transfer.mend(data, "quoted-printable").data, "quoted-printable").data) == data
            lines = [binascii.b2a_qp(line, istext=False).replace(b"\n", b"\r\n") for line in data.split(b"\r\n")]
            assert transfer._quoted_printable(data) == b"\r\n".join(lines)
