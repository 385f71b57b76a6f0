"""What a running daemon signs with and takes mail of: domains, active keys and sites as they were at one moment.

Read in one transaction, so that a daemon changes from one whole state to the next, never through half of one. When one key does not open
there is no snapshot at all, and the daemon keeps the one that it has.
"""

from __future__ import annotations

from dataclasses import dataclass

from zegel.store import domains, keys, sites
from zegel.store.domains import OwnDomain
from zegel.store.keys import SigningKey
from zegel.store.sites import Site
from zegel.store.transaction import Transaction, generation


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All domains, all active keys and all sites, and the number of changes up to then."""

    generation: int
    domains: tuple[OwnDomain, ...]
    keys: tuple[SigningKey, ...]
    sites: tuple[Site, ...] = ()


def take(tx: Transaction) -> Snapshot:
    """Read the state of this transaction. Raises StoreError when a key does not open."""
    return Snapshot(generation(tx), tuple(domains.all(tx)), tuple(keys.active(tx)), tuple(sites.all(tx)))
