"""A site's message, corrected and made ready or refused: what comes out is 7bit, of the site, true, and stays as it is.

The oracle is the standard library's reader: no part of a well-formed message may decode to other octets than before.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import Message

from fuzz import seeds
from zegel.dkim.header import Header
from zegel.grammar.address import mailboxes
from zegel.grammar.message import split_fields
from zegel.submission.handed import HandedError, read_head
from zegel.submission.ready import Change, make_ready
from zegel.submission.sender import Foreign, SenderRules, correct
from zegel.submission.transfer import is_7bit
from zegel.submission.unfit import Unfit

WORDS = (
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"\xc3\xa9",
        b"\xe9",
        b"\x00",
        b"y" * 999,
        b"=\r\n",
        b"=41",
        b" ",
        b"\t",
        b"\r",
        b"\n",
    ),
    *(
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/signed; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n",
    ),
    *(b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
    *(
        b"From: a@b.example\r\n",
        b"From: info@example.be\r\n",
        b"Reply-To: x <x@y.example>\r\n",
        b"Sender: s@t.example\r\n",
        b"=?utf-8?q?=0D=0A?=",
    ),
    *(b"<", b">", b",", b";", b":", b'"', b"zegel-handover 1\n", b"size 5\n", b"to a@b\n"),
)
_RULES = SenderRules("noreply@example.be", frozenset({"example.be"}))
_PARTS = b"From: Jan <jan@gmail.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
_HEAD = b"zegel-handover 1\nid 0123456789abcdef0123456789abcdef\nvia sendmail\nfrom a@b\nto c@d\nsize 5\n"


def starts() -> Iterator[bytes]:
    yield from (_PARTS, _PARTS.replace(b"x\r\n", b"caf\xc3\xa9\r\n"), _HEAD)
    yield from seeds.messages()


def fuzz(data: bytes) -> None:
    _envelope(data)
    try:
        corrected = correct(data, _RULES, mail_from="www-data@web01")
        made = make_ready(corrected.data, now=1_795_000_000, unique="u1", domain="example.be")
    except (Foreign, Unfit) as error:
        assert error.id
        return
    assert is_7bit(made.data)
    header = made.data.partition(b"\r\n\r\n")[0]
    assert split_fields(header)[1] == 0
    (author,) = Header(header).values("from")
    (mailbox,) = mailboxes(author)
    assert _RULES.cover(mailbox)
    assert mailbox.address == corrected.author.address
    assert make_ready(made.data, now=1, unique="u2", domain="example.be") == (made.data, (), False)
    assert correct(made.data, _RULES, mail_from=corrected.mail_from).data == made.data
    if Change.SURROUNDINGS in made.changed:
        return
    before, after = _contents(corrected.data), _contents(made.data)
    assert before is None or before == after


def _envelope(data: bytes) -> None:
    try:
        handed = read_head(data)
    except HandedError:
        return
    assert handed.head() == data.removesuffix(b"\n") + b"\n"


def _contents(message: bytes) -> list[object] | None:
    """What the reader decodes of each part; None where it finds anything wrong, and may read the bytes in another way than others do."""
    read = email.message_from_bytes(message, policy=email.policy.compat32)
    parts: list[Message] = list(read.walk())
    found: list[object] = [(part.get_content_type(), None if part.is_multipart() else part.get_payload(decode=True)) for part in parts]
    # What it cannot decode it notes when it is asked to.
    return None if any(part.defects for part in parts) else found
