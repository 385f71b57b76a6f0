"""Puts an export on disk: a new folder that nobody else can enter, files that nobody else can read, and all of it or nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from zegel.moving.export import Export
from zegel.store import folder as folders
from zegel.words import N_, SpokenError


class HandoutError(SpokenError):
    """The files cannot be written; the text says why. Nothing of them is left."""


def write(export: Export, folder: Path) -> None:
    """Make ``folder`` and write the files into it. Raises HandoutError when it is there already, OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise HandoutError(N_("{path} is there already, and nothing is overwritten; name a new folder"), path=folder) from None
    try:
        for piece in export.pieces:
            path = folder / piece.name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write(path, piece.data)
        folders.sync(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise


def write_one(data: bytes, file: Path) -> None:
    """Write one file with a key. Raises HandoutError when it is there already, OSError."""
    try:
        _write(file, data)
    except FileExistsError:
        raise HandoutError(N_("{path} is there already, and nothing is overwritten; name another file"), path=file) from None


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(folders.make_private(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
