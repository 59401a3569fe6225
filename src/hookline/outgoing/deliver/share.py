"""One task's share of sending: claim deliveries and send them, many at a time, on an event loop of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from django.db import connections

from hookline import conf
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.outgoing.deliver.loop import DeliveryLoop
from hookline.outgoing.deliver.worker import make_transport
from hookline.outgoing.models import Delivery

#: How long one task goes on claiming, in seconds. Then it waits for the requests under way, and its place is free.
SHARE = 2.0


def send_share(leases: Leases[Delivery], settings: conf.Settings, on_more: Callable[[], None]) -> None:
    """Send what is due until nothing is, or for about SHARE seconds. Raises DatabaseError.

    `on_more` is called when there is, or may be, work for another task.
    """
    with ThreadPoolExecutor(1, "hookline-deliveries") as database:
        try:
            with LeaseRenewer(leases):
                asyncio.run(_work(leases, settings, database, on_more))
        finally:
            database.submit(connections.close_all)


async def _work(
    leases: Leases[Delivery], settings: conf.Settings, database: Executor, on_more: Callable[[], None]
) -> None:
    """All that needs the database happens in one thread, `database`."""
    async with make_transport(settings) as transport:
        loop = DeliveryLoop(leases, settings, transport, database, database)
        try:
            await _claim_and_send(loop, leases, settings, on_more)
        finally:
            await loop.finish()


async def _claim_and_send(
    loop: DeliveryLoop, leases: Leases[Delivery], settings: conf.Settings, on_more: Callable[[], None]
) -> None:
    end = time.monotonic() + SHARE
    while (left := end - time.monotonic()) > 0:
        claimed = await loop.claim()
        if claimed and claimed.count * 2 > settings.DELIVERY_CONCURRENCY:
            on_more()
        if not (claimed and claimed.count):
            if loop.idle and leases.pause(left) == left:
                return
            # A claim that gave nothing may have met an endpoint that has all the requests it may have; and when what
            # is under way has ended, so has the share.
            loop.more = True
            await loop.pause(leases.pause(left))
    on_more()
