"""One task's share of sending: claim deliveries and send them, many at a time, on an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.db.models import prefetch_related_objects

from hookline import conf
from hookline.celery.keeper import Keeper
from hookline.engine.desk import Desk
from hookline.engine.group_commit import GroupCommit
from hookline.engine.job import Settlement
from hookline.outgoing import health
from hookline.outgoing.deliver import Result, deliver
from hookline.outgoing.models import Delivery
from hookline.outgoing.record import record
from hookline.outgoing.sender import is_whole
from hookline.outgoing.worker import make_transport
from hookline.transport.transport import Transport

logger = logging.getLogger("hookline.celery")

#: How long one task goes on claiming, in seconds. Then it waits for the requests under way, and its place is free.
SHARE = 2.0
#: Pause after the database failed, so that its return is not met by a storm.
_DATABASE_PAUSE = 1.0


def send_due(settings: conf.Settings, on_more: Callable[[], None]) -> None:
    """Send what is due until nothing is, or for about SHARE seconds. Raises DatabaseError.

    `on_more` is called when there is, or may be, work for another task.
    """
    desk = Desk(
        Delivery,
        lease=settings.LEASE,
        per_lane=settings.DELIVERY_CONCURRENCY_PER_ENDPOINT,
        longest_run=settings.DELIVERY_TIMEOUT + settings.LEASE,
    )
    with ThreadPoolExecutor(1, "hookline-deliveries") as database:
        try:
            with Keeper(desk, deque(), on_more):  # everything that is claimed begins at once
                asyncio.run(_Shift(desk, settings, database, on_more).work())
        finally:
            database.submit(connections.close_all)


class _Shift:
    """The work of one task on its event loop. All that needs the database happens in one thread, `database`."""

    def __init__(
        self,
        desk: Desk[Delivery],
        settings: conf.Settings,
        database: ThreadPoolExecutor,
        on_more: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._settings = settings
        self._database = database
        self._on_more = on_more
        self._commit = GroupCommit[Result, bool](_record_fresh, database)
        self._under_way: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        transport = make_transport(self._settings)
        try:
            await self._claim_and_send(transport)
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way)
            await transport.close()

    async def _claim_and_send(self, transport: Transport) -> None:
        loop = asyncio.get_running_loop()
        most = self._settings.DELIVERY_CONCURRENCY
        end = loop.time() + SHARE
        while (left := end - loop.time()) > 0:
            claimed = 0
            if (free := most - len(self._under_way)) * 2 >= most or not self._under_way:
                claimed, admitted = await loop.run_in_executor(self._database, self._take, free)
                for delivery in admitted:
                    task = asyncio.create_task(self._send(delivery, transport))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
                if claimed * 2 > most:
                    self._on_more()
            if self._under_way and not claimed:
                # A claim that gave nothing may have met an endpoint that has all the requests it may have.
                await asyncio.wait(self._under_way, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            elif not claimed:
                return
        self._on_more()

    def _take(self, most: int) -> tuple[int, list[Delivery]]:
        """Claim. Returns how many were claimed, and those of them to send now."""
        close_old_connections()
        deliveries = self._desk.take(most)
        try:
            prefetch_related_objects(deliveries, "message", "endpoint")
            admitted, put_off = health.admit([delivery for delivery in deliveries if is_whole(delivery)])
        except Exception:
            back = Settlement.give_back(0, "the database failed before it was sent")
            self._desk.give_back([(delivery, back) for delivery in deliveries])
            raise
        self._desk.give_back(put_off)
        begin = {delivery.id for delivery in admitted}
        for delivery in deliveries:
            if delivery.id not in begin:  # put off, or deleted with its endpoint or message
                self._desk.done(delivery)
        return len(deliveries), admitted

    async def _send(self, delivery: Delivery, transport: Transport) -> None:
        try:
            # The database's clock: a worker whose own is wrong would sign what every consumer refuses.
            result = await deliver(delivery, transport, self._desk.now)
            if not await self._record(result):
                logger.warning("%s was sent, but another worker had claimed it meanwhile", delivery.public_id)
        except Exception:
            logger.exception("%s could not be recorded; it is sent again when its lease ends", delivery.public_id)
        finally:
            self._desk.done(delivery)

    async def _record(self, result: Result) -> bool:
        """Write the result, trying again while the lease lasts if the database is away: the request was made."""
        end = time.monotonic() + self._settings.LEASE
        while True:
            try:
                return await self._commit.submit(result)
            except (OperationalError, InterfaceError):
                if time.monotonic() >= end:
                    raise
                logger.warning("cannot record what came of %s; trying again", result.delivery.public_id)
                await asyncio.sleep(_DATABASE_PAUSE)


def _record_fresh(results: Sequence[Result]) -> list[bool]:
    """Drop a connection that has become unusable before the work begins."""
    close_old_connections()
    return record(results)
