"""Watch: looks whether there is something new, for all who wait in an event loop at once.

However many wait, a look takes two queries. There is one where something was committed, and one in each POLL seconds.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from functools import partial
from uuid import UUID

from hookline import conf
from hookline.api.seen import with_connection
from hookline.operations import endpoint_messages

logger = logging.getLogger("hookline.api")

#: Seconds between two looks, however much is published.
PAUSE = 0.05


class Watch:
    """For the tasks of one event loop."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        #: Who waits: for which endpoint, and behind which number.
        self._waiting: dict[asyncio.Future[bool], tuple[UUID, int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._rung = asyncio.Event()
        self.stopped = False

    async def wait(self, endpoint_id: UUID, after: int, seconds: float) -> bool:
        """Until the endpoint has a higher number than `after`, or is none any more; False after `seconds`.

        What is committed before the call counts, too.
        """
        if self.stopped:
            return False
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = endpoint_id, after
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

        with endpoint_messages.notified(ring):
            while self._waiting:
                self._rung.clear()
                try:
                    await self._look(loop)
                except Exception:
                    # Whatever it is: without this task nobody would be told anything.
                    logger.exception("cannot look for new messages; trying again")
                await asyncio.sleep(PAUSE)
                try:
                    async with asyncio.timeout(conf.get().POLL):
                        await self._rung.wait()
                except TimeoutError:
                    pass

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = dict(self._waiting)
        wanted = {endpoint_id for endpoint_id, _ in asked.values()}
        last = await loop.run_in_executor(
            self._executor, with_connection, partial(endpoint_messages.last_numbers, wanted)
        )
        for one, (endpoint_id, after) in asked.items():
            if last.get(endpoint_id, after + 1) > after:
                _tell(one, True)


def _tell(waiting: asyncio.Future[bool], new: bool) -> None:
    if not waiting.done():
        waiting.set_result(new)
