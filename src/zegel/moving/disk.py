"""The files of another signer's configuration, as they are on this machine: bounded, and a key only when it is nobody else's to read.

The only room of this folder that reads files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from zegel.moving.model import UnreadableError
from zegel.words import N_

MAX_TABLE = 16 * 1024 * 1024  # octets: 100,000 domains take some 10 MB
MAX_KEY = 64 * 1024
MAX_NAMES = 100_000


class Disk:
    """Implements :class:`~zegel.moving.model.Files`."""

    def read(self, path: str) -> bytes:
        """A configuration or a table, whole. Raises UnreadableError."""
        return _read(path, MAX_TABLE)[0]

    def secret(self, path: str) -> bytes:
        """A private key. Raises UnreadableError, also when everybody can read it or somebody else than its owner can change it."""
        data, mode = _read(path, MAX_KEY)
        if mode & stat.S_IROTH:
            sentence = N_("{path} can be read by everybody (mode {mode:04o}); type: chmod o-rwx {path}, and think of a new key")
            raise UnreadableError(sentence, path=path, mode=stat.S_IMODE(mode))
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            sentence = N_("{path} can be changed by others than its owner (mode {mode:04o}); type: chmod go-w {path}")
            raise UnreadableError(sentence, path=path, mode=stat.S_IMODE(mode))
        return data

    def names(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted; none when it is not there. Raises UnreadableError."""
        try:
            with os.scandir(folder) as found:
                names = [entry.name for entry, _number in zip(found, range(MAX_NAMES + 1), strict=False)]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _unreadable(folder, error) from None
        if len(names) > MAX_NAMES:
            raise UnreadableError(N_("{path} holds more than {most} files"), path=folder, most=MAX_NAMES)
        return sorted(names)


def _read(path: str, most: int) -> tuple[bytes, int]:
    try:
        # Not blocking: a named pipe must not hang us. A link is followed: key files are often links to where a tool renews them.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise UnreadableError(N_("{path} is not a plain file"), path=path)
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if len(data) > most:
        raise UnreadableError(N_("{path} is longer than {most} octets; it cannot be what it is named as"), path=path, most=most)
    return data, mode


def _unreadable(path: str, error: OSError | ValueError) -> UnreadableError:
    if isinstance(error, PermissionError):
        return UnreadableError(N_("no permission for {path}; run this as root: the store is then opened as its owner"), path=path)
    if isinstance(error, FileNotFoundError):
        return UnreadableError(N_("{path} is not there; put it back, or take out what names it"), path=path)
    detail = error.strerror if isinstance(error, OSError) and error.strerror else error
    return UnreadableError(N_("{path} cannot be read: {detail}"), path=path, detail=detail)
