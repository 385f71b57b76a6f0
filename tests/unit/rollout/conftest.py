"""A store with one domain for each test: a copy of one that was made and migrated once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from zegel.store import domains
from zegel.store.database import Store

from .keeping import EXAMPLE, NOW, Site


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store") / "data"
    with Store.open(folder, now=NOW) as opened, opened.writing() as tx:
        domains.add(tx, EXAMPLE, now=NOW)
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(made, tmp_path / "data")
    with Store.open(tmp_path / "data", now=NOW) as opened:
        yield opened


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)
