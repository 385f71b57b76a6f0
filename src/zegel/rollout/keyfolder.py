"""Publishes old private keys: with one of them anybody can make a signature, so that no signature of that key proves anything any more.

It is done by setting only, and only when no cache holds the key's record: an old message cannot be shown to the world as proven to be its
author's (deniability). A file for each key, PEM, by domain and selector, in a folder that its owner may then put on a web server.
"""

from __future__ import annotations

import os
from pathlib import Path

from zegel.store.keys import StoredKey


def publish_private(folder: Path, key: StoredKey, pem: bytes) -> Path:
    """Write the key's file, whole or not at all, and return its path. A selector that had several keys over time has a file for each."""
    place = folder / str(key.domain)
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = place / f"{key.selector}-{key.number}.pem"
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(pem if pem.endswith(b"\n") else pem + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o644)
    draft.replace(path)
    return path
