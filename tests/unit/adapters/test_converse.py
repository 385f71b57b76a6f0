"""The drivers of dialogues: batches at once, branches each on its own, budgets in time and number; the same logic offline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from zegel.adapters.converse import Budget, converse
from zegel.ask import Answer, Dialogue, Question, Rcode, RRType, ask, rehearse, together
from zegel.limits import Limits


class Slow:
    """A resolver whose answers come when the test lets them; it records the order of questions."""

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.asked: list[str] = []

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question.name)
        await self.gate(question.name).wait()
        return Answer(Rcode.NOERROR, (question.name,))


class Quick:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question.name)
        return Answer(Rcode.NOERROR, (question.name,))


def chain(*names: str) -> Dialogue[list[object]]:
    """Ask one after the other."""
    found: list[object] = []
    for name in names:
        answer = yield from ask(name, RRType.A)
        found.append(answer.records[0] if answer.records else answer.rcode)
    return found


def batch(*names: str) -> Dialogue[list[Answer]]:
    """Ask all at once."""
    answers = yield tuple(Question(name, RRType.A) for name in names)
    return list(answers)


async def until(condition: Callable[[], bool]) -> None:
    """Let the others run until it holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is somebody else's
            await asyncio.sleep(0)


def test_answers_come_in_the_order_of_the_questions() -> None:
    async def run() -> list[Answer]:
        resolver = Slow()
        task = asyncio.create_task(converse(batch("a", "b", "c"), resolver, Budget(Limits())))
        await until(lambda: len(resolver.asked) == 3)
        assert sorted(resolver.asked) == ["a", "b", "c"], "all at once"
        for name in ("c", "a", "b"):
            resolver.gate(name).set()
            await asyncio.sleep(0)
        return await task

    assert [answer.records for answer in asyncio.run(run())] == [("a",), ("b",), ("c",)]


def test_branches_advance_each_on_its_own() -> None:
    async def run() -> tuple[list[object], list[object]]:
        resolver = Slow()
        task = asyncio.create_task(converse(together(chain("dead", "x"), chain("one", "two", "three")), resolver, Budget(Limits())))
        for name in ("one", "two", "three"):
            await until(lambda name=name: name in resolver.asked)  # type: ignore[misc]  # mypy gives a default of a lambda no type
            resolver.gate(name).set()
        assert resolver.asked == ["dead", "one", "two", "three"], "no lockstep: the dead one does not stall the other branch"
        resolver.gate("dead").set()
        resolver.gate("x").set()
        return await task

    assert asyncio.run(run()) == (["dead", "x"], ["one", "two", "three"])


def test_branches_within_branches() -> None:
    async def run() -> object:
        return await converse(together(together(chain("a"), chain("b")), chain("c")), Quick(), Budget(Limits()))

    assert asyncio.run(run()) == ((["a"], ["b"]), ["c"])


def test_the_budget_of_questions() -> None:
    async def run(resolver: Quick) -> list[object]:
        return await converse(chain("a", "b", "c", "d"), resolver, Budget(Limits(questions=2)))

    resolver = Quick()
    assert asyncio.run(run(resolver)) == ["a", "b", Rcode.TIMEOUT, Rcode.TIMEOUT]
    assert resolver.asked == ["a", "b"]


def test_the_budget_of_seconds() -> None:
    async def run(resolver: Slow) -> list[object]:
        resolver.gate("quick").set()
        return await converse(chain("quick", "never", "after"), resolver, Budget(Limits(dns_seconds=0.05)))

    resolver = Slow()
    assert asyncio.run(run(resolver)) == ["quick", Rcode.TIMEOUT, Rcode.TIMEOUT]


def test_our_own_fault_is_no_answer() -> None:
    class Broken:
        async def resolve(self, question: Question) -> Answer:
            raise OSError("disk")

    async def run() -> object:
        return await converse(chain("a"), Broken(), Budget(Limits()))

    with pytest.raises(OSError, match="disk"):
        asyncio.run(run())


@pytest.mark.parametrize(
    "dialogue", [lambda: batch("dead", "broken"), lambda: together(together(chain("dead"), chain("c")), chain("broken"))]
)
def test_a_fault_in_one_part_ends_the_others(dialogue: Callable[[], Dialogue[object]]) -> None:
    """Nobody waits for them any more: without a word to them they would ask on until the budget ends."""

    class Broken(Slow):
        async def resolve(self, question: Question) -> Answer:
            if question.name == "broken":
                await asyncio.sleep(0.01)
                raise OSError("disk")
            return await super().resolve(question)

    async def run() -> None:
        with pytest.raises(OSError, match="disk"):
            await converse(dialogue(), Broken(), Budget(Limits()))
        for _ in range(3):  # a cancelled look-up takes a turn or two of the loop to end
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_offline() -> None:
    asked: list[Question] = []
    result = rehearse(together(chain("a", "b"), chain("c")), lambda question: Answer(Rcode.NOERROR, (question.name.upper(),)), asked)
    assert result == (["A", "B"], ["C"])
    assert [question.name for question in asked] == ["a", "b", "c"]


def test_a_dialogue_that_asks_nothing() -> None:
    assert rehearse(chain(), lambda _: Answer(Rcode.TIMEOUT)) == []


@pytest.mark.parametrize("options", [{"dns_seconds": 0}, {"questions": 0}, {"signatures": 0}, {"header_bytes": 100}, {"arc_sets": 0}])
def test_limits_are_positive(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Limits(**options)
