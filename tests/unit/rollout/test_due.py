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
