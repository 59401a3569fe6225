"""Whether many requests come in, as processes of one server tell each other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hookline.db.group_commit import FEW, GroupCommit
from hookline.db.inflow import Inflow, inflow
from hookline.engine.places import shared_cells
from tests.waiting import wait_until


def written(count: int) -> bool:
    """Have so many items written together by the queue of an edge. Returns whether the inflow was high then."""

    def write(items: Sequence[int]) -> Sequence[int]:
        seen.append(inflow.is_high)
        return items

    async def main() -> None:
        with ThreadPoolExecutor(1) as writer:
            commit: GroupCommit[int, int] = GroupCommit(write, writer, halves=True)
            await asyncio.gather(*(commit.submit(number) for number in range(count)))

    seen: list[bool] = []
    asyncio.run(main())
    return seen[0]


def test_it_is_high_for_a_moment_when_an_edge_writes_many_requests_together() -> None:
    wait_until(lambda: not inflow.is_high)
    assert not written(FEW)
    wait_until(lambda: written(4 * FEW))
    wait_until(lambda: not inflow.is_high)


def test_those_that_share_the_memory_see_what_one_of_them_notes() -> None:
    [cell] = shared_cells([Inflow.CELL])
    answering, working, another = Inflow(), Inflow(), Inflow()
    for one in (answering, working):
        one.share(cell)
    assert not working.is_high

    def noted() -> bool:
        answering.note()
        return working.is_high

    wait_until(noted)
    assert not another.is_high
    wait_until(lambda: not working.is_high)
