"""Sender: the thread on whose event loop a worker sends."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from django.db import connections

from hookline import conf
from hookline.db.connections import DATABASE_PAUSE
from hookline.engine import giving, handover, notifier
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.outgoing.deliver.handed_over import HandedOver
from hookline.outgoing.deliver.loop import DeliveryLoop
from hookline.outgoing.models import Delivery
from hookline.transport.transport import Transport

logger = logging.getLogger("hookline.outgoing")


class Sender(threading.Thread):
    """Sends what is due until `stop()`."""

    def __init__(
        self,
        leases: Leases[Delivery],
        make_transport: Callable[[], Transport],
        settings: conf.Settings,
        max_attempts: int,
    ) -> None:
        super().__init__(name="hookline-sender", daemon=True)
        self._leases = leases
        self._make_transport = make_transport
        self._settings = settings
        self._stopping = threading.Event()
        #: Told when the places change, by which others give deliveries to this sender.
        self._told: giving.Told | None = None
        self._handed_over: HandedOver | None = None
        self._renewer = LeaseRenewer(leases, max_attempts, checks=(self._tell_places,))
        self._claimer = ThreadPoolExecutor(1, "hookline-claim-delivery")
        self._writer = ThreadPoolExecutor(1, "hookline-record")

    def start(self) -> None:
        self._told = giving.told_of(Delivery)
        self._renewer.start()
        super().start()

    def stop(self, timeout: float) -> None:
        """Claim nothing more and wait for the requests under way for up to `timeout` seconds."""
        self._stopping.set()
        notifier.of(Delivery).notify_here()  # as if there were something to send
        self.join(timeout)
        self._renewer.stop()

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._main())
        finally:
            if self._handed_over is not None:
                self._handed_over.close()
                giving.leave(Delivery, self._handed_over)
            for executor in (self._claimer, self._writer):
                executor.submit(connections.close_all)
                executor.shutdown()

    async def _main(self) -> None:
        transport = self._make_transport()
        reserve = self._settings.DELIVERY_CONCURRENCY * 3
        deliveries = DeliveryLoop(
            self._leases, self._settings, transport, self._claimer, self._writer,
            reserve=reserve, on_places=self._tell_places,
        )  # fmt: skip
        wake = partial(_call_in, asyncio.get_running_loop(), deliveries.wake)
        notifier.of(Delivery).subscribe(wake)
        self._handed_over = handed_over = HandedOver(self._leases, deliveries, asyncio.get_running_loop())
        handover.offer(Delivery, handed_over)
        handover.offer_to_follow(Delivery, handed_over)
        giving.receive(Delivery, handed_over)
        try:
            await self._send_all(deliveries)
            handover.withdraw(Delivery)
            await deliveries.finish(self._settings.STOP_TIMEOUT)
        finally:
            handover.withdraw(Delivery)
            notifier.of(Delivery).unsubscribe(wake)
            await transport.close()

    def _tell_places(self) -> None:
        if self._told is not None and self._handed_over is not None:
            self._told.tell(self._handed_over)

    async def _send_all(self, deliveries: DeliveryLoop) -> None:
        while not self._stopping.is_set():
            try:
                claimed, pause = await deliveries.claim(), self._settings.POLL
            except Exception:
                # Whatever it is, a sender that claims nothing any more without a word would be worse.
                logger.exception("cannot claim deliveries; retrying")
                claimed, pause = None, DATABASE_PAUSE
            if not (claimed and claimed.count and deliveries.again):
                await deliveries.pause(self._leases.pause(pause))


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Call a function in the thread of an event loop, from any thread."""
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(function)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed: it spends less time on each request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
