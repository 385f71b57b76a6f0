"""The selectors of a domain that this installation knows: its own keys, those noted for other services, and those seen in messages.

It reads the store. Signatures that did not verify teach nothing: anybody can write any selector into a message.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from zegel.check.dkim import MAX_SELECTORS, Selector, Source
from zegel.grammar.domain import Domain
from zegel.store import schema, search
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


def _all(tx: Transaction, domain: Domain) -> Iterator[Selector]:
    keys, foreign, domains = schema.keys, schema.selectors, schema.domains
    rows = select(keys.c.selector).join_from(keys, domains, keys.c.domain_id == domains.c.id)
    published = rows.where(domains.c.name == domain, keys.c.state.in_([state.value for state in _IN_DNS])).order_by(keys.c.id)
    for name in tx.connection.execute(published).scalars():
        yield Selector(name, Source.KEY)
    rows = select(foreign.c.selector).join_from(foreign, domains, foreign.c.domain_id == domains.c.id)
    for name in tx.connection.execute(rows.where(domains.c.name == domain).order_by(foreign.c.id)).scalars():
        yield Selector(name, Source.FOREIGN)
    for message in search.find(tx, Wanted(domain=domain), limit=_MESSAGES):
        for result in message.results:
            if result.method == "dkim" and result.status in _GOOD and result.domain == domain and result.selector:
                yield Selector(result.selector.lower(), Source.LEARNED)
