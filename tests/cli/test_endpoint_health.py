"""What `endpoint show` and `deliveries show` say of how an endpoint does, and of what a delivery waits for."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from hookline.core.breaker import Breaker
from hookline.core.breaker import State as BreakerState
from hookline.models import Attempt, Delivery, Endpoint
from tests.cli.conftest import Cli
from tests.engine.rows import ago, make_delivery, make_endpoint

pytestmark = pytest.mark.django_db


def attempt(endpoint: Endpoint, status: int | None, duration_ms: int, seconds_ago: float = 10) -> None:
    made = Attempt.objects.create(
        delivery=make_delivery(endpoint, state="succeeded"), number=1, status=status, duration_ms=duration_ms
    )
    Attempt.objects.filter(pk=made.pk).update(created_at=ago(seconds_ago))


def test_an_endpoint_shows_its_health_from_its_own_attempts(cli: Cli) -> None:
    endpoint = make_endpoint()
    empty = cli.json("endpoint", "show", endpoint.public_id)["health"]
    assert (empty["last_success"], empty["p50_ms"], empty["attempts_last_hour"]) == (None, None, 0)
    for duration in range(1, 101):
        attempt(endpoint, 200, duration)
    attempt(endpoint, 500, 1000)
    attempt(endpoint, None, 20_000)
    attempt(endpoint, 200, 5, seconds_ago=7200)
    attempt(make_endpoint(), 200, 1)
    make_delivery(endpoint)
    endpoint.breaker = Breaker(BreakerState.OPEN, 10, trips=1, opened_at=1000.0, open_until=time.time() + 30)
    endpoint.save()
    health = cli.json("endpoint", "show", endpoint.public_id)["health"]
    assert (health["attempts_last_hour"], health["succeeded_last_hour"], health["pending"]) == (102, 100, 1)
    assert (health["p50_ms"], health["p99_ms"], health["failures"]) == (51, 100, 10)
    assert health["failing_since"] == "1970-01-01T00:16:40+00:00"
    assert health["last_success"] is not None
    assert "p99_ms: 100" in cli.text("endpoint", "show", endpoint.public_id)


def test_a_delivery_shows_what_it_waits_for(cli: Cli) -> None:
    endpoint = make_endpoint()
    delivery = make_delivery(endpoint, note="the endpoint answered 500", due_at=timezone.now() + timedelta(hours=1))

    def waits_for() -> str | None:
        found: str | None = cli.json("deliveries", "show", delivery.public_id)["waits_for"]
        return found

    assert waits_for() == "the endpoint answered 500"
    endpoint.breaker = Breaker(BreakerState.OPEN, 10, trips=1, opened_at=1000.0, open_until=4102444800.0)
    endpoint.save()
    assert waits_for() == "its endpoint's breaker is open, and probed from 00:00:00 UTC on"
    endpoint.disable("it answered 410")
    endpoint.save()
    assert waits_for() == "its endpoint is disabled: it answered 410"
    Delivery.objects.update(state="succeeded")
    assert waits_for() is None
