"""Deliveries that are made claimed, for a worker that has granted it; and those that are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from hookline import dispatch
from hookline.db.row import new_id
from hookline.engine.grant import Grant
from hookline.engine.handover import HandOver, offer, withdraw
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.outgoing.born import given
from hookline.outgoing.models import Delivery, Endpoint
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.store import store_alone, store_many
from hookline.tenants.models import Tenant
from tests.engine.rows import make_delivery, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


class Worker:
    """One that takes over what is made for it, and keeps it here."""

    lease, worker = 60.0, 7

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken: list[Delivery] = []

    def expect(self, claimed: Any) -> None:
        """Nothing is lost here."""

    def may_have_missed(self) -> None:
        raise AssertionError("nothing is lost here")

    def claim(self, made_for: Any) -> Any:
        raise AssertionError("it is made claimed, so that nobody has to claim it")

    def take(self, claimed: Any) -> None:
        self.taken.extend(claimed)


def published(*drafts: Draft, places: int = 10) -> list[Delivery]:
    """What was made claimed of these messages of the default tenant."""
    worker = Worker(places)
    offer(Delivery, worker)
    tenant = Tenant.objects.get(key="default")
    try:
        with transaction.atomic(), HandOver(connections["default"]) as handed:
            handed.end()
            store_many([(draft, tenant.pk) for draft in drafts])
        handed.give()
    finally:
        withdraw(Delivery)
    return worker.taken


def draft(**more: Any) -> Draft:
    return Draft(new_id(), "invoice.paid", [], b'{"data": 1}', **more)


def state_of(delivery: Delivery) -> tuple[str, int, int, int | None]:
    found = Delivery.objects.get(pk=delivery.pk)
    return found.state, found.claim, found.attempts, found.worker


def test_it_is_as_if_it_were_claimed_and_whole() -> None:
    endpoint = make_endpoint("https://a.example/hook")
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    [delivery] = published(draft(expires_at=expires_at))
    assert state_of(delivery) == (State.RUNNING, 1, 1, 7)
    assert delivery == Delivery.objects.get()
    stored = Delivery.objects.get()
    for field in Delivery._meta.concrete_fields:
        assert getattr(delivery, field.attname) == getattr(stored, field.attname), field
    assert stored.lease_until is not None
    left = stored.lease_until - datetime.now(UTC)
    assert timedelta(seconds=30) < left <= timedelta(seconds=61)
    message = delivery.message
    assert (bytes(message.body), message.type, message.expires_at) == (b'{"data": 1}', "invoice.paid", expires_at)
    assert (delivery.endpoint.url, delivery.endpoint.secrets.current) == (endpoint.url, endpoint.secrets.current)
    assert settle([(delivery, Settlement.succeed())]) == {delivery.id}


def test_no_more_are_claimed_than_there_are_places() -> None:
    for _ in range(3):
        make_endpoint()
    taken = published(draft(), draft(), places=4)
    assert len(taken) == 4
    assert sorted(map(state_of, Delivery.objects.all())) == [
        *[(State.PENDING, 0, 0, None)] * 2,
        *[(State.RUNNING, 1, 1, 7)] * 4,
    ]
    assert {delivery.pk for delivery in taken} == set(
        Delivery.objects.filter(state=State.RUNNING).values_list("pk", flat=True)
    )


@pytest.mark.parametrize(
    "decided",
    [
        {"lane_rate": 1000.0},
        {"lane_at_once": 5},
        {"lane_slow_rate": 1.0, "lane_slow_at": 1.0},
        {"order_by": "$.data"},
        {"sequenced": True},
        {"held_until": datetime(2100, 1, 1, tzinfo=UTC)},
        {"filter": "@.data > 0", "lane_rate": 1000.0},
    ],
    ids=lambda decided: next(iter(decided)),
)
def test_where_a_claim_has_something_to_decide_it_stays_pending(decided: dict[str, Any]) -> None:
    free, endpoint = make_endpoint(), make_endpoint()
    Endpoint.objects.filter(pk=endpoint.pk).update(**decided)
    assert [delivery.endpoint_id for delivery in published(draft())] == [free.pk]
    assert state_of(endpoint.deliveries.get()) == (State.PENDING, 0, 0, None)


def test_what_passes_a_filter_takes_the_places_that_are_left() -> None:
    plain, passing, failing = make_endpoint(), make_endpoint(filter="@.data > 0"), make_endpoint(filter="@.data > 1")
    taken = published(draft(), draft(), places=3)
    assert [delivery.endpoint_id for delivery in taken] == [plain.pk, plain.pk, passing.pk]
    assert sorted(map(state_of, passing.deliveries.all())) == [(State.PENDING, 0, 0, None), (State.RUNNING, 1, 1, 7)]
    assert [bytes(delivery.message.body) for delivery in taken] == [b'{"data": 1}'] * 3
    assert [delivery.endpoint.url for delivery in taken] == [plain.url, plain.url, passing.url]
    assert not failing.deliveries.exists()


def test_what_is_throttled_with_its_tenant_or_due_later_stays_pending() -> None:
    endpoint = make_endpoint()
    assert published(draft(deliver_at=datetime.now(UTC) + timedelta(hours=1))) == []
    assert len(published(draft())) == 1  # what is due later holds back nothing
    Tenant.objects.update(throttle_rate=1000)
    assert published(draft()) == []
    assert endpoint.deliveries.filter(state=State.PENDING).count() == 2


def test_a_disabled_endpoint_gets_nothing() -> None:
    make_endpoint(disabled=True)
    assert published(draft()) == []
    assert not Delivery.objects.exists()


def test_what_waits_already_goes_first() -> None:
    busy, free = make_endpoint(), make_endpoint()
    make_delivery(busy)
    assert [delivery.endpoint_id for delivery in published(draft())] == [free.pk]


def test_what_is_made_before_the_end_of_the_transaction_stays_pending() -> None:
    make_endpoint()
    worker = Worker(10)
    offer(Delivery, worker)
    try:
        with transaction.atomic(), HandOver(connections["default"]):
            dispatch("invoice.paid", {})
    finally:
        withdraw(Delivery)
    assert [one.state for one in Delivery.objects.all()] == [State.PENDING]


def test_a_message_that_is_written_alone_returns_what_was_made_claimed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite nothing is written alone")
    make_endpoint()
    tenant = Tenant.objects.get(key="default")
    first, second = draft(), draft(request_key=new_id())
    written = store_alone([(first, tenant.pk), (second, tenant.pk)], Grant(1, 60.0, None))
    assert (set(written.times), written.deliveries) == ({first.id, second.id}, 2)
    assert [one.message_id for one in given(written.to_give)] == [first.id]
    assert state_of(given(written.to_give)[0]) == (State.RUNNING, 1, 1, None)
