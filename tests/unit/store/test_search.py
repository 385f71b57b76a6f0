"""Finding messages: each criterion by its index, in a store of 100,000."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from support.messages import NOW, inbound, outbound
from zegel.store import messages, persons, retention, schema, search
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping, Owners
from zegel.store.record import Direction
from zegel.store.retention import Term
from zegel.store.search import Wanted

COUNT = 100_000
NEEDLE = "needle@rare.example"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """100,000 messages over ten days, every thousandth from or to the same person."""
    with Store.open(tmp_path_factory.mktemp("full") / "data", now=1000) as store:
        assert store.vault is not None
        keeping = Keeping(Addresses(store.vault, hashed=False))
        with store.reading() as tx:
            owners = Owners(tx)
        for start in range(0, COUNT, 5000):
            batch = []
            for number in range(start, start + 5000):
                changes: dict[str, Any] = {"time": NOW - 800_000 + number * 8, "story": ()}
                if number % 1000 == 500:
                    changes["sender"], changes["action"] = NEEDLE, "refused"
                    changes["would"], changes["marks"] = "refused", ("look_alike", "imitates_us")
                elif number % 2:
                    changes["sender"] = f"u{number % 7000}@d{number % 90}.example"
                batch.append(inbound(number, **changes) if number % 2 or number % 1000 == 500 else outbound(number, **changes))
            with store.writing() as tx:
                messages.add(tx, batch, keeping, owners, {})
        yield store


def person(store: Store) -> bytes:
    assert store.vault is not None
    return Addresses(store.vault, hashed=True).key(NEEDLE)


WANTED: dict[str, tuple[dict[str, Any], int]] = {
    "newest": ({}, 1000),
    "time": ({"since": NOW - 800, "until": NOW - 400}, 50),
    "queue id": ({"queue_id": "5Wx500"}, 1),
    "person": ({"person": ...}, 100),
    "domain": ({"domain": "rare.example"}, 100),
    "author": ({"domain": "d7.example"}, 1000),
    "action": ({"action": "refused"}, 100),
    "action and time": ({"action": "refused", "since": NOW - 80_000}, 10),
    "person and way": ({"person": ..., "direction": Direction.OUTBOUND}, 0),
    "organisation": ({"organisation": "default", "since": NOW - 80}, 10),
    "would": ({"would": "refused"}, 100),
    "would, and time": ({"would": "refused", "since": NOW - 80_000}, 10),
    "mark": ({"mark": "imitates_us"}, 100),
    "no such mark": ({"mark": "imitates"}, 0),
    "nobody": ({"organisation": "nobody"}, 0),
}


@pytest.mark.parametrize("case", WANTED)
def test_each_criterion_has_its_index(full: Store, case: str) -> None:
    given, count = WANTED[case]
    values: dict[str, Any] = {name: person(full) if value is ... else value for name, value in given.items()}
    wanted = Wanted(**values)
    statements: list[tuple[str, Any]] = []
    with full.reading() as tx:
        event.listen(tx.connection, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
        found = search.find(tx, wanted, limit=1000)
        assert len(found) == count
        assert [message.id for message in found] == sorted((message.id for message in found), reverse=True)
        asked = list(statements)
        assert asked
        for text, values in asked:
            plan = [row[3] for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
            scans = [step for step in plan if step.startswith("SCAN")]
            # The newest of all are read from the end of the table, as many as are wanted.
            # Of marks, the few messages that have any.
            allowed = ["SCAN messages"] if case == "newest" else ["SCAN messages USING INDEX ix_messages_marked"] if "mark" in given else []
            assert scans in ([], allowed), plan


def test_the_pages_are_the_whole(full: Store) -> None:
    wanted, seen, below = Wanted(person=person(full)), [], None
    with full.reading() as tx:
        while page := search.find(tx, wanted, limit=30, below=below):
            seen += page
            below = page[-1].id
        assert len(seen) == len({message.id for message in seen}) == persons.count(tx, person(full)) == 100


def _steps(store: Store, work: Any, *, write: bool) -> list[str]:
    """The plans of all statements of some work."""
    seen: list[tuple[str, Any]] = []
    with store.writing() if write else store.reading() as tx:
        event.listen(tx.connection, "before_cursor_execute", lambda *args: seen.append((args[2], args[3])))
        work(tx)
        return [row[3] for text, values in list(seen) for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]


def test_nothing_scans_to_erase_to_export_or_to_expire(full: Store) -> None:
    addresses = Addresses(full.vault, hashed=False)  # type: ignore[arg-type]
    nobody = addresses.key("nobody@rare.example")
    steps = _steps(full, lambda tx: persons.erase(tx, nobody), write=True)
    steps += _steps(full, lambda tx: persons.export(tx, addresses, person(full)), write=False)
    steps += _steps(full, lambda tx: retention.expire(tx, Term(30, 14), now=NOW), write=True)
    steps += _steps(full, lambda tx: retention.count(tx, Term(30, 14), now=NOW), write=False)
    steps += _steps(full, lambda tx: messages.name_exchanges(tx, {"x.example": "y"}, since=messages.first_number(NOW)), write=True)
    assert len(steps) > 8
    assert not [step for step in steps if step.startswith("SCAN")]


def test_the_statements_compile_for_postgresql(store: Store) -> None:
    seen: list[Any] = []
    assert store.vault is not None
    addresses = Addresses(store.vault, hashed=False)
    with store.writing() as tx:
        event.listen(tx.connection, "before_execute", lambda *args: seen.append(args[1]))
        written = messages.add(tx, [outbound(), inbound()], Keeping(addresses), Owners(tx), {})
        wanted = Wanted(NOW - 1, NOW + 1, "4Wx1", addresses.key("info@example.be"), "example.be", "signed", Direction.OUTBOUND, "default")
        (message,) = search.find(tx, wanted, limit=5, below=1 << 53)
        search.story(tx, message.id)
        search.numbered(tx, [message.id])
        messages.name_exchanges(tx, {"klant.example": "x.example"}, since=written.first)
        persons.count(tx, addresses.key("info@example.be"), "default")
        persons.export(tx, addresses, addresses.key("info@example.be"))
        persons.erase(tx, addresses.key("info@example.be"))
        retention.count(tx, Term(), now=NOW)
        retention.expire(tx, Term(), now=NOW)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    texts = [str(statement.compile(dialect=dialect)) for statement in seen if hasattr(statement, "compile")]
    # What adds rows goes to the driver as Core has written it.
    texts += [str(insert(table).compile(dialect=dialect)) for table in (schema.messages, schema.parties, schema.stories)]
    assert len(texts) > 20
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in (schema.messages, schema.parties, schema.stories)]
    assert all("BIGINT NOT NULL" in text and "WITHOUT ROWID" not in text for text in made)
    assert [str(CreateIndex(index).compile(dialect=dialect)) for index in schema.parties.indexes]
