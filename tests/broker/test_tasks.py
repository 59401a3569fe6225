"""The tasks: each claims what is due, runs it, and asks for another one while there is more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from celery.app import app_or_default
from django.db import InterfaceError, OperationalError, connection

import hookline
from hookline import conf, tasks
from hookline.core.ids import uuid7
from hookline.engine import claim as engine
from hookline.engine import settle as engine_settle
from hookline.engine import threaded
from hookline.engine.job import State
from hookline.engine.kind import kind_of
from hookline.incoming.models import Event
from hookline.incoming.process.handlers import forget
from hookline.outgoing.deliver import result_writer, share
from hookline.outgoing.deliver.attempt import Result
from hookline.outgoing.deliver.record import record
from hookline.outgoing.models import Attempt, Delivery
from hookline.runtime.broker import beat_schedule
from hookline.runtime.broker.sweep import sweep
from tests.engine.rows import ago, make_delivery, make_endpoint, make_event, make_source
from tests.outgoing.consumer import Consumer, running_consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = conf.load({"ALLOWED_SUBNETS": ["127.0.0.0/8"], "LEASE": 30})


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with running_consumer() as running:
        yield running


@pytest.fixture
def ran() -> Iterator[list[str]]:
    """The events that a handler saw, in order."""
    seen: list[str] = []

    @hookline.handler("stripe")
    def note(event: Event) -> None:
        seen.append(event.public_id)

    yield seen
    forget(note)


def process_due(settings: conf.Settings, on_more: Callable[[], None]) -> None:
    kind_of(Event, settings).share(on_more)


def send_due(settings: conf.Settings, on_more: Callable[[], None]) -> None:
    kind_of(Delivery, settings).share(on_more)


def states(model: Any) -> set[str]:
    return set(model.objects.values_list("state", flat=True))


def test_one_task_processes_all_that_is_due_and_asks_for_help_with_a_full_batch(
    ran: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threaded, "BATCH", 10)
    first, second = make_source("stripe"), make_source("stripe")
    due = [make_event(source).public_id for source in [first] * 13 + [second] * 12]
    process_due(SETTINGS, lambda: asked.append("more"))
    assert sorted(ran) == sorted(due)
    assert states(Event) == {State.SUCCEEDED}
    assert asked


def test_a_task_without_work_asks_for_nothing(ran: list[str], asked: list[str]) -> None:
    process_due(SETTINGS, lambda: asked.append("more"))
    send_due(SETTINGS, lambda: asked.append("more"))
    assert (ran, asked) == ([], [])


def test_a_task_whose_time_is_up_asks_for_another_one(
    ran: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threaded, "SHARE", 0.0)
    make_event(make_source("stripe"))
    process_due(SETTINGS, lambda: asked.append("more"))
    assert (ran, asked) == ([], ["more"])


def test_what_waits_behind_a_handler_that_takes_long_is_given_back_and_its_try_not_counted(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threaded, "PATIENCE", 0.05)
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite the handler's transaction keeps all others from writing")
    source = make_source("stripe")
    given_back = threading.Event()

    @hookline.handler("stripe")
    def slow(event: Event) -> None:
        assert given_back.wait(20)

    def on_more() -> None:
        asked.append("more")
        if Event.objects.filter(state=State.PENDING, attempts=0, claim=1).count() == 2:
            given_back.set()

    for _ in range(3):
        make_event(source)
    try:
        process_due(SETTINGS, on_more)
    finally:
        forget(slow)
    assert asked
    assert states(Event) == {State.SUCCEEDED}
    assert sorted(Event.objects.values_list("claim", "attempts")) == [(1, 1), (2, 1), (2, 1)]


def test_a_handler_that_fails_is_tried_again_later_and_stops_nothing(ran: list[str], asked: list[str]) -> None:
    @hookline.handler("stripe", "bad")
    def fail(event: Event) -> None:
        raise ZeroDivisionError

    source = make_source("stripe")
    bad = make_event(source, type="bad")
    good = make_event(source)
    try:
        process_due(SETTINGS, lambda: asked.append("more"))
    finally:
        forget(fail)
    bad.refresh_from_db()
    assert (bad.state, bad.attempts) == (State.PENDING, 1)
    assert good.public_id in ran
    assert Event.objects.get(pk=good.pk).state == State.SUCCEEDED


def test_one_task_sends_all_that_is_due_over_one_endpoint_and_many(
    consumer: Consumer, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "SHARE", 60.0)  # on a busy machine all of it takes longer than a task goes on
    deep, other = make_endpoint(consumer.url("/deep")), make_endpoint(consumer.url("/other"))
    for _ in range(60):
        make_delivery(deep)
    make_delivery(other)
    send_due(SETTINGS, lambda: asked.append("more"))
    assert states(Delivery) == {State.SUCCEEDED}
    assert Attempt.objects.count() == 61
    assert len({arrival.id for arrival in consumer.arrivals}) == 61
    assert all(arrival.genuine for arrival in consumer.arrivals)


def test_a_delivery_that_fails_is_tried_again_later(consumer: Consumer, asked: list[str]) -> None:
    consumer.script = lambda _arrival: 503
    delivery = make_delivery(make_endpoint(consumer.url()))
    send_due(SETTINGS, lambda: asked.append("more"))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.PENDING, 1)
    assert len(consumer.arrivals) == 1
    assert asked == []


def test_deliveries_to_an_endpoint_that_was_suspended_wait(consumer: Consumer, asked: list[str]) -> None:
    make_delivery(make_endpoint(consumer.url(), disabled=True))
    send_due(SETTINGS, lambda: asked.append("more"))
    assert (consumer.arrivals, states(Delivery)) == ([], {State.PENDING})


def test_the_sweep_takes_back_what_a_dead_worker_had_and_asks_for_both_tasks(asked: list[Any]) -> None:
    event = make_event(make_source("stripe"))
    delivery = make_delivery(make_endpoint())
    engine.claim(Event, 1, lease=0.001)
    engine.claim(Delivery, 1, lease=0.001)

    def swept() -> bool:
        sweep(SETTINGS, asked.append)
        return states(Event) | states(Delivery) == {State.PENDING}

    wait_until(swept)
    assert [model for model in asked if model in (Event, Delivery)][:2] == [Event, Delivery]
    event.refresh_from_db()
    delivery.refresh_from_db()
    assert (event.attempts, delivery.attempts) == (0, 0)  # neither had begun


def test_the_sweep_prunes_history(asked: list[Any]) -> None:
    old = uuid7(int((time.time() - 100 * 86400) * 1e9), bytes(8))
    make_event(make_source("stripe"), id=old, state=State.SUCCEEDED, finished_at=ago(99 * 86400))
    # A retention of its own, because the sweeps of a process remember how far they have come.
    sweep(replace(SETTINGS, RETENTION=98 * 86400), asked.append)
    assert not Event.objects.exists()


def test_each_task_takes_back_what_a_dead_worker_had_and_asks_for_another_one(
    ran: list[str], consumer: Consumer, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "wake", asked.append)
    make_event(make_source("stripe"))
    make_delivery(make_endpoint(consumer.url()))
    for model, name in ((Event, "hookline.process_events"), (Delivery, "hookline.send_deliveries")):
        engine.claim(model, 1, lease=0.001)

        def taken_back(model: Any = model, name: str = name) -> bool:
            app_or_default().tasks[name]()
            return states(model) == {State.PENDING}

        wait_until(taken_back)
        assert asked == [model]
        asked.clear()
    assert (ran, consumer.arrivals) == ([], [])


def test_a_result_that_the_database_does_not_take_is_recorded_later_and_the_request_not_made_again(
    consumer: Consumer, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_writer, "DATABASE_PAUSE", 0.001)
    monkeypatch.setattr(result_writer, "record", failing_twice(record))
    make_delivery(make_endpoint(consumer.url()))
    send_due(SETTINGS, lambda: asked.append("more"))
    assert (states(Delivery), Attempt.objects.count(), len(consumer.arrivals)) == ({State.SUCCEEDED}, 1, 1)


def failing_twice(write: Callable[[Sequence[Result]], Any]) -> Callable[[Sequence[Result]], Any]:
    failures = iter([OperationalError("the server closed the connection"), InterfaceError("the connection is closed")])

    def may_fail(results: Sequence[Result]) -> Any:
        for failure in failures:
            raise failure
        return write(results)

    return may_fail


def test_the_tasks_are_acknowledged_late_and_keep_no_results() -> None:
    registered = {
        "hookline.process_events": tasks.TASKS[Event],
        "hookline.send_deliveries": tasks.TASKS[Delivery],
        "hookline.sweep": tasks.sweep,
    }
    for name, task in registered.items():
        assert task is not None
        found = app_or_default().tasks[name]
        assert (found.acks_late, found.reject_on_worker_lost, found.ignore_result) == (True, True, True)


def test_beat_starts_the_sweep_as_often_as_it_is_told() -> None:
    assert beat_schedule(every=7) == {"hookline.sweep": {"task": "hookline.sweep", "schedule": 7}}


def test_deliveries_that_may_have_crashed_a_worker_are_noted_before_they_are_sent_one_at_a_time(
    consumer: Consumer, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_endpoint(consumer.url())
    suspects = {make_delivery(endpoint, crashes=2).pk for _ in range(3)}
    others = {make_delivery(endpoint, crashes=1).pk for _ in range(3)}
    noted: list[set[Any]] = []
    begin = engine_settle.begin

    def note(deliveries: Sequence[Any], **how: Any) -> Any:
        if deliveries:
            noted.append({delivery.pk for delivery in deliveries})
            running = Delivery.objects.filter(state=State.RUNNING, begun_at__isnull=False)
            assert not running.exists()  # the suspect before this one is done
        return begin(deliveries, **how)

    monkeypatch.setattr(engine_settle, "begin", note)
    send_due(SETTINGS, lambda: asked.append("more"))
    assert states(Delivery) == {State.SUCCEEDED}
    assert sorted(map(sorted, noted)) == sorted([pk] for pk in suspects)
    assert not others & {pk for found in noted for pk in found}
    assert set(Delivery.objects.values_list("attempts", "crashes")) == {(1, 0)}
