"""The same statements for PostgreSQL: everything that the rooms send is Core, and compiles for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement

from zegel.grammar.domain import Domain
from zegel.store import domains, keychanges, keys, organisations, schema
from zegel.store.database import Store


def test_the_rooms_send_core_only_and_it_compiles_for_postgresql(store: Store) -> None:
    seen: list[ClauseElement] = []

    def note(connection: Any, statement: Any, *rest: Any) -> None:
        seen.append(statement)

    name = Domain.parse("example.be")
    with store.writing() as tx:
        driver_statements: list[str] = []
        event.listen(tx.connection, "before_execute", note)
        event.listen(tx.connection, "before_cursor_execute", lambda *given: driver_statements.append(given[2]))
        organisations.add(tx, "gent", now=1)
        organisations.all(tx)
        domains.add(tx, name, organisation="gent", now=1)
        domains.all(tx)
        domains.get(tx, name)
        for selector in ("z1", "z2"):
            keys.add(tx, name, selector, "rsa2048", b"secret", "AAAA", now=1)
            keychanges.activate(tx, name, selector, now=2)
        keys.all(tx, name)
        keys.active(tx)
        keys.private_pem(tx, name, "z1")
    # Each statement that reached the driver came through Core.
    assert len(seen) == len(driver_statements) > 20
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    compiled = {str(statement.compile(dialect=dialect)) for statement in seen}
    assert any(text.startswith("UPDATE generation SET number=(generation.number + %(number_1)s") for text in compiled)


def test_the_tables_compile_for_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables]
    assert any("private BYTEA NOT NULL" in text for text in made)
    indexes = [str(CreateIndex(index).compile(dialect=dialect)) for index in schema.keys.indexes]
    assert indexes == ["CREATE UNIQUE INDEX uq_keys_active ON keys (domain_id, key_type) WHERE state = 'active'"]
