"""How an endpoint does: from its newest attempts, so that no delivery has to count anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hookline.core.breaker import State as BreakerState
from hookline.db import clock
from hookline.db.clock import moment
from hookline.engine.job import State
from hookline.outgoing.models import Attempt, Delivery, Endpoint

#: So many of the newest deliveries are looked at.
NEWEST = 1000
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Health:
    """Times and rates are those of the newest 1,000 deliveries; None where there is nothing to tell from."""

    last_success: datetime | None
    #: Failures in a row, as the breaker counts them, and since when it is not closed.
    failures: int
    failing_since: datetime | None
    #: Until when nothing but probes is sent.
    held_until: datetime | None
    #: Attempts of the last hour, and those of them that succeeded.
    attempts_last_hour: int
    succeeded_last_hour: int
    #: Of the answers of the last hour, in milliseconds.
    p50_ms: int | None
    p99_ms: int | None
    pending: int

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def of(endpoint: Endpoint) -> Health:
    """Raises DatabaseError."""
    now = clock.now(Endpoint)
    deliveries = Delivery.objects.filter(endpoint=endpoint)
    newest = list(deliveries.order_by("-created_at").values_list("pk", flat=True)[:NEWEST])
    made = Attempt.objects.filter(delivery__in=newest)
    recent = list(made.filter(created_at__gte=moment(now - _HOUR)).values_list("status", "duration_ms"))
    answered = sorted(duration for status, duration in recent if status is not None)
    succeeded = made.filter(status__gte=200, status__lt=300)
    breaker = endpoint.breaker
    opened_until = breaker.open_until if breaker.state is BreakerState.OPEN else None
    return Health(
        last_success=succeeded.order_by("-created_at").values_list("created_at", flat=True).first(),
        failures=breaker.failures,
        failing_since=None if breaker.opened_at is None else moment(breaker.opened_at),
        held_until=None if opened_until is None else moment(opened_until),
        attempts_last_hour=len(recent),
        succeeded_last_hour=sum(status is not None and 200 <= status < 300 for status, _ in recent),
        p50_ms=_percentile(answered, 0.5),
        p99_ms=_percentile(answered, 0.99),
        pending=deliveries.filter(state=State.PENDING).order_by()[: NEWEST * 10].count(),
    )


def waits_for(delivery: Delivery) -> str | None:
    """What a pending delivery waits for besides its time; None for one that waits for a worker, or does not wait."""
    endpoint = delivery.endpoint
    if delivery.state != State.PENDING:
        return None
    if endpoint.disabled:
        return f"its endpoint is disabled: {endpoint.disabled_reason or 'no reason was given'}"
    if endpoint.breaker.state is BreakerState.OPEN and endpoint.breaker.open_until is not None:
        return f"its endpoint's breaker, which is probed from {moment(endpoint.breaker.open_until):%H:%M:%S} UTC on"
    if delivery.due_at.timestamp() > clock.now(Delivery):
        return delivery.note or "its time"
    return None


def _percentile(values: list[int], share: float) -> int | None:
    """The nearest rank of sorted values."""
    return values[min(len(values) - 1, round(share * (len(values) - 1)))] if values else None
