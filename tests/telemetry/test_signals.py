"""Django's signals for users: which there are, what they carry, and on which thread receivers run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.dispatch import Signal
from django.test import Client, override_settings

from hookline import conf, dispatch, signals
from hookline.core.secrets import SecretRing
from hookline.incoming.models import Event, Source
from hookline.outgoing.models import Endpoint
from hookline.telemetry.courier import Courier, courier
from hookline.tenants.models import resolve
from hookline.testing import StubTransport, deliver_all, post_webhook, run_events
from tests.waiting import wait_until
from tests.workers import events_worker

Hear = Callable[[Signal, Callable[..., object]], AbstractContextManager[None]]


@pytest.fixture
def source(transactional_db: None) -> Source:
    source = Source(tenant=resolve(None), provider="stripe")
    source.secrets = SecretRing.of("whsec_made_up")
    source.save()
    return source


@pytest.fixture
def endpoint(transactional_db: None) -> Endpoint:
    endpoint = Endpoint(tenant=resolve(None), url="https://consumer.example.com/hooks")
    endpoint.secrets = SecretRing.of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint.save()
    return endpoint


@contextmanager
def hearing(signal: Signal, receiver: Callable[..., object]) -> Iterator[None]:
    signal.connect(receiver)
    try:
        yield
    finally:
        assert courier.drain(10)
        signal.disconnect(receiver)


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every signal that was sent: its name, and what it carried."""
    found: list[tuple[str, dict[str, Any]]] = []
    connected: list[tuple[Signal, Callable[..., object]]] = []
    for name, signal in vars(signals).items():
        if isinstance(signal, Signal):

            def receive(name: str = name, **carried: Any) -> None:
                del carried["signal"], carried["sender"]
                found.append((name, carried))

            signal.connect(receive, weak=False)
            connected.append((signal, receive))
    yield found
    for signal, receiver in connected:
        signal.disconnect(receiver)


def test_an_event_is_announced_with_its_objects_when_received_and_when_processed(
    client: Client, source: Source, heard: list[tuple[str, dict[str, Any]]]
) -> None:
    post_webhook(client, source, "invoice.paid")
    run_events()
    (received, carried), (processed, done) = heard
    event = Event.objects.get()
    assert (received, processed) == ("event_received", "event_processed")
    assert carried == {"event": event, "event_id": event.public_id, "source": source}
    assert done == {"event": event}
    assert done["event"].state == "succeeded"
    assert done["event"].tenant.key == "default"


def test_a_refusal_is_announced_with_its_source_and_reason(
    client: Client, source: Source, heard: list[tuple[str, dict[str, Any]]]
) -> None:
    client.post(source.path, b"{}", "application/json")
    client.post("/in/nobody", b"{}", "application/json")
    assert courier.drain(10)
    assert [name for name, _ in heard] == ["event_rejected", "event_rejected"]
    assert [(told["source"], told["status"], told["reason"]) for _, told in heard] == [
        (source, 401, "missing_header"),
        (None, 404, "unknown_source"),
    ]


def test_deliveries_and_breakers_are_announced_with_their_objects(
    endpoint: Endpoint, heard: list[tuple[str, dict[str, Any]]]
) -> None:
    dispatch("invoice.paid", {})
    (delivery,) = deliver_all(StubTransport(200))
    assert heard == [("delivery_succeeded", {"delivery": delivery})]
    assert heard[0][1]["delivery"].endpoint == endpoint
    heard.clear()
    for _ in range(10):
        dispatch("invoice.paid", {})
    deliver_all(StubTransport(500))
    assert heard == [("breaker_opened", {"endpoint": endpoint})]


@override_settings(HOOKLINE={**django_settings.HOOKLINE, "POLL": 0.05})
def test_a_receiver_that_hangs_holds_up_neither_acknowledgements_nor_workers(client: Client, source: Source) -> None:
    going_on = threading.Event()
    threads: list[str] = []

    def hang(event: Event, **more: Any) -> None:
        threads.append(threading.current_thread().name)
        going_on.wait(60)

    signals.event_received.connect(hang)
    signals.event_processed.connect(hang)
    worker = events_worker(conf.get())
    worker.start()
    try:
        for number in range(5):
            # Not post_webhook, which calls receivers itself.
            body, signed = signed_webhook(source, number)
            assert client.post(source.path, body, "application/json", headers=signed).status_code == 200
        wait_until(lambda: Event.objects.filter(state="succeeded").count() == 5)
        assert threads == ["hookline-signals"]
    finally:
        going_on.set()
        worker.stop(20)
        assert courier.drain(10)
        signals.event_received.disconnect(hang)
        signals.event_processed.disconnect(hang)
    assert len(threads) == 10
    assert set(threads) == {"hookline-signals"}


def signed_webhook(source: Source, number: int) -> tuple[bytes, dict[str, str]]:
    from hookline.testing import sign_webhook

    request = sign_webhook(source, "invoice.paid", event_id=f"evt_{number}")
    return request.body, {name: values[0] for name, values in request.headers.items() if name != "content-type"}


# ---- the courier ----------------------------------------------------------------------------------


def test_what_a_call_raises_is_logged_and_the_next_one_is_made(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []
    one = Courier()
    one.put(lambda: calls[0])
    one.put(lambda: calls.append(1))
    assert one.drain(10)
    assert calls == [1]
    assert "IndexError" in caplog.text


def test_what_strangers_cause_leaves_room_for_the_others(caplog: pytest.LogCaptureFixture) -> None:
    going_on, calls = threading.Event(), list[str]()
    one = Courier(most=5, most_expendable=2)
    begun = threading.Event()

    def hold() -> None:
        begun.set()
        going_on.wait(60)

    one.put(hold)
    assert begun.wait(10)
    for _ in range(4):
        one.put(lambda: calls.append("stranger"), expendable=True)
    for _ in range(4):
        one.put(lambda: calls.append("ours"))
    going_on.set()
    assert one.drain(10)
    assert calls == ["stranger", "stranger", "ours", "ours", "ours"]
    assert "signals were dropped" in caplog.text


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_a_courier_that_works() -> None:
    one = Courier()
    one.put(lambda: None)
    assert one.drain(10)
    child = os.fork()
    if child == 0:
        done = threading.Event()
        one.put(done.set)
        os._exit(0 if done.wait(10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
