"""The file ``master.key``: 32 random bytes in base64, mode 0600, in the data folder.

Made once, at first start, and never again: a key that is missing is asked for, not replaced, because a new one would open nothing.
It follows no symbolic link, and refuses a file that others can read or own.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import secrets
from pathlib import Path

from zegel.store.errors import StoreError
from zegel.store.folder import check_private, make_private, sync
from zegel.store.vault import MASTER_BYTES
from zegel.words import N_

NAME = "master.key"
VARIABLE = "ZEGEL_MASTER_KEY"
_MAX_FILE = 1024


def parse(text: str) -> bytes:
    """Read the base64 text of a master key, as in ``ZEGEL_MASTER_KEY``. Raises StoreError when it is not 32 bytes."""
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_BYTES:
        sentence = N_("{variable} or the file {name} is not the base64 text of 32 bytes (44 characters); take it from your backup")
        raise StoreError(sentence, variable=VARIABLE, name=NAME)
    return key


def text(key: bytes) -> str:
    """Write a master key as the text that :func:`parse` reads."""
    return base64.b64encode(key).decode("ascii") + "\n"


def make(folder: Path) -> None:
    """Make a new master key in ``folder``. Raises FileExistsError when there is one; the file is whole on disk or not there."""
    path = folder / NAME
    draft = folder / f".{NAME}.{secrets.token_hex(8)}"
    descriptor = make_private(draft)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text(secrets.token_bytes(MASTER_BYTES)).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it never replaces a key that another process made meanwhile.
        os.link(draft, path, follow_symlinks=False)
    finally:
        os.unlink(draft)
    sync(folder)


def read(folder: Path) -> bytes:
    """Read the master key of ``folder``. Raises StoreError when it is missing, not ours alone, or no key."""
    path = folder / NAME
    try:
        # Not blocking: a named pipe of that name must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        sentence = N_(
            "the master key {path} is missing, and without it the private keys cannot be opened; no new one is made. "
            "Put it back from your backup, or set {variable}"
        )
        raise StoreError(sentence, path=path, variable=VARIABLE) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreError(
                N_("{path} is a symbolic link; put the file itself there, or set {variable}"), path=path, variable=VARIABLE
            ) from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        check_private(path, os.fstat(descriptor))
        return parse(file.read(_MAX_FILE).decode("ascii", "replace"))
