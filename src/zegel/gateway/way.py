"""The two ways that a message can go, seen from the milter: what each of them does with the parts of a message as they come."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from zegel.adapters.journal import About
from zegel.dkim.header import Header
from zegel.gateway.outbound import Client, Route
from zegel.gateway.settings import Settings
from zegel.milter.edits import Outcome
from zegel.store.record import Direction, Record, Result
from zegel.verdict.edits import Claims

_MAX_SUBJECT = 400  # octets


@dataclass(slots=True)
class Envelope:
    """The SMTP side of one message: the client, how it came, and who wrote to whom. Octets of the mail server as text."""

    client: Client
    route: Route
    helo: str
    sender: str
    recipients: list[str] = field(default_factory=list)


class Way(Protocol):
    """One message on its way. The header is None where it is larger than what is read."""

    def header(self, header: Header | None, claims: Claims) -> None:
        """Take the whole header; ``claims`` tells which of its fields claim our name."""

    def body(self, data: bytes) -> bool:
        """Take a chunk of the body; True when no more of it is needed."""

    def end(self, about: About, claims: Claims) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Say the outcome, or give a coroutine that will."""

    def stop(self) -> None:
        """The message is over without an end: leave nothing under way."""


def keep(
    settings: Settings,
    envelope: Envelope,
    about: About,
    *,
    action: str,
    reason: str = "",
    would: str = "",
    marks: Iterable[str] = (),
    author: str = "",
    results: Iterable[Result] = (),
    story: Iterable[dict[str, str | int | bool]] = (),
    header: Header | None = None,
) -> None:
    """Hand over what is recorded of a message. It waits for nothing."""
    subject = ""
    if settings.subjects and header is not None:
        subject = b"".join(header.values("subject")[:1])[:_MAX_SUBJECT].decode("utf-8", "replace").strip()
    settings.recorder.take(
        Record(
            int(settings.clock()),
            Direction.INBOUND if envelope.route is Route.INBOUND else Direction.OUTBOUND,
            about.queue_id,
            about.sender,
            tuple(envelope.recipients),
            author,
            action,
            reason,
            tuple(results),
            tuple(story),
            subject,
            would,
            tuple(marks),
        )
    )
