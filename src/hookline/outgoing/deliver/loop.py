"""The noun DeliveryLoop: sends what is due on one event loop, for Hookline's worker and for Celery's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError

from hookline import conf
from hookline.db.connections import look_after
from hookline.db.group_commit import GroupCommit
from hookline.engine.job import Settlement
from hookline.engine.leases import Leases
from hookline.outgoing.deliver.attempt import Result, deliver
from hookline.outgoing.deliver.fair_queue import FairQueue
from hookline.outgoing.deliver.load import Claimed, claim
from hookline.outgoing.deliver.record import Recorded, record
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery
from hookline.transport.transport import Transport

logger = logging.getLogger("hookline.outgoing")
A = TypeVar("A")
R = TypeVar("R")

#: Pause after the database failed, so that its return is not met by a storm.
DATABASE_PAUSE = 1.0


class DeliveryLoop:
    """Claims deliveries, sends at most `DELIVERY_CONCURRENCY` of them at a time, and records what came of them.

    `claimer` and `writer` are the threads that hold a database connection each: one claims, one writes results. No
    transaction is open while a request is under way.
    """

    def __init__(
        self,
        leases: Leases[Delivery],
        settings: conf.Settings,
        transport: Transport,
        claimer: Executor,
        writer: Executor,
        *,
        reserve: int = 0,
    ) -> None:
        """`reserve`: how many to hold beyond those that can be sent at once, so that none of the places is empty while
        more are claimed or results are recorded, either of which takes as long as sending a hundred."""
        self._leases = leases
        self._settings = settings
        self._transport = transport
        self._signers = Signers()
        self._claimer = claimer
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._queue = FairQueue(settings.DELIVERY_CONCURRENCY, settings.DELIVERY_CONCURRENCY_PER_ENDPOINT)
        # Never full: no more than that are sent or recorded at once.
        most = 2 * settings.DELIVERY_CONCURRENCY
        self._commit = GroupCommit[Result, Recorded](_fresh(record), writer, max_items=most)
        #: Those that may have crashed a worker are sent one at a time, this one now.
        self._suspects: deque[Delivery] = deque()
        self._suspect: Delivery | None = None
        self._capacity = settings.DELIVERY_CONCURRENCY + reserve
        # A claim for each request that ends would cost as much as the request.
        self._worth_a_claim = min(settings.DELIVERY_CONCURRENCY, self._capacity // 2 + 1)
        #: The places that send, and what else has begun and is not over.
        self._tasks: set[asyncio.Task[None]] = set()
        #: There is room for more, or somebody rang.
        self._changed = asyncio.Event()
        #: Something came to its end.
        self._finished = asyncio.Event()
        self._stopped = False

    @property
    def idle(self) -> bool:
        return not (self._tasks or self._queue or self._queue.under_way or self._suspects)

    async def claim(self) -> Claimed | None:
        """Claim what is due and begin with it; None where there is no room for more yet. Raises DatabaseError."""
        if (free := self._free) < self._worth_a_claim:
            return None
        claimed = await self._loop.run_in_executor(self._claimer, _fresh(self._take), free)
        self._queue.extend(delivery for delivery in claimed.to_send if not delivery.is_suspect)
        self._suspects.extend(delivery for delivery in claimed.to_send if delivery.is_suspect)
        self._begin_suspect()
        self._begin()
        return claimed

    async def pause(self, seconds: float) -> None:
        """Until there is room for more or somebody rang, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """End a pause. For the thread of the event loop."""
        self._changed.set()

    async def finish(self, patience: float | None = None) -> None:
        """Give back what has not begun, and wait for the rest for so many seconds; without a limit for all of it."""
        self._stopped = True
        unbegun = [*self._queue.clear(), *self._suspects]
        self._suspects.clear()
        if unbegun:
            await self._give_back(unbegun, "the worker stopped before it was sent")
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not self.idle:
                    self._finished.clear()
                    await self._finished.wait()

    @property
    def _free(self) -> int:
        return self._capacity - self._queue.under_way - len(self._queue) - len(self._suspects)

    def _take(self, free: int) -> Claimed:
        return claim(self._leases, free)

    def _begin(self) -> None:
        while (delivery := self._next()) is not None:
            self._start(self._send(delivery))

    def _next(self) -> Delivery | None:
        return None if self._stopped else self._queue.begin()

    def _begin_suspect(self) -> None:
        if self._suspects and self._suspect is None and not self._stopped:
            self._suspect = self._suspects.popleft()
            self._start(self._queue_alone(self._suspect))

    async def _queue_alone(self, delivery: Delivery) -> None:
        """Note that it begins before it does, so that a crash counts against it and no other."""
        try:
            ours = await self._loop.run_in_executor(self._writer, _fresh(self._leases.begin_alone), delivery)
        except Exception:
            self._suspect = None
            raise
        if ours and not self._stopped:
            self._queue.extend([delivery])
            self._begin()
            return
        self._leases.forget(delivery)
        self._suspect = None
        self._begin_suspect()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a part of the loop failed; what it held is sent again when its leases end", exc_info=error)
        self._finished.set()

    async def _send(self, first: Delivery) -> None:
        """One place: send this delivery and whichever has its turn next, until none has."""
        delivery: Delivery | None = first
        while delivery is not None:
            self._leases.begin(delivery)
            try:
                # The database's clock: a worker whose own is wrong would sign what every consumer refuses.
                result = await deliver(delivery, self._transport, self._signers, self._leases.now)
            except Exception as error:  # noqa: BLE001  # whatever it is, the place goes on
                self._queue.sent(delivery)
                self._recorded(delivery, None, error)
            else:
                self._queue.sent(delivery)
                self._record(result, time.monotonic() + self._settings.LEASE)
            delivery = self._next()

    def _record(self, result: Result, end: float) -> None:
        """Have the result written, trying again until `end` if the database is away: the request was made.

        Until then the delivery is not done, so a worker that cannot record soon claims nothing more.
        """

        def done(recorded: Recorded | None, error: Exception | None) -> None:
            if isinstance(error, OperationalError | InterfaceError) and time.monotonic() < end:
                logger.warning("cannot record what came of %s; trying again", result.delivery.public_id)
                self._loop.call_later(DATABASE_PAUSE, self._record, result, end)
            else:
                self._recorded(result.delivery, recorded, error)

        self._commit.put(result, done)

    def _recorded(self, delivery: Delivery, recorded: Recorded | None, error: Exception | None) -> None:
        if recorded is None:
            logger.error(
                "%s could not be recorded; it is sent again when its lease ends", delivery.public_id, exc_info=error
            )
        elif not recorded.ours:
            logger.warning("%s was sent, but another worker had claimed it meanwhile", delivery.public_id)
        if recorded is not None and recorded.held and (unbegun := self._queue.leave(delivery.endpoint_id)):
            self._start(self._give_back(unbegun, "its endpoint was held before it was sent"))
            if self._suspect in unbegun:
                self._suspect = None
                self._begin_suspect()
        self._queue.recorded(delivery)
        self._leases.forget(delivery)
        if delivery is self._suspect:
            self._suspect = None
            self._begin_suspect()
        self._begin()
        self._finished.set()
        if self._free >= self._worth_a_claim:
            self._changed.set()

    async def _give_back(self, unbegun: Sequence[Delivery], why: str) -> None:
        back = Settlement.give_back(0, why)
        pairs = [(delivery, back) for delivery in unbegun]
        await self._loop.run_in_executor(self._writer, _fresh(self._leases.release), pairs)


def _fresh(work: Callable[[A], R]) -> Callable[[A], R]:
    """Drop a connection that has become unusable before the work begins."""

    def with_fresh_connection(argument: A) -> R:
        look_after()
        return work(argument)

    return with_fresh_connection
