"""What ``zegel-sendmail`` leaves in the drop folder while no daemon answers, and how much of it each user may leave.

The folder can be written in and not be listed (mode 1733), so nobody but its owner finds what lies there. What a user has there stands in a
ledger of that user, ``use.`` and the number: a line for each message, looked at and shortened before the next one is left. So a form that
is flooded for a night fills its own share, and neither the disk nor that of others; the program hears that its message was not taken.
Who writes into the folder past this command meets the daemon's own count (:mod:`zegel.adapters.dropfolder`).
"""

from __future__ import annotations

import fcntl
import os

from zegel.submission.handed import ID_LENGTH, LEDGER, MOST_LEFT, MOST_LEFT_OCTETS, PART, WHOLE

EX_CANTCREAT, EX_IOERR = 73, 74
FREE = 128 << 20  # octets that stay free on the disk: more than the outbox keeps for itself, where both are on one
_MOST_LEDGER = 1 << 20
_BLOCK = 4096  # what the smallest file takes


class NotLeft(Exception):  # noqa: N818 - the message is not safe, and the text says why
    """The message is not in the drop folder; ``status`` is the exit status that says so."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def leave(folder: str, id: str, head: bytes, message: bytes) -> None:
    """Put a message on disk for the daemon to find. Raises :class:`NotLeft`.

    For want of a folder that can be opened to be synced, the file is synced again under its new name, and Linux's file systems write the
    name along.
    """
    written, found = f"{folder}/{PART}{id}", f"{folder}/{WHOLE}{id}"
    _check_disk(folder, len(head) + len(message))
    try:
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotLeft(EX_CANTCREAT, f"no daemon answers, and {folder} cannot be written in: {error.strerror}") from None
    try:
        _reserve(folder, id, len(head) + len(message))
        with open(descriptor, "wb", buffering=0, closefd=False) as file:
            for part in (head, message):
                view = memoryview(part)
                while view:
                    view = view[file.write(view) :]
        os.fchmod(descriptor, 0o644)  # for the daemon, which is another user
        os.fsync(descriptor)
        os.rename(written, found)
        written = found
        os.fsync(descriptor)
    except (OSError, NotLeft) as error:
        try:  # noqa: SIM105 - contextlib costs more than all of this
            os.unlink(written)
        except OSError:
            pass  # a file with half a message is never taken
        if isinstance(error, NotLeft):
            raise
        raise NotLeft(EX_IOERR, f"{folder} cannot be written in: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _check_disk(folder: str, size: int) -> None:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        raise NotLeft(EX_CANTCREAT, f"no daemon answers, and {folder} cannot be written in: {error.strerror}") from None
    if disk.f_bavail * disk.f_frsize < size + FREE:
        raise NotLeft(EX_CANTCREAT, f"no daemon answers, and the disk that holds {folder} is nearly full")


def _reserve(folder: str, id: str, size: int) -> None:
    """Write down that a message is left, where this user may leave one more; its file is there. Raises OSError, :class:`NotLeft`."""
    descriptor = os.open(f"{folder}/{LEDGER}{os.geteuid()}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        left = [line for line in os.read(descriptor, _MOST_LEDGER).split(b"\n") if line and _is_there(folder, line)]
        octets = sum(int(line[ID_LENGTH + 1 :]) for line in left)
        size = max(size, _BLOCK)
        if len(left) >= MOST_LEFT or octets + size > MOST_LEFT_OCTETS:
            text = f"{len(left)} messages of this user ({octets} octets) wait in {folder} already; it takes no more until the daemon runs"
            raise NotLeft(EX_CANTCREAT, f"no daemon answers, and {text}")
        lines = b"".join(line + b"\n" for line in (*left, b"%s %d" % (id.encode("ascii"), size)))
        os.pwrite(descriptor, lines, 0)
        os.ftruncate(descriptor, len(lines))
    finally:
        os.close(descriptor)


def _is_there(folder: str, line: bytes) -> bool:
    """Whether a message of the ledger still waits. The daemon takes them away, and nobody tells.

    The name it is written under is looked at first: it is renamed to the other meanwhile, and never back.
    """
    id, _, size = line.partition(b" ")
    if len(id) != ID_LENGTH or not id.isalnum() or not size.isdigit() or len(size) > 12:
        return False  # what a full disk or a crash left of it
    for name in (PART, WHOLE):
        try:
            os.stat(f"{folder}/{name}{id.decode('ascii')}", follow_symlinks=False)
        except OSError:
            continue
        return True
    return False
