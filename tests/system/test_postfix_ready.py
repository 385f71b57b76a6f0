"""A real Postfix whose next hop has no 8BITMIME: what was made ready arrives as it was signed, and what was not does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import zegel
from support.postfix import Postfix
from support.proof import holds
from zegel.submission.ready import make_ready

HEAD = b"From: Us <info@example.org>\r\nTo: someone@example.net\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"
EIGHT = b"Content-Transfer-Encoding: 8bit\r\n"
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
MIXED = b'Content-Type: multipart/mixed; boundary="b"\r\n'
MESSAGES = {
    "8-bit text": HEAD + TEXT + EIGHT + b"\r\ncaf\xc3\xa9\r\n",
    "8-bit parts": HEAD + MIXED + EIGHT + b"\r\n--b\r\n" + TEXT + EIGHT + b"\r\ncaf\xc3\xa9\r\n--b\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x80\xff\x00\r\n--b--\r\n",
    "plain text that is called 8bit": HEAD + MIXED + EIGHT + b"\r\n--b\r\n" + TEXT + EIGHT + b"\r\nplain\r\n--b--\r\n",
    "a message within": HEAD + b"Content-Type: message/rfc822\r\n" + EIGHT + b"\r\nSubject: x\r\n" + TEXT + EIGHT + b"\r\ncaf\xc3\xa9\r\n",
    "a long line": HEAD + TEXT + b"\r\n" + b"lorem ipsum " * 200 + b"\r\n",
    "base64 in one line": HEAD + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 900 + b"\r\n",
    "a long header line": HEAD + b"References: " + b" ".join(b"<%d@example.org>" % n for n in range(200)) + b"\r\n\r\nx\r\n",
}


@pytest.fixture(scope="module")
def key() -> zegel.Key:
    return zegel.Key.generate("example.org", "s1", "ed25519")


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix(sink_extensions=("SIZE 0",)) as running:
        yield running


def arrived(postfix: Postfix, key: zegel.Key, message: bytes) -> bytes:
    before = len(postfix.sink.messages)
    postfix.send(zegel.sign(message, key) + message, sender="info@example.org")
    return postfix.sink.wait(before + 1)[-1].data


@pytest.mark.parametrize("name", MESSAGES)
def test_what_was_made_ready_arrives_as_it_was_signed(postfix: Postfix, key: zegel.Key, name: str) -> None:
    made = make_ready(MESSAGES[name], now=1_795_514_400, unique="k3f9", domain="example.org")
    data = arrived(postfix, key, made.data)
    assert data.isascii()
    assert holds(data, {key.name: key.record}) == [("ed25519-sha256", "example.org")]
    assert data.endswith(made.data.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("name", MESSAGES)
def test_what_was_not_is_changed_on_its_way(postfix: Postfix, key: zegel.Key, name: str) -> None:
    data = arrived(postfix, key, MESSAGES[name])
    (result,) = zegel.verify(data, resolver=zegel.Zone.from_dict({(key.name, "TXT"): [key.record]}))
    assert result.status == "fail"
