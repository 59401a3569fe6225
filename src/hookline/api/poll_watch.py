"""Watch: looks whether there is something new, for all who wait in an event loop at once.

However many wait, a look takes at most two queries. There is one where something was committed, and one in each POLL
seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from hookline import conf
from hookline.api.seen import with_connection

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger("hookline.api")

#: Seconds between two looks, however much is published.
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Awaited(Generic[K, V]):
    """A kind of value that one waits for, each under its key."""

    #: Meanwhile a function is called when some value may be another one; only a hint.
    notified: Callable[[Callable[[], None]], AbstractContextManager[None]]
    #: The values of these keys now. One that is not there any more may be left out.
    values: Callable[[Collection[K]], Mapping[K, V]]
    #: Whether the second, or None for one that was left out, is news for whoever knows the first.
    is_news: Callable[[V, V | None], bool]


class Watch(Generic[K, V]):
    """For the tasks of one event loop, and one kind of value."""

    def __init__(self, executor: Executor, awaited: Awaited[K, V]) -> None:
        self._executor = executor
        self._awaited = awaited
        #: Who waits: for which key, and what is known of it.
        self._waiting: dict[asyncio.Future[bool], tuple[K, V]] = {}
        self._task: asyncio.Task[None] | None = None
        self._rung = asyncio.Event()
        self.stopped = False

    async def wait(self, key: K, known: V, seconds: float) -> bool:
        """Until there is news for whoever knows this value; False after `seconds`.

        What is committed before the call counts, too.
        """
        if self.stopped:
            return False
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = key, known
        self._rung.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on())
        try:
            async with asyncio.timeout(seconds):
                return await mine
        except TimeoutError:
            return False
        finally:
            del self._waiting[mine]

    def stop(self) -> None:
        """Nobody waits from now on."""
        self.stopped = True
        for one in self._waiting:
            _tell(one, False)

    async def _look_on(self) -> None:
        """As long as somebody waits."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            """From any thread; the loop may have ended."""
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._rung.set)

        with self._awaited.notified(ring):
            while self._waiting:
                self._rung.clear()
                try:
                    await self._look(loop)
                except Exception:
                    # Whatever it is: without this task nobody would be told anything.
                    logger.exception("cannot look for what is new; trying again")
                await asyncio.sleep(PAUSE)
                try:
                    async with asyncio.timeout(conf.get().POLL):
                        await self._rung.wait()
                except TimeoutError:
                    pass

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = dict(self._waiting)
        wanted = {key for key, _ in asked.values()}
        values = await loop.run_in_executor(self._executor, with_connection, partial(self._awaited.values, wanted))
        for one, (key, known) in asked.items():
            if self._awaited.is_news(known, values.get(key)):
                _tell(one, True)


def _tell(waiting: asyncio.Future[bool], new: bool) -> None:
    if not waiting.done():
        waiting.set_result(new)
