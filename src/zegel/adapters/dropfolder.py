"""The drop folder, where ``zegel-sendmail`` leaves mail while no daemon answers. Anybody may put a file in; all in it is hostile.

The folder has mode 1733: whoever is on this machine may add a file, nobody but its owner (us) can list it, and only owners can take files
away. The owner of a file is whose mail it is. So a file is taken only when it is a plain file that has one name and that name is the one
written in it (no link to another's file), of a bounded size, and whole. It is read once, through one descriptor, and judged as it was read.

The command that leaves files there keeps to a share for each user; whoever writes past it may have twice that, and what is more is taken
away. No user's files keep those of others waiting: of one, some are taken at a time.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from zegel.submission.handed import (
    LEDGER,
    MAX_HEAD,
    MAX_SIZE,
    MOST_LEFT,
    MOST_LEFT_OCTETS,
    PART,
    WHOLE,
    Handed,
    HandedError,
    read_head,
)

MODE = 0o1733
ASIDE = "handover-refused"  # in the data folder
_BLOCK = 4096  # what the smallest file takes
_MOST_LEDGER = 1 << 20
_MOST_OVER = 10_000  # taken away in one look
_MOST_KEPT, _MOST_OCTETS = 1000, 256 << 20  # files set aside


class DropError(Exception):
    """A file that is no message; the text says why."""


class Dropped(NamedTuple):
    """A message from the drop folder: its file's name, owner and time (seconds since the epoch), the envelope, and the data."""

    name: str
    uid: int
    time: float
    handed: Handed
    data: bytes


class Waiting(NamedTuple):
    """What lies in the drop folder: names of files to take, and what is beyond its owner's share, each with that user."""

    names: list[str]
    over: list[tuple[str, int]]


_NO_FILE = frozenset((errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EACCES, errno.EPERM))  # what only its owner's doing brings about


