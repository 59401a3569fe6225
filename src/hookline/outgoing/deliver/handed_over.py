"""HandedOver: deliveries that handlers of this process dispatch, claimed in their transaction for its DeliveryLoop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hookline.engine.leases import Leases
from hookline.engine.named import Claim
from hookline.engine.settlement import Settlement
from hookline.outgoing.born import OF_ENDPOINT, OF_MESSAGE, given
from hookline.outgoing.deliver.load import prepare
from hookline.outgoing.deliver.loop import DeliveryLoop
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery

logger = logging.getLogger("hookline.outgoing")

#: What a claim decides besides: the endpoint may be disabled, and a number is given then.
_CLAIM = Claim(
    Delivery,
    by="message_id",
    also="made.sequence IS NULL AND NOT lane.disabled",
    parts={"message": OF_MESSAGE, "endpoint": OF_ENDPOINT},
)


class _Closed(Exception):
    """The worker has stopped."""


class HandedOver:
    """See Taker and Follower in engine.handover, and Receiver in engine.giving. Safe to use from several threads."""

    def __init__(self, leases: Leases[Delivery], deliveries: DeliveryLoop, loop: asyncio.AbstractEventLoop) -> None:
        self._leases = leases
        self._deliveries = deliveries
        self._loop = loop
        self._signers = Signers()
        self._lock = threading.Lock()
        #: What the loop was told of, and has not come to.
        self._under_way: deque[Sequence[Outbound]] = deque()
        self._closed = False

    @property
    def places(self) -> int:
        """See `DeliveryLoop.places`."""
        return self._deliveries.places

    @property
    def room(self) -> int:
        """See `DeliveryLoop.room`."""
        return self._deliveries.room

    @property
    def lease(self) -> float:
        return self._leases.lease

    @property
    def worker(self) -> int | None:
        return self._leases.worker_number()

    def expect(self, claimed: Sequence[Delivery]) -> None:
        self._leases.expect(claimed)

    def may_have_missed(self) -> None:
        self._leases.may_have_missed()

    def claim(self, made_for: Sequence[UUID]) -> Sequence[Delivery]:
        return _CLAIM(made_for, places, self.lease, self.worker) if (places := self.places) > 0 else []

    def of_rows(self, rows: Sequence[Any]) -> Sequence[Delivery]:
        """See giving.Receiver."""
        claimed = given(rows)
        self._leases.read_clock(claimed)
        return claimed

    def close(self) -> None:
        """The loop has ended. What did not come to it is given back, and so is what comes now."""
        with self._lock:
            self._closed = True
        back = Settlement.give_back(0, "the worker stopped before it was sent")
        self._leases.release([(outbound, back) for to_send in self._under_way for outbound in to_send])

    def _pass_on(self, to_send: Sequence[Outbound]) -> None:
        if self._closed:
            raise _Closed
        self._under_way.append(to_send)
        try:
            self._loop.call_soon_threadsafe(self._take_over)
        except RuntimeError:  # the loop is closed
            self._under_way.pop()
            raise _Closed from None

    def _take_over(self) -> None:
        """In the thread of the event loop."""
        self._deliveries.take_over(self._under_way.popleft())

    def take(self, claimed: Sequence[Delivery]) -> None:
        """Have them sent. What cannot be prepared is given back."""
        self._leases.keep(claimed)
        try:
            with self._lock:
                to_send, put_off = prepare(claimed, self._signers, self._leases.now())
                self._pass_on(to_send)
        except Exception as error:  # whatever it is: what is claimed and forgotten would wait until its lease ends
            if not isinstance(error, _Closed):
                logger.exception("cannot send what was handed over; others will")
            back = Settlement.give_back(0, "the worker could not take it over")
            self._leases.release([(delivery, back) for delivery in claimed])
            return
        if put_off:
            self._leases.release(put_off)
        if len(to_send) < len(claimed):
            begin = {outbound.id for outbound in to_send}
            for delivery in claimed:
                if delivery.id not in begin:
                    self._leases.forget(delivery)
