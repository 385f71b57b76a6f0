"""One pass over a body for all who want its hash: each canonicalization once, each hash once, whoever shares it. RFC 6376 3.4 and 3.7.

DKIM and ARC sign the same body, mostly in the same form. They say what they want before the first octet; the body is fed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from zegel.dkim.canonical import BODY_FORMS, BodyForm


class BodyHash:
    """The hash of a canonical body, of its first ``limit`` octets (None: of all). ``length`` counts the whole body."""

    __slots__ = ("_hash", "length", "limit")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.length = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take the next octets of the canonical body."""
        if self.limit is None:
            self._hash.update(data)
        elif self.length < self.limit:
            self._hash.update(data[: self.limit - self.length])
        self.length += len(data)

    def digest(self) -> bytes:
        """The SHA-256 digest."""
        return self._hash.digest()


class Bodies:
    """The hashes that are wanted of one body: :meth:`want` them, :meth:`feed` every chunk once, :meth:`finish`."""

    __slots__ = ("_finished", "_forms", "_hashes")

    def __init__(self) -> None:
        self._hashes: dict[tuple[str, int | None], BodyHash] = {}
        self._forms: list[BodyForm] | None = None
        self._finished = False

    def want(self, canonicalization: str, limit: int | None = None) -> BodyHash:
        """The hash of the body in the form "simple" or "relaxed", the same one for the same wish. RuntimeError once the body has begun."""
        wanted = (canonicalization, limit)
        if wanted not in self._hashes:
            if self._forms is not None:
                raise RuntimeError("the body has begun")
            self._hashes[wanted] = BodyHash(limit)
        return self._hashes[wanted]

    @property
    def needed(self) -> bool:
        """True when somebody wants a hash."""
        return bool(self._hashes)

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        for form in self._started():
            form.feed(chunk)

    def finish(self) -> None:
        """Take the end of the body; a second call does nothing, so that all who share may make it."""
        if not self._finished:
            self._finished = True
            for form in self._started():
                form.finish()

    def _started(self) -> list[BodyForm]:
        if self._forms is None:
            self._forms = []
            for name in {name for name, _ in self._hashes}:
                writers = [body.write for (of, _), body in self._hashes.items() if of == name]
                self._forms.append(BODY_FORMS[name](writers[0] if len(writers) == 1 else _fan_out(writers)))
        return self._forms


def _fan_out(writers: Sequence[Callable[[bytes], None]]) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        for writer in writers:
            writer(data)

    return write
