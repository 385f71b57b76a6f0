from __future__ import annotations

from itertools import pairwise

from zegel.gateway.schedule import Agenda, hop_pause, pause


def test_pauses_grow_to_a_bound_and_are_spread() -> None:
    waits = [pause(tries, 0.5) for tries in range(40)]
    assert waits[:5] == [300, 600, 1200, 2400, 4800]
    assert all(one <= other for one, other in pairwise(waits))
    assert waits[-1] == 7200
    assert (pause(0, 0.0), pause(0, 1.0)) == (240, 360)
    assert hop_pause(0, 0.5) == 1
    assert hop_pause(1000, 0.5) == 60


def test_what_is_due_first_is_first() -> None:
    agenda = Agenda()
    agenda.at("b", 20)
    agenda.at("a", 10)
    agenda.hasten("b", 30)
    assert (agenda.pop(5), agenda.next()) == (None, 10)
    agenda.hasten("b", 8)
    assert [agenda.pop(15), agenda.pop(15), agenda.pop(15)] == ["b", "a", None]
    agenda.at("a", 1)
    agenda.at("a", 50)
    assert agenda.pop(20) is None
    agenda.forget("a")
    assert agenda.next() is None
    assert len(agenda) == 0


def test_its_memory_is_that_of_its_routes_not_of_their_changes() -> None:
    agenda = Agenda()
    for number in range(100_000):
        agenda.at(f"route{number % 10}", number)
    assert len(agenda._heap) < 200
