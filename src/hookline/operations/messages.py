"""Messages: what was published."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.event_types import matches
from hookline.engine import order
from hookline.exceptions import Conflict
from hookline.operations import rows, tenants
from hookline.operations.jobs import State
from hookline.operations.selection import ALL, MOST, Columns, Selection
from hookline.operations.selection import newest as select
from hookline.outgoing import content
from hookline.outgoing.models import FOR_NOBODY, Delivery, Endpoint, Message
from hookline.outgoing.publish.dispatch import dispatch
from hookline.tenants.models import Tenant, resolve

COLUMNS = Columns({"type": "type", "tenant": "tenant"}, indexed=frozenset({"tenant"}))


#: Messages in which `known_types` looks, and the number of types that it offers at most.
SAMPLED, OFFERED = 1000, 60


def find(name: str, *, tenant: str | None = None) -> Message:
    """By public id, or by idempotency key: within a tenant, if one is named. Raises NotFound or ConfigurationError."""
    owner = None if tenant is None else tenants.find(tenant)
    return rows.find_or_uid(Message.objects.select_related("tenant"), name, owner)


def find_in(tenant: Tenant, name: str) -> Message:
    """The message of this tenant with this public id or idempotency key. Raises NotFound."""
    return rows.in_tenant(Message.objects.all(), name, tenant)


def newest(selection: Selection = ALL) -> list[Message]:
    """The newest messages of a selection, without their bodies."""
    return select(Message.objects.select_related("tenant").defer("body"), selection, COLUMNS)


def known_types() -> list[str]:
    """The types of the newest messages, and patterns for those that begin alike; for a person to choose from."""
    newest = Message.objects.order_by("-id").values_list("type", flat=True)[:SAMPLED]
    types = set(newest)
    groups = {f"{name.rpartition('.')[0]}.*" for name in types if "." in name}
    return sorted(types | groups)[:OFFERED]


def deliveries_of(message: Message, limit: int = MOST) -> list[Delivery]:
    """The deliveries of a message, the first one first."""
    found = message.deliveries.select_related("message", "endpoint__tenant").defer("message__body")
    return list(found.order_by("id")[:limit])


def publish(
    actor: Actor,
    event_type: str,
    data: Any,
    *,
    tenant: Tenant | str | None = None,
    idempotency_key: str | None = None,
    channels: Sequence[str] = (),
    deliver_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Message:
    """`hookline.dispatch()` for a person or a program with a key. Raises as that does."""
    database = router.db_for_write(Message)
    with transaction.atomic(using=database):
        owner = resolve(tenant)
        known = Message.objects.using(database).filter(tenant=owner, uid=idempotency_key, uid__isnull=False).exists()
        message = dispatch(
            event_type,
            data,
            tenant=owner,
            idempotency_key=idempotency_key,
            channels=channels,
            deliver_at=deliver_at,
            expires_at=expires_at,
        )
        if not known:  # else nothing was published
            details = {"type": message.type, "idempotency_key": idempotency_key}
            record(actor, "message.publish", message.public_id, tenant_id=message.tenant_id, details=details)
    return message


def is_wanted(tenant: Tenant, event_type: str, channels: Collection[str]) -> bool:
    """Whether an endpoint of the tenant would get a message of this type on these channels, its filter aside."""
    enabled = Endpoint.objects.filter(tenant=tenant, disabled=False).values_list("event_types", "channels")
    return any(
        (not patterns or any(matches(pattern, event_type) for pattern in patterns))
        and (not wished or not set(wished).isdisjoint(channels))
        for patterns, wished in enabled.iterator()
    )


def cancel(actor: Actor, message: Message) -> int:
    """Cancel the pending deliveries of a message. Returns how many.

    Raises Conflict where none waits: then it was sent, is being sent, or nobody wanted it.
    """
    database = router.db_for_write(Delivery)
    with transaction.atomic(using=database):
        waiting = Delivery.objects.using(database).filter(message=message, state=State.PENDING)
        cancelled = len(order.cancel(Delivery, list(waiting.values_list("pk", flat=True)), f"cancelled by {actor}"))
        if not cancelled:
            raise Conflict(f"{message.public_id} has no delivery that waits; nothing was changed")
        details = {"deliveries": cancelled}
        record(actor, "message.cancel", message.public_id, tenant_id=message.tenant_id, details=details)
    return cancelled


@dataclass(frozen=True, slots=True)
class Expunged:
    """What was removed with the content of a message."""

    #: Attempts of which the answer was removed.
    answers: int
    #: Deliveries that waited, or parked their order key: they cannot be sent any more.
    cancelled: int
    #: Deliveries that are being sent now. What is answered to them is kept: expunge the message again.
    under_way: int


def expunge(actor: Actor, message: Message) -> Expunged:
    """Remove the content of a message, and what endpoints answered, for good. The record stays: what was sent when.

    What waits is cancelled. Where there is nothing to remove any more, nothing is changed.
    """
    database = router.db_for_write(Message)
    with transaction.atomic(using=database):
        done = content.expunge([message.pk], f"its content was expunged by {actor}")
        if done.messages or done.answers:
            details = {"deliveries": done.cancelled, "answers": done.answers}
            record(actor, "message.expunge", message.public_id, tenant_id=message.tenant_id, details=details)
        under_way = Delivery.objects.using(database).filter(message=message, state=State.RUNNING).count()
    message.body = b""
    message.forwarded = message.forwarded and FOR_NOBODY
    return Expunged(done.answers, done.cancelled, under_way)


def as_json(message: Message) -> dict[str, Any]:
    """A message without its body."""
    return {
        "id": message.public_id,
        "tenant": message.tenant.key,
        "type": message.type,
        "uid": message.uid,
        "channels": message.channels,
        "created_at": message.created_at,
        "expires_at": message.expires_at,
    }


def published_as_json(message: Message) -> dict[str, Any]:
    """What became of a message that was just published."""
    return {"id": message.public_id, "deliveries": message.deliveries.count()}
