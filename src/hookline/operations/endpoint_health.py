"""How an endpoint does: from its newest attempts, so that no delivery has to count anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    #: Failures in a row, and since when.
    failures: int
    failing_since: datetime | None
    #: Until when nothing but probes is sent.
    held_until: datetime | None
    #: What begins a second for now, after a 429, 502 or 504, or an outage; None where nothing is held back for that.
    slowed_to: float | None
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
    began = breaker.failing_since or breaker.opened_at
    slowed_to = None if endpoint.slowing is None else endpoint.slowing.rate_at(now)
    return Health(
        last_success=succeeded.order_by("-created_at").values_list("created_at", flat=True).first(),
        failures=breaker.failures,
        failing_since=None if began is None else moment(began),
        held_until=None if breaker.held_until is None else moment(breaker.held_until),
        slowed_to=None if slowed_to is None else round(slowed_to, 3),
        attempts_last_hour=len(recent),
        succeeded_last_hour=sum(status is not None and 200 <= status < 300 for status, _ in recent),
        p50_ms=_percentile(answered, 0.5),
        p99_ms=_percentile(answered, 0.99),
        pending=deliveries.filter(state=State.PENDING).order_by()[: NEWEST * 10].count(),
    )


def _percentile(values: list[int], share: float) -> int | None:
    """The nearest rank of sorted values."""
    return values[min(len(values) - 1, round(share * (len(values) - 1)))] if values else None
