"""Waiting: what holds a pending delivery, and when it can go.

Computed when somebody looks: what holds an endpoint holds all that waits for it by one row, and to write that into each
delivery would cost more than sending it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from hookline.core.breaker import State as BreakerState
from hookline.db.clock import moment
from hookline.engine.job import FOREVER, State
from hookline.engine.lane_limits import wait_of
from hookline.engine.order import WAITS
from hookline.outgoing.models import Delivery


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a delivery waits, and until when; None where nobody knows, because a person or another delivery decides."""

    why: str
    until: datetime | None


def waiting(delivery: Delivery) -> Waiting | None:
    """What holds a delivery; None for one that waits for a worker, or does not wait. Reads nothing."""
    if delivery.state != State.PENDING:
        return None
    endpoint, now = delivery.endpoint, timezone.now()
    if endpoint.disabled:
        return Waiting(f"its endpoint is disabled: {endpoint.disabled_reason or 'no reason was given'}", None)
    if delivery.due_at >= FOREVER:
        return Waiting(WAITS, None)
    if (until := endpoint.breaker.held_until) is not None and (held := moment(until)) > now:
        latest = max(delivery.due_at, held)
        if endpoint.breaker.state is BreakerState.OPEN:
            return Waiting(f"its endpoint's breaker is open, and probed from {held:%H:%M:%S} UTC on", latest)
        return Waiting("its endpoint's breaker waits for the results of its probes", latest)
    if delivery.due_at > now:
        return Waiting(delivery.note or "its time", delivery.due_at)
    rate = endpoint.rate_at(now.timestamp())
    if (
        rate is not None
        and endpoint.lane_due is not None
        and (wait := wait_of(rate, endpoint.lane_due, now.timestamp()))
    ):
        return Waiting(f"its endpoint gets {rate.per_second:.3g} a second", moment(now.timestamp() + wait))
    return None


def note_of(delivery: Delivery) -> str:
    """Its note, with what holds it."""
    held = waiting(delivery)
    if held is None or held.why in delivery.note or held.why == "its time":
        return delivery.note
    return f"{delivery.note}; {held.why}" if delivery.note else held.why


def can_go_at(delivery: Delivery) -> datetime | None:
    """When it can be sent, or was due; None where nobody knows."""
    held = waiting(delivery)
    return delivery.due_at if held is None else held.until
