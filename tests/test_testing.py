"""`hookline.testing`, used as its users would, inside the transaction that their tests run in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import standardwebhooks
import stripe
from django.db import transaction
from django.test import Client, override_settings
from django.urls import include, path

from hookline import Discard, Retry, conf, dispatch, handler, providers
from hookline.core.breaker import Breaker
from hookline.core.breaker import State as BreakerState
from hookline.core.secrets import SecretRing
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event, Source
from hookline.incoming.process.handlers import forget
from hookline.outgoing.deliver.breakers import SETTINGS
from hookline.outgoing.deliver.worker import make_transport
from hookline.outgoing.models import Attempt, Delivery, Endpoint
from hookline.tenants.models import Tenant, resolve
from hookline.testing import (
    StubTransport,
    captured_messages,
    deliver_all,
    make_endpoint,
    make_source,
    post_webhook,
    run_events,
    sign_webhook,
)
from hookline.transport.transport import Response
from tests.providers.kits import kit_of

STRIPE_SECRET = "whsec_made_up_for_the_tests"
ENDPOINT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the Standard Webhooks specification

pytestmark = pytest.mark.django_db

urlpatterns = [path("hooks/", include("hookline.urls"))]

Handle = Callable[[Event], object]


@pytest.fixture
def source() -> Source:
    source = Source(tenant=resolve(None), provider="stripe")
    source.secrets = SecretRing.of(STRIPE_SECRET)
    source.save()
    return source


@pytest.fixture
def endpoint() -> Endpoint:
    return new_endpoint("https://consumer.example.com/hooks")


@pytest.fixture
def handle() -> Iterator[Callable[[Handle], None]]:
    """Registers a handler of all Stripe events for this test."""
    registered: list[Handle] = []

    def register(function: Handle) -> None:
        handler("stripe")(function)
        registered.append(function)

    yield register
    for function in registered:
        forget(function)


def new_endpoint(url: str) -> Endpoint:
    endpoint = Endpoint(tenant=resolve(None), url=url)
    endpoint.secrets = SecretRing.of(ENDPOINT_SECRET)
    endpoint.save()
    return endpoint


# ---- sources and endpoints ------------------------------------------------------------------------

#: Whose senders sign with a private key, which nobody else has.
PRIVATE = {"apple_app_store", "aws_sns", "discord", "google_pubsub", "paddle_classic", "paypal", "plaid", "sendgrid"}
PRIVATE |= {"ebay", "fal", "highlevel", "kinde", "neon_auth", "telnyx", "wise", "wix", "zoho_desk"}


@pytest.mark.parametrize("provider", sorted(set(providers.names()) - PRIVATE))
def test_a_source_that_was_made_receives_what_is_posted(client: Client, provider: str) -> None:
    source = make_source(provider, options=kit_of(provider).options)
    event_type = next(iter(providers.get(provider).samples))
    assert 200 <= post_webhook(client, source, event_type).status_code < 300
    assert source.events.get().type == event_type


def test_without_the_key_of_a_sender_nothing_can_be_made_up(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="needs a secret"):
        make_source("wise")


def test_an_endpoint_that_was_made_gets_what_it_wants() -> None:
    endpoint = make_endpoint(event_types=["order.*"], secret=ENDPOINT_SECRET, metadata={"shop": "1"})
    dispatch("order.paid", {"order": 1})
    dispatch("invoice.paid", {"order": 1})
    consumer = StubTransport()
    (delivery,) = deliver_all(consumer)
    assert (delivery.endpoint, endpoint.metadata) == (endpoint, {"shop": "1"})
    verified = standardwebhooks.Webhook(ENDPOINT_SECRET).verify(consumer.sent[0].body, consumer.sent[0].headers)
    assert verified["type"] == "order.paid"


def test_a_tenants_endpoint_does_not_get_what_is_another_ones() -> None:
    make_endpoint(tenant=Tenant.objects.create(key="acme"))
    dispatch("order.paid", {})
    assert deliver_all() == []


# ---- webhooks in ----------------------------------------------------------------------------------


def test_a_signed_webhook_satisfies_the_senders_own_library(source: Source) -> None:
    request = sign_webhook(source, "invoice.paid", {"id": "in_1"})
    (signature,) = request.headers["stripe-signature"]
    event: Any = stripe.Webhook.construct_event(request.body, signature, STRIPE_SECRET)
    assert event["type"] == "invoice.paid"
    assert event["data"]["object"]["id"] == "in_1"


def test_a_signed_webhook_names_the_url_of_the_source(source: Source) -> None:
    assert sign_webhook(source, "invoice.paid").url == f"https://hooks.example.com/in/{source.token}"


@override_settings(ROOT_URLCONF="tests.test_testing")
def test_a_webhook_reaches_a_source_wherever_the_project_put_the_urls(client: Client, source: Source) -> None:
    assert sign_webhook(source, "invoice.paid").url == f"https://hooks.example.com/hooks/in/{source.token}"
    assert post_webhook(client, source, "invoice.paid").status_code == 200


def test_a_posted_webhook_is_stored_and_not_yet_run(
    client: Client, source: Source, handle: Callable[[Handle], None]
) -> None:
    handled: list[Event] = []
    handle(handled.append)
    answer = post_webhook(client, source, "invoice.paid", event_id="evt_1")
    event = Event.objects.get()
    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "accepted", "id": event.public_id})
    assert (event.provider_id, event.state, handled) == ("evt_1", "pending", [])


def test_the_same_event_id_posted_twice_is_one_event(client: Client, source: Source) -> None:
    post_webhook(client, source, "invoice.paid", event_id="evt_1")
    again = post_webhook(client, source, "invoice.paid", event_id="evt_1")
    assert json.loads(again.content)["status"] == "duplicate"
    assert len(run_events()) == 1


def test_run_events_runs_each_due_event_once_in_order_of_arrival(
    client: Client, source: Source, handle: Callable[[Handle], None]
) -> None:
    handled: list[str] = []
    handle(lambda event: handled.append(event.provider_id))
    for number in range(3):
        post_webhook(client, source, "invoice.paid", event_id=f"evt_{number}")
    events = run_events()
    assert handled == ["evt_0", "evt_1", "evt_2"]
    assert [(event.provider_id, event.state) for event in events] == [
        ("evt_0", "succeeded"),
        ("evt_1", "succeeded"),
        ("evt_2", "succeeded"),
    ]
    assert run_events() == []


def test_run_events_raises_what_a_handler_failed_with_and_rolls_it_back(
    client: Client, source: Source, handle: Callable[[Handle], None]
) -> None:
    def fail(event: Event) -> None:
        Tenant.objects.create(key="half-done")
        raise LookupError("no such invoice")

    handle(fail)
    post_webhook(client, source, "invoice.paid")
    with pytest.raises(AssertionError, match=r"evt_\w+ \(invoice\.paid\): LookupError: no such invoice"):
        run_events()
    assert not Tenant.objects.filter(key="half-done").exists()


def test_a_failed_event_can_be_looked_at_instead(
    client: Client, source: Source, handle: Callable[[Handle], None]
) -> None:
    def not_yet(event: Event) -> None:
        raise Retry(60, "the invoice is not here yet")

    handle(not_yet)
    post_webhook(client, source, "invoice.paid")
    (event,) = run_events(raise_errors=False)
    assert (event.state, event.attempts) == ("pending", 1)
    assert "the invoice is not here yet" in event.note


def test_a_discarded_event_is_no_failure(client: Client, source: Source, handle: Callable[[Handle], None]) -> None:
    def discard(event: Event) -> None:
        raise Discard("a test invoice")

    handle(discard)
    post_webhook(client, source, "invoice.paid")
    (event,) = run_events()
    assert (event.state, event.note) == ("cancelled", "a test invoice")


# ---- messages out ---------------------------------------------------------------------------------


def test_captured_messages_are_those_of_the_block(endpoint: Endpoint) -> None:
    dispatch("order.created", {"order": 1})
    with captured_messages() as messages:
        dispatch("order.paid", {"order": 1})
        dispatch("order.shipped", {"order": 1})
    dispatch("order.closed", {"order": 1})
    assert [message.type for message in messages] == ["order.paid", "order.shipped"]
    assert messages[0].json["data"] == {"order": 1}


def test_a_message_that_was_rolled_back_is_not_captured(endpoint: Endpoint) -> None:
    with captured_messages() as messages, transaction.atomic():
        dispatch("order.paid", {"order": 1})
        transaction.set_rollback(True)
    assert messages == []


def test_what_is_delivered_satisfies_the_public_verifier(endpoint: Endpoint) -> None:
    message = dispatch("order.paid", {"order": 1})
    consumer = StubTransport()
    (delivery,) = deliver_all(consumer)
    assert delivery.state == "succeeded"
    (sent,) = consumer.sent
    assert sent.url == "https://consumer.example.com/hooks"
    assert sent.headers["webhook-id"] == message.public_id
    verified = standardwebhooks.Webhook(ENDPOINT_SECRET).verify(sent.body, sent.headers)
    assert verified["data"] == sent.json["data"] == {"order": 1}
    assert Attempt.objects.get().status == 200


def test_a_stub_answers_from_its_list_and_repeats_the_last(endpoint: Endpoint) -> None:
    for number in range(3):
        dispatch("order.paid", {"order": number})
    consumer = StubTransport(503, Response(204))
    states = [delivery.state for delivery in deliver_all(consumer)]
    assert states == ["pending", "succeeded", "succeeded"]
    assert [sent.json["data"]["order"] for sent in consumer.sent] == [0, 1, 2]


def test_a_retry_is_not_due_at_once(endpoint: Endpoint) -> None:
    dispatch("order.paid", {"order": 1})
    (delivery,) = deliver_all(StubTransport(500))
    assert (delivery.state, delivery.note) == ("pending", "the endpoint answered 500")
    assert deliver_all() == []


def test_what_a_breaker_puts_off_stays_pending(endpoint: Endpoint) -> None:
    until = time.time() + 60
    endpoint.breaker = Breaker(BreakerState.HALF_OPEN, probes=SETTINGS.probes, opened_at=until - 90, open_until=until)
    endpoint.save()
    dispatch("order.paid", {"order": 1})
    (delivery,) = deliver_all()
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    assert not Attempt.objects.exists()


def test_an_endpoint_that_is_gone_is_suspended(endpoint: Endpoint) -> None:
    dispatch("order.paid", {"order": 1})
    (delivery,) = deliver_all(StubTransport(410))
    endpoint.refresh_from_db()
    assert (delivery.state, endpoint.disabled) == ("dead", True)


def test_a_real_transport_delivers_to_a_real_server(settings: Any) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    received: list[str] = []

    class Consumer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            received.append(self.headers["webhook-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Nothing on standard error."""

    with HTTPServer(("127.0.0.1", 0), Consumer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        new_endpoint(f"http://127.0.0.1:{server.server_port}/")
        message = dispatch("order.paid", {"order": 1})
        deliver_all(make_transport(conf.get()))
        server.shutdown()
    assert received == [message.public_id]
    assert Delivery.objects.get().state == "succeeded"
