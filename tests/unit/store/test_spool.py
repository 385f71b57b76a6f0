from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from zegel.store import once, post, queue, transit
from zegel.store.errors import StoreError
from zegel.store.posting import RELEASED, Outcome, Posting, State, number, queue_id
from zegel.store.spool import NAME, Spool

POSTING = Posting("info@example.be", ("a@example.net", "b@example.org"), b"From: info@example.be\r\n\r\nx\r\n", "form", "w@example.be")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def filled(folder: Path, count: int = 1, *, direct: bool = False) -> Spool:
    spool = Spool.open(folder)
    with spool.writing() as tx:
        transit.add(tx, [(1000 + each, POSTING) for each in range(count)], now=50, direct=direct)
    return spool


def test_the_file_is_its_owners_alone_and_every_commit_is_on_disk(folder: Path) -> None:
    with filled(folder) as spool, spool.reading() as tx:
        assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert tx.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert tx.execute(text("PRAGMA auto_vacuum")).scalar() == 2  # incremental
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600


def test_nothing_is_made_for_who_only_looks(folder: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no outbox in .* yet; the daemon makes it"):
        Spool.open(folder, create=False)
    assert not (folder / NAME).exists()


def test_a_newer_outbox_is_refused_and_stays(folder: Path) -> None:
    with filled(folder) as spool, spool.writing() as tx:
        tx.execute(text("UPDATE state SET version = 9"))
    with pytest.raises(StoreError, match=r"written by a newer Zegel \(version 9, this one knows 2\)"):
        Spool.open(folder)


def test_an_older_outbox_gets_what_it_lacks_and_keeps_its_mail(folder: Path) -> None:
    with filled(folder) as spool, spool.writing() as tx:
        before = post.waiting(tx)
        tx.execute(text("DROP TABLE handed"))
        tx.execute(text("UPDATE state SET version = 1"))
    with Spool.open(folder) as spool, spool.writing() as tx:
        assert (before, post.waiting(tx)) == (before, before)
        assert once.taken(tx, "0 f") is None
        once.remember(tx, "0 f", 7, now=100)
    with Spool.open(folder) as spool, spool.writing() as tx:
        assert once.taken(tx, "0 f") == 7
        assert once.forget(tx, before=100) == 0
        assert once.forget(tx, before=101) == 1
        assert once.taken(tx, "0 f") is None


def test_what_is_released_keeps_its_own_way_whatever_the_configuration_becomes(folder: Path) -> None:
    with filled(folder) as spool, spool.writing() as tx:
        name = queue.hand_in(tx, Posting("", ("a@example.net",), b"x\r\n"), now=1_790_000_000, direct=True, route=RELEASED)
        for direct in (False, True):
            post.reroute(tx, direct=direct)
            item = queue.find(tx, number(name) or 0)
            assert item is not None
            assert [recipient.route for recipient in item.recipients] == [RELEASED]


def test_another_database_is_refused(folder: Path) -> None:
    with sqlite3.connect(folder / NAME) as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    (folder / NAME).chmod(0o600)
    with pytest.raises(StoreError, match="is not an outbox of Zegel"):
        Spool.open(folder)


@pytest.mark.parametrize("where", ["head", "middle"])
def test_a_damaged_outbox_is_refused_with_the_next_step_and_stays(folder: Path, where: str) -> None:
    filled(folder, 200).close()
    with sqlite3.connect(folder / NAME) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    file = folder / NAME
    data = bytearray(file.read_bytes())
    start = 0 if where == "head" else 8192 * 3
    data[start : start + 8000] = b"\xa5" * 8000
    file.write_bytes(data)
    with pytest.raises(StoreError, match=r"outbox.db is damaged .*Move it and its outbox.db-wal away together and start again; .*recover"):
        Spool.open(folder)
    assert file.read_bytes() == data


def test_one_process_delivers(folder: Path) -> None:
    with Spool.open(folder) as spool:
        spool.claim()
        code = f"import pathlib, zegel.store.spool as s; s.Spool.open(pathlib.Path({str(folder)!r})).claim()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "another Zegel delivers the outbox in" in done.stderr
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0


def test_the_room_of_an_outage_goes_back_to_the_disk(folder: Path) -> None:
    large = Posting("a@example.be", ("b@example.net",), b"x" * 500_000)
    with Spool.open(folder) as spool:
        with spool.writing() as tx:
            transit.add(tx, [(each + 1, large) for each in range(20)], now=1, direct=False)
        for each in range(20):
            with spool.writing() as tx:
                transit.settle(tx, [(each + 1, [Outcome(0, State.DELIVERED, "250 ok")])], now=2)
        with spool.reading() as tx:
            before = tx.execute(text("PRAGMA page_count")).scalar_one()
        spool.shrink()
        with spool.reading() as tx:
            assert tx.execute(text("PRAGMA page_count")).scalar_one() < before / 10


def test_what_is_due_uses_its_index(folder: Path) -> None:
    with filled(folder) as spool, spool.reading() as tx:
        for statement in (
            "SELECT * FROM recipients WHERE route = '' AND recipients.state = 'waiting' AND due <= 5 ORDER BY due LIMIT 5",
            "SELECT min(due) FROM recipients WHERE route = '' AND recipients.state = 'waiting'",
        ):
            plan = " ".join(str(row) for row in tx.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
            assert "ix_recipients_due" in plan
            assert "TEMP B-TREE" not in plan


def test_the_statements_write_the_state_out_so_that_the_index_holds_it() -> None:
    # Of a bound value SQLite cannot know that the partial index has it, and would read every row.
    assert "recipients.state = 'waiting'" in str(transit.waits())


def test_due_in_order_and_marked_and_settled(folder: Path) -> None:
    with filled(folder, 3) as spool, spool.writing() as tx:
        assert post.next_due(tx, "") == 50
        assert [item.id for item in post.due(tx, "", now=50, limit=10)] == [1000, 1001, 1002]
        assert post.due(tx, "", now=49, limit=10) == []
        assert transit.mark(tx, 1000, [0, 1]) == 2
        transit.settle(tx, [(1000, [Outcome(0, State.DELIVERED, "250 ok"), Outcome(1, State.WAITING, "451 later", due=90)])], now=60)
        (item,) = [each for each in queue.listed(tx, states=list(State), limit=9) if each.id == 1000]
        assert [(each.state, each.tries, each.due, each.sending) for each in item.recipients] == [
            (State.DELIVERED, 1, 0, False),
            (State.WAITING, 1, 90, False),
        ]
        assert transit.body(tx, 1000) == POSTING.data  # one still waits for it
        assert item.finished is None
        transit.settle(tx, [(1000, [Outcome(1, State.DELIVERED, "250 ok")])], now=95)
        assert transit.body(tx, 1000) is None
        found = queue.find(tx, 1000)
        assert found is not None
        assert found.finished == 95


def test_a_mark_that_is_found_at_the_start_is_a_doubt(folder: Path) -> None:
    with filled(folder, 2) as spool, spool.writing() as tx:
        transit.mark(tx, 1000, [1])
        assert post.recover(tx) == 1
        assert post.recover(tx) == 0
        (item,) = [each for each in post.due(tx, "", now=50, limit=9) if each.id == 1000]
        assert [each.doubts for each in item.recipients] == [0, 1]


def test_a_drop_holds_against_a_later_answer_but_a_delivery_is_told(folder: Path) -> None:
    with filled(folder, 2) as spool, spool.writing() as tx:
        assert queue.drop(tx, 1000, now=55) == 2
        assert transit.mark(tx, 1000, [0]) == 0
        transit.settle(tx, [(1000, [Outcome(0, State.DELIVERED, "250 ok"), Outcome(1, State.FAILED, "550 no")])], now=60)
        item = queue.find(tx, 1000)
        assert item is not None
        assert [each.state for each in item.recipients] == [State.DELIVERED, State.DROPPED]
        assert post.changes(tx) == 1
        assert queue.drop(tx, 1000, now=61) == 0


def test_what_failed_can_be_sent_again_until_its_body_goes(folder: Path) -> None:
    with filled(folder) as spool, spool.writing() as tx:
        transit.settle(tx, [(1000, [Outcome(0, State.FAILED, "550 no"), Outcome(1, State.FAILED, "550 no")])], now=60)
        assert queue.retry(tx, 1000, now=70) == 2
        item = queue.find(tx, 1000)
        assert item is not None
        assert item.finished is None
        transit.settle(tx, [(1000, [Outcome(0, State.FAILED, "550 no"), Outcome(1, State.FAILED, "550 no")])], now=80)
        assert post.make_room(tx, 1) >= len(POSTING.data)
        assert post.weight(tx) == 0
        assert queue.retry(tx, 1000, now=90) == 0


def test_what_is_over_is_forgotten_after_its_time(folder: Path) -> None:
    with filled(folder, 5) as spool, spool.writing() as tx:
        for each in (1000, 1001):
            transit.settle(tx, [(each, [Outcome(0, State.DELIVERED, "250"), Outcome(1, State.FAILED, "550")])], now=60)
        assert post.forget(tx, before=60, limit=9) == 0
        assert post.forget(tx, before=61, limit=9) == 2
        assert queue.count(tx) == {State.WAITING: 6, State.DELIVERED: 0, State.FAILED: 0, State.DROPPED: 0}
        assert post.weight(tx) == 3 * POSTING.weight


def test_routes_follow_the_configuration(folder: Path) -> None:
    with filled(folder, 2) as spool, spool.writing() as tx:
        assert post.routes(tx) == [("", 50)]
        post.reroute(tx, direct=True)
        assert sorted(post.routes(tx)) == [("example.net", 50), ("example.org", 50)]
        assert [[each.address for each in item.recipients] for item in post.due(tx, "example.org", now=50, limit=9)] == [
            ["b@example.org"]
        ] * 2
        post.reroute(tx, direct=False)
        assert post.routes(tx) == [("", 50)]


def test_a_strangers_answer_is_bounded_and_steers_no_terminal(folder: Path) -> None:
    with filled(folder) as spool, spool.writing() as tx:
        transit.settle(tx, [(1000, [Outcome(0, State.FAILED, "550 \x1b[2J" + "x" * 5000)])], now=60)
        item = queue.find(tx, 1000)
        assert item is not None
        assert len(item.recipients[0].answer) == transit.MAX_ANSWER
        assert item.recipients[0].answer.startswith("550 ?[2J")


def test_names_of_messages() -> None:
    for value in (1, 31, 32, 1_795_516_648_123_456, 2**53):
        assert number(queue_id(value)) == value
        assert number(queue_id(value).lower()) == value
    assert len(queue_id(1_795_516_648_123_456)) == 11
    for name in ("", "IL0", "x" * 13, "é", "4Wx1-"):
        assert number(name) is None
