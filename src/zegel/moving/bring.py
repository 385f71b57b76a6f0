"""Does what a plan says, in one transaction of the store: all of it, or on any trouble nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from zegel.moving.plan import Plan
from zegel.store import audit, domains, keychanges, keys, organisations
from zegel.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Brought:
    """What was done, counted."""

    domains: int
    keys: int
    active: int


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
