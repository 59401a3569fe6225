"""Messages: what was published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.outgoing.models import Message
from hookline.outgoing.publish.dispatch import dispatch
from hookline.tenants.models import Tenant


def publish(
    actor: Actor,
    event_type: str,
    data: Any,
    *,
    tenant: Tenant | str | None = None,
    idempotency_key: str | None = None,
    channels: Sequence[str] = (),
) -> Message:
    """`hookline.dispatch()` for a person or a program with a key. Raises as that does."""
    with transaction.atomic(using=router.db_for_write(Message)):
        message = dispatch(event_type, data, tenant=tenant, idempotency_key=idempotency_key, channels=channels)
        record(
            actor,
            "message.publish",
            message.public_id,
            tenant_id=message.tenant_id,
            details={"type": message.type, "idempotency_key": idempotency_key},
        )
    return message


def published_as_json(message: Message) -> dict[str, Any]:
    """What became of a message that was just published."""
    return {"id": message.public_id, "deliveries": message.deliveries.count()}
