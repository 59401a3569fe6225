"""BoundedThreads: threads of their own for one kind of work, and a bound on what waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from hookline.db.group_commit import QueueFull

T = TypeVar("T")


class Bound:
    """How many requests, and of how many bytes, may wait for something on one event loop."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items = self._bytes = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """One more waits. Raises QueueFull."""
        # One item alone is always let in, however large: its own limit is that of the body.
        if self._items >= self._max_items or (self._items and self._bytes + size > self._max_bytes):
            raise QueueFull(f"{self._items} requests of {self._bytes} bytes wait to be verified")
        self._items += 1
        self._bytes += size
        try:
            yield
        finally:
            self._items -= 1
            self._bytes -= size


class BoundedThreads:
    """Does work that would hold up an event loop, and refuses what it has no room for."""

    def __init__(self, name: str, threads: int, *, max_items: int, max_bytes: int) -> None:
        self.executor = ThreadPoolExecutor(threads, name)
        self._bound = Bound(max_items=max_items, max_bytes=max_bytes)

    async def run(self, size: int, work: Callable[[], T]) -> T:
        """What `work` returns or raises; it holds `size` bytes until then. Raises QueueFull."""
        with self._bound.hold(size):
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)
