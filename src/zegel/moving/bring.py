"""Does what a plan says: so many domains in a transaction of the store, each domain whole or not at all.

A thousand domains in one would keep the store's one lock for ten seconds, and all that a daemon records or queues would wait as long. So
there is a pause between two transactions, in which whoever waits for the lock gets it. What is in the store already is no part of a plan:
after trouble the same command goes on where the former ended.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from zegel.moving.plan import Plan
from zegel.store import audit, domains, keychanges, keys, organisations
from zegel.store.database import Store
from zegel.store.transaction import Transaction

TOGETHER = 20  # domains: some tenths of a second
_PAUSE = 0.15  # seconds; who waits for the lock tries every tenth (SQLite's busy handler)


@dataclass(frozen=True, slots=True)
class Brought:
    """What was done, counted."""

    domains: int
    keys: int
    active: int


def bring_all(
    store: Store, plan: Plan, visible: Collection[tuple[str, str]], *, now: int, organisation: str, origin: str
) -> Iterator[Brought]:
    """Do all of a plan, part by part; after each, what was done so far. Raises StoreError, and then what was told before stays done."""
    done = Brought(0, 0, 0)
    for number, part in enumerate(plan.parts(TOGETHER)):
        if number:
            time.sleep(_PAUSE)
        with store.writing() as tx:
            more = bring(tx, part, visible, now=now, organisation=organisation, origin=origin)
        done = Brought(done.domains + more.domains, done.keys + more.keys, done.active + more.active)
        yield done


def bring(tx: Transaction, plan: Plan, visible: Collection[tuple[str, str]], *, now: int, organisation: str, origin: str) -> Brought:
    """Add the domains and keys of the plan; those in ``visible`` (domain, selector) sign at once. Raises StoreError.

    ``origin`` says in the audit log where they came from. The keys keep their selectors, well known or not: they are in DNS already.
    """
    wide = plan.below
    if plan.domains and organisation not in (known.name for known in organisations.all(tx)):
        organisations.add(tx, organisation, now=now)
    for name in plan.domains:
        domains.add(tx, name, now=now, organisation=organisation, sign_subdomains=name in wide)
    for name in plan.widened:
        domains.sign_below(tx, name, now=now)
    active = 0
    for move in plan.new:
        if move.loaded is None:
            raise RuntimeError("a key that is to come along was not loaded")
        loaded = move.loaded
        keys.add(tx, move.domain, move.selector, loaded.algorithm, loaded.pem, loaded.public, now=now, force=True)
        if move.signs and (move.domain, move.selector) in visible:
            keychanges.activate(tx, move.domain, move.selector, now=now)
            active += 1
    done = Brought(len(plan.domains), len(plan.new), active)
    audit.note(tx, "import", origin, now=now, after={"domains": done.domains, "keys": done.keys, "active": done.active})
    return done
