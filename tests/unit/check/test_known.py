"""The selectors that an installation knows: its own keys, those of other services, and those of messages that were signed well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from support import samples
from support.messages import NOW, inbound
from zegel.check import known
from zegel.check.dkim import Selector, Source
from zegel.grammar.domain import Domain
from zegel.store import domains, keychanges, keys, messages, schema
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping, Owners
from zegel.store.record import Result

DOMAIN = Domain.parse("example.com")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data", now=1000) as opened:
        yield opened


def test_what_is_known(store: Store) -> None:
    made = samples.rsa()
    with store.writing() as tx:
        domains.add(tx, DOMAIN, now=NOW)
        for selector in ("z1", "z2"):
            keys.add(tx, DOMAIN, selector, "rsa2048", made.pem, made.public, now=NOW)
        keychanges.activate(tx, DOMAIN, "z1", now=NOW)
        domain_id, organisation_id = domains.row_ids(tx, DOMAIN)
        row = {"organisation_id": organisation_id, "domain_id": domain_id, "selector": "news", "service": "a newsletter", "created": NOW}
        tx.connection.execute(insert(schema.selectors).values(row))
        assert store.vault is not None
        results = (
            Result("dkim", "pass", "verified", "example.com", "S2026"),
            Result("dkim", "fail", "bad_signature", "example.com", "forged"),
            Result("dkim", "pass", "verified", "other.example", "other"),
            Result("dkim", "pass", "verified", "example.com", "z1"),
            Result("spf", "pass", "permitted", "example.com"),
        )
        message = inbound(1, from_domain="example.com", results=results)
        messages.add(tx, [message], Keeping(Addresses(store.vault, hashed=False)), Owners(tx), {})
    with store.reading() as tx:
        assert known.selectors(tx, DOMAIN) == (
            Selector("z1", Source.KEY),
            Selector("news", Source.FOREIGN),
            Selector("s2026", Source.LEARNED),
        )
        assert known.selectors(tx, Domain.parse("nobody.example")) == ()
        assert [known.is_ours(tx, domain) for domain in (DOMAIN, Domain.parse("nobody.example"))] == [True, False]
