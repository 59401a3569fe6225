"""Claiming deliveries, and reading all that is needed to send them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Min

from hookline import conf
from hookline.core.access import Access
from hookline.core.breaker import AT_REST
from hookline.core.retry import RetrySchedule
from hookline.core.signatures.message_signer import MessageSigner
from hookline.db.encrypted_field import opened, sealed
from hookline.db.rows import by_id
from hookline.engine.leases import Leases
from hookline.engine.settlement import Settlement
from hookline.exceptions import ConfigurationError, MessageTooLarge, NotSerializable
from hookline.outgoing.deliver import admission
from hookline.outgoing.deliver.admission import PutOff
from hookline.outgoing.deliver.numbering import numbered
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message

#: What sending needs of an endpoint.
_OF_ENDPOINT = (
    "tenant", "url", "breaker_state", "disabled", "encrypted_secrets", "signatures", "encrypted_keys",
    "encrypted_headers", "payload", "retry", "sequenced", "encrypted_access",
)  # fmt: skip
_OF_MESSAGE = ("type", "body", "expires_at", "forwarded", "traceparent")

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


def claim(leases: Leases[Delivery], most: int, signers: Signers, without: Collection[UUID] = ()) -> Claimed:
    """Claim up to `most` deliveries, of all tenants but these, and read what sending them needs.

    Raises DatabaseError.
    """
    deliveries = leases.claim(most, without=without)
    try:
        to_send, put_off = prepare(deliveries, signers, leases.now())
    except Exception:
        back = Settlement.give_back(0, "the database failed before it was sent")
        leases.release([(delivery, back) for delivery in deliveries])
        raise
    leases.release(put_off)
    if len(to_send) < len(deliveries):
        begin = {outbound.id for outbound in to_send}
        for delivery in deliveries:
            if delivery.id not in begin:
                leases.forget(delivery)
    return Claimed(len(deliveries), to_send)


def prepare(deliveries: Sequence[Delivery], signers: Signers, now: float) -> tuple[list[Outbound], list[PutOff]]:
    """What to send of claimed deliveries at `now`, in Unix time, and what to give back. Raises DatabaseError."""
    admitted, put_off = admission.admit(with_parts(deliveries), now)
    admitted, unnumbered = numbered(admitted)
    put_off += unnumbered
    tried = tried_since(admitted, conf.get().delivery_retry)
    return [outbound_of(delivery, signers, now, tried.get(delivery.id.int)) for delivery in admitted], put_off


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


def outbound_of(delivery: Delivery, signers: Signers, now: float, tried_since: float | None = None) -> Outbound:
    """The values of a delivery that has its message and its endpoint. `tried_since`: as Outbound has it."""
    endpoint, message = delivery.endpoint, delivery.message
    signer, unsignable = signer_of(endpoint, signers, now)
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
        at_rest=endpoint.breaker is AT_REST,
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


def headers_for(endpoint_id: UUID, forwarded: Mapping[str, Any]) -> Mapping[str, str]:
    """Those of the sender's headers that an endpoint gets of a webhook that was forwarded."""
    headers: Mapping[str, str] = forwarded["headers"]
    names = forwarded["to"].get(endpoint_id.hex)
    return headers if names is None else {name: headers[name] for name in names if name in headers}


def access_of(endpoint: Endpoint) -> Access | None:
    """How it is reached, where not simply at its URL. Raises ConfigurationError when its encryption key is lost."""
    text = opened(endpoint, "encrypted_access")
    return Access.load(text) if text else None


def body_for(endpoint: Endpoint, body: bytes) -> tuple[bytes, str]:
    """What the endpoint gets of a message with this body, and why it cannot be made."""
    if endpoint.payload is None:
        return body, ""
    from hookline.core.payload_template import applied  # loading it takes a while; only for those who have one

    try:
        return applied(endpoint.payload, body, conf.get().MAX_MESSAGE_BYTES), ""
    except (ConfigurationError, MessageTooLarge, NotSerializable, ValueError, KeyError) as error:
        return body, f"cannot make the body for this endpoint: {error}"


def signer_of(endpoint: Endpoint, signers: Signers, now: float) -> tuple[MessageSigner | None, str]:
    """What signs for the endpoint, or why there is nothing; it quotes no secret."""
    try:
        return signers.of(endpoint, now), ""
    except (ValueError, ConfigurationError) as error:
        return None, f"cannot sign for this endpoint: {error}"
