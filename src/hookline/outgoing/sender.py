"""The noun Sender: claims deliveries and runs them on one event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.db.models import Prefetch, prefetch_related_objects

from hookline import conf
from hookline.engine import wakeup
from hookline.engine.desk import Desk
from hookline.engine.group_commit import GroupCommit
from hookline.engine.job import Settlement
from hookline.engine.maintenance import Maintenance
from hookline.outgoing import health
from hookline.outgoing.deliver import Result, deliver
from hookline.outgoing.models import Delivery, Message
from hookline.outgoing.record import record
from hookline.transport.transport import Transport

logger = logging.getLogger("hookline.outgoing")
A = TypeVar("A")
R = TypeVar("R")

#: Pause after the database failed, so that its return is not met by a storm.
_DATABASE_PAUSE = 1.0


class Sender(threading.Thread):
    """A thread with an event loop that sends what is due until `stop()`.

    Two helper threads hold one database connection each: one claims, one writes results. No transaction is open
    while a request is under way.
    """

    def __init__(self, desk: Desk[Delivery], make_transport: Callable[[], Transport], settings: conf.Settings) -> None:
        super().__init__(name="hookline-sender", daemon=True)
        self._desk = desk
        self._make_transport = make_transport
        self._settings = settings
        self._stopping = threading.Event()
        self._maintenance = Maintenance(desk, max_attempts=len(settings.DELIVERY_RETRY_DELAYS) + 1)
        self._claimer = ThreadPoolExecutor(1, "hookline-claim-delivery")
        self._writer = ThreadPoolExecutor(1, "hookline-record")

    def start(self) -> None:
        self._maintenance.start()
        super().start()

    def stop(self, timeout: float) -> None:
        """Claim nothing more and wait for the requests under way for up to `timeout` seconds."""
        self._stopping.set()
        self._ring()
        self.join(timeout)
        self._maintenance.stop()

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._main())
        finally:
            for executor in (self._claimer, self._writer):
                executor.submit(connections.close_all)
                executor.shutdown()

    async def _main(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        wakeup.of(Delivery).listen(self._ring)
        transport = self._make_transport()
        commit = GroupCommit[Result, bool](_fresh(record), self._writer)
        under_way: set[asyncio.Task[None]] = set()
        try:
            # Twice what may be under way, so that the next ones wait here while the claim of more is running.
            capacity = self._settings.DELIVERY_CONCURRENCY * 2
            places = asyncio.Semaphore(self._settings.DELIVERY_CONCURRENCY)
            while not self._stopping.is_set():
                free = capacity - len(under_way)
                # Claimed by the half, because a claim for each request that ends would cost as much as the request.
                deliveries, pause = await self._claim(free) if free * 2 >= capacity else ([], self._settings.POLL)
                for delivery in deliveries:
                    task = asyncio.create_task(self._send(delivery, places, transport, commit))
                    under_way.add(task)
                    task.add_done_callback(partial(self._ended, under_way, capacity))
                if not deliveries:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._wake.wait()
                    self._wake.clear()
            if under_way:
                await asyncio.wait(under_way, timeout=self._settings.STOP_TIMEOUT)
        finally:
            wakeup.of(Delivery).ignore(self._ring)
            await transport.close()

    def _ended(self, under_way: set[asyncio.Task[None]], capacity: int, task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if len(under_way) * 2 <= capacity:
            self._wake.set()

    def _ring(self) -> None:
        """Wake the loop from any thread."""
        with suppress(RuntimeError, AttributeError):  # not running yet, or no longer: nothing sleeps
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _claim(self, free: int) -> tuple[list[Delivery], float]:
        """Deliveries to begin now, and how long to wait when there are none."""
        try:
            take = asyncio.get_running_loop().run_in_executor(self._claimer, _fresh(self._take), free)
            return await take, self._settings.POLL
        except Exception:
            # Whatever it is, a sender that claims nothing any more without a word would be worse.
            logger.exception("cannot claim deliveries; trying again")
            return [], _DATABASE_PAUSE

    def _take(self, free: int) -> list[Delivery]:
        deliveries = self._desk.take(free)
        try:
            prefetch_related_objects(deliveries, Prefetch("message", Message.objects.only("body")), "endpoint")
            admitted, put_off = health.admit([delivery for delivery in deliveries if is_whole(delivery)])
        except Exception:
            self._desk.give_back(
                [(d, Settlement.give_back(0, "the database failed before it was sent")) for d in deliveries]
            )
            raise
        self._desk.give_back(put_off)
        if len(admitted) < len(deliveries):
            begin = {delivery.id for delivery in admitted}
            for delivery in deliveries:
                if delivery.id not in begin:  # put off, or deleted with its endpoint or message
                    self._desk.done(delivery)
        return admitted

    async def _send(
        self, delivery: Delivery, places: asyncio.Semaphore, transport: Transport, commit: GroupCommit[Result, bool]
    ) -> None:
        try:
            async with places:
                if self._stopping.is_set():
                    await self._give_back(delivery)
                    return
                # The database's clock: a worker whose own is wrong would sign what every consumer refuses.
                result = await deliver(delivery, transport, self._desk.now)
            if not await self._record(result, commit):
                logger.warning("%s was sent, but another worker had claimed it meanwhile", delivery.public_id)
        except Exception:
            logger.exception("%s could not be recorded; it is sent again when its lease ends", delivery.public_id)
        finally:
            self._desk.done(delivery)

    async def _record(self, result: Result, commit: GroupCommit[Result, bool]) -> bool:
        """Write the result, trying again while the lease lasts if the database is away: the request was made.

        Until then the delivery is not done, so a worker that cannot record soon claims nothing more.
        """
        end = time.monotonic() + self._settings.LEASE
        while True:
            try:
                return await commit.submit(result)
            except (OperationalError, InterfaceError):
                if time.monotonic() >= end or self._stopping.is_set():
                    raise
                logger.warning("cannot record what came of %s; trying again", result.delivery.public_id)
                await asyncio.sleep(_DATABASE_PAUSE)

    async def _give_back(self, delivery: Delivery) -> None:
        settled = [(delivery, Settlement.give_back(0, "the worker stopped before it was sent"))]
        await asyncio.get_running_loop().run_in_executor(self._writer, _fresh(self._desk.give_back), settled)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed: it spends less time on each request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def is_whole(delivery: Delivery) -> bool:
    """Whether the message and the endpoint, which were fetched after the claim, were still there."""
    try:
        _ = delivery.message, delivery.endpoint
    except ObjectDoesNotExist:
        return False
    return True


def _fresh(work: Callable[[A], R]) -> Callable[[A], R]:
    """Drop a connection that has become unusable before the work begins."""

    def with_fresh_connection(argument: A) -> R:
        close_old_connections()
        return work(argument)

    return with_fresh_connection
