"""The side of the quarantine that mail passes: a copy of what may be kept, and the way back of what was released.

A message is copied only where its recipients' mode lets anything be quarantined at all. It is on disk before the mail server hears that
it may forget it; what cannot be kept is deferred (451), and its sender still has it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator

from zegel.adapters.journal import About
from zegel.dkim.header import Header
from zegel.gateway.way import Envelope
from zegel.milter.edits import DeleteHeader, Discard, Edit, InsertHeader, Outcome, TempFail
from zegel.store.errors import StoreError
from zegel.store.quarantine import FIELD, Depot, Kept
from zegel.store.record import printable
from zegel.verdict.authenticate import Verdict
from zegel.verdict.edits import FIELD as RESULTS
from zegel.verdict.edits import verdict_field

_IN_MEMORY = 1 << 18
_CHUNK = 1 << 16
_MAX_TOKEN = 100
_MAX_SUBJECT = 200
LATER = Outcome(action=TempFail("451", "4.3.0", "The message cannot be stored now, please try again later"))


class Copy:
    """A message while it is on its way, in memory while it is small."""

    def __init__(self, depot: Depot, header: Header) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(depot.folder))  # noqa: SIM115 - it lives as long as its message
        self._file.write(header.block + b"\r\n")
        self._depot, self._header = depot, header

    def feed(self, data: bytes) -> None:
        """Take the next octets of the body."""
        self._file.write(data)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    async def keep(self, verdict: Verdict, envelope: Envelope, about: About, *, now: int) -> tuple[Outcome, str]:
        """Put it in quarantine: what the milter says, and the name under which it is kept, or why it is not."""
        subject = b"".join(self._header.values("subject")[:1]).decode("utf-8", "replace").strip()
        kept = Kept(
            "",
            now,
            about.queue_id,
            envelope.client.address,
            envelope.sender,
            tuple(envelope.recipients),
            verdict.disposition.domain or "",
            printable(" ".join(subject.split()), _MAX_SUBJECT),
            verdict.disposition.reason.id,
            verdict_field(verdict).value.decode("utf-8", "replace"),
            self._file.tell(),
        )
        try:
            return Outcome(action=Discard()), await asyncio.to_thread(self._depot.keep, kept, self._chunks())
        except StoreError as error:
            return LATER, str(error)

    def _chunks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk


def token(header: Header | None) -> str:
    """The token of a released message, or nothing: one field, and no other."""
    values = header.values(FIELD.lower()) if header is not None else []
    return values[0].strip().decode("ascii", "replace") if len(values) == 1 and len(values[0]) <= _MAX_TOKEN else ""


def token_removals(header: Header | None) -> list[Edit]:
    """Deletions of every such field, highest first: it is for us alone."""
    count = len(header.values(FIELD.lower())) if header is not None else 0
    return [DeleteHeader(index, FIELD.encode()) for index in range(count, 0, -1)]


def passed(kept: Kept, removals: list[Edit]) -> Outcome:
    """What the milter says of a released message: it goes on, with what was found when it came."""
    return Outcome((*removals, InsertHeader(0, RESULTS, kept.results.encode())))
