"""Makes a message ready to be signed: nothing is left in it that a mail server on its way would have to change. RFC 6376 5.3.

A server whose next hop has no 8BITMIME re-encodes what is called 8bit (RFC 6152 3), and one that meets a line over 998 octets breaks it;
no signature holds after that. So each part that needs it is encoded here, its label is set right, and every other octet stands: no part is
parsed and written again. Nothing is changed within multipart/signed, whose own signature would break (RFC 1847 2.1): what cannot go as
it is and may not be changed is refused. The header is written in ASCII unless the client asked for SMTPUTF8; Date and Message-ID are added
when they are missing (RFC 6409 8.2, 8.3).

Run :func:`zegel.submission.sender.correct` first: it takes a From that this room would have to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import NamedTuple

from zegel.grammar.mediatype import MediaType, media_type, transfer_encoding
from zegel.grammar.message import CRLF, Field, named, split_fields
from zegel.submission import transfer
from zegel.submission.fields import is_fit, make_fit
from zegel.submission.unfit import Unfit, Unfitness

_MAX_HEADER = 1 << 20  # octets of one header; the outer message's own limits are lower
_MAX_DEPTH = 20
_MAX_PARTS = 2000
_EMPTY_LINE = CRLF + CRLF
# What some readers take for a part with parts in it, though it is no media type.
_LIKE_COMPOSITE = re.compile(rb"\s*(?:multipart|message)", re.IGNORECASE)
_UNLIKE_7BIT = ("8bit", "binary")


class Change(StrEnum):
    """What was done to a message, for the log."""

    ENCODED = "encoded"  # a part was encoded anew
    LABELLED = "labelled"  # a part was called 8bit or binary, and is not, or is no longer
    SURROUNDINGS = "surroundings"  # what stands before or after the parts, which no reader shows, was left out
    HEADER = "header"  # a field was written in encoded words, or folded
    MIME = "mime"  # MIME-Version or Content-Type was added
    DATE = "date"
    MESSAGE_ID = "message_id"


class Ready(NamedTuple):
    """The message as it is to be signed. ``changed`` is in the order of :class:`Change`, () when the bytes are those that came.

    ``utf8`` tells that its header is not ASCII, so that the next hop must have SMTPUTF8 (RFC 6531 3.2); no body needs 8BITMIME.
    """

    data: bytes
    changed: tuple[Change, ...]
    utf8: bool


def make_ready(data: bytes, *, now: float, unique: str, domain: str, utf8: bool = False) -> Ready:
    """Make a message (CRLF) ready to be signed. Doing it twice changes nothing more. Raises :class:`Unfit`.

    ``now`` is seconds since the epoch; ``unique`` a token of letters and digits that was never used before, and ``domain`` the site's own:
    the two sides of a Message-ID that is missing. ``utf8``: the client asked for SMTPUTF8, so that the header may stay as it is.
    """
    if len(data) - len(data.translate(None, CRLF)) != 2 * data.count(CRLF):
        raise Unfit(Unfitness.BARE_LINE_END)
    if not data.startswith(CRLF) and _EMPTY_LINE not in data:
        data = data.removesuffix(CRLF) + _EMPTY_LINE  # a header and no body
    fields = _header(data)
    missing = _missing(fields, now, unique, domain)
    parts = _Parts(data, utf8=utf8)
    parts.mend_message(fields, [field for _, field in missing])
    changed = parts.changed | {change for change, _ in missing}
    made = parts.result()
    return Ready(made, tuple(change for change in Change if change in changed), not made[: made.find(_EMPTY_LINE)].isascii())


def _header(data: bytes) -> list[Field]:
    end = data.find(_EMPTY_LINE, 0, _MAX_HEADER + len(_EMPTY_LINE))
    if data.startswith(CRLF):
        raise Unfit(Unfitness.NO_HEADER)
    if end < 0:
        raise Unfit(Unfitness.HEADER_TOO_LARGE, limit=_MAX_HEADER)
    fields, malformed = split_fields(data[:end])
    if malformed or not fields:
        raise Unfit(Unfitness.NO_FIELD)
    return fields


def _missing(fields: list[Field], now: float, unique: str, domain: str) -> list[tuple[Change, Field]]:
    """Date and Message-ID, where they are missing. RFC 5322 3.6.1, 3.6.4."""
    added = []
    if not named(fields, b"date"):
        date = format_datetime(datetime.fromtimestamp(int(now), UTC))
        added.append((Change.DATE, Field(b"Date", f" {date}".encode("ascii"))))
    if not named(fields, b"message-id"):
        added.append((Change.MESSAGE_ID, Field(b"Message-ID", f" <{unique}@{domain}>".encode("ascii"))))
    return added


class _Entity(NamedTuple):
    """A header and a body, by their places: ``header_end`` is before the last CRLF of the header, ``body`` behind the empty line."""

    start: int
    header_end: int
    body: int
    end: int
    fields: list[Field]
    malformed: int
    media: MediaType
    label: str

    @property
    def doubtful(self) -> bool:
        """Two readers may not see the same data in it."""
        labels = {transfer_encoding(field.value) for field in named(self.fields, b"content-transfer-encoding")}
        types = named(self.fields, b"content-type")
        strange = not self.media.name and any(_LIKE_COMPOSITE.match(field.value) for field in types)
        return bool(self.malformed) or len(types) > 1 or len(labels) > 1 or strange


def _entity(start: int, header_end: int, body: int, end: int, fields: list[Field], malformed: int, usual: bytes) -> _Entity:
    types, labels = named(fields, b"content-type"), named(fields, b"content-transfer-encoding")
    label = transfer_encoding(labels[0].value) if labels else ""
    return _Entity(start, header_end, body, end, fields, malformed, media_type(types[0].value if types else usual), label)


class _Parts:
    """The parts of one message, from the outermost in. It looks at each once for each level above it, and keeps what is to be changed."""

    def __init__(self, data: bytes, *, utf8: bool) -> None:
        self._data, self._utf8 = data, utf8
        self._clean = transfer.is_7bit(data)  # then no part needs to be looked at for it
        self._edits: list[tuple[int, int, bytes]] = []
        self._left = _MAX_PARTS
        self._kept_utf8 = False  # in the header of a part
        self.changed: set[Change] = set()

    def mend_message(self, fields: list[Field], missing: Sequence[Field]) -> None:
        """Mend the message itself, whose fields are these; ``missing`` goes to its header."""
        end = self._data.find(_EMPTY_LINE)
        self._mend(_entity(0, end, end + len(_EMPTY_LINE), len(self._data), fields, 0, b"text/plain"), 0, missing)

    def mend(self, start: int, end: int, usual: bytes, depth: int) -> None:
        """Mend a part, or a message within. ``usual`` is its type when it says none."""
        self._mend(self._read(start, end, usual), depth)

    def _mend(self, entity: _Entity, depth: int, missing: Sequence[Field] = ()) -> None:
        if entity.media.name == "multipart/signed":
            label = self._stays(entity, Unfitness.SIGNED_PART)
        elif entity.doubtful:
            label = self._stays(entity, Unfitness.DOUBTFUL, field="header")
        elif entity.media.main == "multipart":
            label = self._multipart(entity, depth)
        elif entity.media.main == "message" and not entity.media.name.startswith("message/global"):
            label = self._message(entity, depth)
        else:
            label = self._leaf(entity)
        self._write_header(entity, label, depth, missing)

    def result(self) -> bytes:
        """The message with its changes."""
        out, at = [], 0
        for start, end, new in sorted(self._edits):
            out += [self._data[at:start], new]
            at = end
        return b"".join([*out, self._data[at:]])

    def _read(self, start: int, end: int, usual: bytes) -> _Entity:
        if self._data.startswith(CRLF, start, end):
            header_end, body = start, start + len(CRLF)
        else:
            found = self._data.find(_EMPTY_LINE, start, end)
            header_end, body = (found, found + len(_EMPTY_LINE)) if found >= 0 else (end, end)
        fields, malformed = split_fields(self._data[start:header_end]) if start < header_end else ([], 0)
        return _entity(start, header_end, body, end, fields, malformed, usual)

    # -- bodies: each gives the label that it needs, None where it may stay --------------------------------------------------------------

    def _is_7bit(self, start: int, end: int) -> bool:
        return self._clean or transfer.is_7bit(self._data[start:end])

    def _stays(self, entity: _Entity, reason: Unfitness, **values: object) -> str | None:
        """A body that may not be changed, with its label; unless it must be, for that reason."""
        if not self._is_7bit(entity.body, entity.end):
            raise Unfit(reason, **values)
        return None

    def _leaf(self, entity: _Entity) -> str | None:
        if self._is_7bit(entity.body, entity.end):
            return "7bit" if entity.label in _UNLIKE_7BIT else None
        body = self._data[entity.body : entity.end]
        if entity.label in transfer.UNKNOWN or (entity.label == "base64" and not transfer.is_base64(body)):
            raise Unfit(Unfitness.ENCODING, encoding=entity.label)
        if entity.label in ("quoted-printable", "base64"):
            made = transfer.mend(body, entity.label)
        else:
            # A word that is no encoding ("utf-8", "8-bit") is common, and every reader takes the data as it stands.
            made = transfer.encode(body, text=entity.media.main == "text")
        last = CRLF if body.endswith(CRLF) and not made.data.endswith(CRLF) else b""
        self._edit(entity.body, entity.end, made.data + last, Change.ENCODED)
        return made.encoding

    def _multipart(self, entity: _Entity, depth: int) -> str | None:
        """Each part on its own; the multipart itself may not be encoded. RFC 2045 6.4."""
        if depth >= _MAX_DEPTH:
            return self._stays(entity, Unfitness.NESTED, limit=_MAX_DEPTH)
        if entity.media.doubtful:
            return self._stays(entity, Unfitness.DOUBTFUL, field="Content-Type")
        lines = self._delimiters(entity)
        if not lines:
            return self._stays(entity, Unfitness.NO_BOUNDARY)
        self._left -= len(lines)
        if self._left < 0:
            return self._stays(entity, Unfitness.TOO_MANY, limit=_MAX_PARTS)
        self._surroundings(entity.body, lines[0].start(), b"")
        usual = b"message/rfc822" if entity.media.name == "multipart/digest" else b"text/plain"
        ends = [line.start() for line in lines[1:]] + [entity.end]
        for line, end in zip(lines, ends, strict=True):
            if line[1]:  # the last one: RFC 2046 5.1.1
                self._surroundings(line.end(), entity.end, CRLF)
                break
            start = min(line.end() + len(CRLF), entity.end)
            self.mend(start, max(start, end), usual, depth + 1)
        return None if self._kept_utf8 else "7bit"

    def _delimiters(self, entity: _Entity) -> list[re.Match[bytes]]:
        """The delimiter lines of a multipart, up to the last that counts. The CRLF before each belongs to it. RFC 2046 5.1.1."""
        boundary = entity.media.parameters.get("boundary", b"").rstrip(b" \t")
        if not boundary:
            return []
        line = re.compile(rb"\r\n--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\Z)")
        found: list[re.Match[bytes]] = []
        for match in line.finditer(self._data, entity.body - len(CRLF), entity.end):
            found.append(match)
            if match[1] or len(found) > self._left:
                break
        return found

    def _surroundings(self, start: int, end: int, instead: bytes) -> None:
        """What stands before the first part or after the last, which every reader ignores (RFC 2046 5.1.1): left out if it cannot go."""
        if start < end and not self._is_7bit(start, end):
            self._edit(start, end, instead, Change.SURROUNDINGS)

    def _message(self, entity: _Entity, depth: int) -> str | None:
        """A message within: its own parts may be encoded, it itself may not. RFC 2046 5.2.1, 5.2.2."""
        if entity.media.name != "message/rfc822":
            self._stays(entity, Unfitness.MESSAGE_PART, type=entity.media.name)
        elif depth >= _MAX_DEPTH:
            self._stays(entity, Unfitness.NESTED, limit=_MAX_DEPTH)
        else:
            self.mend(entity.body, entity.end, b"text/plain", depth + 1)
        return None if self._kept_utf8 else "7bit"

    # -- headers ---------------------------------------------------------------------------------------------------------------------

    def _write_header(self, entity: _Entity, label: str | None, depth: int, missing: Sequence[Field]) -> None:
        """Put the header of an entity right, where something in it must change."""
        block = self._data[entity.start : entity.header_end]
        fields = entity.fields
        if not is_fit(block, utf8=self._utf8):
            if entity.malformed:
                raise Unfit(Unfitness.NO_FIELD)
            fields = [make_fit(field, utf8=self._utf8) for field in fields]
            self.changed.add(Change.HEADER)
        self._kept_utf8 = self._kept_utf8 or (depth > 0 and self._utf8 and not block.isascii())
        if label is not None and label != entity.label and (label != "7bit" or entity.label in _UNLIKE_7BIT):
            fields = self._with_mime(_labelled(fields, label), label, entity, depth)
            self.changed.add(Change.LABELLED)
        fields = [*fields, *missing]
        if fields != entity.fields:
            text = CRLF.join([field.raw for field in fields])
            self._edits.append((entity.start, entity.header_end, text if block else text + CRLF))

    def _with_mime(self, fields: list[Field], label: str, entity: _Entity, depth: int) -> list[Field]:
        """The fields without which the label says nothing. Text of no known charset is called that. RFC 2045 4, RFC 1428 3."""
        if label == "7bit":
            return fields
        added = []
        if not named(fields, b"content-type") and entity.media.name == "text/plain":
            charset = b"utf-8" if _is_utf8(self._data[entity.body : entity.end]) else b"unknown-8bit"
            added.append(Field(b"Content-Type", b" text/plain; charset=" + charset))
        if depth == 0 and not named(fields, b"mime-version"):
            added.append(Field(b"MIME-Version", b" 1.0"))
        if added:
            self.changed.add(Change.MIME)
        return [*fields, *added]

    def _edit(self, start: int, end: int, new: bytes, change: Change) -> None:
        self._edits.append((start, end, new))
        self.changed.add(change)


def _labelled(fields: Iterable[Field], encoding: str) -> list[Field]:
    """The fields with one Content-Transfer-Encoding, that one, at the place of the first."""
    made, said = [], False
    for field in fields:
        if field.key != b"content-transfer-encoding":
            made.append(field)
        elif not said:
            made.append(field._replace(value=b" " + encoding.encode("ascii")))
            said = True
    return made if said else [*made, Field(b"Content-Transfer-Encoding", b" " + encoding.encode("ascii"))]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
