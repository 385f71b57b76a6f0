"""The data folder: made with mode 0700, ours alone to write, and one process at a time while it is being set up.

It refuses a folder in which another user could put files in place of ours, and files that others can read.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zegel.store.errors import WAIT_SECONDS, StoreError
from zegel.words import N_

DATABASE = "zegel.db"


def prepare(folder: Path) -> None:
    """Make the data folder when it is not there, and check that it is ours. Raises StoreError that says what to type."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        check(folder)
    else:
        sync(folder.parent)


def check(folder: Path) -> None:
    """Check that the data folder is there, is ours, and that nobody else can write in it. Raises StoreError that says what to type."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        raise StoreError(N_("there is no data folder {folder}; name the right one, or make it: zegel init"), folder=folder) from None
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError(N_("{folder} is not a folder; name another data folder"), folder=folder)
    if status.st_uid != os.geteuid():
        # Neither may keep ZEGEL_DATA from the environment, so the folder is named.
        by = "runuser -u {owner} --" if os.geteuid() == 0 else "sudo -u {owner}"
        owner = _name(status.st_uid)
        command = f"{by.format(owner=owner)} zegel --data {shlex.quote(str(folder))} ..."
        sentence = N_("run as the user that owns the data folder: {folder} belongs to {owner}; type: {command}")
        raise StoreError(sentence, folder=folder, owner=owner, command=command)
    # Reading the names in it is harmless; replacing a file in it is not.
    if status.st_mode & 0o022:
        sentence = N_("others can write in the data folder {folder} (mode {mode:04o}); type: chmod 700 {folder}")
        raise StoreError(sentence, folder=folder, mode=stat.S_IMODE(status.st_mode))


def check_private(path: Path, status: os.stat_result) -> None:
    """Check that ``path`` is a plain file of ours with mode 0600. Raises StoreError that says what to type."""
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(N_("{path} is not a plain file; put the file from your backup there"), path=path)
    if status.st_uid != os.geteuid():
        sentence = N_("{path} belongs to {owner}; run this as that user, or type: chown {us} {path}")
        raise StoreError(sentence, path=path, owner=_name(status.st_uid), us=_name(os.geteuid()))
    if stat.S_IMODE(status.st_mode) != 0o600:
        sentence = N_("{path} has mode {mode:04o}, and must be for its owner alone; type: chmod 600 {path}")
        raise StoreError(sentence, path=path, mode=stat.S_IMODE(status.st_mode))


def make_private(path: Path) -> int:
    """Make a new empty file with mode 0600 and return its descriptor, open for writing. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # An odd umask may have taken bits away from us too.
    os.fchmod(descriptor, 0o600)
    return descriptor


def sync(folder: Path) -> None:
    """Put the names in ``folder`` on disk, as fsync does for contents."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from setting up or migrating the same folder meanwhile. Raises StoreError after a while of waiting."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                sentence = N_("another process has been setting up {folder} for over {seconds} seconds; look which: fuser -v {folder}")
                raise StoreError(sentence, folder=folder, seconds=WAIT_SECONDS)
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
