"""The sender of a site's mail, put right: a From that is not the site's own becomes its address, and the visitor goes to Reply-To.

A web form that sends in its visitor's name fails DMARC everywhere (RFC 9989 5.3): nothing of the visitor's domain can vouch for it. So
From is the site's address with the visitor's name kept, the envelope sender is aligned with it (RFC 9989 5.1.1), and a Sender that says
something else goes. A From that is right stays as it is, with its whole header. An address is only taken where it can be told safely: it
is never picked from several that a reader could take for the author.

RFC 5322 3.6.2 for the three fields. Nothing is looked up here; what is refused says which address to use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zegel.grammar.address import AddressError, AddressFault, Mailbox, mailboxes, written
from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import printable, shown
from zegel.grammar.message import CRLF, Field, named, split_fields
from zegel.reason import Reason
from zegel.words import N_, SpokenError

_MAX_HEADER = 1 << 20
_MOST_REPLY_TO = 20
_LONGEST_NAME = 100
_MOST_READ = 4096  # octets of a From that is no list of mailboxes
# What looks like an address in a value that cannot be read: plain ASCII, as people type it.
_LIKE_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
# After these nothing in the value is to be believed: they are how one reader is shown another address than the next.
_HOSTILE = frozenset((AddressFault.CONTROL, AddressFault.ENCODED_WORD, AddressFault.INVISIBLE, AddressFault.ROUTE, AddressFault.TOO_LONG))


class ForeignReason(Reason):
    """Why the sender of a message is refused: each says which address to use."""

    NOT_OURS = ("not_ours", "RFC 9989 5.3", N_("{author} in From is not an address of this site; send as {address}"))
    SEVERAL_FIELDS = ("several_fields", "RFC 5322 3.6", N_("the message has {count} From fields, and may have one; send as {address}"))
    UNREADABLE = ("unreadable", "RFC 5322 3.6.2", N_("From cannot be read ({fault}); send as {address}"))
    HEADER = ("header", "RFC 5322 2.2", N_("the header has a line that is no field, or never ends; send as {address}"))


class Foreign(SpokenError):  # noqa: N818 - what it says of the message
    """The message is not this site's to send; ``id`` names the reason, the text says it in English, with the address to use."""

    def __init__(self, reason: ForeignReason, /, **values: object) -> None:
        super().__init__(reason.sentence, **values)
        self.reason = reason

    @property
    def id(self) -> str:
        """The stable name of the reason, for scripts and counters."""
        return self.reason.id


@dataclass(frozen=True, slots=True)
class SenderRules:
    """Whom a site may send as.

    ``address`` is what a foreign From becomes. ``senders`` are the addresses ("info@example.be") and domains ("example.be", or
    ".example.be" for all below it) that it may use; ``address`` itself always is one. ``refuse`` refuses a foreign From instead.
    ``site_name`` stands behind "via" in the name; the domain of ``address`` where it is empty.
    """

    address: str
    senders: frozenset[str] = frozenset()
    refuse: bool = False
    site_name: str = ""
    own: Mailbox = field(init=False)

    def __post_init__(self) -> None:
        found = mailboxes(self.address.encode("utf-8"))
        if len(found) != 1 or found[0].display_name or not found[0].address.isascii():
            raise ValueError(f"the address of a site is one plain address, not {self.address!r}")
        object.__setattr__(self, "own", found[0])
        object.__setattr__(self, "senders", frozenset(map(_sender, self.senders)))

    def cover(self, mailbox: Mailbox) -> bool:
        """Tell if the site may send as that address."""
        address = _folded(mailbox.address)
        if address == _folded(self.own.address) or address in self.senders or mailbox.domain in self.senders:
            return True
        return any(f".{parent}" in self.senders for parent in mailbox.domain.parents)

    @property
    def via(self) -> str:
        """What people are told about where the mail comes from."""
        return self.site_name or self.own.domain.unicode


