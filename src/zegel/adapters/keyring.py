"""The signing keys in memory, by domain. What is changed is changed whole: a new table takes the place of the old one in one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain


@dataclass(frozen=True, slots=True)
class DomainKeys:
    """What one domain signs with. ``sign_subdomains`` lets its keys sign for all names below it."""

    domain: Domain
    keys: tuple[Key, ...]
    sign_subdomains: bool = False


class Keyring:
    """Finds the keys for a From domain."""

    def __init__(self, entries: Iterable[DomainKeys] = (), *, generation: int = 0) -> None:
        self._table: Mapping[str, DomainKeys] = {}
        self.generation = generation
        self.replace(entries, generation=generation)

    def replace(self, entries: Iterable[DomainKeys], *, generation: int) -> None:
        """Swap the whole table at once; messages in progress keep the keys that they have."""
        self._table = {entry.domain: entry for entry in entries}
        self.generation = generation

    def find(self, domain: Domain) -> tuple[Key, ...]:
        """The keys of the domain itself, else of the nearest parent that has one and signs for names below it; () when there is none."""
        own = self._table.get(domain)
        if own is not None and own.keys:
            return own.keys
        for parent in domain.parents:
            entry = self._table.get(parent)
            if entry is not None and entry.keys and entry.sign_subdomains:
                return entry.keys
        return ()

    def known(self) -> dict[tuple[str, str], Key]:
        """All keys by domain and selector, to be used again in the next table: loading one is dear."""
        return {(key.domain, key.selector): key for entry in self._table.values() for key in entry.keys}

    def __len__(self) -> int:
        return sum(len(entry.keys) for entry in self._table.values())
