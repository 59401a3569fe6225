"""Claiming deliveries, and reading all that is needed to send them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Min

from hookline import conf
from hookline.core.retry import RetrySchedule
from hookline.db.encrypted_field import sealed
from hookline.db.rows import by_id
from hookline.engine.leases import Leases
from hookline.engine.settlement import Settlement
from hookline.exceptions import ConfigurationError
from hookline.outgoing.deliver import breakers
from hookline.outgoing.deliver.admission import PutOff, enabled_ones, whole_ones
from hookline.outgoing.deliver.outbound import Outbound, access_of, body_for, headers_for
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.outgoing.sequence import with_numbers

#: What sending needs of an endpoint.
OF_ENDPOINT = (
    "tenant", "url", "breaker_state", "disabled", "encrypted_secrets", "signatures", "encrypted_keys",
    "encrypted_headers", "payload", "retry", "sequenced", "encrypted_access",
)  # fmt: skip
OF_MESSAGE = ("type", "body", "expires_at", "forwarded", "traceparent")

_MESSAGE: Any = Delivery._meta.get_field("message")
_ENDPOINT: Any = Delivery._meta.get_field("endpoint")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one look at the queue gave."""

    #: How many deliveries were claimed; zero means that nothing is due.
    count: int
    #: Those of them to send now. The others were put off, or are gone with their endpoint or message.
    to_send: Sequence[Outbound]


#: What a look that found nothing gave.
NOTHING = Claimed(0, ())


def claim(
    leases: Leases[Delivery],
    most: int,
    signers: Signers,
    without: Collection[UUID] = (),
    among: Collection[UUID] | None = None,
) -> Claimed:
    """Claim up to `most` deliveries, of all tenants but these, and read what sending them needs.

    `among`: to these endpoints only. Raises DatabaseError.
    """
    deliveries = leases.claim(most, without=without, among=among)
    try:
        to_send, put_off = prepare(deliveries, signers, leases.now())
    except Exception:
        back = Settlement.give_back(0, "the database failed before it was sent")
        leases.release([(delivery, back) for delivery in deliveries])
        raise
    if put_off:
        leases.release(put_off)
    if len(to_send) < len(deliveries):
        begin = {outbound.id for outbound in to_send}
        for delivery in deliveries:
            if delivery.id not in begin:
                leases.forget(delivery)
    return Claimed(len(deliveries), to_send)


def prepare(deliveries: Sequence[Delivery], signers: Signers, now: float) -> tuple[list[Outbound], list[PutOff]]:
    """What to send of claimed deliveries at `now`, in Unix time, and what to give back. Raises DatabaseError.

    Neither has those whose endpoint is gone. The rules that count what they admit come last: a breaker its probes.
    """
    whole, spent = whole_ones(with_parts(deliveries), now)
    enabled, disabled = enabled_ones(whole)
    admitted, held = breakers.admit(enabled) if any(not one.endpoint.is_at_rest for one in enabled) else (enabled, [])
    to_send, unnumbered = with_numbers(admitted)
    tried = tried_since(to_send, conf.get().delivery_retry)
    outbound = [outbound_of(delivery, signers, now, tried.get(delivery.id.int)) for delivery in to_send]
    return outbound, [*spent, *disabled, *held, *unnumbered]


def tried_since(deliveries: Sequence[Delivery], schedule: RetrySchedule) -> Mapping[int, float]:
    """When the first attempts of those ended whose retries have a deadline, by the numbers of their ids."""
    again = [
        delivery.id
        for delivery in deliveries
        if delivery.attempts > 1 and schedule.changed_by(delivery.endpoint.retry).deadline
    ]
    if not again:
        return {}
    made = Attempt.objects.filter(delivery__in=again, number__gt=F("delivery__earlier_attempts"))
    first = made.order_by().values_list("delivery").annotate(first=Min("created_at"))
    return {delivery.int: began.timestamp() for delivery, began in first}


def with_parts(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Give each delivery its message and endpoint, with two statements. Leaves out those that lost one meanwhile.

    Where they have them already, nothing is read.
    """
    if all(_ENDPOINT.is_cached(delivery) for delivery in deliveries):
        return list(deliveries)
    messages = by_id(Message, (delivery.message_id for delivery in deliveries), OF_MESSAGE)
    endpoints = by_id(Endpoint, (delivery.endpoint_id for delivery in deliveries), OF_ENDPOINT)
    whole = []
    for delivery in deliveries:
        message, endpoint = messages.get(delivery.message_id.int), endpoints.get(delivery.endpoint_id.int)
        if message is not None and endpoint is not None:
            _MESSAGE.set_cached_value(delivery, message)
            _ENDPOINT.set_cached_value(delivery, endpoint)
            whole.append(delivery)
    return whole


def outbound_of(delivery: Delivery, signers: Signers, now: float, tried_since: float | None = None) -> Outbound:
    """The values of a delivery that has its message and its endpoint. `tried_since`: as Outbound has it."""
    endpoint, message = delivery.endpoint, delivery.message
    signer, unsignable = signers.find(endpoint, now)
    access = None
    if sealed(endpoint, "encrypted_access") != "":
        try:
            access = access_of(endpoint)
        except ConfigurationError as error:
            signer, unsignable = None, f"cannot reach this endpoint: {error}"
    body = bytes(message.body)
    if endpoint.payload is not None:
        body, problem = body_for(endpoint, body)
        signer, unsignable = (None, problem) if problem else (signer, unsignable)
    return Outbound(
        id=delivery.id,
        claim=delivery.claim,
        attempts=delivery.attempts,
        is_suspect=delivery.is_suspect,
        endpoint_id=delivery.endpoint_id,
        tenant_id=endpoint.tenant_id,
        order_key=delivery.order_key,
        at_rest=endpoint.is_at_rest,
        url=endpoint.url,
        message_id=message.public_id,
        type=message.type,
        body=body,
        headers=None if message.forwarded is None else headers_for(endpoint.id, message.forwarded),
        signer=signer,
        unsignable=unsignable,
        traceparent=message.traceparent,
        earlier_attempts=delivery.earlier_attempts,
        access=access,
        schedule=None if endpoint.retry is None else conf.get().delivery_retry.changed_by(endpoint.retry),
        tried_since=tried_since,
        sequence=delivery.sequence,
    )
