"""Sending one signed message to an endpoint at once, for people who want to see its answer. Nothing of it is kept."""

from __future__ import annotations

import time

from asgiref.sync import async_to_sync

from hookline import conf
from hookline.engine.kind import kind_of
from hookline.outgoing.deliver.admission import Loaded
from hookline.outgoing.deliver.attempt import Result, deliver
from hookline.outgoing.deliver.load import outbound_of
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.deliver.worker import make_transport
from hookline.outgoing.models import Delivery, Endpoint, Message


def send(endpoint: Endpoint, event_type: str, body: bytes) -> Result:
    """Sign the body as any message to this endpoint, POST it by the same transport, and judge the answer.

    Its breaker, and whether it is disabled, are not asked, and learn nothing. Network trouble is in the result.
    """
    message = Message(tenant=endpoint.tenant, type=event_type, body=body)
    delivery = Delivery(message=message, endpoint=endpoint, claim=0, attempts=1, crashes=0)
    (outbound,) = outbound_of([Loaded.of(delivery)], Signers(), time.time())
    return async_to_sync(_send)(outbound, conf.get())


async def _send(outbound: Outbound, settings: conf.Settings) -> Result:
    async with make_transport(settings) as transport:
        return await deliver(outbound, transport, kind_of(Delivery, settings).retry, time.time)
