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
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from hookline.db.connections import look_after
from hookline.db.inflow import inflow
from hookline.exceptions import HooklineError

logger = logging.getLogger("hookline.engine")
T = TypeVar("T")
R = TypeVar("R")

#: So few items are always written together: a second COMMIT would cost more than waiting.
FEW = 4

#: Called in the event loop with what `write` returned for an item, or with what it raised. What it raises is logged.
Done = Callable[[R | None, Exception | None], None]
#: Who is told.
Waiter = asyncio.Future[R] | Done[R]


class QueueFull(HooklineError):
    """More is waiting to be written than the bound allows. Nothing was written; try again later."""


class GroupCommit(Generic[T, R]):
    """Collects items from tasks of one event loop and writes them in batches in one thread.

    `write` gets a batch and returns one result for each item, in order; it commits before it returns. If it raises
    for a batch, the items are written one by one, so that a single bad one fails alone. A batch has at most `batch`
    items, and `batch_bytes` unless one item alone has more; `max_items` and `max_bytes` may wait. With `look`, the
    thread's connection is looked after before a batch.

    With `halves`, a batch takes half of what waits and what was written last. Clients that send their next request when
    the previous one is answered then form two groups: one is written while the other is answered and read. Without
    it nearly all of them would wait for the same COMMIT, and event loop and database would work in turns. Large
    batches are noted in `inflow`.
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
        #: Items with their sizes, and with who is told.
        self._waiting: deque[tuple[T, int, Waiter[R]]] = deque()
        self._bytes = 0
        #: How many items the last batch had.
        self._written = 0
        self._flushing: asyncio.Task[None] | None = None

    def submit(self, item: T, size: int = 0) -> asyncio.Future[R]:
        """Done when the item is committed, with its result or what `write` raised for it. Raises QueueFull."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.put(item, future, size)
        return future

    def put(self, item: T, waiter: Waiter[R], size: int = 0) -> None:
        """Have the item written, and `waiter` told then: a call for many items, where a task for each would cost more
        than writing it. Raises QueueFull."""
        if len(self._waiting) >= self._max_items or self._bytes + size > self._max_bytes:
            raise QueueFull(f"{len(self._waiting)} items of {self._bytes} bytes wait to be written")
        self._waiting.append((item, size, waiter))
        self._bytes += size
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._waiting:
                items, waiters, size = self._next_batch()
                try:
                    await self._write_batch(items, waiters)
                finally:
                    self._bytes -= size
        finally:
            self._flushing = None

    def _next_batch(self) -> tuple[list[T], list[Waiter[R]], int]:
        waiting, most = self._waiting, self._batch
        if self._halves:
            most = min(most, max(FEW, (len(waiting) + self._written + 1) // 2))
        item, size, waiter = waiting.popleft()
        items, waiters = [item], [waiter]
        while waiting and len(items) < most and size + waiting[0][1] <= self._batch_bytes:
            item, more, waiter = waiting.popleft()
            items.append(item)
            waiters.append(waiter)
            size += more
        self._written = len(items)
        if self._halves and self._written > FEW:
            inflow.note()
        return items, waiters, size

    async def _write_batch(self, items: Sequence[T], waiters: Sequence[Waiter[R]]) -> None:
        try:
            results = await self._written_in_thread(items)
            if len(results) != len(items):
                raise RuntimeError(f"{len(results)} results were returned for {len(items)} items")
        except Exception as error:  # noqa: BLE001  # whatever it is, the waiters are told
            if len(items) == 1:
                _tell(waiters[0], None, error)
                return
            for item, waiter in zip(items, waiters, strict=True):
                await self._write_batch([item], [waiter])
            return
        for waiter, result in zip(waiters, results, strict=True):
            _tell(waiter, result, None)

    def _written_in_thread(self, items: Sequence[T]) -> asyncio.Future[Sequence[R]]:
        """What the writer's thread returns for the items, or raises.

        `run_in_executor` does the same by two futures that are chained, and takes half as long again.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Sequence[R]] = loop.create_future()

        def write() -> None:
            try:
                told = partial(_resolve, done, self._write_items(items), None)
            except BaseException as error:  # noqa: BLE001  # whatever it is, who waits is told
                told = partial(_resolve, done, None, error)
            with suppress(RuntimeError):  # the loop was closed meanwhile, and nobody waits
                loop.call_soon_threadsafe(told)

        self._writer.submit(write)
        return done

    def _write_items(self, items: Sequence[T]) -> Sequence[R]:
        """In the writer's thread."""
        if self._look:
            look_after()
        return self._write(items)


def _tell(waiter: Waiter[R], result: R | None, error: Exception | None) -> None:
    if isinstance(waiter, asyncio.Future):
        _resolve(waiter, result, error)
        return
    try:
        waiter(result, error)
    except Exception:  # the others of the batch must hear of theirs
        logger.exception("what was written could not be reported")


def _resolve(future: asyncio.Future[R], result: R | None, error: BaseException | None) -> None:
    if future.done():  # the waiter was cancelled, for example because its client went away
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # R may itself be None
