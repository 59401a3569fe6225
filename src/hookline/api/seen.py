"""What was looked up a moment ago, so that each of many requests need not ask the database again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Generic, TypeVar

from django.db import close_old_connections

from hookline.exceptions import CannotStore

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Seconds for which an answer counts. A key that is revoked is refused after so long at most.
FRESH = 0.5
#: Answers that are kept; with more, those that are out of date go.
MOST = 10_000
#: Questions that wait at once; others are told so.
MOST_WAITING = 1000


class Seen(Generic[K, V]):
    """For the tasks of one event loop. What was not found is not kept: it may be there the next moment."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._answers: dict[K, tuple[float, V]] = {}
        self._asking: dict[K, asyncio.Task[V]] = {}

    def fresh(self, key: K) -> V | None:
        """The value that was returned for the key less than FRESH ago."""
        known = self._answers.get(key)
        return known[1] if known is not None and time.monotonic() - known[0] < FRESH else None

    async def get(self, key: K, look_up: Callable[[], V]) -> V:
        """The value that `look_up` returned less than FRESH ago, or returns now, in a thread of the executor.

        Raises what it raises, or CannotStore.
        """
        if (known := self.fresh(key)) is not None:
            return known
        if (task := self._asking.get(key)) is None:
            if len(self._asking) >= MOST_WAITING:
                raise CannotStore(f"{len(self._asking)} questions wait for the database")
            task = self._asking[key] = asyncio.create_task(self._ask(key, look_up))
        return await asyncio.shield(task)

    def forget(self, which: Callable[[K], bool]) -> None:
        for key in [key for key in self._answers if which(key)]:
            del self._answers[key]

    async def _ask(self, key: K, look_up: Callable[[], V]) -> V:
        asked = time.monotonic()  # it may be out of date from here on
        try:
            value = await asyncio.get_running_loop().run_in_executor(self._executor, with_connection, look_up)
        finally:
            del self._asking[key]
        if len(self._answers) >= MOST:
            self._answers = {one: known for one, known in self._answers.items() if asked - known[0] < FRESH}
        if len(self._answers) < MOST:
            self._answers[key] = asked, value
        return value


def with_connection(work: Callable[[], V]) -> V:
    """Call something that needs the database in a thread that may have kept a broken connection."""
    close_old_connections()
    return work()
