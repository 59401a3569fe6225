"""An example message to one endpoint: it goes the way of any other, whatever types and channels the endpoint wants."""

from __future__ import annotations

import json
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.engine.job import UNREAD
from hookline.exceptions import ConfigurationError, Conflict
from hookline.operations import event_types
from hookline.outgoing.event_type import EventType
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.outgoing.publish.store import announce_after_commit

#: The type of a message that says nothing, and what it holds.
PING, PONG = "svix.ping", {"success": True}


def example_of(event_type: EventType, index: int = 0) -> dict[str, Any]:
    """An object as messages of this type hold it: the catalogue's, or one of those of its newest schema.

    Raises ConfigurationError where there is none.
    """
    schemas = event_types.schemas_of(event_type) or {}
    found = [event_type.example, *(one for schema in reversed(schemas.values()) for one in schema.get("examples", ()))]
    objects = [one for one in found if isinstance(one, dict)]
    if len(objects) <= index:
        raise ConfigurationError(f"event type {event_type.name} has no example {index + 1}")
    return objects[index]


def send(actor: Actor, endpoint: Endpoint, event_type: str = PING, *, index: int = 0) -> Message:
    """Send an endpoint the example of an event type, and nobody else.

    Raises NotFound for a type that the catalogue does not have, ConfigurationError for one without an example, or
    Conflict for a disabled endpoint, to which nothing would be sent.
    """
    data = PONG if event_type == PING else example_of(event_types.find(event_type), index)
    if endpoint.disabled:
        raise Conflict(f"endpoint {endpoint.public_id} is disabled; enable it first")
    database = router.db_for_write(Message)
    with transaction.atomic(using=database):
        body = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
        message = Message(tenant=endpoint.tenant, type=event_type, body=body)
        message.save(force_insert=True)
        order_key = UNREAD if endpoint.order_by else None
        delivery = Delivery(message=message, endpoint=endpoint, order_key=order_key, due_at=timezone.now())
        delivery.save(force_insert=True)
        details = {"type": event_type, "message": message.public_id}
        record(actor, "endpoint.example", endpoint.public_id, tenant_id=endpoint.tenant_id, details=details)
        announce_after_commit(connections[database], [message.pk], 1)
    return message
