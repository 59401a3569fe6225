"""Deliveries, events and follow-ups by their own ids, and what Svix's newer clients have besides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer
from svix.api import (
    OperationalWebhookEndpointHeadersIn,
    OperationalWebhookEndpointIn,
    OperationalWebhookEndpointListOptions,
    OperationalWebhookEndpointSecretIn,
    Svix,
    SvixOptions,
)
from svix.exceptions import HttpError

from hookline import dispatch
from hookline.engine.job import State
from hookline.models import Attempt, Delivery, Endpoint, Event, Message
from hookline.testing import StubTransport, deliver_all
from tests.api.calls import Calls
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source
from tests.operations.cases import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_deliveries_are_listed_shown_and_sent_again(api: Calls) -> None:
    endpoint = make_endpoint()
    dispatch("order.paid", {"n": 1})
    deliver_all(StubTransport(500))
    Delivery.objects.update(state=State.DEAD)
    other = make_delivery(make_endpoint())
    [dead] = api.get("/delivery?status=dead")["data"]
    assert [one["id"] for one in api.get("/delivery?limit=1")["data"]] == [other.public_id]
    assert api.get(f"/delivery?endpoint_id={endpoint.public_id}&event_type=order.paid")["data"] == [dead]
    assert api.get("/delivery?event_type=nothing")["data"] == api.get("/delivery?parked=true")["data"] == []
    shown = api.get(f"/delivery/{dead['id']}")
    assert {name: shown[name] for name in dead} == dead
    assert '"n":1' in shown["body"]
    assert [one["status"] for one in shown["attemptsMade"]] == [500]
    assert api.post("/delivery/retry", {"ids": [dead["id"], other.public_id]}, status=202) == {"retried": [dead["id"]]}
    assert api.post("/delivery/retry", {"ids": [other.public_id], "now": True}, status=202)["retried"]
    api.post("/delivery/retry", {"ids": [other.public_id]}, status=409)
    api.post("/delivery/retry", {"ids": []}, status=422)
    assert api.post("/delivery/discard", {"ids": [dead["id"]]}, status=200) == {"discarded": [dead["id"]]}
    api.post("/delivery/release", {"ids": [dead["id"]]}, status=409)
    attempt = Attempt.objects.get()
    api.delete(f"/attempt/{attempt.public_id}/content")
    attempt.refresh_from_db()
    assert attempt.response_body == "EXPUNGED"


def test_events_are_given_up_or_passed(api: Calls) -> None:
    source = make_source()
    dead = make_event(source, state=State.DEAD, order_key="a", has_turn=True)
    waiting = make_event(source)
    assert [one["id"] for one in api.get("/event?parked=true")["data"]] == [dead.public_id]
    assert api.post("/event/release", {"ids": [dead.public_id]}, status=200) == {"released": [dead.public_id]}
    assert api.post("/event/discard", {"ids": [waiting.public_id]}, status=200) == {"discarded": [waiting.public_id]}
    assert Event.objects.get(pk=waiting.pk).state == State.CANCELLED


def test_follow_ups_are_listed_shown_and_called_again(api: Calls) -> None:
    follow_up = World().follow_up
    type(follow_up).objects.update(state=State.DEAD)
    [listed] = api.get("/follow-up?status=dead")["data"]
    assert (listed["id"], listed["sourceId"]) == (follow_up.public_id, follow_up.source.public_id)
    shown = api.get(f"/follow-up/{follow_up.public_id}")
    assert {name: shown[name] for name in listed} == listed
    assert shown["arguments"] == follow_up.arguments
    assert api.get("/follow-up?status=succeeded")["data"] == []
    assert api.post("/follow-up/retry", {"ids": [listed["id"]]}, status=202) == {"retried": [listed["id"]]}
    assert api.post("/follow-up/discard", {"ids": [listed["id"]]}, status=200) == {"discarded": [listed["id"]]}


def test_the_contents_of_many_messages_are_removed_at_once(api: Calls) -> None:
    made = [dispatch("order.paid", {"n": number}, idempotency_key=f"key-{number}") for number in range(3)]
    names = [made[0].public_id, "key-1", "nobody"]
    answer = api.post("/app/default/msg/bulk-expunge", {"ids": names}, status=200)
    assert answer == {"results": {names[0]: "expunged", "key-1": "expunged", "nobody": "not-found"}}
    assert [message.is_expunged for message in Message.objects.order_by("id")] == [True, True, False]


def test_what_waits_of_a_message_is_cancelled(api: Calls) -> None:
    make_endpoint()
    message = dispatch("order.paid", {})
    path = f"/app/default/msg/{message.public_id}/cancel"
    assert api.post(path, status=200) == {"id": message.public_id, "cancelled": 1}
    api.post(path, status=409)


def test_attempts_are_counted(api: Calls) -> None:
    endpoint = make_endpoint()
    for _ in range(3):
        dispatch("order.paid", {})
    deliver_all(StubTransport(200))
    path = f"/app/default/attempt/endpoint/{endpoint.public_id}/count"
    assert api.get(path) == {"count": 3, "approximated": False}
    assert api.get(f"{path}?status=2")["count"] == 0


def test_forwards_are_reached_by_their_ids_alone(api: Calls) -> None:
    forward = World().forward
    [listed] = api.get(f"/forward?source_id={forward.source.public_id}&endpoint_id={forward.endpoint.public_id}")[
        "data"
    ]
    path = f"/forward/{forward.public_id}"
    assert api.get(path) == listed
    assert api.patch(path, {"eventTypes": ["a.*"]})["eventTypes"] == ["a.*"]
    assert api.get(f"/forward?source_id={make_source().public_id}")["data"] == []
    api.delete(path)
    api.get(path, status=404)


def test_the_processing_of_a_source_is_limited(api: Calls) -> None:
    path = f"/source/{make_source().public_id}/limit"
    limits = {"rate": 2.5, "burst": 3, "atOnce": 4}
    assert {**api.post(path, limits, status=200), "id": ""} == {**limits, "id": ""}
    assert api.post(path, {}, status=200)["rate"] is None
    api.post(path, {"burst": 1}, status=422)


@pytest.fixture
def svix(live_server: LiveServer, operator_key: str) -> Iterator[Svix]:
    client = Svix(operator_key, SvixOptions(server_url=live_server.url, retry_schedule=[]))
    with client._httpx_client:
        yield client


def test_the_client_of_svix_manages_endpoints_for_operational_webhooks(svix: Svix, api: Calls) -> None:
    found = svix.operational_webhook.endpoint
    with pytest.raises(HttpError) as refused:
        found.list()
    assert (refused.value.status_code, refused.value.code) == (409, "not_configured")
    api.post("/app", {"name": "Us", "uid": "us"})
    for name in ("endpoint.failing", "endpoint.suspended"):
        api.post("/event-type", {"name": name, "description": ""})
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "OPERATIONAL_TENANT": "us"}):
        url = "https://example.com/us"
        made = found.create(OperationalWebhookEndpointIn(url=url, event_types=["endpoint.failing"], uid="ops"))
        assert found.get("ops") == made
        assert found.list(OperationalWebhookEndpointListOptions(limit=1)).data == [made]
        assert Endpoint.objects.get().tenant.key == "us"
        found.set_headers("ops", OperationalWebhookEndpointHeadersIn(headers={"X-One": "1"}))
        assert found.get_headers("ops").headers == {"X-One": "1"}
        before = found.get_secret("ops").key
        found.rotate_secret("ops", OperationalWebhookEndpointSecretIn())
        assert found.get_secret("ops").key != before
        found.delete("ops")
        assert found.list().data == []
