"""Removing an endpoint that has a history: it is gone for everybody at once, and its history stays for its time."""

from __future__ import annotations

from hookline.audit.actor import Actor
from hookline.engine import notifier, order
from hookline.engine.job import State
from hookline.operations.changes import changing
from hookline.operations.endpoint_rows import audited
from hookline.outgoing.models import Delivery, Endpoint

#: Deliveries that one statement cancels.
AT_ONCE = 1000


def remove(actor: Actor, endpoint: Endpoint) -> None:
    """Send nothing more to an endpoint, and let nothing find it. Its uid is free, and what waits for it is cancelled.

    Messages, deliveries and attempts stay until RETENTION ends. Raises NotFound.
    """
    with changing(actor, "endpoint.remove", endpoint, audited, {"history": "kept"}) as locked:
        locked.disable(f"disabled by {actor}"[:200])
        locked.uid, locked.deleted_at = None, locked.disabled_at
        locked.save(update_fields=["uid", "deleted_at", "disabled", "disabled_reason", "disabled_at", "held_until"])
        waiting = Delivery.objects.filter(endpoint=locked, state=State.PENDING).values_list("pk", flat=True)
        while keys := list(waiting[:AT_ONCE]):
            order.cancel(Delivery, keys, f"its endpoint was deleted by {actor}"[:500])
        notifier.notify_after_commit(Delivery)
