"""Deliveries of messages that are posted come claimed to a sender with places, of this process or of a sibling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test.utils import override_settings

from hookline import conf
from hookline.db.row import new_id
from hookline.engine import giving, handover
from hookline.engine import leases as leases_module
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.kind import kind_of
from hookline.outgoing.models import Delivery
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.posting import Outcome, Post, post
from hookline.runtime.siblings import Siblings
from hookline.tenants.models import resolve
from tests.costs import counted
from tests.engine.rows import make_delivery, make_endpoint
from tests.outgoing.consumer import Consumer, running_consumer
from tests.siblings import WAYS, giving_by, reserved
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = 7


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with running_consumer() as running:
        yield running


@pytest.fixture(params=WAYS)
def siblings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Siblings | None]:
    with giving_by(request.param, Delivery, monkeypatch) as made:
        yield made


@contextmanager
def sending() -> Iterator[Any]:
    """A sender that polls once a minute, has looked, and so claims nothing unless it is notified."""
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}):
        kind = kind_of(Delivery, replace(conf.get(), POLL=60))
        sender: Any = replace(kind, worker_number=lambda: NUMBER).worker(None)
        sender.start()
        try:
            wait_until(lambda: sender._leases.drained and reserved(Delivery) and handover.places(Delivery))
            yield sender
        finally:
            sender.stop(10)


def posted(*bodies: bytes) -> list[Outcome]:
    tenant = resolve(None)
    return [one.outcome for one in post([Post(Draft(new_id(), "a.b", [], body, None), tenant.pk) for body in bodies])]


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def test_they_are_sent_without_a_claim(
    siblings: Siblings | None, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = counted(monkeypatch, leases_module, "claim")
    make_endpoint(consumer.url(), event_types=["a.b"])
    make_endpoint(consumer.url(), event_types=["a.b"])
    with sending():
        claims.clear()
        for number in range(3):
            assert posted(b'{"first": %d}' % number, b'{"second": %d}' % number) == [Outcome.NEW] * 2
            wait_until(lambda expected=4 * (number + 1): states() == {State.SUCCEEDED: expected})  # type: ignore[misc]
            wait_until(lambda: reserved(Delivery))
        assert claims == []
    assert set(Delivery.objects.values_list("claim", "attempts", "worker")) == {(1, 1, NUMBER)}
    assert Counter(arrival.body for arrival in consumer.arrivals) == {
        body % number: 2 for number in range(3) for body in (b'{"first": %d}', b'{"second": %d}')
    }


def test_what_a_claim_has_to_decide_about_is_left_to_one(siblings: Siblings | None, consumer: Consumer) -> None:
    make_endpoint(consumer.url(), event_types=["a.b"], order_by="$.data.id")
    waiting = make_endpoint(consumer.url(), event_types=["a.b"])
    with sending():
        make_delivery(waiting)
        assert posted(b'{"data": {"id": 1}}') == [Outcome.NEW]
        wait_until(lambda: states() == {State.SUCCEEDED: 3})


def test_a_sender_that_has_stopped_gives_back_what_comes(siblings: Siblings | None, consumer: Consumer) -> None:
    with sending():
        receiver = giving.receiver_of(Delivery)
        assert receiver is not None
    make_delivery(make_endpoint(consumer.url()))
    receiver.take(claim(Delivery, 1, lease=60, worker=NUMBER))
    assert set(Delivery.objects.values_list("state", "attempts")) == {(State.PENDING, 0)}
    assert (giving.reserve(Delivery, 1), giving.receiver_of(Delivery)) == (None, None)
    assert consumer.arrivals == []
