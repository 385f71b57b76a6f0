"""A milter session as a server drives it, with all that comes of it: for tests that cut one stream of bytes in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zegel.milter.codec import ProtocolError
from zegel.milter.events import EndOfMessage, Event, Headers
from zegel.milter.session import Session

# Each event with the macros at its time, all that was answered, and the error that ended it, or "".
Seen = tuple[list[tuple[Event, list[bytes | None]]], bytes, str]


def overhear(
    session: Session,
    pieces: Iterable[bytes],
    macros: Sequence[bytes],
    *,
    finish: Callable[[int], None],
    heard: Callable[[Event, int], None] = lambda event, count: None,
) -> Seen:
    """Feed pieces to a session. ``finish`` says an outcome, ``heard`` is told of each event; both get how many there have been."""
    seen: list[tuple[Event, list[bytes | None]]] = []
    said = b""
    try:
        for piece in pieces:
            events = session.receive(piece)
            while True:
                ended = False
                for event in events:
                    known = [session.macro(name) for name in macros]
                    # How many fields come in one event is the cut of the bytes.
                    parts = [Headers([field]) for field in event.fields] if isinstance(event, Headers) else [event]
                    seen += [(part, known) for part in parts]
                    heard(event, len(seen))
                    ended = isinstance(event, EndOfMessage)
                said += session.outgoing()
                if not ended:
                    break
                finish(len(seen))
                events = session.receive(b"")
    except ProtocolError as error:
        assert list(session.receive(b"")) == [], "closed is closed"
        return seen, said + session.outgoing(), str(error)
    return seen, said + session.outgoing(), ""
