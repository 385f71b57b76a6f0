"""The digests that the signatures of one message ask of its body, each made once. RFC 6376 3.7.

Signatures name a canonicalization and perhaps a length (``l=``); most name the same. One body goes once through each canonicalization that
is named, and from there into one hash for each length: constant memory, whatever the number of signatures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from zegel.dkim.canonical import BODY_FORMS, BodyForm


class BodyHash:
    """The digest of a canonical body, or of its first ``limit`` octets. ``length`` counts the whole body where there is a limit."""

    __slots__ = ("_limit", "digest", "length", "write")

    def __init__(self, limit: int | None) -> None:
        made = hashlib.sha256()
        self._limit, self.length = limit or 0, 0
        self.digest = made.digest
        self.write: Callable[[bytes], object] = made.update if limit is None else self._counted(made.update)

    def _counted(self, update: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def write(data: bytes) -> None:
            if self.length < self._limit:
                update(data[: self._limit - self.length])
            self.length += len(data)

        return write


class BodyHashes:
    """All digests asked of one body. Ask with :meth:`want` before the body comes; give all chunks to :meth:`feed`; :meth:`finish` once."""

    __slots__ = ("_forms", "_wanted")

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, int | None], BodyHash] = {}
        self._forms: list[BodyForm] | None = None

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def want(self, form: str, limit: int | None) -> BodyHash:
        """The digest of the body in a canonical form ("simple" or "relaxed"), of its first ``limit`` octets when that is a number."""
        found = self._wanted.get((form, limit))
        if found is None:
            found = self._wanted[form, limit] = BodyHash(limit)
        return found

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        for form in self._forms or self._start():
            form.feed(chunk)

    def finish(self) -> None:
        """Take the end of the body."""
        for form in self._forms or self._start():
            form.finish()

    def _start(self) -> list[BodyForm]:
        writers: dict[str, list[Callable[[bytes], object]]] = {}
        for (form, _), wanted in self._wanted.items():
            writers.setdefault(form, []).append(wanted.write)
        self._forms = [BODY_FORMS[form](to[0] if len(to) == 1 else _fan_out(to)) for form, to in writers.items()]
        return self._forms


def _fan_out(writers: Sequence[Callable[[bytes], object]]) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        for writer in writers:
            writer(data)

    return write
