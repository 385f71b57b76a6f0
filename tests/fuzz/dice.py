"""The bytes of a fuzzer read as choices: the same bytes, the same choices, here and wherever a reproducer is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Choices off a string of octets. When it is used up every number is 0 and every string is empty, so that all loops end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        """True while there are octets to read."""
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        """A number from 0, off one octet (two when ``below`` is over 256)."""
        width = 1 if below <= 256 else 2
        octets = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(octets, "big") % below

    def flag(self) -> bool:
        """Yes or no; no at the end."""
        return bool(self.number(2))

    def pick(self, stock: Sequence[T]) -> T:
        """One of these."""
        return stock[self.number(len(stock))]

    def octets(self, most: int = 255) -> bytes:
        """A string: its length, then its octets."""
        length = self.number(most + 1)
        found = self._data[self._at : self._at + length]
        self._at += length
        return found

    def cut(self, data: bytes, most: int = 8) -> list[bytes]:
        """The same octets in up to ``most`` pieces, empty ones among them."""
        places = sorted(self.number(len(data) + 1) for _ in range(self.number(most)))
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
