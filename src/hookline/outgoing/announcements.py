"""The Django signals about what goes out: a sink that has the courier load the objects and call the receivers.

A record is looked at only where somebody listens, and nothing is read from the database on the thread that emits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.dispatch import Signal

from hookline import signals
from hookline.core.breaker import State as Breaker
from hookline.engine.job import State
from hookline.outgoing.models import Delivery, Endpoint
from hookline.telemetry import records
from hookline.telemetry.courier import courier
from hookline.telemetry.emit import subscribe


def connect() -> None:
    """Have receivers told from now on."""
    subscribe(records.DeliveriesAttempted, _attempted)
    subscribe(records.JobsDied, _died)
    subscribe(records.BreakerChanged, _changed)
    subscribe(records.EndpointSuspended, _suspended)


def _attempted(attempted: records.DeliveriesAttempted) -> None:
    if signals.delivery_succeeded.has_listeners(Delivery):
        done = [result.outbound.id for result in attempted.results if result.settlement.state == State.SUCCEEDED]
        if done:
            courier.put(partial(_tell, signals.delivery_succeeded, done))


def _died(died: records.JobsDied) -> None:
    if died.model is Delivery and signals.delivery_dead.has_listeners(Delivery):
        courier.put(partial(_tell, signals.delivery_dead, died.ids))


def _changed(changed: records.BreakerChanged) -> None:
    if changed.after == Breaker.OPEN.value and signals.breaker_opened.has_listeners(Endpoint):
        courier.put(partial(signals.breaker_opened.send_robust, Endpoint, endpoint=changed.endpoint))


def _suspended(suspended: records.EndpointSuspended) -> None:
    if signals.endpoint_suspended.has_listeners(Endpoint):
        told = {"endpoint": suspended.endpoint, "reason": suspended.reason}
        courier.put(partial(signals.endpoint_suspended.send_robust, Endpoint, **told))


def _tell(signal: Signal, ids: Sequence[UUID]) -> None:
    for delivery in Delivery.objects.filter(pk__in=ids).select_related("endpoint__tenant", "message").order_by("pk"):
        signal.send_robust(Delivery, delivery=delivery)
