"""When a key is looked at: what waits each minute, after a day each five, and what is well about once an hour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zegel.rollout.keeper import is_due
from zegel.rollout.life import Times
from zegel.store.keys import KeyState, StoredKey, Succession

from .test_life import DAY, NOW, key

PLANNED = Succession.PLANNED


@pytest.mark.parametrize(
    ("held", "pause"),
    [
        (key(KeyState.PENDING, created=NOW), 30),
        (key(KeyState.PENDING, created=NOW - DAY), 30),
        (key(KeyState.PENDING, created=NOW - DAY - 1), 270),
        (key(KeyState.PENDING, created=NOW - 9 * DAY, served=NOW - 60), 30),
        (key(KeyState.VISIBLE, succession=PLANNED), 30),
        (key(KeyState.VISIBLE, 0), 2670),
        (key(KeyState.ACTIVE, 0), 2670),
        (key(KeyState.ACTIVE, trouble="no_name"), 30),
        (key(KeyState.RETIRING, trouble="no_name"), 270),
        (key(KeyState.REVOKED, 0), 2670),
    ],
)
def test_a_key_is_due_half_a_look_before_its_time(held: StoredKey, pause: int) -> None:
    def due(seconds: int) -> bool:
        return is_due(replace(held, looked=NOW - seconds), now=NOW, times=Times())

    assert (due(pause - 1), due(pause)) == (False, True)
    assert due(-1), "a look in the future counts for none"


def test_a_look_of_this_second_was_one_and_a_key_without_a_look_is_due() -> None:
    assert not is_due(key(KeyState.PENDING, looked=NOW), now=NOW, times=Times())
    assert is_due(key(KeyState.PENDING, looked=None), now=NOW, times=Times())


@pytest.mark.parametrize(
    "held", [key(KeyState.PENDING, created=NOW - 2 * DAY), key(KeyState.RETIRING), key(KeyState.RETIRING, trouble="no_name")]
)
def test_what_may_be_gone_back_to_is_urgent_however_long_it_has_waited(held: StoredKey) -> None:
    def due(seconds: int) -> bool:
        return is_due(replace(held, looked=NOW - seconds), now=NOW, times=Times(), urgent=True)

    assert (due(29), due(30)) == (False, True)


def test_only_a_key_that_is_to_take_over_is_waited_for() -> None:
    """One that signs, or did, has a succession behind it."""
    for state in (KeyState.ACTIVE, KeyState.RETIRING, KeyState.REVOKED):
        assert not is_due(key(state, succession=PLANNED, looked=NOW - 600), now=NOW, times=Times())


def test_the_jitter_is_spread_evenly_over_half_an_hour() -> None:
    times = Times(look=0, rest=1000)
    pauses = set()
    for number in range(1, 501):
        well = key(KeyState.ACTIVE, number)
        pauses.add(next(each for each in range(700, 1300) if is_due(replace(well, looked=NOW - each), now=NOW, times=times)))
    assert pauses == set(range(750, 1250))
