"""The peers, started once for all tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.peers.matrix import Run
from support.peers.sites import Sites


@pytest.fixture(scope="package")
def run() -> Iterator[Run]:
    # Not pytest's own folder: that one is closed to others, and Postfix's processes must reach the sockets in it.
    folder = Path(tempfile.mkdtemp(prefix="zegel-peers-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with Run(folder) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def sites(run: Run) -> Sites:
    return Sites(run)
