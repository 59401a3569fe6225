"""Many waiting tasks, one COMMIT."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from hookline.db.group_commit import GroupCommit, QueueFull


class Table:
    """What the writer writes to. Holds each write until it is let through, when told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.committed: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.writing = threading.Event()

    def write(self, items: Sequence[str]) -> list[str]:
        self.writing.set()
        assert self.gate.wait(20)
        self.batches.append(list(items))
        if bad := [item for item in items if item.startswith("bad")]:
            raise ValueError(f"cannot write {bad[0]}")
        self.committed += items
        return [item.upper() for item in items]


def run(work: Callable[[GroupCommit[str, str], Table], Coroutine[Any, Any, None]], **limits: Any) -> Table:
    table = Table()

    async def main() -> None:
        with ThreadPoolExecutor(1) as writer:
            await asyncio.wait_for(work(GroupCommit(table.write, writer, **limits), table), 20)

    asyncio.run(main())
    return table


async def wait_for(event: threading.Event) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, 20)


def test_one_item_is_written_at_once_and_gets_its_result() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        assert await commit.submit("a") == "A"
        assert await commit.submit("b") == "B"

    assert run(work).batches == [["a"], ["b"]]


def test_a_write_has_no_more_bytes_than_it_may_unless_one_item_alone_has_more() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        table.gate.clear()
        first = asyncio.ensure_future(commit.submit("a", 10))
        await wait_for(table.writing)
        others = [
            asyncio.ensure_future(commit.submit(name, size))
            for name, size in zip("bcdef", (60, 40, 1, 500, 1), strict=True)
        ]
        await asyncio.sleep(0)
        table.gate.set()
        await asyncio.gather(first, *others)

    assert run(work, batch_bytes=100).batches == [["a"], ["b", "c"], ["d"], ["e"], ["f"]]


def test_clients_that_wait_for_their_answers_are_written_in_two_equal_groups() -> None:
    clients = 32

    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        async def client(name: str) -> None:
            for number in range(4):
                await commit.submit(f"{name}-{number}")

        table.gate.clear()
        first = asyncio.create_task(client("client 0"))
        await wait_for(table.writing)
        others = [asyncio.create_task(client(f"client {number}")) for number in range(1, clients)]
        await asyncio.sleep(0)
        table.gate.set()
        await asyncio.gather(first, *others)

    sizes = [len(batch) for batch in run(work, halves=True).batches]
    assert sizes[:5] == [1, 16, 16, 16, 16]
    assert sum(sizes) == 4 * clients


def test_a_few_that_arrive_at_once_are_written_together() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        await asyncio.gather(*(commit.submit(name) for name in "abcd"))

    assert run(work, halves=True).batches == [["a", "b", "c", "d"]]


def test_what_arrives_during_a_write_is_written_together_and_in_order() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        table.gate.clear()
        first = asyncio.ensure_future(commit.submit("a"))
        await wait_for(table.writing)
        rest = [asyncio.ensure_future(commit.submit(item)) for item in "bcdef"]
        await asyncio.sleep(0)
        table.gate.set()
        assert await asyncio.gather(first, *rest) == list("ABCDEF")

    assert run(work).batches == [["a"], list("bcdef")]


def test_a_batch_has_at_most_its_size() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        assert await asyncio.gather(*(commit.submit(item) for item in "abcdefg")) == list("ABCDEFG")

    assert [len(batch) for batch in run(work, batch=3).batches] == [3, 3, 1]


def test_a_bad_item_fails_alone_and_with_its_own_error() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        results = await asyncio.gather(
            *(commit.submit(item) for item in ["a", "bad 1", "b", "bad 2", "c"]), return_exceptions=True
        )
        assert [str(result) for result in results] == ["A", "cannot write bad 1", "B", "cannot write bad 2", "C"]
        assert await commit.submit("d") == "D"

    assert run(work).committed == ["a", "b", "c", "d"]


