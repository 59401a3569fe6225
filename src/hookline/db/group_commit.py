"""GroupCommit: many waiting tasks, one COMMIT.

One writer takes whatever arrived while the previous write was running, writes it at once, and resolves the
waiters. There is no timer: an idle server adds no delay, and a busy one fills its batches by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, TypeVar

from hookline.db.connections import look_after
from hookline.exceptions import HooklineError

logger = logging.getLogger("hookline.engine")
T = TypeVar("T")
R = TypeVar("R")

#: So few items are always written together: a second COMMIT would cost more than waiting.
FEW = 4

#: Called in the event loop with what `write` returned for an item, or with what it raised. What it raises is logged.
Done = Callable[[R | None, Exception | None], None]


class QueueFull(HooklineError):
    """More is waiting to be written than the bound allows. Nothing was written; try again later."""


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class _Waiting(Generic[T, R]):
    item: T
    size: int
    #: Who is told.
    waiter: asyncio.Future[R] | Done[R]


class GroupCommit(Generic[T, R]):
    """Collects items from tasks of one event loop and writes them in batches in one thread.

    `write` gets a batch and returns one result for each item, in order; it commits before it returns. If it raises
    for a batch, the items are written one by one, so that a single bad one fails alone. A batch has at most `batch`
    items, and `batch_bytes` unless one item alone has more; `max_items` and `max_bytes` may wait. With `look`, the
    thread's connection is looked after before a batch.

    With `halves`, a batch takes half of what waits and what was written last. Clients that send their next request when
    the previous one is answered then form two groups: one is written while the other is answered and read. Without
    it nearly all of them would wait for the same COMMIT, and event loop and database would work in turns.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[R]],
        writer: Executor,
        *,
        batch: int = 500,
        batch_bytes: int = 4 * 1024 * 1024,
        max_items: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        look: bool = False,
        halves: bool = False,
    ) -> None:
        self._write = write
        self._look = look
        self._halves = halves
        self._writer = writer
        self._batch = batch
        self._batch_bytes = batch_bytes
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._bytes = 0
        #: How many items the last batch had.
        self._written = 0
        self._flushing: asyncio.Task[None] | None = None

    def submit(self, item: T, size: int = 0) -> asyncio.Future[R]:
        """Done when the item is committed, with its result or what `write` raised for it. Raises QueueFull."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.put(item, future, size)
        return future

    def put(self, item: T, waiter: asyncio.Future[R] | Done[R], size: int = 0) -> None:
        """Have the item written, and `waiter` told then: a call for many items, where a task for each would cost more
        than writing it. Raises QueueFull."""
        if len(self._waiting) >= self._max_items or self._bytes + size > self._max_bytes:
            raise QueueFull(f"{len(self._waiting)} items of {self._bytes} bytes wait to be written")
        self._waiting.append(_Waiting(item, size, waiter))
        self._bytes += size
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                try:
                    await self._write_batch(batch)
                finally:
                    self._bytes -= sum(entry.size for entry in batch)
        finally:
            self._flushing = None

    def _next_batch(self) -> list[_Waiting[T, R]]:
        most = self._batch
        if self._halves:
            most = min(most, max(FEW, (len(self._waiting) + self._written + 1) // 2))
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and len(batch) < most and size + self._waiting[0].size <= self._batch_bytes:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._written = len(batch)
        return batch

    async def _write_batch(self, batch: Sequence[_Waiting[T, R]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._writer, self._write_items, [entry.item for entry in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results were returned for {len(batch)} items")
        except Exception as error:  # noqa: BLE001  # whatever it is, the waiters are told
            if len(batch) == 1:
                _tell(batch[0], None, error)
                return
            for entry in batch:
                await self._write_batch([entry])
            return
        for entry, result in zip(batch, results, strict=True):
            _tell(entry, result, None)

    def _write_items(self, items: Sequence[T]) -> Sequence[R]:
        """In the writer's thread."""
        if self._look:
            look_after()
        return self._write(items)


def _tell(entry: _Waiting[T, R], result: R | None, error: Exception | None) -> None:
    if isinstance(entry.waiter, asyncio.Future):
        _resolve(entry.waiter, result, error)
        return
    try:
        entry.waiter(result, error)
    except Exception:  # the others of the batch must hear of theirs
        logger.exception("what was written could not be reported")


def _resolve(future: asyncio.Future[R], result: R | None, error: Exception | None) -> None:
    if future.done():  # the waiter was cancelled, for example because its client went away
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # R may itself be None
