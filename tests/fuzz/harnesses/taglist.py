"""The tag list, and the values that its callers read out of it. RFC 6376 3.2."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from fuzz import reference, seeds
from zegel.grammar import taglist

WORDS = (b"v=1", b"; ", b";", b"=", b"b=", b"bh=", b" b =", b"\r\n ", b"\t", b":", b"==", b"AAAA", b"\xc3\xa9", b"\x00", b"\x0b", b"a1_=")


def starts() -> Iterator[bytes]:
    yield from seeds.fields(b"dkim-signature", b"arc-message-signature", b"arc-seal")
    yield from seeds.key_records()
    yield b"v=DMARC1; p=none; rua=mailto:a@example.org!10m,mailto:b@example.net"


def fuzz(data: bytes) -> None:
    expected = reference.tag_list(data)
    try:
        tags = taglist.parse(data)
    except taglist.TagListError:
        assert expected is None, data
    else:
        assert list(tags.items()) == list((expected or {}).items())
        assert expected is not None
        again = taglist.format_tags(tags).encode()
        assert taglist.parse(again) == tags
        emptied(data, tags)
        for value in tags.values():
            read(value)
    taglist.emptied(data, b"b")  # of anything: no exception
    read(data.decode("latin-1"))


def emptied(data: bytes, tags: dict[str, str]) -> None:
    """One value goes, and nothing else."""
    for name in tags:
        less = taglist.emptied(data, name.encode())
        assert taglist.parse(less) == {**tags, name: ""}
    assert taglist.emptied(data, b"b") == (reference.without_b(data) if "b" in tags else data)
    none_of_them = "x" + "".join(tags)
    assert taglist.emptied(data, none_of_them.encode()) == data


def read(value: str) -> None:
    assert taglist.colon_list(value) == [item.strip(" \t\r\n") for item in value.lower().split(":")]
    expected = reference.decode(value)
    try:
        octets = taglist.base64(value)
    except ValueError:
        bare = value.replace("\r\n", "")  # stricter than the reference in one thing: CR and LF are white space together
        assert not expected or "\r" in bare or "\n" in bare
    else:
        assert octets == expected
        assert taglist.base64(base64.b64encode(octets).decode()) == octets
