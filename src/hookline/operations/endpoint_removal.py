"""Removing an endpoint that has a history: it is gone for everybody at once, and its history stays for its time."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from django.db.models import Exists, OuterRef

from hookline.audit.actor import Actor
from hookline.db import clock
from hookline.engine import notifier, order
from hookline.engine.job import State
from hookline.engine.prune import WINDOW, Step
from hookline.operations.changes import changing
from hookline.operations.endpoint_rows import audited
from hookline.outgoing.models import Delivery, Endpoint

#: Deliveries that one statement cancels.
AT_ONCE = 1000
#: For how long the row of an endpoint without any history stays: a transaction that began before may still send to it.
EDGES = timedelta(days=1)
#: Seconds after which those that were deleted are looked through again.
AGAIN = 3600.0


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


class EndpointRemover:
    """Takes the rows of endpoints that somebody deleted, once nothing of their history is left."""

    def __init__(self) -> None:
        self._not_before = float("-inf")

    def step(self) -> Step:
        """Raises DatabaseError."""
        if time.monotonic() < self._not_before:
            return Step()
        gone = Endpoint.objects.filter(deleted_at__lt=clock.moment(clock.now(Endpoint)) - EDGES)
        gone = gone.exclude(Exists(Delivery.objects.filter(endpoint=OuterRef("pk"))))
        keys = list(gone.values_list("pk", flat=True)[:WINDOW])
        if len(keys) < WINDOW:
            self._not_before = time.monotonic() + AGAIN
        removed = gone.filter(pk__in=keys).delete()[1].get(Endpoint._meta.label, 0) if keys else 0
        return Step(Counter(endpoints=removed) if removed else Counter(), more=len(keys) == WINDOW)
