"""A configuration in memory: what the readers of other signers' files are given in tests, with every reading counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

import zegel
from zegel.moving.model import UnreadableError


class Texts:
    """Implements :class:`zegel.moving.model.Files` over texts by path."""

    def __init__(self, texts: Mapping[str, str | bytes]) -> None:
        self._texts = {path: text.encode() if isinstance(text, str) else text for path, text in texts.items()}
        self._folders: dict[str, list[str]] = {}
        for path in self._texts:
            whole = PurePosixPath(path)
            for child, parent in zip((whole, *whole.parents), whole.parents, strict=False):
                names = self._folders.setdefault(str(parent), [])
                if child.name not in names:
                    names.append(child.name)
        self.readings: Counter[str] = Counter()

    def read(self, path: str) -> bytes:
        self.readings[path] += 1
        if path not in self._texts:
            raise UnreadableError("{path} is not there", path=path)
        return self._texts[path]

    secret = read

    def names(self, folder: str) -> Sequence[str]:
        return sorted(self._folders.get(folder, ()))


@cache
def pem(number: int = 0, kind: str = "rsa2048") -> bytes:
    """The PEM of a key that is made once a run; ``number`` tells several apart."""
    return zegel.Key.generate("example.be", f"s{number}", kind).pem  # type: ignore[arg-type]
