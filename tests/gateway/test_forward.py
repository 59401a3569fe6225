"""Forwarding: what an endpoint gets of the webhooks of a source, and that it is one message for each event."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hookline.audit.actor import SYSTEM
from hookline.engine.job import State
from hookline.exceptions import ConfigurationError, Conflict
from hookline.gateway.models import Forward
from hookline.incoming.models import Event, Source
from hookline.operations import endpoints, events, forwards, replays
from hookline.operations.selection import Selection
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.outgoing.publish.missed import wanted
from hookline.tenants.models import Tenant
from hookline.testing import StubTransport, deliver_all, run_events
from tests.edges.conftest import Register
from tests.edges.conftest import handler as handler  # noqa: PLC0414  # a fixture
from tests.engine.rows import make_endpoint, make_event, make_source
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import Consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

#: An order as Shopify's documentation shows one, with spaces that no serialiser of ours would write.
BODY = b'{ "id": 820982911946154508,\n  "total_price": "403.00",  "note": "caf\xc3\xa9"}\r\n'
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "x-shopify-topic": "orders/create",
    "x-shopify-hmac-sha256": "XWmrwMey6OsLMeiZKwP4FppHH3cmAiiJJAweH5Jo4bM=",
    "user-agent": "Shopify-Captain-Hook",
    "x-forwarded-for": "192.0.2.7",
    "webhook-id": "the sender's own",
}


def forwarded(source: Source | None = None, **rule: Any) -> tuple[Source, Endpoint]:
    source = source or make_source("shopify", name="our shop")
    endpoint = make_endpoint()
    forwards.create(SYSTEM, source, endpoint, **rule)
    return source, endpoint


def received(source: Source, event_type: str = "orders/create", **fields: Any) -> Event:
    return make_event(source, **{"type": event_type, "body": BODY, "headers": HEADERS, **fields})


# ---- what arrives ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_consumer_gets_the_senders_bytes_and_headers_with_a_signature_of_ours(
    consumer: Consumer, sending: Sending
) -> None:
    source = make_source("shopify")
    endpoint = make_endpoint(consumer.url())
    forwards.create(SYSTEM, source, endpoint)
    event = received(source)
    run_events()
    with sending():
        wait_until(lambda: len(consumer.arrivals) == 1, 20, "the webhook arrives")
    (arrival,) = consumer.arrivals
    assert arrival.genuine  # says the public package standardwebhooks
    assert arrival.body == BODY
    assert arrival.id == event.public_id.replace("evt_", "msg_")
    assert {name: arrival.headers[name] for name in HEADERS if name.startswith(("x-shop", "content-type"))} == {
        "content-type": "application/json; charset=utf-8",
        "x-shopify-topic": "orders/create",
        "x-shopify-hmac-sha256": "XWmrwMey6OsLMeiZKwP4FppHH3cmAiiJJAweH5Jo4bM=",
    }
    assert arrival.headers["user-agent"].startswith("Hookline/")
    assert "x-forwarded-for" not in arrival.headers
    assert arrival.headers["hookline-event"] == event.public_id
    assert arrival.headers["hookline-event-type"] == "orders/create"
    assert (arrival.headers["hookline-source"], arrival.headers["hookline-provider"]) == (source.public_id, "shopify")


def test_bytes_that_are_no_json_go_on_as_they_are() -> None:
    source, _ = forwarded()
    form = b"payload=%7B%22a%22%3A1%7D&x=\xff"
    received(source, body=form, headers={"content-type": "application/x-www-form-urlencoded"})
    run_events()
    transport = StubTransport()
    deliver_all(transport)
    (sent,) = transport.sent
    assert (sent.body, sent.headers["content-type"]) == (form, "application/x-www-form-urlencoded")


def test_only_the_chosen_headers_go_on() -> None:
    source, first = forwarded(headers=["X-Shopify-Topic"])
    second = make_endpoint("https://two.example")
    forwards.create(SYSTEM, source, second)
    received(source)
    run_events()
    transport = StubTransport()
    deliver_all(transport)
    by_url = {one.url: {name for name in one.headers if name.startswith("x-shopify")} for one in transport.sent}
    assert by_url == {first.url: {"x-shopify-topic"}, second.url: {"x-shopify-topic", "x-shopify-hmac-sha256"}}
    assert all(one.headers["content-type"] == HEADERS["content-type"] for one in transport.sent)
    assert all(one.headers["hookline-event-type"] == "orders/create" for one in transport.sent)


def test_a_header_that_no_request_may_hold_stays_behind() -> None:
    source, _ = forwarded()
    received(source, headers={"content-type": "text/xml", "x-name": "Zo\xeb", "x-long": "a" * 5000, "x-good": "yes"})
    run_events()
    transport = StubTransport()
    deliver_all(transport)
    names = set(transport.sent[0].headers)
    assert names >= {"content-type", "x-good"}
    assert names.isdisjoint({"x-name", "x-long"})


def test_what_a_header_cannot_hold_of_a_type_is_percent_encoded() -> None:
    source, _ = forwarded()
    event = received(source, "bestellung geändert", method="GET", url="https://us.example/in/x?a=1&b=ü")
    run_events()
    transport = StubTransport()
    deliver_all(transport)
    assert Message.objects.get().type == "bestellung_ge_ndert"
    assert {name: text for name, text in transport.sent[0].headers.items() if name.startswith("hookline-")} == {
        "hookline-event": event.public_id,
        "hookline-event-type": "bestellung%20ge%C3%A4ndert",
        "hookline-source": source.public_id,
        "hookline-provider": "shopify",
        "hookline-method": "GET",
        "hookline-query": "a=1&b=%C3%BC",
    }


# ---- which events, and where ----------------------------------------------------------------------------


def test_an_event_without_a_handler_is_handled_when_it_is_forwarded() -> None:
    source, _ = forwarded()
    event = received(source)
    run_events()
    event.refresh_from_db()
    assert (event.state, event.unhandled, event.note) == ("succeeded", None, "")
    assert Message.objects.get().deliveries.count() == 1


def test_rules_choose_by_type_and_filter_and_each_endpoint_gets_the_message_once() -> None:
    source = make_source("shopify")
    orders, large, refunds = (make_endpoint(f"https://{name}.example") for name in ("orders", "large", "refunds"))
    bystander = make_endpoint("https://bystander.example")
    forwards.create(SYSTEM, source, orders, event_types=["orders/*"])
    forwards.create(SYSTEM, source, large, filter="@.total > 100")
    forwards.create(SYSTEM, source, refunds, event_types=["refunds/create"])
    event = received(source, body=b'{"total":120}')
    received(source, "app/uninstalled", body=b'{"total":1}')
    run_events()
    found = Delivery.objects.values_list("message_id", "endpoint_id")
    assert set(found) == {(event.pk, orders.pk), (event.pk, large.pk)}
    assert Message.objects.count() == 1
    assert not Delivery.objects.filter(endpoint=bystander).exists()


def test_an_event_that_no_rule_wants_is_unhandled() -> None:
    source, _ = forwarded(event_types=["refunds/*"])
    event = received(source)
    run_events()
    event.refresh_from_db()
    assert event.unhandled
    assert not Message.objects.exists()


def test_the_endpoints_own_selection_counts_too() -> None:
    source = make_source("shopify")
    own: list[dict[str, Any]] = (
        [{"event_types": ["orders.*"]}, {"event_types": ["refunds.*"]}, {"filter": "@.total > 100"},
         {"filter": "@.total > 200"}, {"disabled": True}]
    )  # fmt: skip
    for number, fields in enumerate(own):
        forwards.create(SYSTEM, source, make_endpoint(f"https://{number}.example", **fields))
    received(source, body=b'{"total":120}')
    run_events()
    urls = set(Delivery.objects.values_list("endpoint__url", flat=True))
    assert urls == {"https://0.example", "https://2.example"}


def test_the_order_key_of_an_endpoint_may_stand_in_a_header_of_the_sender() -> None:
    source = make_source("shopify")
    endpoint = make_endpoint(order_by="header:X-Shopify-Topic")
    forwards.create(SYSTEM, source, endpoint)
    received(source)
    run_events()
    delivery = Delivery.objects.get()
    assert Delivery.order_keys([delivery.pk]) == {delivery.pk: "orders/create"}


def test_handlers_and_forwards_of_an_event_commit_together(handler: Register) -> None:
    source, _ = forwarded()

    @handler("shopify")
    def fails(event: Event) -> None:
        raise ValueError("the shop is closed")

    event = received(source)
    run_events(raise_errors=False)
    event.refresh_from_db()
    assert event.state == State.PENDING
    assert not Message.objects.exists()


# ---- exactly one message --------------------------------------------------------------------------------


def test_an_event_that_is_processed_again_sends_the_same_message_again() -> None:
    source, endpoint = forwarded()
    event = received(source)
    run_events()
    transport = StubTransport()
    deliver_all(transport)
    late = make_endpoint("https://late.example")
    forwards.create(SYSTEM, source, late)
    events.retry(SYSTEM, [event.public_id])
    run_events()
    deliver_all(transport)
    assert [(one.url, one.headers["webhook-id"]) for one in transport.sent[:1]] == [
        (endpoint.url, event.public_id.replace("evt_", "msg_"))
    ]
    assert {one.url for one in transport.sent[1:]} == {endpoint.url, late.url}
    assert len({one.headers["webhook-id"] for one in transport.sent}) == 1
    assert (Message.objects.count(), Delivery.objects.count()) == (1, 2)


def test_recovery_gives_no_endpoint_what_was_forwarded_to_another() -> None:
    source, endpoint = forwarded()
    bystander = make_endpoint("https://bystander.example")
    endpoints.disable(SYSTEM, endpoint)
    event = received(source)
    run_events()
    assert not Delivery.objects.exists()
    endpoints.enable(SYSTEM, endpoint)
    for one, count in ((endpoint, 1), (bystander, 0)):
        selection = Selection(endpoint=one.public_id, since=event.created_at)
        assert replays.preview("missed", selection).count == count
        assert wanted(one.pk, [event.pk]) == ({event.pk} if count else set())


def test_a_source_without_forwards_costs_no_statement_more() -> None:
    source = make_source("shopify")
    other, _ = forwarded()
    counts = []
    for one in (source, other):
        received(one)
        with CaptureQueriesContext(connection) as queries:
            run_events()
        counts.append([query["sql"] for query in queries if "hookline_forward" in query["sql"]])
    assert counts[0] == []
    assert len(counts[1]) == 1


# ---- setting it up --------------------------------------------------------------------------------------


def test_a_forward_needs_an_endpoint_of_the_sources_tenant() -> None:
    source = make_source("shopify")
    with pytest.raises(Conflict, match="belong to different tenants"):
        forwards.create(SYSTEM, source, make_endpoint(tenant=Tenant.objects.create(key="acme")))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"filter": "total >"}, "is no JSONPath expression"),
        ({"event_types": [""]}, "is not an event-type pattern"),
        ({"event_types": "orders/*"}, "must be a list of patterns"),
        ({"headers": ["webhook-id"]}, "is set by Hookline"),
        ({"headers": ["bad name"]}, "is not a header name"),
        ({"headers": ["host"]}, "is set by the HTTP client"),
        ({"headers": ["x-a"] * 40}, "choose at most 32"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        forwards.create(SYSTEM, make_source("shopify"), make_endpoint(), **fields)


def test_a_source_knows_whether_it_is_forwarded() -> None:
    source, endpoint = forwarded()
    second = forwards.create(SYSTEM, source, make_endpoint("https://two.example"))
    (first,) = forwards.newest(endpoint=endpoint.public_id)
    forwards.delete(SYSTEM, first)
    source.refresh_from_db()
    assert source.forwarded
    forwards.delete(SYSTEM, second)
    source.refresh_from_db()
    assert source.forwarded is None


def test_a_look_ahead_says_where_events_would_go_and_why_not_elsewhere() -> None:
    source = make_source("shopify")
    event = received(source)
    refunds = forwards.draft(source, make_endpoint(), event_types=["refunds/*"])
    large = forwards.draft(source, make_endpoint(), filter="@.total_price == '403.00'")
    closed = forwards.draft(source, make_endpoint(disabled=True))
    found = [forwards.preview(source, draft=one)[0] for one in (refunds, large, closed)]
    assert [one.reason for one in found] == ["its type is not wanted", "", "the endpoint is disabled"]
    shown = forwards.routed_as_json(found[1])
    assert (shown["event"], shown["forwarded"]) == (event.public_id, True)
    assert shown["headers"]["x-shopify-topic"] == "orders/create"
    assert not Message.objects.exists()
    assert not Forward.objects.exists()
