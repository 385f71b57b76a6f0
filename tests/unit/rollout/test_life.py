"""The state machine of a key, rule by rule: what a look, the time and the other keys make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zegel.grammar.domain import Domain
from zegel.rollout import life
from zegel.rollout.life import Look, Times
from zegel.store.keychanges import Change
from zegel.store.keys import KeyState, StoredKey, Succession

NOW = 1_790_000_000
DAY = 86_400
TIMES = Times(retiring=7 * DAY, revoked=30 * DAY)
HERE = Look(servers=3, serving=3, own_ttl=300)
ABSENT = Look(servers=3, lacking=3, gone=3, difference="no_name")
PART = Look(servers=3, serving=2, lacking=1, gone=1, difference="not_everywhere")
SILENT = Look(servers=3, serving=2)
DEAD = Look(servers=0)


def key(state: KeyState, number: int = 1, **more: object) -> StoredKey:
    made = StoredKey(Domain.parse("example.be"), "default", f"z{number}", "rsa2048", "rsa", "AAAA", state, NOW - 100 * DAY, number=number)
    return replace(made, **more)  # type: ignore[arg-type]


def step(before: StoredKey, look: Look, *others: StoredKey, now: int = NOW, times: Times = TIMES) -> list[Change]:
    return list(life.step(before, look, others, now=now, times=times))


def only(before: StoredKey, look: Look, *others: StoredKey, now: int = NOW) -> StoredKey:
    (change,) = step(before, look, *others, now=now)
    assert change.before == before
    return change.after


def watched(before: StoredKey, look: Look, seconds: int, *, every: int = 60, now: int = NOW) -> tuple[StoredKey, int]:
    """The key after looks every so often, up to the first change of state."""
    for at in range(now, now + seconds + 1, every):
        after = only(before, look, now=at)
        if after.state is not before.state:
            return after, at
        before = after
    return before, now + seconds


# -- until it is visible --------------------------------------------------------------------------------------------------------------


def test_visible_is_what_all_have_served_for_the_negative_ttl() -> None:
    seen, at = watched(key(KeyState.PENDING), replace(HERE, negative_ttl=900), 2 * DAY)
    assert (seen.state, at - NOW, seen.served, seen.visible) == (KeyState.VISIBLE, 900, NOW, NOW + 900)


def test_no_ttl_keeps_a_key_waiting_for_more_than_a_week() -> None:
    """RFC 8767 4: caches keep nothing for longer."""
    before = only(key(KeyState.PENDING), Look(servers=3, lacking=3, other_ttl=2**31 - 1, difference="other_key"))
    assert before.wait == 7 * DAY


def test_an_old_record_at_the_name_is_waited_for_as_long_as_its_ttl() -> None:
    before = only(key(KeyState.PENDING), Look(servers=3, lacking=3, other_ttl=7200, difference="other_key"))
    assert (before.served, before.wait, before.trouble) == (None, 7200, "other_key")
    _seen, at = watched(before, HERE, DAY, now=NOW + 60)
    assert at == NOW + 60 + 7200


@pytest.mark.parametrize("look", [PART, ABSENT])
def test_one_server_without_it_begins_the_time_anew(look: Look) -> None:
    half, _at = watched(key(KeyState.PENDING), HERE, 3000)
    assert half.served == NOW
    broken = only(half, look, now=NOW + 3060)
    assert (broken.state, broken.served) == (KeyState.PENDING, None)
    _seen, at = watched(broken, HERE, 2 * DAY, now=NOW + 3120)
    assert at == NOW + 3120 + 3600


def test_a_server_that_does_not_answer_is_no_proof_of_a_break_but_three_times_is() -> None:
    half, _at = watched(key(KeyState.PENDING), HERE, 3000)
    once = only(half, SILENT, now=NOW + 3060)
    assert (once.served, once.trouble) == (NOW, life.UNAVAILABLE)
    twice = only(once, DEAD, now=NOW + 3120)
    assert twice.served == NOW
    assert only(twice, SILENT, now=NOW + 3180).served is None
    assert only(twice, HERE, now=NOW + 3180).misses == 0


def test_never_visible_while_one_server_is_silent() -> None:
    silent, _at = watched(key(KeyState.PENDING, served=NOW - DAY, looked=NOW - 60, wait=600), SILENT, 7200)
    assert silent.state is KeyState.PENDING


@pytest.mark.parametrize("leap", [3600, DAY, 5 * 365 * DAY])
def test_a_leap_forward_or_a_long_time_without_a_look_begins_the_time_anew(leap: int) -> None:
    half, _at = watched(key(KeyState.PENDING), HERE, 1200)
    after = only(half, HERE, now=NOW + 1200 + leap)
    assert (after.state, after.served) == (KeyState.PENDING, NOW + 1200 + leap)


@pytest.mark.parametrize("leap", [60, 3600, 5 * 365 * DAY])
def test_a_leap_back_ends_nothing_early(leap: int) -> None:
    half, _at = watched(key(KeyState.PENDING), HERE, 3540)
    _seen, at = watched(half, HERE, 2 * DAY, now=NOW + 3540 - leap)
    # What was served before the leap is served still: at the least the rest is waited for, at the most all of it.
    assert 60 <= at - (NOW + 3540 - leap) <= 3600


def test_a_spare_waits_for_a_person_and_what_is_planned_does_not() -> None:
    spare = key(KeyState.VISIBLE, served=NOW - DAY, visible=NOW - DAY, looked=NOW - 3600)
    assert only(spare, HERE).state is KeyState.VISIBLE
    taken = only(replace(spare, succession=Succession.PLANNED), HERE)
    assert (taken.state, taken.activated, taken.succession) == (KeyState.ACTIVE, NOW, Succession.NONE)
    assert only(replace(spare, succession=Succession.PLANNED), PART).state is KeyState.PENDING
    assert only(replace(spare, succession=Succession.PLANNED), SILENT).state is KeyState.VISIBLE


# -- the switch -----------------------------------------------------------------------------------------------------------------------


def test_the_switch_retires_the_former_for_the_time_of_queues_and_signatures() -> None:
    """RFC 5321 4.5.4.1: a queue tries for four or five days; RFC 6376 3.5: x= says until when a signature holds."""
    active, old = key(KeyState.ACTIVE, 2, activated=NOW - 90 * DAY), key(KeyState.RETIRING, 3)
    ready = key(KeyState.VISIBLE, served=NOW - DAY, visible=NOW - DAY, succession=Succession.PLANNED)
    changes = step(ready, HERE, old, active, times=replace(TIMES, retiring=21 * DAY))
    assert [(change.after.number, change.after.state, change.action) for change in changes] == [
        (2, KeyState.RETIRING, "key.retire"),
        (1, KeyState.ACTIVE, "key.activate"),
    ]
    assert (changes[0].after.retired, changes[0].after.keep_until) == (NOW, NOW + 21 * DAY)


def test_in_an_emergency_the_former_is_revoked_at_that_moment() -> None:
    active = key(KeyState.ACTIVE, 2)
    ready = key(KeyState.VISIBLE, served=NOW - DAY, visible=NOW - DAY, succession=Succession.EMERGENCY)
    former, taken = step(ready, HERE, active)
    assert (former.after.state, former.after.revoked, taken.after.state) == (KeyState.REVOKED, NOW, KeyState.ACTIVE)


def test_where_nothing_signs_the_first_key_simply_begins() -> None:
    ready = key(KeyState.VISIBLE, served=NOW - DAY, visible=NOW - DAY, succession=Succession.EMERGENCY)
    (taken,) = step(ready, HERE, key(KeyState.REVOKED, 2))
    assert taken.after.state is KeyState.ACTIVE


# -- while it signs -------------------------------------------------------------------------------------------------------------------


def missed(before: StoredKey, look: Look, times: int, every: int, *others: StoredKey) -> tuple[list[Change], int]:
    """Looks until the key is left, or so often."""
    for number in range(times):
        now = NOW + number * every
        fresh = [replace(other, looked=now) for other in others]
        changes = step(before, look, *fresh, now=now)
        if len(changes) > 1:
            return changes, number + 1
        before = changes[0].after
    return changes, times


RETIRING = key(KeyState.RETIRING, 2, retired=NOW - DAY, keep_until=NOW + 6 * DAY, served=NOW - 90 * DAY, looked=NOW)


@pytest.mark.parametrize("look", [ABSENT, Look(servers=2, lacking=2, difference="revoked", other_ttl=60)])
def test_proof_three_times_in_a_quarter_of_an_hour_goes_back_to_the_key_before(look: Look) -> None:
    changes, looks = missed(key(KeyState.ACTIVE, activated=NOW - DAY), look, 20, 300, RETIRING)
    assert looks == 3
    lost, back = changes
    assert (lost.after.state, lost.after.succession, lost.action) == (KeyState.PENDING, Succession.PLANNED, "key.lost")
    assert (back.after.number, back.after.state, back.action) == (2, KeyState.ACTIVE, "key.back")
    # Looks in quick succession prove no more than one: a zone that is loaded anew is not gone.
    assert missed(key(KeyState.ACTIVE, activated=NOW - DAY), look, 10, 60, RETIRING)[0][0].after.state is KeyState.ACTIVE
    assert missed(key(KeyState.ACTIVE, activated=NOW - DAY), look, 20, 60, RETIRING)[1] == 11


@pytest.mark.parametrize("look", [PART, SILENT, DEAD, Look(servers=3), Look(servers=3, lacking=2)])
def test_what_is_not_proof_at_all_servers_stops_nothing(look: Look) -> None:
    changes, _looks = missed(key(KeyState.ACTIVE, activated=NOW - DAY), look, 500, 300, RETIRING)
    assert [change.after.state for change in changes] == [KeyState.ACTIVE]
    assert changes[0].after.trouble in (life.UNAVAILABLE, life.PARTLY)


@pytest.mark.parametrize("between", [HERE, PART, SILENT, DEAD])
def test_the_three_are_in_a_row(between: Look) -> None:
    before = key(KeyState.ACTIVE, activated=NOW - DAY)
    for number in range(20):
        (change,) = step(
            before, between if number % 3 == 2 else ABSENT, replace(RETIRING, looked=NOW + 400 * number), now=NOW + 400 * number
        )
        before = change.after
    assert before.state is KeyState.ACTIVE


@pytest.mark.parametrize(
    "other",
    [
        replace(RETIRING, served=None),
        replace(RETIRING, looked=NOW - DAY),
        replace(RETIRING, trouble="no_name"),
        key(KeyState.PENDING, 2, served=NOW, looked=NOW),
        key(KeyState.REVOKED, 2, served=NOW, looked=NOW),
    ],
)
def test_a_key_that_is_not_served_now_is_not_gone_back_to(other: StoredKey) -> None:
    before = key(KeyState.ACTIVE, misses=2, missing=NOW - 900)
    (change,) = step(before, ABSENT, other)
    assert (change.after.state, change.after.misses, change.action) == (KeyState.ACTIVE, 3, "key.missing")
    assert change.after.served is None
    (later,) = step(change.after, ABSENT, other, now=NOW + 9000)
    assert (later.after.misses, later.action) == (3, "")


def test_a_visible_spare_will_do_and_the_key_that_signed_last_is_better() -> None:
    before = key(KeyState.ACTIVE, misses=2, missing=NOW - 900)
    spare = key(KeyState.VISIBLE, 3, served=NOW - DAY, visible=NOW - DAY, looked=NOW)
    older = replace(RETIRING, number=4, retired=NOW - 5 * DAY)
    assert step(before, ABSENT, spare)[1].after.number == 3
    assert step(before, ABSENT, spare, older, RETIRING)[1].after.number == 2


def test_the_lost_key_takes_over_again_when_its_record_is_back() -> None:
    lost, back = step(key(KeyState.ACTIVE, misses=2, missing=NOW - 900, wait=3600), ABSENT, RETIRING)
    now, state = NOW, lost.after
    while state.state is KeyState.PENDING:
        now += 60
        changes = step(state, HERE, back.after, now=now)
        state = changes[-1].after
    assert now - NOW == 3660
    assert [change.action for change in changes] == ["key.retire", "key.activate"]


# -- its end --------------------------------------------------------------------------------------------------------------------------


def test_a_retiring_key_is_revoked_when_its_time_is_over_and_not_before() -> None:
    before = replace(RETIRING, keep_until=NOW, looked=NOW - 3600)
    assert only(before, HERE, now=NOW - 1).state is KeyState.RETIRING
    after = only(before, HERE)
    assert (after.state, after.revoked) == (KeyState.REVOKED, NOW)
    assert only(before, ABSENT).state is KeyState.REVOKED
    assert only(before, SILENT).state is KeyState.REVOKED


def test_it_stays_while_the_key_after_it_is_missing() -> None:
    before = replace(RETIRING, keep_until=NOW, looked=NOW - 3600)
    assert only(before, HERE, key(KeyState.ACTIVE, 5, misses=1)).state is KeyState.RETIRING


@pytest.mark.parametrize("state", [KeyState.RETIRING, KeyState.REVOKED])
def test_after_a_leap_forward_nothing_ends_at_the_first_look(state: KeyState) -> None:
    before = key(state, retired=NOW - DAY, keep_until=NOW + 6 * DAY, revoked=NOW - DAY, looked=NOW)
    gone = ABSENT if state is KeyState.REVOKED else HERE
    leapt = NOW + 3 * 365 * DAY
    first = only(before, gone, now=leapt)
    assert first.state is state
    # The clock is put right again: all is as it was.
    assert only(first, gone, now=NOW + 60).state is state
    assert only(first, gone, now=leapt + 3600).state is not state


def test_times_in_the_future_count_as_now() -> None:
    ahead = NOW + 9 * 365 * DAY
    before = replace(RETIRING, retired=ahead, keep_until=ahead + 7 * DAY, looked=ahead)
    after = only(before, HERE)
    assert (after.retired, after.keep_until, after.looked) == (NOW, NOW + 7 * DAY, NOW)
    revoked = only(key(KeyState.REVOKED, revoked=ahead, looked=NOW - 60), ABSENT)
    assert (revoked.state, revoked.revoked) == (KeyState.REVOKED, NOW)


def test_a_revoked_key_is_removed_when_its_time_is_over_and_its_record_gone_everywhere() -> None:
    before = key(KeyState.REVOKED, revoked=NOW - 30 * DAY, looked=NOW - 3600)
    empty = Look(servers=3, serving=3)
    assert only(before, empty).state is KeyState.REVOKED
    assert only(before, Look(servers=3, serving=1, lacking=2, gone=2)).state is KeyState.REVOKED
    assert only(before, Look(servers=3, lacking=2, gone=2)).state is KeyState.REVOKED
    assert only(before, ABSENT, now=NOW - 1).state is KeyState.REVOKED
    still = only(before, Look(servers=3, lacking=3, gone=2, difference="not_everywhere"))
    assert (still.state, still.trouble) == (KeyState.REVOKED, "not_revoked")
    gone = only(before, ABSENT)
    assert (gone.state, gone.removed) == (KeyState.REMOVED, NOW)
    assert step(gone, ABSENT) == []


def test_the_private_half_becomes_public_only_when_no_cache_has_the_record() -> None:
    removed = key(KeyState.REMOVED, removed=NOW, ttl=DAY, alias_ttl=3600)
    assert not life.may_publish_private(removed, now=NOW + DAY + 3599)
    assert life.may_publish_private(removed, now=NOW + DAY + 3600)
    assert not life.may_publish_private(removed, now=NOW - DAY)
    assert not life.may_publish_private(replace(removed, has_private=False), now=NOW + 9 * DAY)
    assert not life.may_publish_private(key(KeyState.REVOKED, revoked=NOW), now=NOW + 90 * DAY)
