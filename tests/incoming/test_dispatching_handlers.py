"""What the handlers of a batch dispatch is written together, and only for those events that are processed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connections, transaction

from hookline import dispatch
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.models import Delivery, Message
from hookline.outgoing.publish import dispatch as publishing
from hookline.outgoing.publish.store import store, store_many, store_with
from tests.edges.conftest import Register
from tests.engine.rows import make_endpoint, make_event, make_source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each statement wrote."""
    counted: list[int] = []

    def one(draft: Any, tenant: Any) -> Any:
        counted.append(1)
        return store(draft, tenant)

    def many(drafts: Any) -> Any:
        counted.append(len(drafts))
        return store_many(drafts)

    def with_change(drafts: Any, change: Any, *, alone: bool) -> Any:
        counted.append(len(drafts))
        return store_with(drafts, change, alone=alone)

    monkeypatch.setattr(publishing, "store", one)
    monkeypatch.setattr(publishing, "store_many", many)
    monkeypatch.setattr(publishing, "store_with", with_change)
    return counted


def events(count: int) -> list[Event]:
    source = make_source("stripe")
    for number in range(count):
        make_event(source, type=f"e{number}")
    return claim(Event, count, lease=60)


def sent() -> list[str]:
    return sorted(message.json["data"] for message in Message.objects.all())


def test_a_batch_that_dispatches_writes_its_messages_by_one_statement(handler: Register, writes: list[int]) -> None:
    endpoint = make_endpoint()

    @handler("stripe")
    def announce(event: Event) -> None:
        assert dispatch("announced", event.type).public_id.startswith("msg_")
        dispatch("again", event.type)

    batch = events(10)
    process.run_all(batch)
    assert writes == [20]
    assert sent() == sorted([event.type for event in batch] * 2)
    assert (endpoint.deliveries.count(), Event.objects.filter(state=State.SUCCEEDED).count()) == (20, 10)


def test_a_lone_event_that_dispatches_writes_once(handler: Register, writes: list[int]) -> None:
    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("announced", event.type)

    process.run_all(events(1))
    assert (sent(), writes) == (["e0"], [1])


def test_what_a_failing_handler_dispatched_is_dropped_with_what_it_wrote(handler: Register) -> None:
    make_endpoint()

    @handler("stripe")
    def announce(event: Event) -> None:
        Group.objects.create(name=event.type)
        dispatch("announced", event.type)
        with transaction.atomic():
            dispatch("announced", f"{event.type} inner")
        if event.type in ("e0", "e3", "e5"):
            raise LookupError(event.type)

    process.run_all(events(6))
    assert sent() == ["e1", "e1 inner", "e2", "e2 inner", "e4", "e4 inner"]
    assert set(Group.objects.values_list("name", flat=True)) == {"e1", "e2", "e4"}
    assert Delivery.objects.count() == 6
    assert Event.objects.filter(state=State.SUCCEEDED).count() == 3


@pytest.mark.parametrize("count", [1, 4])
def test_where_the_messages_cannot_be_written_no_event_is_processed_for_it(
    handler: Register, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    failures = [OperationalError("the disk is full")] * 2

    def failing(drafts: Any) -> Any:
        if failures:
            raise failures.pop()
        return store_many(drafts)

    def failing_with(drafts: Any, change: Any, *, alone: bool) -> Any:
        if failures:
            raise failures.pop()
        return store_with(drafts, change, alone=alone)

    monkeypatch.setattr(publishing, "store_many", failing)
    monkeypatch.setattr(publishing, "store_with", failing_with)

    @handler("stripe")
    def announce(event: Event) -> None:
        Group.objects.create(name=event.type)
        for number in range(3):
            dispatch("announced", f"{event.type} {number}")

    process.run_all(events(count))
    done = set(Event.objects.filter(state=State.SUCCEEDED).values_list("type", flat=True))
    assert len(done) == count - 1
    assert set(Group.objects.values_list("name", flat=True)) == done
    assert sent() == sorted(f"{event_type} {number}" for event_type in done for number in range(3))


def test_what_a_handler_leaves_to_do_after_the_commit_dispatches_for_itself(handler: Register) -> None:
    def publish(data: str) -> None:
        dispatch("after", data)

    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("announced", event.type)
        transaction.on_commit(partial(publish, f"{event.type} after"))

    process.run_all(events(3))
    assert sent() == ["e0", "e0 after", "e1", "e1 after", "e2", "e2 after"]
    connections.close_all()
