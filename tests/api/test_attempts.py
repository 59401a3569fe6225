"""What Svix's own end-to-end tests demand of attempts, of what is listed with them, and of sending again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from hookline.core import ids
from hookline.models import Endpoint
from hookline.outgoing.models import Delivery
from hookline.tenants.models import Tenant
from hookline.testing import StubTransport, deliver_all
from hookline.transport.transport import Response
from tests.api.calls import Calls
from tests.engine.rows import make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

NO_ANSWER = Response(error="connect_failed", detail="nobody listens there")


class World:
    """An application with endpoints, to which messages are sent at once."""

    def __init__(self, api: Calls) -> None:
        self.api = api
        self.app = f"/app/{api.post('/app', {'name': 'Acme', 'uid': 'acme'})['id']}"
        self.tenant = Tenant.objects.get(key="acme")

    def endpoint(self, **fields: Any) -> Endpoint:
        return make_endpoint(tenant=self.tenant, **fields)

    def message(self, event_type: str = "order.paid", channels: list[str] | None = None) -> str:
        """The id of a new message."""
        body = {"eventType": event_type, "payload": {"n": 1}, "channels": channels}
        made: str = self.api("POST", f"{self.app}/msg", body, status=202)["id"]
        return made

    def deliver(self, *answers: int | Response) -> StubTransport:
        """Send what is due, and whatever else waits, and answer with these."""
        Delivery.objects.filter(state="pending").update(due_at=Now())
        consumer = StubTransport(*answers)
        deliver_all(consumer)
        return consumer

    def get(self, path: str, *, status: int = 200) -> Any:
        return self.api.get(f"{self.app}{path}", status=status)

    def ids(self, path: str, name: str = "id") -> list[str]:
        return [one[name] for one in self.get(path)["data"]]


@pytest.fixture
def world(api: Calls) -> World:
    return World(api)


def test_an_attempt_tells_what_was_answered(world: World) -> None:
    endpoint, message = world.endpoint(uid="mine"), world.message()
    world.deliver(Response(503, body=b"come back later", duration_ms=12))
    (attempt,) = world.get(f"/attempt/endpoint/{endpoint.public_id}/")["data"]
    assert attempt == {
        "url": "https://consumer.example/hook",
        "response": "come back later",
        "responseStatusCode": 503,
        "responseDurationMs": 12,
        "status": 2,
        "statusText": "fail",
        "triggerType": 0,
        "msgId": message,
        "endpointId": endpoint.public_id,
        "id": attempt["id"],
        "timestamp": attempt["timestamp"],
    }
    assert world.get(f"/msg/{message}/attempt/{attempt['id']}") == attempt
    for path in (
        "/attempt/endpoint/mine",
        f"/attempt/msg/{message}",
        f"/attempt/msg/{message}?endpoint_id=mine",
        f"/msg/{message}/attempt",
        f"/msg/{message}/endpoint/mine/attempt",
    ):
        assert world.get(path)["data"] == [attempt]
    assert world.get("/attempt/endpoint/mine?with_content=false")["data"][0]["response"] == "{}"


def test_where_there_was_no_answer_the_code_is_0_and_the_response_says_why(world: World) -> None:
    world.endpoint()
    message = world.message()
    world.deliver(NO_ANSWER)
    (attempt,) = world.get(f"/attempt/msg/{message}")["data"]
    assert (attempt["responseStatusCode"], attempt["response"]) == (0, "nobody listens there")
    assert world.ids(f"/attempt/msg/{message}?status_code_class=0") == [attempt["id"]]


def test_attempts_are_narrowed_by_channel_type_and_outcome(world: World) -> None:
    endpoint = world.endpoint().public_id
    made = [world.message("a", ["c"]), world.message("b"), world.message("c")]
    world.deliver(200, 500, 302)
    path = f"/attempt/endpoint/{endpoint}?"
    for query, expected in (
        ("", [2, 1, 0]),
        ("channel=c", [0]),
        ("channel=C", []),
        ("event_types=a", [0]),
        ("event_types=a,b", [1, 0]),
        ("event_types[]=a&event_types[]=c", [2, 0]),
        ("event_types[0]=b", [1]),
        ("status=0", [0]),
        ("status=2", [2, 1]),
        ("status=1", []),
        ("status=3", []),
        ("status_code_class=500", [1]),
        ("status_code_class=300", [2]),
        ("status_code_class=0", []),
    ):
        assert sorted(made.index(one) for one in world.ids(path + query, "msgId")) == sorted(expected), query
    for query, status in (
        ("status=4", 400),
        ("status=success", 400),
        ("status_code_class=201", 400),
        ("event_types=", 422),
        ("channel=a b", 422),
        ("iterator=msg_x", 422),
    ):
        world.get(path + query, status=status)


def test_pages_of_attempts_go_on_and_back_and_between_moments(world: World) -> None:
    endpoint = world.endpoint().public_id
    for _ in range(6):
        world.message()
        world.deliver()
    everything = world.get(f"/attempt/endpoint/{endpoint}")["data"]
    names, moments = [one["id"] for one in everything], [one["timestamp"] for one in everything]
    assert len(names) == 6
    assert names == sorted(names, reverse=True)

    def listed(query: str) -> tuple[list[int], bool]:
        page = world.get(f"/attempt/endpoint/{endpoint}?{query}")
        return [names.index(one["id"]) for one in page["data"]], page["done"]

    assert listed("limit=3") == ([0, 1, 2], False)
    assert listed(f"limit=3&iterator={names[2]}") == ([3, 4, 5], True)
    assert listed(f"limit=2&iterator=-{names[3]}") == ([1, 2], False)
    assert listed(f"after={moments[2]}") == ([0, 1, 2], True)
    assert listed(f"before={moments[2]}") == ([3, 4, 5], True)
    assert listed(f"after={moments[4]}&before={moments[1]}") == ([2, 3, 4], True)
    assert listed(f"after={moments[4]}&limit=2") == ([3, 4], False)
    assert listed(f"after={moments[4]}&limit=2&iterator=-{names[3]}") == ([1, 2], False)
    assert listed(f"before={moments[1]}&limit=2&iterator={names[3]}") == ([4, 5], True)


def test_messages_are_listed_with_what_became_of_them(world: World) -> None:
    endpoint = world.endpoint(uid="mine")
    done, failing, dead = world.message("a", ["c"]), world.message("b"), world.message("a")
    world.deliver(200, 500, 500)
    Delivery.objects.filter(message=ids.from_text("msg", dead)).update(state="dead", finished_at=Now())
    never = world.message("a")
    page = world.get("/endpoint/mine/msg/")
    found = {one["id"]: one for one in page["data"]}
    assert list(found) == [dead, failing, done]
    assert never not in found
    assert {name: (one["status"], one["statusText"]) for name, one in found.items()} == {
        done: (0, "success"),
        failing: (3, "sending"),
        dead: (2, "fail"),
    }
    assert found[done]["payload"] == {"n": 1}
    assert "nextAttempt" in found[failing]
    assert "nextAttempt" not in found[done]
    for query, expected in (
        ("status=0", [done]),
        ("status=1", []),
        ("status=2", [dead]),
        ("status=3", [failing]),
        ("channel=c", [done]),
        ("event_types=a", [dead, done]),
        ("limit=1", [dead]),
        (f"limit=1&iterator={dead}", [failing]),
        (f"iterator=-{failing}", [dead]),
        (f"before={found[dead]['timestamp']}", [failing, done]),
        (f"after={found[failing]['timestamp']}", [dead, failing]),
    ):
        assert world.ids(f"/endpoint/{endpoint.public_id}/msg?{query}") == expected, query
    assert world.get("/endpoint/mine/msg?with_content=false")["data"][0]["payload"] == {}


def test_endpoints_are_listed_with_what_became_of_a_message_deleted_ones_too(world: World) -> None:
    endpoints = [world.endpoint(description=str(number)) for number in range(3)]
    message = world.message()
    world.deliver(200, 500, 200)
    names = [endpoint.public_id for endpoint in endpoints]
    Endpoint.objects.filter(pk=endpoints[0].pk).update(deleted_at=Now(), disabled=True)
    page = world.get(f"/msg/{message}/endpoint/")
    assert [one["id"] for one in page["data"]] == names
    assert page["done"] is True
    assert sorted((one["status"], one["nextAttempt"] is None) for one in page["data"]) == [
        (0, True), (0, True), (3, False),
    ]  # fmt: skip
    assert world.ids(f"/msg/{message}/endpoint?limit=2") == names[:2]
    assert world.ids(f"/msg/{message}/endpoint?limit=2&iterator={names[1]}") == names[2:]
    assert world.ids(f"/msg/{message}/endpoint?limit=2&iterator=-{names[2]}") == names[:2]
    world.get(f"/attempt/endpoint/{names[0]}", status=404)


def test_what_was_answered_can_be_expunged(world: World) -> None:
    world.endpoint()
    message = world.message()
    world.deliver(Response(200, body=b"private"))
    (attempt,) = world.ids(f"/attempt/msg/{message}")
    for _ in range(2):
        world.api.delete(f"{world.app}/msg/{message}/attempt/{attempt}/content")
    assert world.get(f"/msg/{message}/attempt/{attempt}")["response"] == "EXPUNGED"
    for path, said in (
        (f"/msg/msg_unknown/attempt/{attempt}/content", "Message not found"),
        (f"/msg/{message}/attempt/atmpt_unknown/content", "Message attempt not found"),
    ):
        assert world.api("DELETE", world.app + path, status=404)["detail"] == said


def test_a_message_is_sent_again_whatever_became_of_it(world: World) -> None:
    endpoint, other = world.endpoint(), world.endpoint(event_types=["never"], sequenced=True)
    message = world.message()
    world.deliver(200)
    path = f"{world.app}/msg/{message}/endpoint/{endpoint.public_id}/resend"
    for _ in range(2):  # a second time it waits already
        assert world.api("POST", path, status=202) == {}
    assert len(world.deliver(500).sent) == 1
    attempts = world.get(f"/attempt/msg/{message}")["data"]
    assert [(one["status"], one["triggerType"]) for one in attempts] == [(2, 1), (0, 0)]
    # That it failed cancels no retry.
    assert len(world.deliver(200).sent) == 1
    assert [one["triggerType"] for one in world.get(f"/attempt/msg/{message}")["data"]] == [0, 1, 0]
    # One that never wanted it gets it, too.
    world.api("POST", f"{world.app}/msg/{message}/endpoint/{other.public_id}/resend", status=202)
    assert len(world.deliver(200).sent) == 1
    assert Delivery.objects.get(endpoint=other).sequence is not None


def test_what_has_no_content_is_not_sent_again(world: World) -> None:
    endpoint, message = world.endpoint(), world.message()
    world.deliver(200)
    world.api.delete(f"{world.app}/msg/{message}/content")
    path = f"{world.app}/msg/{message}/endpoint/{endpoint.public_id}/resend"
    assert world.api("POST", path, status=400)["code"] == "missing_payload"


def test_nothing_of_another_application_is_found(world: World) -> None:
    endpoint, message = world.endpoint(), world.message()
    world.deliver(200)
    (attempt,) = world.ids(f"/attempt/msg/{message}")
    other = world.api.post("/app", {"name": "other"})["id"]
    for path in (
        f"/attempt/endpoint/{endpoint.public_id}",
        f"/attempt/msg/{message}",
        f"/endpoint/{endpoint.public_id}/msg",
        f"/msg/{message}",
        f"/msg/{message}/endpoint",
        f"/msg/{message}/attempt/{attempt}",
    ):
        assert world.api.get(f"/app/{other}{path}", status=404)["code"] == "not_found"
    for method, path in (
        ("POST", f"/msg/{message}/endpoint/{endpoint.public_id}/resend"),
        ("DELETE", f"/msg/{message}/content"),
        ("DELETE", f"/msg/{message}/attempt/{attempt}/content"),
    ):
        assert world.api(method, f"/app/{other}{path}", status=404)["code"] == "not_found"
