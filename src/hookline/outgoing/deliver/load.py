"""Claiming deliveries, and reading all that is needed to send them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import router
from django.db.models import F, Min

from hookline import conf
from hookline.core.retry import RetrySchedule
from hookline.db.encrypted_field import sealed
from hookline.db.rows import by_id
from hookline.engine.leases import Leases
from hookline.engine.settlement import Settlement
from hookline.exceptions import ConfigurationError
from hookline.outgoing.born import OF_ENDPOINT, OF_MESSAGE
from hookline.outgoing.deliver import breakers
from hookline.outgoing.deliver.admission import Loaded, PutOff, enabled_ones, whole_ones
from hookline.outgoing.deliver.outbound import Outbound, Recipient, access_of, body_for, headers_for
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import UNNUMBERED, Attempt, Delivery, Endpoint, Message
from hookline.outgoing.sequence import give_numbers

_MESSAGE: Any = Delivery._meta.get_field("message")
_ENDPOINT: Any = Delivery._meta.get_field("endpoint")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one look at the queue gave."""

    #: How many deliveries were claimed; zero means that nothing is due.
    count: int
    #: Those of them to send now. The others were put off, or are gone with their endpoint or message.
    to_send: Sequence[Outbound]
    #: For how many seconds that which waited longest had been due.
    waited: float = 0.0


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
    oldest = min((delivery.due_at.timestamp() for delivery in deliveries), default=math.inf)
    return Claimed(len(deliveries), to_send, max(0.0, leases.now() - oldest))


def prepare(deliveries: Sequence[Delivery], signers: Signers, now: float) -> tuple[list[Outbound], list[PutOff]]:
    """What to send of claimed deliveries at `now`, in Unix time, and what to give back. Raises DatabaseError.

    Neither has those whose endpoint is gone. The rules that count what they admit come last: a breaker its probes.
    """
    whole, spent = whole_ones(with_parts(deliveries), now)
    enabled, disabled = enabled_ones(whole)
    admitted, held = breakers.admit(enabled)
    to_send, unnumbered = numbered_ones(admitted)
    return outbound_of(to_send, signers, now), [*spent, *disabled, *held, *unnumbered]


def numbered_ones(loaded: list[Loaded]) -> tuple[list[Loaded], list[PutOff]]:
    """Those that have their number, or need none, and those to give back until they have one. Raises DatabaseError."""
    waiting = [delivery for delivery, _, endpoint in loaded if delivery.sequence == UNNUMBERED and endpoint.sequenced]
    if not waiting:
        return loaded, []
    without = give_numbers(waiting)
    put_off = {delivery.id for delivery, _ in without}
    return [one for one in loaded if one.delivery.id not in put_off], without


def tried_since(loaded: Sequence[Loaded], schedule: RetrySchedule) -> Mapping[int, float]:
    """When the first attempts of those ended whose retries have a deadline, by the numbers of their ids."""
    again = [
        delivery.id
        for delivery, _, endpoint in loaded
        if delivery.attempts > 1 and schedule.changed_by(endpoint.retry).deadline
    ]
    if not again:
        return {}
    attempts = Attempt.objects.using(router.db_for_write(Attempt))
    made = attempts.filter(delivery__in=again, number__gt=F("delivery__earlier_attempts"))
    first = made.order_by().values_list("delivery").annotate(first=Min("created_at"))
    return {delivery.int: began.timestamp() for delivery, began in first}


def with_parts(deliveries: Sequence[Delivery]) -> list[Loaded]:
    """Each delivery with its message and endpoint, read by two statements. Leaves out those that lost one meanwhile.

    Where they have them already, nothing is read.
    """
    if all(_ENDPOINT.is_cached(delivery) for delivery in deliveries):
        return [Loaded.of(delivery) for delivery in deliveries]
    keys = [(delivery, delivery.message_id, delivery.endpoint_id) for delivery in deliveries]
    if all(_MESSAGE.is_cached(delivery) for delivery in deliveries):
        messages = {message_id.int: delivery.message for delivery, message_id, _ in keys}
    else:
        messages = by_id(Message, [message_id for _, message_id, _ in keys], OF_MESSAGE)
    endpoints = by_id(Endpoint, [endpoint_id for _, _, endpoint_id in keys], OF_ENDPOINT)
    whole = []
    for delivery, message_id, endpoint_id in keys:
        message, endpoint = messages.get(message_id.int), endpoints.get(endpoint_id.int)
        if message is not None and endpoint is not None:
            whole.append(Loaded(delivery, message, endpoint))
    return whole


def outbound_of(loaded: Sequence[Loaded], signers: Signers, now: float) -> list[Outbound]:
    """The values of deliveries at `now`, in Unix time. Raises DatabaseError."""
    tried = tried_since(loaded, conf.get().delivery_retry)
    recipients: dict[int, Recipient] = {}
    made = []
    for delivery, message, endpoint in loaded:
        recipient = recipients.get(endpoint.id.int)
        if recipient is None:
            recipient = recipients[endpoint.id.int] = recipient_of(endpoint, signers, now)
        body, unsendable = bytes(message.body), ""
        if endpoint.payload is not None:
            body, unsendable = body_for(endpoint, body)
        made.append(
            Outbound(
                delivery.id,
                delivery.claim,
                delivery.attempts,
                delivery.is_suspect,
                delivery.order_key,
                recipient,
                message.public_id,
                message.type,
                body,
                None if message.forwarded is None else headers_for(endpoint.id, message.forwarded),
                unsendable,
                message.traceparent,
                delivery.earlier_attempts,
                tried.get(delivery.id.int),
                delivery.sequence,
            )
        )
    return made


def recipient_of(endpoint: Endpoint, signers: Signers, now: float) -> Recipient:
    """The values of an endpoint at `now`, in Unix time."""
    signer, unsignable = signers.find(endpoint, now)
    access = None
    if sealed(endpoint, "encrypted_access") != "":
        try:
            access = access_of(endpoint)
        except ConfigurationError as error:
            signer, unsignable = None, f"cannot reach this endpoint: {error}"
    return Recipient(
        endpoint_id=endpoint.id,
        tenant_id=endpoint.tenant_id,
        url=endpoint.url,
        at_rest=endpoint.is_at_rest,
        signer=signer,
        unsignable=unsignable,
        access=access,
        schedule=None if endpoint.retry is None else conf.get().delivery_retry.changed_by(endpoint.retry),
    )
