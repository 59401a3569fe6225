"""What handlers dispatch, and the settlement of their events, are one statement on PostgreSQL where that is enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import F

from hookline import dispatch
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.postgres_notify import notifying_later
from hookline.exceptions import LeaseLost
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.tenants.models import Tenant
from tests.edges.conftest import Register
from tests.engine.rows import make_endpoint, make_event, make_source
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)


def events(count: int = 1) -> list[Event]:
    """As a worker has them: with their sources."""
    source = make_source("stripe")
    for number in range(count):
        make_event(source, type=f"e{number}")
    claimed = claim(Event, count, lease=60)
    process.fetch_sources(claimed)
    return claimed


def trips(tmp_path: Path, count: int = 1) -> int:
    """Round trips of a run, once its statements are prepared."""
    for _ in range(4):
        process.run_all(events(count))
    claimed = events(count)
    with notifying_later(lambda _: None):
        return round_trips(lambda: process.run_all(claimed), tmp_path / "trace")


def only_dispatches(event: Event) -> None:
    dispatch("effect", event.type)


def does_nothing(_: Event) -> None:
    """As a handler that calls another system."""


def writes(event: Event) -> None:
    Group.objects.create(name=event.public_id)
    dispatch("effect", event.type)


@pytest.mark.parametrize(
    ("handle", "count", "expected"),
    [
        (only_dispatches, 1, 1),
        (does_nothing, 1, 1),
        (only_dispatches, 10, 3),  # BEGIN, COMMIT
        (writes, 1, 4),
    ],
)
def test_round_trips_of_a_run(
    handle: Callable[[Event], None], count: int, expected: int, handler: Register, tmp_path: Path
) -> None:
    make_endpoint()
    handler("stripe")(handle)
    if connection.vendor == "postgresql":
        assert trips(tmp_path, count) == expected
    else:
        process.run_all(events(count))
    assert set(Event.objects.values_list("state", flat=True)) == {State.SUCCEEDED}
    dispatched = 0 if handle is does_nothing else Event.objects.count()
    assert Message.objects.count() == Delivery.objects.count() == dispatched


def test_where_a_project_watches_what_is_said_the_transaction_is_begun_and_committed(
    handler: Register, tmp_path: Path
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite it always is")
    handler("stripe")(only_dispatches)
    with connection.execute_wrapper(lambda execute, *query: execute(*query)):
        assert trips(tmp_path) == 3


def test_a_lease_that_was_lost_leaves_nothing(handler: Register) -> None:
    make_endpoint()
    handler("stripe")(only_dispatches)
    [event] = events()
    Event.objects.update(claim=F("claim") + 1)
    with pytest.raises(LeaseLost):
        process.run(event)
    assert not Message.objects.exists()
    assert not Delivery.objects.exists()
    assert Event.objects.get().state == State.RUNNING


def test_of_a_batch_with_a_lost_lease_the_others_are_processed(handler: Register) -> None:
    make_endpoint()
    handler("stripe")(only_dispatches)
    batch = events(3)
    Event.objects.filter(pk=batch[1].pk).update(claim=F("claim") + 1)
    process.run_all(batch)
    kept = [batch[0].type, batch[2].type]
    assert sorted(message.json["data"] for message in Message.objects.all()) == sorted(kept)
    assert set(Event.objects.filter(state=State.SUCCEEDED).values_list("type", flat=True)) == set(kept)


@pytest.mark.parametrize("count", [1, 2])
def test_nothing_is_dispatched_to_a_tenant_that_was_deleted_since_the_claim(count: int, handler: Register) -> None:
    make_endpoint()
    handler("stripe")(only_dispatches)
    batch = events(count)
    Tenant.objects.update(deleted_at=datetime.now(UTC))
    process.run_all(batch)
    assert set(Event.objects.values_list("state", flat=True)) == {State.PENDING}
    assert Message.objects.count() == Delivery.objects.count() == 0


def test_a_tenant_that_is_gone_since_the_claim_leaves_no_settlement_either(handler: Register) -> None:
    other = Tenant.objects.create(key="other")

    @handler("stripe")
    def announce(_: Event) -> None:
        dispatch("effect", {}, tenant="other")

    process.run_all(events())
    assert Message.objects.count() == 1
    [event] = events()
    other.deleted_at = datetime.now(UTC)
    other.save()
    event.source.tenant = other  # as it was read
    event.source.tenant.deleted_at = None
    process.run_all([event])
    found = Event.objects.get(pk=event.pk)
    assert (found.state, Message.objects.count()) == (State.PENDING, 1)
    assert "was deleted meanwhile" in found.note


def test_filters_are_asked_all_the_same(handler: Register) -> None:
    plain, passing, other = (make_endpoint() for _ in range(3))
    Endpoint.objects.filter(pk=passing.pk).update(filter="@.data.n > 1")
    Endpoint.objects.filter(pk=other.pk).update(filter="@.data.n > 5")
    handler("stripe")(lambda _: dispatch("effect", {"n": 2}))
    process.run_all(events())
    assert set(Delivery.objects.values_list("endpoint", flat=True)) == {plain.pk, passing.pk}
    assert Event.objects.get().state == State.SUCCEEDED


def test_what_is_left_to_do_after_the_commit_finds_it_committed(handler: Register) -> None:
    seen: list[Any] = []

    def look() -> None:
        with connection.copy().cursor() as cursor:  # another one, which sees what is committed
            cursor.execute("SELECT count(*) FROM hookline_message")
            seen.append(cursor.fetchone()[0])
            cursor.db.close()

    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("effect", event.type)
        transaction.on_commit(look)

    if connection.vendor == "sqlite":
        pytest.skip("the database of these tests may be in memory")
    process.run_all(events())
    assert seen == [1]
    assert connection.get_autocommit()


def test_a_handler_that_fails_after_it_dispatched_leaves_nothing(handler: Register) -> None:
    make_endpoint()

    @handler("stripe")
    def fails(event: Event) -> None:
        dispatch("effect", event.type)
        raise ValueError("made up")

    process.run_all(events())
    assert not Message.objects.exists()
    assert Event.objects.get().state == State.PENDING
