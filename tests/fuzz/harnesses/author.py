"""The author: one outcome for any header, and none where a careless reader could see another From; look-alikes stay in bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuzz import seeds
from zegel.dkim.header import Header
from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import shown
from zegel.verdict.author import AuthorReason, read_author
from zegel.verdict.lookalike import LookAlikes
from zegel.verdict.skeleton import skeleton

WORDS = (
    *(
        b"From:",
        b"From :",
        b" From:",
        b"\r\n",
        b"\r\n ",
        b"\r",
        b"\n",
        b"\x00",
        b"\x0b",
        b"a@example.org",
        b"<",
        b">",
        b",",
        b";",
        b'"',
        b"(x)",
    ),
    *(
        b"=?utf-8?q?=E2=80=AE?=",
        b"=?utf-8?b?",
        b"?=",
        b"xn--",
        b"\xd0\xb0",
        b"\xe3\x80\x82",
        b"To: x\r\n",
        b"DKIM-Signature: z=\r\n From:a@b",
    ),
)
_OURS = Domain("example.org")
_LISTED = LookAlikes(
    [_OURS, Domain("my-company.co.uk")], [Domain("paypal.com")], organizational=lambda name: Domain(".".join(name.labels[-2:]))
)
# What the most careless reader takes for From: anything that ends a line before it, anything unprintable around it.
_CARELESS = re.compile(rb"(?:\A|[\r\n])[\x00-\x20\x7f-\xff]*from[\x00-\x20\x7f-\xff]*:", re.IGNORECASE)
_AT = re.compile(rb"\r\n[ \t]+from[ \t]*:[^\r\n]*@", re.IGNORECASE)


def _is_fold(one: bytes) -> bool:
    """The line that the name itself stands in begins with white space: whatever lines that are no field stand before it."""
    return re.split(rb"[\r\n]", one)[-1][:1] in (b" ", b"\t")


def starts() -> Iterator[bytes]:
    yield from (message.partition(b"\r\n\r\n")[0] + b"\r\n" for message in seeds.messages())
    yield from (b"From:" + value + b"\r\n" for value in seeds.fields(b"from"))
    yield from (text.encode("utf-8", "surrogateescape") for text in seeds.strings("attacks/spoofing.json") if "From:" in text)


def fuzz(data: bytes) -> None:
    header = Header(data)
    author = read_author(header)
    assert (author.mailbox is None) is (author.reason is not AuthorReason.ONE_AUTHOR)
    assert author.text.isprintable()
    assert len(author.text) <= 300
    assert author.display_name.isprintable()
    assert len(author.display_name) <= 200
    assert str(author.told)
    text = data.decode("utf-8", "replace")
    assert shown(text).isprintable()
    assert len(skeleton(text)) <= 4000
    if author.mailbox is None:
        return
    assert len(header.values("from")) == 1
    seen = [match[0] for match in _CARELESS.finditer(data)]
    # Only a fold may look like one besides, and in no address.
    assert sum(not _is_fold(one) or b"\r\n" not in data for one in seen) <= 1, seen
    if _AT.search(data):
        assert b"signature" in data.lower()
    found = _LISTED.find(author.mailbox.domain, author.display_name)
    assert len(found) <= 2
    assert not (found and author.mailbox.domain.within(_OURS))
    for one in found:
        assert str(one.told).isprintable()
