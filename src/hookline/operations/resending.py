"""Sending one message to one endpoint again, whatever it wants."""

from __future__ import annotations

from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.engine import notifier
from hookline.engine.job import UNREAD
from hookline.exceptions import Conflict
from hookline.operations import deliveries
from hookline.operations.jobs import FINISHED
from hookline.outgoing.models import UNNUMBERED, Delivery, Endpoint, Message


def resend(actor: Actor, message: Message, endpoint: Endpoint) -> Delivery:
    """Have a message sent to an endpoint now, with all its attempts, whether it was sent before, and wanted, or not.

    What is being sent at this moment is left alone. An endpoint that is disabled gets it once it is enabled.
    Raises Conflict for a message whose content is gone, or that belongs to another tenant than the endpoint.
    """
    if message.tenant_id != endpoint.tenant_id:
        raise Conflict(f"message {message.public_id} and endpoint {endpoint.public_id} belong to different tenants")
    if message.is_expunged:
        raise Conflict(f"the content of {message.public_id} is gone; it cannot be sent again")
    with transaction.atomic(using=router.db_for_write(Delivery)):
        new = {
            "order_key": UNREAD if endpoint.order_by else None,
            "sequence": UNNUMBERED if endpoint.sequenced else None,
            "note": f"resent by {actor}",
        }
        delivery, made = Delivery.objects.get_or_create(message=message, endpoint=endpoint, defaults=new)
        if made:
            details = {"message": message.public_id, "endpoint": endpoint.public_id}
            record(actor, "delivery.resend", delivery.public_id, tenant_id=endpoint.tenant_id, details=details)
            notifier.notify_after_commit(Delivery)
        else:
            deliveries.retry_keys(actor, [delivery.pk], states=FINISHED, now=True)
    return delivery