class Aside:
    """A private folder for what was refused, each message a file: for whoever looks after this machine. Its methods wait for the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, dropped: Dropped) -> Path:
        """Write a message, synced; beyond a bound the oldest go."""
        found = ((path, _status(path)) for path in self.path.iterdir())  # who looks after them takes some away meanwhile
        kept = sorted(((path, status) for path, status in found if status is not None), key=lambda one: -one[1].st_mtime)
        octets = len(dropped.data)
        for number, (path, status) in enumerate(kept, 2):
            octets += status.st_size
            if number > _MOST_KEPT or octets > _MOST_OCTETS:
                path.unlink(missing_ok=True)
        path = self.path / f"{dropped.handed.id}.eml"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(dropped.data)
            file.flush()
            os.fsync(file.fileno())
        return path

    def messages(self) -> list[Path]:
        """The files, oldest first; none where there is no folder."""
        if not self.path.exists():
            return []
        found = [(status.st_mtime, path) for path in self.path.glob("*.eml") if (status := _status(path)) is not None]
        return [path for _, path in sorted(found)]


class DropFolder:
    """One drop folder of ours; ``aside`` is where what is not taken goes. Its methods wait for the disk."""

    def __init__(self, path: Path, aside: Path) -> None:
        self.path, self._aside = path, Aside(aside)
        self.passed = 0  # names at the last look

    def prepare(self) -> None:
        """Make the folder if it is not there, and check it. Raises OSError that says what to do."""
        try:
            self.path.mkdir(mode=0o700)
            self.path.chmod(MODE)
        except FileExistsError:
            pass
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != MODE:
            command = f"install -d -m 1733 -o {os.geteuid()} {self.path}"
            raise PermissionError(f"{self.path} must be a folder of ours with mode 1733; type: {command}")
        self._aside.path.mkdir(mode=0o700, exist_ok=True)

    def waiting(self, most: int, *, passed_over: Container[str] = ()) -> Waiting:
        """So many files at most that wait, in no order, and of one user a quarter of them at most where others wait too."""
        found: dict[int, list[str]] = {}
        kept: Counter[int] = Counter()
        octets: Counter[int] = Counter()
        over: list[tuple[str, int]] = []
        self.passed = 0
        with os.scandir(self.path) as entries:
            for self.passed, entry in enumerate(entries, 1):
                status = _status(entry)
                if status is None:
                    continue
                uid = status.st_uid
                if entry.name == f"{LEDGER}{uid}" and stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_LEDGER:
                    continue
                kept[uid] += 1
                octets[uid] += max(status.st_size, _BLOCK)
                if entry.name in passed_over:
                    continue
                if kept[uid] > 2 * MOST_LEFT or octets[uid] > 2 * MOST_LEFT_OCTETS:
                    over.append((entry.name, uid))
                elif not entry.name.startswith(PART) and len(found.setdefault(uid, [])) < most:
                    found[uid].append(entry.name)
                if len(over) == _MOST_OVER:
                    break
        share = most if len(found) < 2 else max(1, most // 4)
        return Waiting([name for names in found.values() for name in names[:share]][:most], over)

    def take(self, name: str) -> Dropped:
        """Read a file; it stays until :meth:`remove`. Raises :class:`DropError` for what is no message, FileNotFoundError, OSError."""
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno in _NO_FILE:
                raise DropError(f"it cannot be opened: {error.strerror}") from None
            raise  # gone, or want of something of ours: what lies there may be a message
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DropError("it is no plain file")
            if status.st_nlink != 1:
                raise DropError("it has a second name, and may be another's")
            if status.st_size > MAX_HEAD + MAX_SIZE:
                raise DropError("it is too large")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(status.st_size)  # whatever grows meanwhile is not of the message
        finally:
            os.close(descriptor)
        try:
            handed, data = _parsed(content)
        except HandedError as error:
            raise DropError(str(error)) from None
        if name != WHOLE + handed.id:
            raise DropError("it says another name than it has")
        return Dropped(name, status.st_uid, status.st_mtime, handed, data)

    def messages(self) -> Iterator[Dropped]:
        """All that waits, in no order, one read at a time; what is no message, or goes meanwhile, is passed over. Raises OSError."""
        with os.scandir(self.path) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(WHOLE)]
        for name in names:
            try:
                yield self.take(name)
            except (DropError, FileNotFoundError):
                continue

    def remove(self, name: str) -> None:
        """Take a file away, whatever it is; a folder stays when somebody has put one there with files in it."""
        path = self.path / name
        try:
            if stat.S_ISDIR(path.lstat().st_mode):
                path.rmdir()
            else:
                path.unlink()
        except FileNotFoundError:
            pass

    def set_aside(self, dropped: Dropped) -> Path:
        """Keep what was refused, and take it from here."""
        path = self._aside.keep(dropped)
        self.remove(dropped.name)
        return path

    def sweep(self, *, before: float) -> int:
        """Take away what was begun before that time (seconds since the epoch) and never ended; how many files."""
        with os.scandir(self.path) as entries:
            begun = [(entry.name, _status(entry)) for entry in entries if entry.name.startswith(PART)]
        # One that has ended meanwhile has its other name.
        old = [name for name, status in begun if status is not None and status.st_mtime < before]
        for name in old:
            self.remove(name)
        return len(old)


def _status(file: os.DirEntry[str] | Path) -> os.stat_result | None:
    """That of the file itself; None when it is gone since its folder was listed."""
    try:
        return file.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _parsed(content: bytes) -> tuple[Handed, bytes]:
    """The envelope and the data. Raises :class:`HandedError`."""
    at = content.find(b"\nsize ", 0, MAX_HEAD)
    end = content.find(b"\n", at + 1, MAX_HEAD) + 1 if at >= 0 else 0
    if not end:
        raise HandedError("it is no message that was handed in")
    handed = read_head(content[:end])
    if len(content) - end != handed.size:
        raise HandedError("it is not whole")
    return handed, content[end:]
