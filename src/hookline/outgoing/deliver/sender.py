"""The noun Sender: the thread on whose event loop a worker sends."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.db import connections

from hookline import conf
from hookline.engine import notifier
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.outgoing.deliver.loop import DATABASE_PAUSE, DeliveryLoop
from hookline.outgoing.models import Delivery
from hookline.transport.transport import Transport

logger = logging.getLogger("hookline.outgoing")


class Sender(threading.Thread):
    """Sends what is due until `stop()`."""

    def __init__(
        self, leases: Leases[Delivery], make_transport: Callable[[], Transport], settings: conf.Settings
    ) -> None:
        super().__init__(name="hookline-sender", daemon=True)
        self._leases = leases
        self._make_transport = make_transport
        self._settings = settings
        self._stopping = threading.Event()
        self._renewer = LeaseRenewer(leases, max_attempts=len(settings.DELIVERY_RETRY_DELAYS) + 1)
        self._claimer = ThreadPoolExecutor(1, "hookline-claim-delivery")
        self._writer = ThreadPoolExecutor(1, "hookline-record")

    def start(self) -> None:
        self._renewer.start()
        super().start()

    def stop(self, timeout: float) -> None:
        """Claim nothing more and wait for the requests under way for up to `timeout` seconds."""
        self._stopping.set()
        self._ring()
        self.join(timeout)
        self._renewer.stop()

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._main())
        finally:
            for executor in (self._claimer, self._writer):
                executor.submit(connections.close_all)
                executor.shutdown()

    async def _main(self) -> None:
        transport = self._make_transport()
        reserve = self._settings.DELIVERY_CONCURRENCY * 3
        self._deliveries = DeliveryLoop(
            self._leases, self._settings, transport, self._claimer, self._writer, reserve=reserve
        )
        self._loop = asyncio.get_running_loop()
        notifier.of(Delivery).subscribe(self._ring)
        try:
            while not self._stopping.is_set():
                try:
                    claimed, pause = await self._deliveries.claim(), self._settings.POLL
                except Exception:
                    # Whatever it is, a sender that claims nothing any more without a word would be worse.
                    logger.exception("cannot claim deliveries; trying again")
                    claimed, pause = None, DATABASE_PAUSE
                if not (claimed and claimed.count):
                    await self._deliveries.pause(pause)
            await self._deliveries.finish(self._settings.STOP_TIMEOUT)
        finally:
            notifier.of(Delivery).unsubscribe(self._ring)
            await transport.close()

    def _ring(self) -> None:
        """Wake the loop from any thread."""
        with suppress(RuntimeError, AttributeError):  # not running yet, or no longer: nothing sleeps
            self._loop.call_soon_threadsafe(self._deliveries.wake)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed: it spends less time on each request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
