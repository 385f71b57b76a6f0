"""Messages in the store: what comes back is what was recorded, each organisation sees its own, and what a stranger wrote is bounded."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from support.messages import JAN, NOW, inbound, outbound, traces
from zegel.grammar.domain import Domain
from zegel.store import domains, messages, organisations, search
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping, Owners, Written
from zegel.store.record import MAX_RECIPIENTS, MAX_RESULTS, MAX_STORY_OCTETS, Direction, Record, Result
from zegel.store.search import Message, Wanted


def add(
    store: Store, records: Sequence[Record], *, hashed: bool = False, exchanges: dict[str, str] | None = None, **keeping: bool
) -> Written:
    assert store.vault is not None
    with store.writing() as tx:
        return messages.add(tx, records, Keeping(Addresses(store.vault, hashed=hashed), **keeping), Owners(tx), exchanges or {})


def found(store: Store, **wanted: object) -> list[Message]:
    with store.reading() as tx:
        return search.find(tx, Wanted(**wanted), limit=1000)  # type: ignore[arg-type]


def test_what_is_recorded_comes_back(store: Store) -> None:
    add(store, [outbound(), inbound(subject="Hello")], exchanges={"klant.example": "provider.example"})
    came, sent = found(store)
    assert (sent.time, sent.direction, sent.queue_id, sent.from_domain) == (NOW, Direction.OUTBOUND, "4Wx1", "example.be")
    assert (sent.action, sent.reason, sent.recipients, sent.organisation, sent.subject) == ("signed", "", 1, "default", None)
    assert [(party.role, party.address, party.exchange) for party in sent.parties] == [
        ("sender", "info@example.be", ""),
        ("recipient", "Jan.Peeters@klant.example", "provider.example"),
    ]
    assert sent.results == (Result("dkim", "signed", "", "example.be", "z202611r-k7qd"),)
    assert came.results == inbound().results
    assert [(party.role, party.address) for party in came.parties] == [
        ("sender", JAN), ("recipient", "info@example.be"), ("named", JAN),
    ]  # fmt: skip
    assert came.subject is None
    with store.reading() as tx:
        assert search.story(tx, came.id) == [msgspec.to_builtins(item) for item in inbound().story]
        assert search.story(tx, 1) is None
        assert [message.id for message in search.numbered(tx, [sent.id, came.id, 7])] == [sent.id, came.id]


def test_subjects_and_stories_are_kept_by_setting_only(store: Store) -> None:
    add(store, [inbound(1, subject="Hello"), inbound(2)], subjects=True, stories=False)
    assert [message.subject for message in found(store)] == [None, "Hello"]
    with store.reading() as tx:
        assert search.story(tx, found(store)[0].id) is None
    assert not [party for message in found(store) for party in message.of_role("named")]


def test_numbers_are_in_the_order_of_time(store: Store) -> None:
    first = add(store, [outbound(1), outbound(2, time=NOW + 5), outbound(3)]).first
    add(store, [outbound(4, time=NOW - 9), outbound(5)])
    assert first == messages.first_number(NOW)
    assert [message.queue_id for message in found(store)] == ["4Wx2", "4Wx5", "4Wx3", "4Wx1", "4Wx4"]
    assert [message.time - NOW for message in found(store)] == [5, 0, 0, 0, -9]
    assert [message.queue_id for message in found(store, since=NOW, until=NOW + 5)] == ["4Wx5", "4Wx3", "4Wx1"]
    assert all(message.id < 2**53 for message in found(store))


@pytest.fixture
def two(store: Store) -> Store:
    with store.writing() as tx:
        for name in ("gent", "luik"):
            organisations.add(tx, name, now=1)
            domains.add(tx, Domain.parse(f"{name}.example"), organisation=name, now=1)
    return store


def test_each_organisation_sees_its_own_recipients(two: Store) -> None:
    add(two, [inbound(recipients=("a@gent.example", "b@luik.example", "c@sub.gent.example", "d@other.example"))])
    seen = {message.organisation: [party.address for party in message.of_role("recipient")] for message in found(two)}
    assert seen == {"gent": ["a@gent.example", "c@sub.gent.example"], "luik": ["b@luik.example"], "default": ["d@other.example"]}
    assert [message.recipients for message in found(two, organisation="gent")] == [2]
    with two.reading() as tx:
        for table in ("parties", "stories"):
            sql = (
                f"SELECT count(*) FROM {table} AS t JOIN messages AS m ON m.id = t.message_id WHERE t.organisation_id != m.organisation_id"
            )
            assert tx.connection.exec_driver_sql(sql).scalar() == 0


@pytest.mark.parametrize(
    ("author", "sender", "owner"),
    [
        ("gent.example", "x@luik.example", "gent"),
        ("shop.gent.example", "", "gent"),
        ("other.example", "x@luik.example", "luik"),
        ("", "", "default"),
        ("notgent.example", "x@y.example", "default"),
    ],
)
def test_mail_out_is_of_the_author(two: Store, author: str, sender: str, owner: str) -> None:
    add(two, [outbound(from_domain=author, sender=sender)])
    assert [message.organisation for message in found(two)] == [owner]


def test_owners_follow_a_change_of_domains(store: Store) -> None:
    with store.writing() as tx:
        owners = Owners(tx)
        assert owners.current(tx) is owners
        assert owners.find("gent.example") is None
        organisations.add(tx, "gent", now=1)
        domains.add(tx, Domain.parse("gent.example"), organisation="gent", now=1)
        assert owners.current(tx).find("a.gent.example") == organisations.row_id(tx, "gent")


HOSTILE = "\x1b[2J\r\n\0\u2028\udcff" + "y" * 5000


def test_what_a_stranger_wrote_is_bounded_and_steers_nothing(store: Store) -> None:
    record = inbound(
        queue_id=HOSTILE, sender=HOSTILE, recipients=(HOSTILE,) * (MAX_RECIPIENTS + 5), from_domain=HOSTILE, action=HOSTILE, reason=HOSTILE,
        results=(Result("dkim", "fail", "x", "d", "s"),) * (MAX_RESULTS + 5), story=({"a": HOSTILE},) * 100, subject=HOSTILE,
    )  # fmt: skip
    add(store, [record], subjects=True)
    (message,) = found(store)
    assert message.recipients == MAX_RECIPIENTS + 5
    assert len(message.of_role("recipient")) == MAX_RECIPIENTS
    assert len(message.results) == MAX_RESULTS
    for text, most in (
        (message.queue_id, 64), (message.from_domain, 253), (message.action, 16), (message.reason, 64), (message.subject or "", 998),
    ):  # fmt: skip
        assert 0 < len(text) <= most
        assert text.isprintable()
    with store.reading() as tx:
        story = search.story(tx, message.id)
    assert story is not None
    assert story[-1] == {"left_out": 100 - (len(story) - 1)}


def test_a_story_is_cut_at_its_bound() -> None:
    whole = messages.story_text([{"a": "x" * 90}] * 300)
    assert len(msgspec.json.decode(whole)) == 300
    cut = messages.story_text([{"a": "x" * 90}] * 400)
    items = msgspec.json.decode(cut)
    assert MAX_STORY_OCTETS - 200 < len(cut) <= MAX_STORY_OCTETS
    assert items[-1] == {"left_out": 400 - (len(items) - 1)}
    assert messages.story_text([{"a": "x" * MAX_STORY_OCTETS}]) == '[{"left_out":1}]'
    assert messages.story_text([{"a": Domain("b"), "c": (1, None), "d": Direction.INBOUND}]) == '[{"a":"b","c":[1,null],"d":"inbound"}]'


def test_a_story_with_too_many_addresses_is_left_out(store: Store) -> None:
    add(store, [inbound(story=({"to": [f"a{n}@b.example" for n in range(300)]},))])
    (message,) = found(store)
    assert not message.of_role("named")
    with store.reading() as tx:
        assert search.story(tx, message.id) == [{"left_out": 1}]


def test_hashed_no_address_is_anywhere_in_the_files(store: Store) -> None:
    words = ("jan.peeters", "info@")
    add(store, [outbound(), inbound()], hashed=True)
    assert (store.folder / "zegel.db-wal").stat().st_size > 0
    assert traces(store.folder, *words, "klant.example") == ["klant.example"]
    key = Addresses(store.vault, hashed=False).key("jan.peeters@klant.example")  # type: ignore[arg-type]
    assert [message.queue_id for message in found(store, person=key)] == ["5Wx1", "4Wx1"]
    store.rewrite()
    assert traces(store.folder, *words) == []
    # The test looks in the right place: in clear they are there.
    add(store, [outbound(), inbound()])
    assert traces(store.folder, *words) == list(words)
    assert len(found(store, person=key)) == 4


def test_who_takes_the_mail_is_filled_in_later(store: Store) -> None:
    old = add(store, [outbound(1, time=NOW - 5)])
    assert old.unknown == {"klant.example"}
    written = add(store, [outbound(2, recipients=(JAN, "a@other.example", "b@[192.0.2.1]", "root")), inbound(3)])
    assert written.unknown == {"klant.example", "other.example", "[192.0.2.1]"}
    with store.writing() as tx:
        messages.name_exchanges(tx, {"klant.example": "provider.example", "nowhere.example": "x"}, since=written.first)
    shown = {message.queue_id: [party.exchange for party in message.of_role("recipient")] for message in found(store)}
    assert shown == {"4Wx1": [None], "4Wx2": ["provider.example", None, None, ""], "5Wx3": [""]}
