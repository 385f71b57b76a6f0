"""One person's part of the store: all of it comes out, nobody else's does, and after erasing no file has it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from support.messages import JAN, NOW, inbound, outbound, traces
from zegel.grammar.domain import Domain
from zegel.store import domains, organisations, persons, search
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.persons import Erased

from .test_messages import add, found

ELS = "els@klant.example"


def known(store: Store, *, hashed: bool = False) -> Addresses:
    assert store.vault is not None
    return Addresses(store.vault, hashed=hashed)


def erase(store: Store, address: str = JAN, organisation: str | None = None, **most: int) -> Erased:
    with store.writing() as tx:
        return persons.erase(tx, known(store).key(address), organisation, **most)


def export(store: Store, address: str = JAN, *, hashed: bool = False) -> list[Any]:
    addresses = known(store, hashed=hashed)
    with store.reading() as tx:
        return [message for _number, message in persons.export(tx, addresses, addresses.key(address))]


MESSAGES = [
    outbound(1),
    inbound(2),
    outbound(3, recipients=(JAN, ELS)),
    inbound(4, sender=ELS, subject=f"From {JAN}"),  # Jan is named in its story
    inbound(5, sender="", recipients=(JAN,), story=()),
    outbound(6, recipients=(ELS,), story=()),
]


@pytest.mark.parametrize("hashed", [False, True])
def test_nothing_is_left(store: Store, hashed: bool) -> None:
    add(store, MESSAGES, hashed=hashed, subjects=True)
    with store.reading() as tx:
        assert persons.count(tx, known(store).key(JAN)) == 5
    key = known(store).key(JAN)
    assert traces(store.folder, key.hex()) == ([key.hex()] if hashed else [])  # in the stories
    assert erase(store, JAN.upper()) == Erased(deleted=3, changed=2)
    assert not erase(store)
    assert store.rewrite()
    words = ["jan.peeters", "klant.example", *([] if hashed else ["els@"])]
    assert traces(store.folder, *words, key.hex()) == words[1:]
    assert key not in b"".join(path.read_bytes() for path in store.folder.iterdir())
    left = {message.queue_id: [party.role for party in message.parties] for message in found(store)}
    assert left == {"4Wx3": ["sender", "recipient"], "5Wx4": ["sender", "recipient"], "4Wx6": ["sender", "recipient"]}
    with store.reading() as tx:
        assert [search.story(tx, message.id) for message in found(store)] == [None] * 3
        assert tx.connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert tx.connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_copies_that_moving_rows_left_behind_go_too(store: Store) -> None:
    """Rows of many sizes that come out of order move about in the file; without VACUUM what they leave behind has been seen to stay."""
    for batch in range(20):
        records = []
        for number in range(100):
            jans = number % 10 == 0
            sender = JAN if jans else f"u{number}x{batch}@d{number % 7}.example"
            story = inbound().story if jans else ({"a": "x" * (number * 53 % 900)},)
            records.append(inbound(number, time=NOW - (number * 37 + batch * 11) % 50 * 100, sender=sender, story=story))
        add(store, records)
    while erase(store):
        pass
    assert store.rewrite()
    assert not traces(store.folder, "jan.peeters")
    with store.reading() as tx:
        assert tx.connection.exec_driver_sql("SELECT count(*) FROM messages").scalar() == 20 * 90


def test_every_table_is_searched(store: Store) -> None:
    """Whatever column may hold an address: none of them holds this one any more."""
    add(store, MESSAGES, subjects=True)
    erase(store)
    connection = sqlite3.connect(store.path)
    try:
        dump = "\n".join(connection.iterdump()).lower()
    finally:
        connection.close()
    assert "jan.peeters" not in dump
    assert "els@klant.example" in dump
    assert known(store).key(JAN).hex() not in dump


def test_a_bounded_number_at_a_time(store: Store) -> None:
    add(store, [outbound(number) for number in range(25)])
    assert [erase(store, most=10).deleted for _ in range(4)] == [10, 10, 5, 0]


def test_within_one_organisation(store: Store) -> None:
    with store.writing() as tx:
        organisations.add(tx, "gent", now=1)
        domains.add(tx, Domain.parse("gent.example"), organisation="gent", now=1)
    add(store, [inbound(recipients=("a@gent.example", "b@example.be"))])
    assert erase(store, organisation="gent").deleted == 1
    assert [message.organisation for message in found(store)] == ["default"]


def test_while_somebody_reads_a_trace_may_be_left_and_that_is_said(store: Store) -> None:
    add(store, MESSAGES)
    with Store.read_only(store.folder) as other, other.reading() as old:
        old.connection.exec_driver_sql("SELECT count(*) FROM messages").scalar()
        erase(store)
        assert not store.rewrite()
        assert traces(store.folder, "jan.peeters")
    assert store.rewrite()
    assert not traces(store.folder, "jan.peeters")


@pytest.mark.parametrize("hashed", [False, True])
def test_a_copy_for_one_person_has_nobody_else(store: Store, hashed: bool) -> None:
    add(store, MESSAGES, hashed=hashed)
    copy = export(store, hashed=hashed)
    assert [message["queue_id"] for message in copy] == ["4Wx1", "5Wx2", "4Wx3", "5Wx4", "5Wx5"]
    text = json.dumps(copy)
    assert "els@" not in text
    assert "info@" not in text
    third = copy[2]
    assert third["you"] == [
        {"role": "recipient", "address": None if hashed else "Jan.Peeters@klant.example", "hash": known(store).key(JAN).hex()}
    ]
    assert third["others"] == [{"role": "sender", "domain": "example.be"}, {"role": "recipient", "domain": "klant.example"}]
    shown = f"#{known(store).key(JAN).hex()}@klant.example" if hashed else JAN
    assert copy[1]["story"][1]["from"] == f"Jan <{shown}>"
    assert copy[1]["results"][1] == {
        "method": "dkim",
        "status": "fail",
        "reason": "body_changed",
        "domain": "klant.example",
        "selector": "s1",
    }


def test_a_copy_comes_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "BATCH", 2)
    add(store, MESSAGES)
    addresses = known(store)
    pages, after = [], 0
    with store.reading() as tx:
        while page := persons.export(tx, addresses, addresses.key(JAN), after=after):
            pages.append([message["queue_id"] for _number, message in page])
            after = page[-1][0]
    assert pages == [["4Wx1", "5Wx2"], ["4Wx3", "5Wx4"], ["5Wx5"]]
