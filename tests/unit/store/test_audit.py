"""The audit log: in the change's own transaction, linked, and without a way to change a line unseen."""

from __future__ import annotations

import pytest

from zegel.store import audit, organisations
from zegel.store.database import Store
from zegel.store.transaction import Transaction


def note(tx: Transaction, subject: str, now: int = 1) -> None:
    audit.note(tx, "domain.add", subject, now=now, after={"name": subject}, of=1)


def test_lines_come_back_as_they_were_written(store: Store) -> None:
    store.who = "beheer\x1b[2J"
    with store.writing() as tx:
        note(tx, "a.example")
        audit.note(tx, "domain.change", "a.example", now=2, before={"signs": False}, after={"signs": True})
        note(tx, "b.example")
    with store.reading() as tx:
        lines = audit.all(tx)
        assert [line.number for line in audit.all(tx, subject="a.example")] == [1, 2]
        assert [line.number for line in audit.all(tx, after=2)] == [3]
        assert audit.broken(tx) is None
    assert lines[1] == audit.Change(2, 2, "beheer?[2J", "domain.change", "a.example", {"signs": False}, {"signs": True})
    assert lines[0].before is None


def test_a_change_that_fails_has_no_line(store: Store) -> None:
    with pytest.raises(RuntimeError), store.writing() as tx:
        note(tx, "a.example")
        organisations.add(tx, "gent", now=1)
        raise RuntimeError
    with store.reading() as tx:
        assert audit.all(tx) == []


@pytest.mark.parametrize(
    ("damage", "first"),
    [
        ("UPDATE audit SET who = 'nobody' WHERE id = 2", 2),
        ("UPDATE audit SET after = NULL WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 2", 3),
        ("UPDATE audit SET link = zeroblob(32) WHERE id = 3", 3),
        ("UPDATE audit SET id = 9 WHERE id = 1", 2),
    ],
)
def test_a_line_that_was_changed_or_taken_out_shows(store: Store, damage: str, first: int) -> None:
    with store.writing() as tx:
        for subject in ("a.example", "b.example", "c.example"):
            note(tx, subject)
        tx.connection.exec_driver_sql(damage)
        assert audit.broken(tx) == first


def test_what_is_logged_is_bounded(store: Store) -> None:
    store.who = "w" * 500
    with store.writing() as tx:
        audit.note(tx, "site.add", "s" * 1000, now=1, after={"text": "x" * 30_000})
        (line,) = audit.all(tx)
    assert (len(line.who), len(line.subject)) == (100, 320)
    assert line.after == {"too_long": 30_012}