class Corrected(NamedTuple):
    """A message of the site's own.

    ``mail_from`` is the envelope sender to use ("" stays ""), ``author`` the mailbox in From. ``original`` is the From that came, for the
    log, in one line ("" when there was none), and ``visitor`` the address that replies go to, "" where there is none to tell. ``changed``
    tells that the header was written anew; without it ``data`` is what came.
    """

    data: bytes
    mail_from: str
    author: Mailbox
    original: str
    visitor: str
    changed: bool


def correct(data: bytes, rules: SenderRules, *, mail_from: str) -> Corrected:
    """Make the sender of a message (CRLF) one of the site's. Raises :class:`Foreign`.

    ``mail_from`` is the envelope sender, "" or "<>" the empty one: that stays, since it asks for no bounce (RFC 5321 4.5.5).
    """
    mail_from = mail_from.strip("<>")
    header, body = _split(data)
    fields, malformed = split_fields(header) if header else ([], 0)
    if malformed or len(header) > _MAX_HEADER:
        raise Foreign(ForeignReason.HEADER, address=rules.address)
    froms = named(fields, b"from")
    values = list(dict.fromkeys(each.value for each in froms))
    if len(values) > 1:
        raise Foreign(ForeignReason.SEVERAL_FIELDS, count=len(values), address=rules.address)
    original = shown(values[0][:_MOST_READ].decode("utf-8", "replace")) if values else ""
    found = _Found.read(values[0] if values else b"", rules)
    if found.right and len(froms) == 1 and froms[0].name.lower() == froms[0].key:
        author = found.authors[0]
        return Corrected(data, _aligned(mail_from, author, rules), author, original, "", changed=False)
    own = [author for author in found.authors if rules.cover(author)]
    visitors = [author for author in found.authors if not rules.cover(author)]
    if visitors and rules.refuse:
        raise Foreign(ForeignReason.NOT_OURS, author=visitors[0].address, address=rules.address)
    author, name = rules.own, _via(visitors[0], rules) if visitors else ""
    if own and not visitors and own[0].address.isascii():
        author, name = own[0], _name(own[0])
    replies = visitors or (own if len(own) > 1 else [])
    made = _written(fields, written(name, author.address), replies)
    made_data = b"".join([each.raw + CRLF for each in made]) + CRLF + body
    visitor = visitors[0].address if visitors else ""
    return Corrected(made_data, _aligned(mail_from, author, rules), author, original, visitor, changed=True)


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The header without its last CRLF, and the body; of what has no empty line, all is header."""
    if data.startswith(CRLF):
        return b"", data[len(CRLF) :]
    header, _, body = data.partition(CRLF + CRLF)
    return header.removesuffix(CRLF), body


class _Found(NamedTuple):
    """What a From says: its authors, and if it may stay as it is."""

    authors: Sequence[Mailbox]
    right: bool

    @classmethod
    def read(cls, value: bytes, rules: SenderRules) -> _Found:
        """Read a From; nothing in it is no author. Raises :class:`Foreign` where no address can be told safely."""
        if not value.strip():
            return cls((), right=False)
        try:
            found = mailboxes(value)
        except AddressError as error:
            one = _told(value) if error.fault not in _HOSTILE else None
            if one is None:
                raise Foreign(ForeignReason.UNREADABLE, fault=error, address=rules.address) from None
            return cls((one,), right=False)
        # Two authors of ours are allowed, but no receiver knows for whom DMARC is to ask (RFC 9989 11.5).
        return cls(found, right=len(found) == 1 and rules.cover(found[0]))


def _told(value: bytes) -> Mailbox | None:
    """The one address in a value that is no list of mailboxes, with the name before it; None where there is none, or a second one."""
    text = value[:_MOST_READ].decode("utf-8", "replace").replace("\r\n", "")
    matches = list(_LIKE_ADDRESS.finditer(text))
    try:
        found = {mailboxes(match[0].encode("ascii"))[0].address for match in matches}
        address = mailboxes(matches[-1][0].encode("ascii"))[0] if matches else None
    except AddressError:
        return None
    if address is None or len({_folded(each) for each in found}) != 1 or len(value) > _MOST_READ:
        return None
    # Every @ is part of it: a second address that is written in other letters is not passed over.
    if text.count("@") != len(matches):
        return None
    name = text[: matches[-1].start()].replace("\ufffd", "")
    return Mailbox(name.strip(' \t"<:;,()'), address.local_part, address.domain)


def _name(mailbox: Mailbox) -> str:
    """The name as people see it, "" where it is none: an address there is how a second author is shown."""
    name = shown(mailbox.display_name, longest=_LONGEST_NAME).strip(" '\"")
    return "" if "@" in name or not any(char.isalnum() for char in name) else name


def _via(visitor: Mailbox, rules: SenderRules) -> str:
    name = _name(visitor) or printable(visitor.local_part.partition("@")[0], longest=_LONGEST_NAME)
    return f"{name} via {rules.via}"


def _written(fields: Sequence[Field], author: str, replies: Sequence[Mailbox]) -> list[Field]:
    """The fields with that one From, without Sender (RFC 5322 3.6.2: From says it already), and with one Reply-To at most.

    Those whom a Reply-To named already come first, then who wrote.
    """
    reply_to = [each for each in _reply_to(fields, replies) if each]
    line = [Field(b"Reply-To", (" " + ",\r\n ".join(reply_to)).encode("ascii"))] if reply_to else []
    made: list[Field] = []
    placed = False
    for each in fields:
        if each.key == b"from" and not placed:
            made += [Field(b"From", f" {author}".encode("ascii")), *line]
            placed = True
        elif each.key not in (b"from", b"sender", b"reply-to"):
            made.append(each)
    return made if placed else [Field(b"From", f" {author}".encode("ascii")), *line, *made]


def _reply_to(fields: Sequence[Field], visitors: Sequence[Mailbox]) -> list[str]:
    found: dict[str, str] = {}
    for each in named(fields, b"reply-to"):
        try:
            named_already = mailboxes(each.value)
        except AddressError:
            one = _told(each.value)
            named_already = [one] if one else []
        for mailbox in named_already[:_MOST_REPLY_TO]:
            found.setdefault(_folded(mailbox.address), _mailbox(mailbox))
    for mailbox in visitors[:_MOST_REPLY_TO]:
        found.setdefault(_folded(mailbox.address), _mailbox(mailbox))
    return list(found.values())[: 2 * _MOST_REPLY_TO]


def _mailbox(mailbox: Mailbox) -> str:
    """The mailbox in ASCII, "" where its local part has other letters: without SMTPUTF8 nobody could write to it (RFC 6532 3.2)."""
    return written(_name(mailbox), mailbox.address) if mailbox.address.isascii() else ""


def _aligned(mail_from: str, author: Mailbox, rules: SenderRules) -> str:
    """The envelope sender: as it is when it is the site's own and its domain fits the author's, else an address that does."""
    if not mail_from:
        return ""
    try:
        found = mailboxes(mail_from.encode("utf-8"))
    except (AddressError, UnicodeEncodeError):
        found = []
    if len(found) == 1 and rules.cover(found[0]) and _fits(found[0].domain, author.domain):
        # A comment beside it would be no part of a path (RFC 5321 4.1.2).
        return mail_from if _folded(mail_from) == _folded(found[0].address) else found[0].address
    return rules.own.address if _fits(rules.own.domain, author.domain) else author.address


def _fits(one: Domain, other: Domain) -> bool:
    """The same domain, or one below the other: aligned by whatever walk a receiver makes (RFC 9989 4.10)."""
    return one.within(other) or other.within(one)


def _sender(text: str) -> str:
    """A sender as it is compared: lower case, its domain in A-labels. Raises ValueError for what is neither an address nor a domain."""
    local, at, host = text.rpartition("@")
    dot = "." if host.startswith(".") else ""
    return f"{_folded(local)}{at}{dot}{Domain.parse(host.removeprefix('.'))}"


def _folded(text: str) -> str:
    """Lower case of ASCII alone: ``str.lower`` makes the Kelvin sign a plain k, and so one mailbox another."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
