"""Several events in one transaction, each in a savepoint of its own (EVENTS_PER_TRANSACTION)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test.utils import override_settings

from hookline import Discard, conf, dispatch, signals
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.models import Message
from hookline.telemetry.courier import courier
from tests.edges.conftest import Register
from tests.engine.rows import make_event, make_source
from tests.waiting import wait_until
from tests.workers import events_worker


@pytest.fixture
def events(transactional_db: None) -> list[Event]:
    """Five claimed events of the types a, b, c, d, e."""
    source = make_source("stripe")
    for event_type in "abcde":
        make_event(source, type=event_type)
    return claim(Event, 5, lease=60)


@pytest.fixture
def without_retries() -> Iterator[None]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": []}):
        yield


def states() -> dict[str, str]:
    return dict(Event.objects.values_list("type", "state"))


def written() -> set[str]:
    return set(Group.objects.values_list("name", flat=True))


def test_one_that_fails_and_one_that_is_discarded_leave_nothing_and_the_others_take_effect(
    events: list[Event], handler: Register, without_retries: None
) -> None:
    dead: list[str] = []

    def died(event: Event, **more: Any) -> None:
        dead.append(event.type)

    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name=event.type)
        dispatch("effect", {"event": event.type})
        if event.type == "b":
            raise ValueError("broken")
        if event.type == "c":
            raise SystemExit
        if event.type == "d":
            raise Discard("not wanted")

    signals.event_dead.connect(died)
    try:
        process.run_all(events)
        assert courier.drain(10)
    finally:
        signals.event_dead.disconnect(died)
    assert states() == {"a": "succeeded", "b": "dead", "c": "dead", "d": "cancelled", "e": "succeeded"}
    assert written() == {"a", "e"}
    assert {message.json["data"]["event"] for message in Message.objects.all()} == {"a", "e"}
    assert dead == ["b", "c"]


@pytest.mark.parametrize("together", [True, False])
def test_a_handler_that_swallowed_an_error_of_the_database_is_a_failure_because_its_writes_are_gone(
    events: list[Event], handler: Register, without_retries: None, together: bool
) -> None:
    """Django can only roll back to the savepoint then; to call that done would lose what the handler wrote."""
    Group.objects.create(name="taken")

    @handler("stripe")
    def swallow(event: Event) -> None:
        Group.objects.create(name=event.type)
        if event.type == "b":
            with suppress(IntegrityError):
                Group.objects.create(name="taken")

    if together:
        process.run_all(events)
    else:
        for event in events:
            process.run_all([event])
    assert states() == {"a": "succeeded", "b": "dead", "c": "succeeded", "d": "succeeded", "e": "succeeded"}
    assert written() == {"taken", "a", "c", "d", "e"}


def test_when_one_was_lost_to_another_worker_the_others_take_effect_once(
    events: list[Event], handler: Register
) -> None:
    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name=event.type)

    Event.objects.filter(type="c").update(claim=7)
    process.run_all(events)
    assert states() == {"a": "succeeded", "b": "succeeded", "c": "running", "d": "succeeded", "e": "succeeded"}
    assert written() == {"a", "b", "d", "e"}


def test_what_a_handler_left_to_do_after_the_commit_may_fail_without_undoing_any_event(
    events: list[Event], handler: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ConnectionError("the mail server is away")

    calls: list[str] = []

    @handler("stripe")
    def write(event: Event) -> None:
        calls.append(event.type)
        Group.objects.create(name=event.type)
        if event.type == "b":
            transaction.on_commit(fail)

    process.run_all(events)
    assert set(states().values()) == {State.SUCCEEDED}
    assert sorted(calls) == ["a", "b", "c", "d", "e"]
    assert "the mail server is away" in caplog.text


def test_a_worker_with_batches_gives_every_event_one_effect(handler: Register, transactional_db: None) -> None:
    source = make_source("stripe")
    for _ in range(100):
        make_event(source)

    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("effect", {"event": event.public_id})

    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENTS_PER_TRANSACTION": 8}):
        worker = events_worker(conf.get(), threads=2)
        worker.start()
        wait_until(lambda: Event.objects.filter(state=State.SUCCEEDED).count() == 100, 30)
        worker.stop(10)
    assert len({message.json["data"]["event"] for message in Message.objects.all()}) == Message.objects.count() == 100
