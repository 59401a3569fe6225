"""How many deliveries of an endpoint there were in a time, by what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from hookline.db.clock import boundary
from hookline.engine.job import State
from hookline.outgoing.models import Delivery, Endpoint


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    succeeded: int
    #: Not tried yet.
    waiting: int
    #: Under way, or tried and to be retried.
    retrying: int
    dead: int
    cancelled: int


def of_endpoint(endpoint: Endpoint, since: datetime, until: datetime) -> DeliveryCounts:
    """Of those that were made from then until before that time. It reads all of them."""
    pending = Q(state=State.PENDING)
    counts = (
        Delivery.objects.filter(
            endpoint=endpoint, created_at__gte=boundary(Delivery, since), created_at__lt=boundary(Delivery, until)
        )
        .order_by()
        .aggregate(
            succeeded=Count("pk", filter=Q(state=State.SUCCEEDED)),
            waiting=Count("pk", filter=pending & Q(attempts=0)),
            retrying=Count("pk", filter=Q(state=State.RUNNING) | pending & Q(attempts__gt=0)),
            dead=Count("pk", filter=Q(state=State.DEAD)),
            cancelled=Count("pk", filter=Q(state=State.CANCELLED)),
        )
    )
    return DeliveryCounts(**counts)
