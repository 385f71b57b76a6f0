"""Zegel's own quarantine: whole messages, kept until somebody releases or drops them, or their term is over.

A file for each message in a folder of the data folder: one line of JSON about it, then the message as it came. What is kept is on disk, its
name too, before its milter says so to the mail server. To release one, a token is made that lets this message pass policy once for each of
its recipients; only the token's hash is kept. Everything here blocks: call it in a thread, or from a command.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zegel.store import folder as data_folder
from zegel.store.errors import StoreError, system_explained
from zegel.words import N_

FOLDER = "quarantine"
FIELD = "X-Zegel-Release"
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"  # those of selectors: no words, nothing to mix up
_NAME = re.compile(f"[{_LETTERS}]{{4}}-[{_LETTERS}]{{4}}", re.ASCII)
_MESSAGE, _RELEASE, _DRAFT = ".mail", ".release", ".draft"
# Holds the longest that is written: 1,001 recipients in command lines of 2,048 octets, each octet six in JSON. What is longer is not found.
_MAX_LINE = 1 << 24
_SECRET = 20  # octets
_OF_RELEASE = ("state", "released")  # what of a message is in the file of its release
# What a file counts for at the least: strangers choose how many there are, and each look at the folder reads them all.
_LEAST = 8192
_COUNT_SECONDS = 10.0  # between two counts of a folder that is full
TOKEN_SECONDS = 6 * 86400  # a day more than a queue tries


class QuarantineFullError(StoreError):
    """There is no room for one more message."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a message in quarantine. Times in seconds; ``sender`` is empty for a bounce; ``results`` the value of our field.

    ``state`` is "kept", or "released" once every recipient has had it let through; ``released`` is when it was last sent on, or None.
    """

    name: str
    time: int
    queue_id: str
    client: str
    sender: str
    recipients: tuple[str, ...]
    from_domain: str
    subject: str
    reason: str
    results: str
    size: int
    state: str = field(default="kept", compare=False)
    released: int | None = field(default=None, compare=False)


class Depot:
    """The folder. ``max_bytes`` bounds all that is kept."""

    def __init__(self, data: Path, *, max_bytes: int = 1 << 30) -> None:
        self.folder, self._max_bytes = data / FOLDER, max_bytes
        # Counted once, and again when it is full: others may have dropped some meanwhile.
        self._size, self._counted = 0, float("-inf")
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the folder, and take away what a process that was killed left unfinished. Raises StoreError."""
        with system_explained(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            data_folder.check(self.folder)
            with self._alone():
                for path in self.folder.glob(f"*{_DRAFT}"):
                    path.unlink(missing_ok=True)

    def keep(self, about: Kept, chunks: Iterable[bytes]) -> str:
        """Write a message; it is on disk when this returns its name, and ``about.name`` is not looked at. Raises StoreError."""
        with system_explained(self.folder):
            if not self._room(max(about.size, _LEAST)):
                sentence = N_(
                    "the quarantine holds {most} octets and takes no more; see: zegel quarantine list, and inbound.quarantine_bytes"
                )
                raise QuarantineFullError(sentence, most=self._max_bytes)
            name = self._new_name()
            draft = self.folder / f"{name}{_DRAFT}"
            with open(data_folder.make_private(draft), "wb") as file:
                try:
                    line = {key: value for key, value in asdict(about).items() if key not in ("name", *_OF_RELEASE)}
                    file.write(json.dumps(line).encode() + b"\n")
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                except BaseException:
                    draft.unlink(missing_ok=True)
                    raise
            draft.rename(self._path(name))
            data_folder.sync(self.folder)
        return name

    def all(self) -> list[Kept]:
        """What is kept, newest first; a file that is none of ours is passed over. Raises StoreError."""
        with system_explained(self.folder):
            if not self.folder.exists():
                return []
            found = [self._read(path.stem) for path in self.folder.glob(f"*{_MESSAGE}") if _NAME.fullmatch(path.stem)]
        return sorted((kept for kept in found if kept is not None), key=lambda kept: (-kept.time, kept.name))

    def get(self, name: str) -> Kept:
        """One message. Raises StoreError when there is none of that name."""
        with system_explained(self.folder):
            kept = self._read(name) if _NAME.fullmatch(name) else None
        if kept is None:
            raise StoreError(N_("there is no message {name} in quarantine; see: zegel quarantine list"), name=name[:40])
        return kept

    def message(self, name: str) -> bytes:
        """The message itself, as it came. Raises StoreError."""
        self.get(name)
        with system_explained(self.folder), self._path(name).open("rb") as file:
            file.readline(_MAX_LINE)
            return file.read()

    def header(self, name: str, most: int) -> bytes:
        """The first octets of a message: its header, and what follows; empty when it is gone meanwhile. Raises StoreError."""
        try:
            with system_explained(self.folder), self._path(name).open("rb") as file:
                file.readline(_MAX_LINE)
                return file.read(most)
        except StoreError:
            if self._path(name).exists():
                raise
            return b""

    def drop(self, name: str) -> Kept:
        """Delete a message. Raises StoreError when there is none of that name."""
        kept = self.get(name)
        with system_explained(self.folder), self._alone():
            self._forget(name)
        return kept

    def expire(self, *, before: int) -> int:
        """Delete what is older than a time; how many there were. Raises StoreError."""
        old = [kept.name for kept in self.all() if kept.time < before]
        with system_explained(self.folder), self._alone():
            for name in old:
                self._forget(name)
        return len(old)

    def _room(self, octets: int) -> bool:
        """Take so much room, where there is so much."""
        with self._lock:
            now = time.monotonic()
            never = self._counted == float("-inf")
            if never or (self._size + octets > self._max_bytes and now - self._counted > _COUNT_SECONDS):
                with os.scandir(self.folder) as entries:
                    self._size = sum(max(entry.stat().st_size, _LEAST) for entry in entries if entry.name.endswith(_MESSAGE))
                self._counted = now
            if self._size + octets > self._max_bytes:
                return False
            self._size += octets
            return True

    # -- release ---------------------------------------------------------------------------------------------------------------------

    def releasable(self, name: str, *, again: bool = False) -> Kept:
        """One message that may be released: ``again`` for one that was before. Raises StoreError."""
        kept = self.get(name)
        if kept.released is not None and not again:
            date = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.released))
            sentence = N_("{name} was released before, on {date}; to send it to its recipients once more: --again")
            raise StoreError(sentence, name=name, date=date)
        return kept

    def allow(self, name: str, *, now: int, again: bool = False) -> str:
        """Make the token that lets a message pass once for each recipient; an earlier one ends. Raises StoreError, as ``releasable``."""
        secret = secrets.token_hex(_SECRET)
        self.get(name)
        with system_explained(self.folder), self._alone():
            kept = self.releasable(name, again=again)  # two people may press at once
            self._write_release(name, {"hash": _hash(secret), "until": now + TOKEN_SECONDS, "left": list(kept.recipients)})
        return f"{name}.{secret}"

    def redeem(self, token: str, recipients: Iterable[str], *, now: int) -> Kept | None:
        """Use a token for these recipients: the message that it lets through, or None when it is none, is used up, or for others."""
        name, _, secret = token.partition(".")
        if not _NAME.fullmatch(name):
            return None
        with system_explained(self.folder):
            if not self.folder.exists():
                return None
            with self._alone():
                return self._redeem(name, secret, list(recipients), now)

    def _redeem(self, name: str, secret: str, recipients: list[str], now: int) -> Kept | None:
        release, kept = self._release(name), self._read(name)
        if release is None or kept is None or now > release["until"] or not hmac.compare_digest(release["hash"], _hash(secret)):
            return None
        left = list(release["left"])
        for recipient in recipients:
            if recipient not in left:
                return None
            left.remove(recipient)
        self._write_release(name, {**release, "left": left})
        return kept

    # -- files -----------------------------------------------------------------------------------------------------------------------

    def _path(self, name: str, suffix: str = _MESSAGE) -> Path:
        return self.folder / f"{name}{suffix}"

    def _new_name(self) -> str:
        while True:
            letters = [secrets.choice(_LETTERS) for _ in range(8)]
            name = "".join((*letters[:4], "-", *letters[4:]))
            if not self._path(name).exists():
                return name

    def _read(self, name: str) -> Kept | None:
        try:
            with self._path(name).open("rb") as file:
                line = json.loads(file.readline(_MAX_LINE))
            release = self._release(name)
            state = "released" if release is not None and not release["left"] else "kept"
            released = None if release is None else release["until"] - TOKEN_SECONDS
            return Kept(name, **{**line, "recipients": tuple(line["recipients"])}, state=state, released=released)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def _release(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._path(name, _RELEASE).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found

    def _write_release(self, name: str, values: dict[str, Any]) -> None:
        draft = self.folder / f"{name}{_RELEASE}{_DRAFT}"
        draft.unlink(missing_ok=True)
        with open(data_folder.make_private(draft), "wb") as file:
            file.write(json.dumps(values).encode())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path(name, _RELEASE))
        data_folder.sync(self.folder)

    def _forget(self, name: str) -> None:
        for suffix in (_RELEASE, _MESSAGE):
            with suppress(FileNotFoundError):
                self._path(name, suffix).unlink()
        data_folder.sync(self.folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process, and one thread of it, at a time."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