def test_a_waiter_that_goes_away_disturbs_nobody() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        table.gate.clear()
        tasks = [asyncio.ensure_future(commit.submit(item)) for item in "abc"]
        await wait_for(table.writing)
        more = [asyncio.ensure_future(commit.submit(item)) for item in "def"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        more[1].cancel()
        table.gate.set()
        results = await asyncio.gather(*tasks, *more, return_exceptions=True)
        assert [result for result in results if isinstance(result, str)] == ["A", "C", "D", "F"]
        assert [type(result) for result in results if not isinstance(result, str)] == [asyncio.CancelledError] * 2

    assert sorted(run(work).committed) == list("abcdef")


def test_more_than_the_bound_of_items_is_refused_and_what_waits_is_still_written() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        table.gate.clear()
        tasks = [asyncio.ensure_future(commit.submit("a"))]
        await wait_for(table.writing)
        tasks += [asyncio.ensure_future(commit.submit(item)) for item in "bc"]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await commit.submit("d")
        table.gate.set()
        assert await asyncio.gather(*tasks) == ["A", "B", "C"]
        assert await commit.submit("e") == "E"

    assert run(work, max_items=2).committed == ["a", "b", "c", "e"]


def test_more_than_the_bound_of_bytes_is_refused_and_bytes_count_until_they_are_written() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        table.gate.clear()
        first = asyncio.ensure_future(commit.submit("a", 60))
        await wait_for(table.writing)
        with pytest.raises(QueueFull):
            await commit.submit("b", 41)
        second = asyncio.ensure_future(commit.submit("c", 40))
        await asyncio.sleep(0)
        table.gate.set()
        assert list(await asyncio.gather(first, second)) == ["A", "C"]
        for _ in range(3):  # failures give their bytes back, too
            with pytest.raises(ValueError, match="cannot write bad"):
                await commit.submit("bad", 100)
        assert await commit.submit("d", 100) == "D"

    assert run(work, max_bytes=100).committed == ["a", "c", "d"]


def test_a_writer_that_loses_count_is_an_error_and_leaves_nobody_waiting() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as writer:
            commit: GroupCommit[str, str] = GroupCommit(lambda _: ["one", "two"], writer)
            with pytest.raises(RuntimeError, match="2 results were returned for 1 items"):
                await asyncio.wait_for(commit.submit("a"), 10)

    asyncio.run(main())


def test_a_writer_that_is_shut_down_is_an_error_for_each_waiter() -> None:
    async def main() -> None:
        writer = ThreadPoolExecutor(1)
        writer.shutdown()
        commit: GroupCommit[str, str] = GroupCommit(list, writer)
        results = await asyncio.gather(*(commit.submit(item) for item in "ab"), return_exceptions=True)
        assert [type(result) for result in results] == [RuntimeError, RuntimeError]

    asyncio.run(main())


def test_what_is_put_is_called_back_with_its_result_or_its_error() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        came: dict[str, tuple[str | None, str]] = {}
        all_came = asyncio.Event()

        def done(item: str, result: str | None, error: Exception | None) -> None:
            came[item] = result, str(error or "")
            if len(came) == 3:
                all_came.set()

        for item in ("a", "bad", "b"):
            commit.put(item, partial(done, item))
        assert came == {}  # later, not within the call
        await asyncio.wait_for(all_came.wait(), 10)
        assert came == {"a": ("A", ""), "bad": (None, "cannot write bad"), "b": ("B", "")}

    assert run(work).committed == ["a", "b"]


def test_more_than_the_bound_cannot_be_put() -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        first: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def done(result: str | None, _error: Exception | None) -> None:
            first.set_result(result)

        commit.put("a", done)
        with pytest.raises(QueueFull):
            commit.put("b", done)
        assert await first == "A"

    assert run(work, max_items=1).committed == ["a"]


def test_one_that_cannot_be_told_does_not_keep_the_others_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    async def work(commit: GroupCommit[str, str], table: Table) -> None:
        def fail(_result: str | None, _error: Exception | None) -> None:
            raise ValueError("made for the test")

        for item in ("a", "bad"):
            commit.put(item, fail)
        assert await commit.submit("b") == "B"

    assert run(work).committed == ["a", "b"]
    assert caplog.messages == ["what was written could not be reported"] * 2
