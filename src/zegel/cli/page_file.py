"""Writes a report as an HTML file, in the language of its reader."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zegel import __version__
from zegel.cli.screen import Refusal
from zegel.cli.words import _, of_reader

if TYPE_CHECKING:
    from zegel.check.sheet import Sheet


def expect(file: Path) -> None:
    """Look whether a page can be there, before the work that goes into it. Raises Refusal, PermissionError."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise Refusal(_("there is no folder {folder}; make it, or name the page elsewhere").format(folder=folder))
    if file.is_dir():
        raise Refusal(_("{file} is a folder; name a file in it").format(file=file))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def write(file: Path, sheets: Sequence[Sheet], *, now: float, language: str | None = None) -> None:
    """Write the page whole or not at all; without a ``language`` in that of the command line. Raises OSError."""
    from zegel.check.page import page

    named, translate = of_reader(language)
    text = page(sheets, language=named, translate=translate, now=now, version=__version__)
    folder = file.absolute().parent
    try:
        handle, made = tempfile.mkstemp(prefix=".zegel-", dir=folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None  # the page is what was asked for, not our draft of it
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(made, 0o644)  # a report is for others to read
        os.replace(made, file)
    except BaseException:
        os.unlink(made)
        raise
