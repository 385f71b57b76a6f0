"""What this installation knows of a domain: that it is ours, and selectors of its own keys, of other services, and seen in messages.

It reads the store. Signatures that did not verify teach nothing: anybody can write any selector into a message.
"""

from __future__ import annotations

from collections.abc import Iterator

from zegel.check.dkim import MAX_SELECTORS, Selector, Source
from zegel.grammar.domain import Domain
from zegel.store import domains, keys, search, services
from zegel.store.keys import KeyState
from zegel.store.search import Wanted
from zegel.store.transaction import Transaction

_MESSAGES = 1000
_IN_DNS = (KeyState.VISIBLE, KeyState.ACTIVE, KeyState.RETIRING)
_GOOD = ("pass", "signed")


def selectors(tx: Transaction, domain: Domain) -> tuple[Selector, ...]:
    """The selectors of exactly this domain, each once, at most a hundred."""
    found: dict[str, Selector] = {}
    for selector in _all(tx, domain):
        found.setdefault(selector.name, selector)
    return tuple(found.values())[:MAX_SELECTORS]


def is_ours(tx: Transaction, domain: Domain) -> bool:
    """Whether the domain is in the store: then it is no name that was typed wrong, whatever DNS has of it."""
    return domains.holds(tx, domain)


def _all(tx: Transaction, domain: Domain) -> Iterator[Selector]:
    if domains.holds(tx, domain):
        yield from (Selector(key.selector, Source.KEY) for key in keys.all(tx, domain) if key.state in _IN_DNS)
        yield from (Selector(foreign.selector, Source.FOREIGN) for foreign in services.all(tx, domain))
    for message in search.find(tx, Wanted(domain=domain), limit=_MESSAGES):
        for result in message.results:
            if result.method == "dkim" and result.status in _GOOD and result.domain == domain and result.selector:
                yield Selector(result.selector.lower(), Source.LEARNED)
