"""An endpoint that is overloaded, or just back, gets little at first, in the order in which it was published."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.core.breaker import BreakerSettings
from hookline.core.breaker import State as BreakerState
from hookline.models import Delivery, Endpoint
from hookline.operations import endpoint_health, endpoints
from hookline.outgoing.deliver import breakers as health
from hookline.testing import StubTransport, deliver_all
from tests.engine.rows import make_endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import Arrival, Consumer, Reply
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = BreakerSettings(trip_after=3, first_pause=0.5, longest_pause=0.5, probes=2, close_after=2)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_answer_of_an_overloaded_endpoint_slows_it_down_and_its_health_says_so(status: int) -> None:
    endpoint = make_endpoint()
    dispatch("invoice.paid", {})
    deliver_all(StubTransport(status))
    endpoint.refresh_from_db()
    slowed_to = endpoint_health.of(endpoint).slowed_to
    assert slowed_to is not None
    assert 20 <= slowed_to < 40


def test_another_failure_does_not_slow_it_down() -> None:
    endpoint = make_endpoint()
    dispatch("invoice.paid", {})
    deliver_all(StubTransport(500))
    endpoint.refresh_from_db()
    assert endpoint_health.of(endpoint).slowed_to is None


def test_one_that_a_person_enables_gets_its_backlog_slowly_at_first() -> None:
    endpoint = make_endpoint()
    endpoints.disable(SYSTEM, endpoint)
    endpoints.enable(SYSTEM, endpoint)
    endpoint.refresh_from_db()
    assert endpoint_health.of(endpoint).slowed_to is not None


class Restarting:
    """A consumer that is down or up, and counts the requests that came while it was either."""

    def __init__(self) -> None:
        self.up = False
        self.lock = threading.Lock()
        self.while_down: list[float] = []
        self.while_up: list[tuple[float, int]] = []

    def __call__(self, arrival: Arrival) -> Reply | int:
        with self.lock:
            if not self.up:
                self.while_down.append(time.monotonic())
                return 500
            self.while_up.append((time.monotonic(), json.loads(arrival.body)["data"]["n"]))
            return 200


def test_an_endpoint_that_was_down_is_probed_by_few_and_gets_its_backlog_in_order_and_not_at_once(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SETTINGS", QUICK)
    consumer.script = script = Restarting()
    endpoint = make_endpoint(consumer.url())
    for number in range(60):
        dispatch("invoice.paid", {"n": number})

    def breaker() -> Any:
        endpoint.refresh_from_db()
        return endpoint.breaker

    with sending(DELIVERY_CONCURRENCY=3, DELIVERY_RETRY_DELAYS=[3600] * 8):
        wait_until(lambda: breaker().trips >= 5, 20)  # for long enough that workers have read their limits
        with script.lock:
            # Three failures open it, up to two more were under way, and each round after that has two probes.
            assert len(script.while_down) <= 5 + 2 * breaker().trips
            script.up = True
        failed = Delivery.objects.exclude(note="").filter(attempts__gt=0).count()
        wait_until(lambda: breaker().state is BreakerState.CLOSED, 20)
        closed = time.monotonic()
        wait_until(lambda: len(script.while_up) >= 30, 30)
    assert failed <= len(script.while_down)
    # What the consumer itself counted after its breaker closed: at first 20 a second, doubled every five seconds.
    after = [at for at, _ in script.while_up if at > closed]
    for index, at in enumerate(after):
        assert index <= 20 * 2 ** ((at - closed) / 5) * (at - closed) + 8
    order = [number for _, number in script.while_up]
    # Three are under way at once, so that each may be overtaken by the next few.
    assert all(abs(place - rank) <= 4 for rank, place in enumerate(sorted(range(30), key=order[:30].__getitem__)))


def test_what_is_slowed_down_says_so_and_goes_on_in_order(consumer: Consumer, sending: Sending) -> None:
    endpoint = make_endpoint(consumer.url())
    Endpoint.objects.filter(pk=endpoint.pk).update(lane_slow_rate=0.2, lane_slow_at=time.time() + 10_000)
    for number in range(5):
        dispatch("invoice.paid", {"n": number})
    with sending():
        wait_until(lambda: consumer.arrivals)
    assert json.loads(consumer.arrivals[0].body)["data"] == {"n": 0}
    assert set(Delivery.objects.filter(state="pending").values_list("note", flat=True)) <= {
        "", "waits because its endpoint was overloaded or away, and gets 0.2 a second for now",
    }  # fmt: skip
