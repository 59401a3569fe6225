"""What crosses to the event loop is values, and what may not be sent is given back without an attempt."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import models
from django.db.models.functions import Now
from django.test.utils import override_settings

from hookline import conf, dispatch, dispatch_many
from hookline.db.inflow import Inflow
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.leases import Leases
from hookline.outgoing.deliver import claim_pace, load, loop
from hookline.outgoing.deliver.attempt import deliver
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Attempt, Delivery, Endpoint
from hookline.testing import StubTransport, deliver_all
from tests.engine.rows import make_delivery, make_endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import Consumer
from tests.waiting import wait_until
from tests.workers import deliveries_worker

pytestmark = pytest.mark.django_db(transaction=True)


def parts(value: Any) -> Iterator[Any]:
    """The value and all that it holds."""
    yield value
    inner: list[Any] = []
    if dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        inner = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner = list(value)
    for one in inner:
        yield from parts(one)


def test_no_model_crosses_to_the_event_loop(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that was not read would ask the database there, which Django refuses: a lost try."""
    crossed: list[Any] = []

    async def seen(*arguments: Any) -> Any:
        crossed.append(arguments[0])
        result = await deliver(*arguments)
        crossed.append(result)
        return result

    monkeypatch.setattr(loop, "deliver", seen)
    make_endpoint(consumer.url(), metadata={"customer": "acme"})
    dispatch("invoice.paid", {})
    with sending():
        wait_until(lambda: Delivery.objects.filter(state=State.SUCCEEDED).count() == 1)
    assert len(crossed) == 2
    for value in crossed:
        held = list(parts(value))
        assert len(held) > 5
        assert not [one for one in held if isinstance(one, models.Model)]


def test_an_outbound_delivery_cannot_be_changed_and_shows_no_secret() -> None:
    endpoint = make_endpoint("https://consumer.example/hook")
    message = dispatch("invoice.paid", {"id": 7})
    (outbound,), put_off = load.prepare(claim(Delivery, 1, lease=60), Signers(), time.time())
    assert put_off == []
    assert (outbound.url, outbound.message_id) == ("https://consumer.example/hook", message.public_id)
    assert (outbound.body, outbound.endpoint_id, outbound.attempts) == (bytes(message.body), endpoint.pk, 1)
    assert outbound.public_id == Delivery.objects.get().public_id
    with pytest.raises(dataclasses.FrozenInstanceError):
        outbound.to.url = "https://elsewhere.example"  # type: ignore[misc]  # that is the point
    with pytest.raises(AttributeError):
        outbound.url = "https://elsewhere.example"  # type: ignore[misc]  # as above
    assert "signer" not in repr(outbound)


def test_a_delivery_whose_endpoint_was_disabled_after_the_claim_is_given_back_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    going, staying = make_endpoint("https://going.example"), make_endpoint("https://staying.example")
    dispatch("invoice.paid", {})
    real = load.with_parts

    def disable_first(deliveries: Any) -> Any:
        endpoint = Endpoint.objects.get(pk=going.pk)
        endpoint.disable("by a person")
        endpoint.save()
        return real(deliveries)

    monkeypatch.setattr(load, "with_parts", disable_first)
    leases = Leases(Delivery, lease=60, per_lane=10, longest_run=60)
    claimed = load.claim(leases, 10, Signers())
    assert (claimed.count, [outbound.endpoint_id for outbound in claimed.to_send]) == (2, [staying.pk])
    delivery = Delivery.objects.get(endpoint=going)
    assert (delivery.state, delivery.attempts, delivery.note) == (State.PENDING, 0, "the endpoint is disabled")
    assert len(leases) == 1
    assert claim(Delivery, 10, lease=60) == []


def test_the_helper_for_users_tests_sends_by_the_same_steps_as_a_worker() -> None:
    held, good = make_endpoint("https://held.example"), make_endpoint("https://good.example")
    dispatch("invoice.paid", {})
    Endpoint.objects.filter(pk=held.pk).update(disabled=True)  # past `save()`, so the claim does not see it
    consumer = StubTransport()
    deliver_all(consumer)
    assert [sent.url for sent in consumer.sent] == ["https://good.example"]
    assert Delivery.objects.get(endpoint=held).note == "the endpoint is disabled"
    assert Attempt.objects.get().delivery.endpoint == good


