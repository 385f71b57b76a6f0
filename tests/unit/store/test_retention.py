"""What is past its term goes, and nothing else; a bounded number at a time."""

from __future__ import annotations

from support.messages import DAY, NOW, inbound, outbound
from zegel.store import retention, search
from zegel.store.database import Store
from zegel.store.retention import Gone, Term

from .test_messages import add, found

TERM = Term(messages=30, stories=14)


def expire(store: Store, now: int = NOW, **most: int) -> Gone:
    with store.writing() as tx:
        return retention.expire(tx, TERM, now=now, **most)


def rows(store: Store, table: str) -> int:
    with store.reading() as tx:
        return int(tx.connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def with_story(store: Store) -> list[str]:
    with store.reading() as tx:
        return [message.queue_id for message in search.find(tx, search.Wanted(), limit=100) if search.story(tx, message.id) is not None]


def test_to_the_second(store: Store) -> None:
    ages = [0, 14 * DAY, 14 * DAY + 1, 30 * DAY, 30 * DAY + 1, 400 * DAY]
    add(store, [outbound(number, time=NOW - age) for number, age in enumerate(ages)])
    with store.reading() as tx:
        assert retention.count(tx, TERM, now=NOW) == 2 + 2
    assert expire(store) == Gone(messages=2, stories=2)
    assert [message.queue_id for message in found(store)] == ["4Wx0", "4Wx1", "4Wx2", "4Wx3"]
    assert with_story(store) == ["4Wx0", "4Wx1"]
    assert not expire(store)
    assert (rows(store, "messages"), rows(store, "parties"), rows(store, "stories")) == (4, 8, 2)
    assert expire(store, now=NOW + 100 * DAY)
    assert [rows(store, table) for table in ("messages", "parties", "stories", "organisations")] == [0, 0, 0, 1]


def test_a_bounded_number_at_a_time_the_oldest_first(store: Store) -> None:
    add(store, [inbound(number, time=NOW - 40 * DAY + number) for number in range(25)])
    # Ten messages with their stories, and the stories of ten more.
    assert expire(store, most=10) == Gone(messages=10, stories=10)
    assert found(store)[-1].queue_id == "5Wx10"
    assert [expire(store, most=10).messages for _ in range(3)] == [10, 5, 0]


def test_no_story_at_all_with_a_term_of_no_days(store: Store) -> None:
    add(store, [outbound(1, time=NOW - 1), outbound(2)])
    with store.writing() as tx:
        retention.expire(tx, Term(30, 0), now=NOW)
    assert with_story(store) == ["4Wx2"]
    assert len(found(store)) == 2


def moment(store: Store, now: int) -> int:
    with store.writing() as tx:
        return retention.moment(tx, now=now)


def test_a_clock_that_jumps_takes_a_day_at_a_time(store: Store) -> None:
    add(store, [inbound(number, time=NOW - number * DAY) for number in range(30)])
    assert moment(store, NOW) == NOW
    assert not expire(store, now=moment(store, NOW)).messages
    years = NOW + 3650 * DAY
    for day in (1, 2, 3):
        by = moment(store, years)
        assert by == NOW + day * DAY
        # The message of 29 days ago is 30 days old after the first day, and past it after the second.
        assert expire(store, now=by).messages == (day > 1)
    assert len(found(store)) == 28


def test_a_clock_set_right_again_is_followed_at_once(store: Store) -> None:
    assert [moment(store, now) for now in (NOW, NOW + 3650 * DAY, NOW + 3600)] == [NOW, NOW + DAY, NOW + 3600]
    assert moment(store, NOW + 2 * 3600) == NOW + 2 * 3600


def test_a_clock_that_was_in_the_past_for_a_while_does_not_stop_expiry_for_years(store: Store) -> None:
    """A machine without a battery starts in 1970, and is put right an hour later."""
    assert [moment(store, now) for now in (NOW, 0, 3600)] == [NOW, 0, 3600]
    assert [moment(store, NOW + 2 * 3600) for _ in range(3)] == [NOW - DAY, NOW, NOW + 2 * 3600]


def test_what_is_kept_elsewhere_goes_by_the_time_that_expiry_has_come_to(store: Store) -> None:
    def reached(now: int) -> int | None:
        with store.reading() as tx:
            return retention.reached(tx, now=now)

    assert reached(NOW) is None, "before the first expiry nobody knows a time that was right"
    moment(store, NOW)
    assert [reached(now) for now in (NOW - 1, NOW, NOW + 1, NOW + 3650 * DAY)] == [NOW - 1, NOW, NOW, NOW]
    moment(store, NOW + 3650 * DAY)
    assert reached(NOW + 3650 * DAY) == NOW + DAY
    with store.writing() as tx:
        retention.trust(tx, now=NOW + 60 * DAY)
    assert reached(NOW + 60 * DAY) == NOW + 60 * DAY


def test_what_a_person_says_of_the_clock_holds(store: Store) -> None:
    assert moment(store, NOW) == NOW
    with store.writing() as tx:
        retention.trust(tx, now=NOW + 60 * DAY)
    assert moment(store, NOW + 60 * DAY + 3600) == NOW + 60 * DAY + 3600
