"""Claiming deliveries, together with what is needed to send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hookline.db.rows import by_id
from hookline.engine.job import Settlement
from hookline.engine.leases import Leases
from hookline.outgoing.deliver import breakers as health
from hookline.outgoing.models import Delivery, Endpoint, Message

#: What sending needs of an endpoint.
_OF_ENDPOINT = ("url", "encrypted_secrets", "breaker_state", "disabled")
_OF_MESSAGE = ("body",)


_MESSAGE: Any = Delivery._meta.get_field("message")
_ENDPOINT: Any = Delivery._meta.get_field("endpoint")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one look at the queue gave."""

    #: How many deliveries were claimed; zero means that nothing is due.
    count: int
    #: Those of them to send now. The others were put off by a breaker, or are gone with their endpoint or message.
    to_send: Sequence[Delivery]


def claim(leases: Leases[Delivery], most: int) -> Claimed:
    """Claim up to `most` deliveries and read their messages and endpoints. Raises DatabaseError."""
    deliveries = leases.claim(most)
    try:
        admitted, put_off = health.admit(with_parts(deliveries))
    except Exception:
        back = Settlement.give_back(0, "the database failed before it was sent")
        leases.release([(delivery, back) for delivery in deliveries])
        raise
    leases.release(put_off)
    if len(admitted) < len(deliveries):
        begin = {delivery.id for delivery in admitted}
        for delivery in deliveries:
            if delivery.id not in begin:
                leases.forget(delivery)
    return Claimed(len(deliveries), admitted)


def with_parts(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Give each delivery its message and endpoint, with two statements. Leaves out those that lost one meanwhile."""
    if not deliveries:
        return []
    messages = by_id(Message, (delivery.message_id for delivery in deliveries), _OF_MESSAGE)
    endpoints = by_id(Endpoint, (delivery.endpoint_id for delivery in deliveries), _OF_ENDPOINT)
    whole = []
    for delivery in deliveries:
        message, endpoint = messages.get(delivery.message_id.int), endpoints.get(delivery.endpoint_id.int)
        if message is not None and endpoint is not None:
            _MESSAGE.set_cached_value(delivery, message)
            _ENDPOINT.set_cached_value(delivery, endpoint)
            whole.append(delivery)
    return whole