def test_a_secret_that_cannot_sign_is_an_attempt_and_holds_up_no_other(consumer: Consumer, sending: Sending) -> None:
    bad, good = make_endpoint(consumer.url("/bad"), "whsec_!!!!"), make_endpoint(consumer.url("/good"))
    dispatch("invoice.paid", {})
    with sending():
        wait_until(lambda: Attempt.objects.count() == 2)
    assert [arrival.path for arrival in consumer.arrivals] == ["/good"]
    attempt = Attempt.objects.get(delivery__endpoint=bad)
    assert (attempt.error, attempt.detail.startswith("cannot sign for this endpoint")) == ("invalid_request", True)
    assert Delivery.objects.get(endpoint=good).state == State.SUCCEEDED


def test_a_sender_has_all_its_attributes_before_it_starts_and_an_idle_one_stops_at_once() -> None:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "POLL": 60}):
        sender = deliveries_worker(conf.get())
        before = {name for name in vars(sender) if name not in vars(threading.Thread())}
        sender.start()
        wait_until(lambda: any("hookline-claim-delivery" in thread.name for thread in threading.enumerate()))
        assert {name for name in vars(sender) if name not in vars(threading.Thread())} == before
        started = time.monotonic()
        sender.stop(20)
        assert not sender.is_alive()
        assert time.monotonic() - started < 10


def test_what_comes_while_more_gathers_is_sent_though_nobody_looks_again(consumer: Consumer, sending: Sending) -> None:
    make_endpoint(consumer.url())
    with sending(POLL=3600):
        for several in range(1, 5):
            dispatch_many([("invoice.paid", {"n": number}) for number in range(20)])
            wait_until(lambda expected=several * 21 - 20: len(consumer.arrivals) >= expected)  # type: ignore[misc]
            dispatch("invoice.paid", {"n": 20})
            wait_until(lambda expected=several * 21: len(consumer.arrivals) == expected)  # type: ignore[misc]
    assert len({arrival.headers["webhook-id"] for arrival in consumer.arrivals}) == 84


class HighInflow(Inflow):
    """High until it is told that it has ended; knows how often somebody looked."""

    def __init__(self) -> None:
        super().__init__()
        self.looks, self.ended = 0, False

    @property
    def is_high(self) -> bool:
        self.looks += 1
        return not self.ended


def test_while_many_requests_come_in_a_sender_stands_back_until_they_end(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "inflow", inflow := HighInflow())
    monkeypatch.setattr(claim_pace, "STANDING_BACK", 3600)
    make_endpoint(consumer.url())
    with sending(POLL=3600):
        dispatch_many([("invoice.paid", {"n": number}) for number in range(20)])
        wait_until(lambda: len(consumer.arrivals) == 20)
        dispatch("invoice.paid", {"n": 20})
        looks = inflow.looks
        wait_until(lambda: inflow.looks > looks + 2)
        assert len(consumer.arrivals) == 20
        inflow.ended = True
        wait_until(lambda: len(consumer.arrivals) == 21)


def test_a_sender_that_is_behind_does_not_stand_back(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "inflow", HighInflow())
    monkeypatch.setattr(claim_pace, "STANDING_BACK", 3600)
    endpoint = make_endpoint(consumer.url())
    deliveries = [make_delivery(endpoint).pk for _ in range(20)]
    Delivery.objects.filter(pk__in=deliveries).update(due_at=Now() - timedelta(seconds=2))
    with sending(POLL=3600):
        wait_until(lambda: len(consumer.arrivals) == 20)
        dispatch("invoice.paid", {"n": 20})
        wait_until(lambda: len(consumer.arrivals) == 21)


def test_the_result_of_an_endpoint_that_was_deleted_meanwhile_disturbs_nobody(
    consumer: Consumer, sending: Sending
) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def answer(arrival: Any) -> int:
        arrived.set()
        go_on.wait(20)
        return 500

    consumer.script = answer
    endpoint = make_endpoint(consumer.url())
    make_delivery(endpoint)
    with sending(DELIVERY_RETRY_DELAYS=[]) as running:
        assert arrived.wait(10)
        endpoint.delete()
        go_on.set()
        wait_until(lambda: len(running._leases) == 0)
    assert Attempt.objects.count() == 0
