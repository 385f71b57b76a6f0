from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.nexthop import NextHop
from support.outbox import TEXT, rig
from support.servers import free_port
from zegel.gateway.fresh import Fresh


def test_a_body_is_given_out_once_and_what_does_not_fit_is_not_kept() -> None:
    fresh = Fresh(most=100)
    fresh.keep(1, b"x" * 60)
    fresh.keep(2, b"x" * 60)
    assert fresh.take(2) is None
    assert fresh.take(1) == b"x" * 60
    assert fresh.take(1) is None
    fresh.keep(3, b"y" * 100)
    fresh.forget()
    fresh.keep(4, b"z" * 100)
    assert (fresh.take(3), fresh.take(4)) == (None, b"z" * 100)


def test_what_was_just_put_is_not_read_back_but_after_trouble_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        async with rig(tmp_path, f"127.0.0.1:{port}") as made:
            bodies, read = 0, made.courier.read

            async def counted(work: Any) -> object:
                nonlocal bodies
                found = await read(work)
                bodies += isinstance(found, bytes)
                return found

            made.courier.read = counted  # type: ignore[method-assign,assignment]
            await asyncio.gather(*(made.put() for _ in range(20)))
            await made.until(lambda: made.counted("zegel_next_hop_up") == 0)
            with NextHop(port) as hop:
                made.clock.ahead += 100
                await made.until(lambda: not made.waiting())
                assert [taken.data for taken in hop.taken] == [TEXT] * 20
                assert bodies == 20
                await asyncio.gather(*(made.put() for _ in range(20)))
                await made.until(lambda: not made.waiting())
                assert (len(hop.taken), bodies) == (40, 20)

    asyncio.run(run())
