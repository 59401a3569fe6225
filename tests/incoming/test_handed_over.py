"""What a handler dispatches goes straight to the worker of its process, where a claim would have nothing to decide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import F
from django.test.utils import override_settings

from hookline import conf, dispatch
from hookline.core.slowing import Slowing
from hookline.engine import notifier
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.exceptions import LeaseLost
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.models import Delivery, Endpoint
from hookline.tenants.models import Tenant
from tests.edges.conftest import Register
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source
from tests.outgoing.consumer import Consumer, running_consumer
from tests.waiting import wait_until
from tests.workers import deliveries_worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with running_consumer() as running:
        yield running


@pytest.fixture
def worker(consumer: Consumer) -> Iterator[Any]:
    """One that looks for deliveries only when it is notified, has sent one, and so knows that none waits."""
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}):
        worker = deliveries_worker(replace(conf.get(), POLL=60))
        worker.start()
        try:
            warm = make_endpoint(consumer.url(), event_types=["warm"])
            dispatch("warm", {})
            wait_until(lambda: warm.deliveries.get().state == State.SUCCEEDED)
            consumer.arrivals.clear()
            yield worker
        finally:
            worker.stop(10)


@pytest.fixture
def notified() -> Iterator[list[None]]:
    """An entry for each time that somebody is told that there may be deliveries to claim."""
    heard: list[None] = []
    notifier.of(Delivery).relay(hear := lambda: heard.append(None))
    yield heard
    notifier.of(Delivery).unsubscribe(hear)


def events(*types: str) -> list[Event]:
    source = make_source("stripe")
    for event_type in types:
        make_event(source, type=event_type)
    return claim(Event, len(types), lease=60)


def of(endpoint: Endpoint) -> list[tuple[str, int, int]]:
    return list(endpoint.deliveries.values_list("state", "claim", "attempts"))


@pytest.mark.parametrize("filter_text", [None, "@.data.n == 1"])
def test_it_is_sent_without_a_notification_and_claimed_once(
    worker: Any, consumer: Consumer, handler: Register, notified: list[None], filter_text: str | None
) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"], filter=filter_text)
    handler("*")(lambda _: dispatch("effect", {"n": 1}))
    process.run(events("a")[0])
    wait_until(lambda: of(endpoint) == [(State.SUCCEEDED, 1, 1)])
    assert (len(consumer.arrivals), notified) == (1, [])


def test_all_of_a_batch_are_sent_once_to_every_endpoint(
    worker: Any, consumer: Consumer, handler: Register, notified: list[None]
) -> None:
    endpoints = [make_endpoint(consumer.url(), event_types=["effect"]) for _ in range(3)]

    @handler("*")
    def take_effect(event: Event) -> None:
        dispatch("effect", {"of": event.type})

    process.run_all(events("a", "b", "c", "d", "e"))
    wait_until(lambda: [of(endpoint) for endpoint in endpoints] == [[(State.SUCCEEDED, 1, 1)] * 5] * 3)
    assert (len(consumer.arrivals), notified) == (15, [])


def test_what_is_rolled_back_is_not_sent_though_others_of_the_batch_are(
    worker: Any, consumer: Consumer, handler: Register
) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])

    @handler("*")
    def fails_at_b(event: Event) -> None:
        dispatch("effect", {"of": event.type})
        if event.type == "b":
            raise ValueError("made up")

    process.run_all(events("a", "b", "c"))
    wait_until(lambda: of(endpoint) == [(State.SUCCEEDED, 1, 1)] * 2)
    assert sorted(json.loads(arrival.body)["data"]["of"] for arrival in consumer.arrivals) == ["a", "c"]


def test_one_statement_claims_them_and_settles_the_event(
    worker: Any, consumer: Consumer, handler: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no statement that changes two tables")
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    handler("*")(lambda _: dispatch("effect", {}))
    monkeypatch.setattr(process, "settle", None)
    process.run_all(made := events("a", "b"))
    wait_until(lambda: of(endpoint) == [(State.SUCCEEDED, 1, 1)] * 2)
    assert [Event.objects.get(pk=event.pk).state for event in made] == [State.SUCCEEDED] * 2


def test_an_event_whose_endpoint_is_held_is_settled_all_the_same(
    worker: Any, consumer: Consumer, handler: Register
) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    Endpoint.objects.filter(pk=endpoint.pk).update(**HELD["held by its breaker"])
    handler("*")(lambda _: dispatch("effect", {}))
    process.run(event := events("a")[0])
    assert (Event.objects.get(pk=event.pk).state, of(endpoint)) == (State.SUCCEEDED, [(State.PENDING, 0, 0)])


def test_an_event_that_was_lost_hands_nothing_over(worker: Any, consumer: Consumer, handler: Register) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])

    @handler("*")
    def is_too_slow(event: Event) -> None:
        dispatch("effect", {})
        Event.objects.filter(pk=event.pk).update(claim=F("claim") + 1)

    with pytest.raises(LeaseLost):
        process.run(event := events("a")[0])
    assert (Event.objects.get(pk=event.pk).state, of(endpoint)) == (State.RUNNING, [])


HELD: dict[str, dict[str, Any]] = {
    "limited": {"lane_rate": 0.001, "lane_burst": 1},
    "limited at once": {"lane_at_once": 1},
    "ordered": {"order_by": "$.data.customer"},
    "numbered": {"sequenced": True},
    "limited with all of its tenant": {},
    "held by its breaker": {"held_until": datetime.now(UTC) + timedelta(hours=1)},
}


@pytest.mark.parametrize("held", HELD)
def test_where_a_claim_decides_it_is_left_to_a_claim(
    held: str, worker: Any, consumer: Consumer, handler: Register, notified: list[None]
) -> None:
    free = make_endpoint(consumer.url(), event_types=["effect"])
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    if held == "limited with all of its tenant":
        Tenant.objects.update(throttle_rate=1000)
    else:
        Endpoint.objects.filter(pk=endpoint.pk).update(**HELD[held])
    handler("*")(lambda _: dispatch("effect", {"customer": 1}))
    process.run(events("a")[0])
    assert len(notified) == 1  # of what was not handed over
    wait_until(lambda: of(free) == [(State.SUCCEEDED, 1, 1)])
    if held == "held by its breaker":
        assert of(endpoint) == [(State.PENDING, 0, 0)]


def test_a_slowed_endpoint_is_left_to_a_claim(
    worker: Any, consumer: Consumer, handler: Register, notified: list[None]
) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    endpoint.slowing = Slowing(1.0, datetime.now(UTC).timestamp())
    endpoint.save()
    handler("*")(lambda _: dispatch("effect", {}))
    process.run(events("a")[0])
    assert len(notified) == 1


def test_what_others_wait_before_waits_behind_them(
    worker: Any, consumer: Consumer, handler: Register, notified: list[None]
) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    waiting = make_delivery(endpoint)  # nobody was notified of it
    handler("*")(lambda _: dispatch("effect", {}))
    process.run(events("a")[0])
    assert len(notified) == 1
    wait_until(lambda: Delivery.objects.get(pk=waiting.pk).state == State.SUCCEEDED)
    wait_until(lambda: len(consumer.arrivals) == 2)


def test_what_is_to_be_sent_later_waits(
    worker: Any, consumer: Consumer, handler: Register, notified: list[None]
) -> None:
    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    later = datetime.now(UTC) + timedelta(hours=1)
    handler("*")(lambda _: dispatch("effect", {}, deliver_at=later))
    process.run(events("a")[0])
    assert of(endpoint) == [(State.PENDING, 0, 0)]


def test_a_worker_that_was_stopped_meanwhile_gives_it_back(
    worker: Any, consumer: Consumer, handler: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hookline.engine.handover import HandOver

    endpoint = make_endpoint(consumer.url(), event_types=["effect"])
    handler("*")(lambda _: dispatch("effect", {}))
    noted = HandOver.note

    def stopping(self: HandOver, *made: Any) -> Any:
        told = noted(self, *made)
        assert of(endpoint) == [(State.RUNNING, 1, 1)]
        worker.stop(10)
        return told

    monkeypatch.setattr(HandOver, "note", stopping)
    process.run(events("a")[0])
    wait_until(lambda: of(endpoint) == [(State.PENDING, 1, 0)])
    assert not consumer.arrivals
