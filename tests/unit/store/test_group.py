from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from zegel.store.errors import StoreError
from zegel.store.group import Group
from zegel.store.spool import Spool


def in_group(folder: Path, work: Callable[[Group, Spool], Awaitable[None]]) -> None:
    folder.chmod(0o700)

    async def run() -> None:
        with Spool.open(folder) as spool:
            # Each test starts it: what was handed in before is one batch.
            group = Group(spool)
            await work(group, spool)
            await group.close()

    asyncio.run(run())


def test_those_of_a_kind_go_together_and_none_passes_a_job_that_has_none(tmp_path: Path) -> None:
    calls: list[tuple[str, list[int]]] = []

    def first(_tx: Connection, entries: Sequence[int]) -> list[int]:
        calls.append(("first", list(entries)))
        return [entry * 10 for entry in entries]

    def second(_tx: Connection, entries: Sequence[int]) -> list[int]:
        calls.append(("second", list(entries)))
        return [entry * 100 for entry in entries]

    def alone(_tx: Connection) -> int:
        calls.append(("alone", []))
        return 5

    async def work(group: Group, _spool: Spool) -> None:
        futures = [group.join(first, 1), group.join(second, 2), group.join(first, 3), group.join(second, 4)]
        futures.append(group.hand_in(alone))
        futures += [group.join(second, 6), group.join(first, 7)]
        group.start()
        assert await asyncio.gather(*futures) == [10, 200, 30, 400, 5, 600, 70]
        assert calls == [("first", [1, 3]), ("second", [2, 4]), ("alone", []), ("second", [6]), ("first", [7])]
        assert group.commits == 1

    in_group(tmp_path, work)


def test_one_that_is_at_fault_suffers_alone_and_what_was_undone_is_done_again(tmp_path: Path) -> None:
    def count(tx: Connection, entries: Sequence[int]) -> list[int]:
        for entry in entries:
            tx.execute(text("UPDATE state SET changes = changes + :more"), {"more": entry})
            if entry == 3:
                raise ValueError("three")
        return list(entries)

    async def work(group: Group, spool: Spool) -> None:
        futures = [group.join(count, entry) for entry in (1, 2, 3, 4)]
        group.start()
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert results[:2] + results[3:] == [1, 2, 4]
        assert isinstance(results[2], ValueError)
        with spool.reading() as tx:
            assert tx.execute(text("SELECT changes FROM state")).scalar() == 7

    in_group(tmp_path, work)


def test_a_kind_that_forgets_somebody_is_an_error_and_nobody_is_told_that_it_was_done(tmp_path: Path) -> None:
    async def work(group: Group, _spool: Spool) -> None:
        futures = [group.join(_forgetful, entry) for entry in (1, 2)]
        group.start()
        for result in await asyncio.gather(*futures, return_exceptions=True):
            assert isinstance(result, ValueError)

    in_group(tmp_path, work)


def _forgetful(_tx: Connection, _entries: Sequence[int]) -> list[int]:
    return []


def test_after_the_end_nothing_is_taken(tmp_path: Path) -> None:
    async def work(group: Group, _spool: Spool) -> None:
        group.start()
        await group.close()
        with pytest.raises(StoreError, match="is stopping"):
            await group.hand_in(lambda _tx: None)

    in_group(tmp_path, work)
