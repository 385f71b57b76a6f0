"""The state machine of a key at its bounds: each time to the second, each TTL, each count, and what a look leaves as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zegel.rollout import life
from zegel.rollout.life import Look, Times
from zegel.store.keychanges import Change
from zegel.store.keys import KeyState, StoredKey, Succession

from .test_life import ABSENT, DAY, HERE, NOW, PART, RETIRING, SILENT, TIMES, key, only, step

WEEK = 7 * DAY


def test_times_that_nobody_has_set() -> None:
    assert Times() == Times(retiring=WEEK, revoked=30 * DAY, look=60, rest=3600)
    assert [Times(look=look).gap for look in (60, 300, 301, 600)] == [900, 900, 903, 1800]


def test_nobody_asked_proves_nothing() -> None:
    assert not any((Look().everywhere, Look().nowhere, Look().vanished))


# -- what a look leaves behind -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "seen", "after"), [(600, 300, 600), (300, 600, 600), (0, 2**31 - 1, WEEK), (300, 0, 300)])
def test_the_longest_ttl_that_was_seen_stays_up_to_a_week(before: int, seen: int, after: int) -> None:
    assert only(key(KeyState.VISIBLE, looked=NOW - 60, ttl=before), replace(HERE, own_ttl=seen)).ttl == after
    revoked = key(KeyState.REVOKED, revoked=NOW, looked=NOW - 60, alias_ttl=before)
    assert only(revoked, replace(HERE, alias_ttl=seen)).alias_ttl == after


@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.RETIRING])
def test_since_when_it_is_served_is_kept_while_it_is(state: KeyState) -> None:
    before = key(state, looked=NOW - 60, retired=NOW - DAY, keep_until=NOW + DAY)
    assert only(before, HERE).served == NOW
    assert only(replace(before, served=NOW - 9 * DAY), HERE).served == NOW - 9 * DAY


@pytest.mark.parametrize("look", [HERE, PART, SILENT])
def test_a_count_that_begins_anew_forgets_when_it_began(look: Look) -> None:
    after = only(key(KeyState.ACTIVE, misses=2, missing=NOW - 500), look)
    assert (after.misses, after.missing) == (0, None)


def test_a_pause_of_exactly_the_gap_is_none() -> None:
    before = key(KeyState.PENDING, served=NOW - 1000, wait=9000)
    assert only(replace(before, looked=NOW - TIMES.gap), HERE).served == NOW - 1000
    assert only(replace(before, looked=NOW - TIMES.gap - 1), HERE).served == NOW
    # What is visible was waited for: it stays so, whenever anybody looked.
    assert only(replace(before, state=KeyState.VISIBLE, looked=NOW - 9 * DAY), HERE).served == NOW - 1000


def test_what_is_told_is_what_changed() -> None:
    def said(before: StoredKey, look: Look) -> str:
        (change,) = step(replace(before, served=NOW - DAY, looked=NOW - 60), look)
        return change.action

    assert said(key(KeyState.PENDING), HERE) == "key.visible"
    assert said(key(KeyState.VISIBLE, visible=NOW - 60), HERE) == ""
    assert said(key(KeyState.VISIBLE, visible=NOW - 60), PART) == "key.unseen"
    assert said(key(KeyState.PENDING), PART) == ""
    assert only(key(KeyState.VISIBLE, visible=NOW - 60), PART).visible is None


# -- going back --------------------------------------------------------------------------------------------------------------------


def lost(*others: StoredKey) -> list[Change]:
    return step(key(KeyState.ACTIVE, misses=2, missing=NOW - 900, visible=NOW - 90 * DAY), ABSENT, *others)


def test_of_two_spares_the_one_that_was_visible_last_is_taken() -> None:
    spare = key(KeyState.VISIBLE, 3, served=NOW - 9 * DAY, looked=NOW)
    later, earlier = replace(spare, visible=NOW - DAY), replace(spare, number=4, visible=NOW - 2 * DAY)
    assert lost(earlier, later)[1].after.number == lost(later, earlier)[1].after.number == 3


def test_a_key_is_gone_back_to_when_the_last_look_at_it_is_no_older_than_the_gap() -> None:
    assert len(lost(replace(RETIRING, looked=NOW - TIMES.gap))) == 2
    assert len(lost(replace(RETIRING, looked=NOW - TIMES.gap - 1))) == 1


@pytest.mark.parametrize(
    ("other", "succession"),
    [
        (key(KeyState.PENDING, 5, succession=Succession.PLANNED), Succession.NONE),
        (key(KeyState.VISIBLE, 5, succession=Succession.EMERGENCY), Succession.NONE),
        (key(KeyState.PENDING, 5), Succession.PLANNED),
        (key(KeyState.REVOKED, 5, succession=Succession.PLANNED), Succession.PLANNED),
    ],
)
def test_the_lost_key_comes_back_by_itself_unless_another_is_to_follow(other: StoredKey, succession: Succession) -> None:
    left, back = lost(RETIRING, other)
    assert (left.after.succession, left.after.visible, left.after.misses, left.after.missing) == (succession, None, 0, None)
    assert back.after.number == RETIRING.number


# -- its end -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "ends"), [(0, True), (7200, True), (7201, False)])
def test_an_end_needs_a_look_not_long_before(pause: int, ends: bool) -> None:
    """Twice the time between two looks at what is well: with a pause as of a leap of the clock, nothing ends."""
    assert (only(replace(RETIRING, keep_until=NOW, looked=NOW - pause), HERE).state is KeyState.REVOKED) is ends


def test_without_a_time_of_its_own_it_retires_for_the_usual_one() -> None:
    assert only(replace(RETIRING, keep_until=None), HERE).keep_until == NOW - DAY + WEEK
    assert only(replace(RETIRING, keep_until=None, retired=None), HERE).keep_until == NOW + WEEK


@pytest.mark.parametrize("other", [key(KeyState.ACTIVE, 5), key(KeyState.PENDING, 5, misses=2), key(KeyState.VISIBLE, 5, misses=1)])
def test_it_is_kept_for_a_signing_key_in_trouble_alone(other: StoredKey) -> None:
    (change,) = step(replace(RETIRING, keep_until=NOW, looked=NOW - 60), HERE, other)
    assert change.after.state is KeyState.REVOKED


@pytest.mark.parametrize(
    ("look", "trouble"),
    [
        (Look(servers=3, serving=3), ""),
        (Look(servers=3, serving=2, lacking=1, gone=1), ""),
        (Look(servers=3, lacking=3, gone=3), ""),
        (Look(servers=3, serving=1, lacking=2, gone=1), "not_revoked"),
        (Look(servers=3, serving=1, lacking=1, gone=1), life.UNAVAILABLE),
        (Look(servers=3), life.UNAVAILABLE),
        (Look(), life.UNAVAILABLE),
    ],
)
def test_the_trouble_of_a_revoked_key(look: Look, trouble: str) -> None:
    assert only(key(KeyState.REVOKED, revoked=NOW - 60, looked=NOW - 60), look).trouble == trouble


def test_a_record_that_may_go_may_go_since_the_first_time() -> None:
    before = key(KeyState.REVOKED, revoked=NOW - 30 * DAY, looked=NOW - 60)
    (change,) = step(before, HERE)
    assert (change.after.removed, change.after.state, change.action) == (NOW, KeyState.REVOKED, "key.withdraw")
    (later,) = step(change.after, HERE, now=NOW + 60)
    assert (later.after.removed, later.action) == (NOW, "")


def test_the_private_half_waits_an_hour_at_the_least() -> None:
    removed = key(KeyState.REMOVED, removed=NOW, ttl=60)
    assert [life.may_publish_private(removed, now=NOW + wait) for wait in (3599, 3600)] == [False, True]
