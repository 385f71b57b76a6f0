"""Rates and logins: what a stranger can fill is bounded, who guesses is slowed, and nobody locks out a site."""

from __future__ import annotations

from zegel.gateway.guard import Guard
from zegel.gateway.rates import Rates


def test_an_hour_holds_its_messages_and_fills_again() -> None:
    rates = Rates()
    assert [rates.take("a", 3, 0.0) for _ in range(4)] == [0, 0, 0, 1200]
    assert rates.take("a", 3, 600.0) == 600
    assert rates.take("a", 3, 1200.0) == 0
    assert rates.take("a", 3, 1200.0) == 1200
    assert [rates.take("a", 3, 10_000.0) for _ in range(4)][:3] == [0, 0, 0]
    assert rates.take("b", 0, 0.0) == 0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    rates = Rates()
    rates.take("a", 1, 1000.0)
    assert rates.take("a", 1, 0.0) > 0


def test_a_lower_rate_holds_at_once() -> None:
    rates = Rates()
    rates.take("a", 1000, 0.0)
    assert [rates.take("a", 2, 0.0) for _ in range(3)] == [0, 0, 1800]


def test_the_table_of_visitors_is_bounded() -> None:
    rates = Rates(max_keys=100)
    for number in range(10_000):
        rates.take(number, 1, 0.0)
    assert len(rates) == 100
    assert rates.take(9_999, 1, 0.0) > 0


def test_waits_grow_and_are_turns() -> None:
    guard = Guard()
    waits = []
    for _ in range(8):
        wait = guard.wait("192.0.2.1", "portal", 0.0)
        assert wait is not None
        waits.append(wait)
        guard.failed("192.0.2.1", "portal", 0.0)
    assert waits[:4] == [0.0, 0.0, 0.0, 1.0]
    assert waits == sorted(waits)
    # Two tries at the same moment wait one after the other, and soon nobody more may queue.
    again = [guard.wait("192.0.2.1", "portal", 0.0) for _ in range(5)]
    assert None in again


def test_who_has_logged_in_is_not_held_up_by_what_others_try() -> None:
    guard = Guard()
    guard.succeeded("192.0.2.80", "portal")
    for number in range(50):
        guard.failed(f"198.51.100.{number}", "portal", 0.0)
    assert guard.wait("192.0.2.80", "portal", 0.0) == 0.0
    assert guard.wait("203.0.113.1", "portal", 0.0) != 0.0
    assert guard.wait("203.0.113.1", "other", 0.0) == 0.0


def test_failures_are_forgotten_after_an_hour_and_with_the_right_secret() -> None:
    guard = Guard()
    for _ in range(6):
        guard.failed("192.0.2.1", "portal", 0.0)
    assert guard.wait("192.0.2.1", "portal", 4000.0) == 0.0
    for _ in range(6):
        guard.failed("192.0.2.2", "x", 0.0)
    guard.succeeded("192.0.2.2", "portal")
    assert guard.wait("192.0.2.2", "portal", 0.0) == 0.0


def test_the_tables_are_bounded() -> None:
    guard = Guard()
    for number in range(30_000):
        guard.failed(f"a{number}", f"n{number}", 0.0)
        guard.succeeded(f"b{number}", "x")
    assert len(guard._suspects) <= 10_000
    assert len(guard._friends) <= 10_000
