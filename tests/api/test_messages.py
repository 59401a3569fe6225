"""What Svix's own end-to-end tests demand of messages, and what an application gets that posts something strange."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from hookline import conf, dispatch
from hookline.engine.kind import kind_of
from hookline.engine.prune import prune
from hookline.models import Message, Replay
from hookline.outgoing.models import Delivery
from hookline.outgoing.retention import pruners
from hookline.tenants.models import Tenant
from hookline.testing import StubTransport, deliver_all
from tests.api.calls import Calls
from tests.engine.rows import make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app(api: Calls) -> str:
    """The path of an application."""
    return f"/app/{api.post('/app', {'name': 'Acme', 'uid': 'acme'})['id']}"


def sent(api: Calls, app: str, payload: Any = None, *, path: str = "", status: int = 202, **more: Any) -> Any:
    body = {"eventType": "order.paid", "payload": {"n": 1} if payload is None else payload}
    headers = {name: more.pop(name) for name in ("idempotency_key",) if name in more}
    return api("POST", f"{app}/msg{path}", body | more, status=status, **headers)


def bodies_of(consumer: StubTransport) -> list[bytes]:
    return [request.body for request in consumer.sent]


def test_create_read_list(api: Calls, app: str) -> None:
    first = sent(api, app, channels=["c1", "c2"])
    second = sent(api, app, eventType="app_looks.like_an_id")
    assert re.fullmatch(r"msg_[0-9A-Za-z]{22}", first["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["timestamp"])
    expected = {"eventId": None, "eventType": "order.paid", "payload": {"n": 1}, "channels": ["c1", "c2"]}
    assert {name: first[name] for name in expected} == expected
    assert second["channels"] is None
    assert api.get(f"{app}/msg/{first['id']}/") == first
    assert api.get(f"{app}/msg/") == {
        "data": [second, first],
        "iterator": first["id"],
        "prevIterator": f"-{second['id']}",
        "done": True,
    }
    assert [one["id"] for one in api.get(f"{app}/msg?channel=c2")["data"]] == [first["id"]]
    assert api.get(f"{app}/msg?channel=C2") == {"data": [], "iterator": None, "done": True}
    assert [one["id"] for one in api.get(f"{app}/msg?event_types=x,app_looks.like_an_id")["data"]] == [second["id"]]


def test_content_is_shown_in_its_own_words_or_not_at_all(api: Calls, app: str) -> None:
    text = '{ "b" : 1.000000000000000001, "a":[ 1e400 , "x  y\\u00e4 { " ]\n}'
    answer = api.ask("POST", f"{app}/msg", raw=b'{"eventType":"a","payload":%b}' % text.encode())
    assert answer.status_code == 202
    compact = b'"payload":{"b":1.000000000000000001,"a":[1e400,"x  y\\u00e4 { "]},'
    assert compact in answer.content
    message = json.loads(answer.content)["id"]
    assert compact in api.ask("GET", f"{app}/msg/{message}").content
    assert compact in api.ask("GET", f"{app}/msg").content
    for path in (f"{app}/msg/{message}?with_content=false", f"{app}/msg?with_content=false"):
        assert b'"payload":{},' in api.ask("GET", path).content
    assert sent(api, app, path="?with_content=false")["payload"] == {}
    make_endpoint(tenant=Tenant.objects.get(key="acme"))
    api.ask("POST", f"{app}/msg", raw=b'{"eventType":"a","payload":%b}' % text.encode())
    consumer = StubTransport(200)
    deliver_all(consumer)
    assert bodies_of(consumer) == [text.encode()]


def test_an_event_id_that_is_taken_is_a_conflict(api: Calls, app: str) -> None:
    first = sent(api, app, eventId="mine")
    assert sent(api, app, eventId="mine", status=409)["code"] == "conflict"
    assert api.get(f"{app}/msg/mine") == first
    assert api.get(f"{app}/msg/other", status=404) == {"code": "not_found", "detail": "Entity not found"}


def test_a_key_is_answered_with_its_first_message_whatever_the_second_says(api: Calls, app: str) -> None:
    first = sent(api, app, idempotency_key="k")
    assert sent(api, app, {"other": True}, eventId="x", idempotency_key="k") == first
    assert sent(api, "/app/acme", idempotency_key="k") == first
    assert sent(api, app, idempotency_key="k2")["id"] != first["id"]
    # An empty key is none: whoever sends it has lost its own.
    assert sent(api, app, idempotency_key="")["id"] != sent(api, app, idempotency_key="")["id"]
    sent(api, app, eventId="x", idempotency_key="failed")
    assert sent(api, app, eventId="x", idempotency_key="fails", status=409)["code"] == "conflict"
    assert sent(api, app, eventId="y", idempotency_key="fails")["eventId"] == "y"
    other = api.post("/app", {"name": "other"})["id"]
    assert sent(api, f"/app/{other}", idempotency_key="k")["id"] != first["id"]


def test_content_that_was_expunged_is_gone(api: Calls, app: str) -> None:
    message = sent(api, app)["id"]
    for _ in range(2):
        api.delete(f"{app}/msg/{message}/content")
    assert api.get(f"{app}/msg/{message}")["payload"] == {"expired": True}


def test_a_raw_payload_is_what_arrives(api: Calls, app: str) -> None:
    make_endpoint(tenant=Tenant.objects.get(key="acme"))
    message = sent(api, app, {}, transformationsParams={"rawPayload": '{ "raw":1 }'})
    text = sent(api, app, {}, transformationsParams={"rawPayload": "not JSON, ä"})
    assert message["payload"] == {"raw": 1}
    assert text["payload"] == {"rawPayload": "not JSON, ä"} == api.get(f"{app}/msg/{text['id']}")["payload"]
    consumer = StubTransport(200)
    deliver_all(consumer)
    assert sorted(bodies_of(consumer)) == sorted([b'{ "raw":1 }', "not JSON, ä".encode()])


def test_an_application_is_brought_along_where_there_is_none(api: Calls) -> None:
    body = {"eventType": "a", "payload": {}}
    assert api("POST", "/app/new/msg", body, status=404) == {"code": "not_found", "detail": "Application not found"}
    for brought, kind in (
        ({"name": "New"}, "application_uid_missing"),
        ({"name": "New", "uid": "newer"}, "application_uid_mismatch"),
    ):
        refused = api("POST", "/app/new/msg", body | {"application": brought}, status=422)
        assert [one["type"] for one in refused["detail"]] == [kind]
    for name in ("New", "ignored"):
        api("POST", "/app/new/msg", body | {"application": {"name": name, "uid": "new"}}, status=202)
    assert api.get("/app/new")["name"] == "New"
    assert len(api.get("/app/new/msg")["data"]) == 2


def test_no_message_is_taken_for_an_application_that_is_gone(api: Calls, app: str) -> None:
    sent(api, app)
    api.delete(app)
    sent(api, app, status=404)
    assert api.post("/app", {"name": "again", "uid": "acme"})["uid"] == "acme"
    sent(api, "/app/acme")


@pytest.mark.parametrize("filter_text", [None, "@.n == 1"])
def test_a_message_is_sent_when_it_should_be(api: Calls, app: str, filter_text: str | None) -> None:
    make_endpoint(tenant=Tenant.objects.get(key="acme"), filter=filter_text)
    later = datetime.now(UTC) + timedelta(hours=2)
    sent(api, app, deliverAt=later.isoformat())
    assert Delivery.objects.get().due_at == later


def test_what_is_not_delivered_by_its_deadline_is_cancelled(api: Calls, app: str) -> None:
    make_endpoint(tenant=Tenant.objects.get(key="acme"))
    end = datetime.now(UTC) + timedelta(hours=2)
    posted = sent(api, app, expiresAt=end.isoformat())
    assert datetime.fromisoformat(posted["expiresAt"]) == end
    assert api.get(f"{app}/msg/{posted['id']}")["expiresAt"] == posted["expiresAt"]
    assert "expiresAt" not in sent(api, app)
    assert Message.objects.get(expires_at=end).public_id == posted["id"]


def test_the_contents_of_all_messages_of_an_application_are_removed_by_a_task(api: Calls, app: str) -> None:
    messages = [sent(api, app)["id"] for _ in range(3)]
    task = api.post(f"{app}/msg/expunge-all-contents", status=202)
    assert (task["status"], task["task"]) == ("running", "application.purge_content")  # as Svix's clients know it
    kind_of(Replay, conf.get()).share(lambda: None)
    shown = api.get(f"/background-task/{task['id']}")
    assert (shown["status"], shown["data"]["messagesPurged"]) == ("finished", 3)
    assert [api.get(f"{app}/msg/{one}")["payload"] for one in messages] == [{"expired": True}] * 3
    token = Calls(api.post(f"/auth/app-portal-access/{app.rpartition('/')[2]}", {}, status=200)["token"])
    token.post("/replay", {"what": "contents"}, status=403)
    token.post(f"{app}/msg/expunge-all-contents", status=403)


def test_many_are_sent_with_one_request(api: Calls, app: str) -> None:
    taken = sent(api, app, eventId="taken")
    messages = [{"eventType": "a", "payload": {"n": n}} for n in range(3)]
    messages[1]["eventId"] = "taken"
    answers = [
        api("POST", f"{app}/msg/batch", {"messages": messages}, status=202, idempotency_key="k")["data"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert [(one["status"], one["payload"]) for one in answers[0]] == [
        ("accepted", {"n": 0}),
        ("conflict", {"n": 1}),
        ("accepted", {"n": 2}),
    ]
    assert answers[0][1]["id"] == taken["id"]
    assert Message.objects.count() == 3
    refusals: list[Any] = [[], [*messages, {"eventType": "a"}], [messages[0]] * 1001, {}]
    for refused in refusals:
        api("POST", f"{app}/msg/batch", {"messages": refused}, status=422)
    assert Message.objects.count() == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "jsondecode"),
        ("[]", "jsondecode"),
        ("{", "jsondecode"),
        ('{"eventType":"a","payload":{}}x', "jsondecode"),
        ('\ufeff{"eventType":"a","payload":{}}', "jsondecode"),
        ('{"eventType":"a","payload":{"n":NaN}}', "jsondecode"),
        ('{"eventType":"a","payload":{"n":' + "9" * 5000 + "}}", "jsondecode"),
        ('{"eventType":"a","payload":' + '{"a":' * 2000 + "1" + "}" * 2000 + "}", "jsondecode"),
        ('{"eventType":"a","payload":' + '{"a":' * 200 + "1" + "}" * 200 + "}", "jsondecode"),
        ('{"eventType":"a","payload":{"a":"\\ud800"}}', "jsondecode"),
        ('{"eventType":"a","eventType":"b","payload":{}}', "jsondecode"),
        ('{"eventType":"a","payload":{},"data":{}}', "jsondecode"),
        ('{"eventType":"a"}', "jsondecode"),
        ('{"payload":{}}', "jsondecode"),
        ('{"eventType":1,"payload":{}}', "jsondecode"),
        ('{"eventType":null,"payload":{}}', "jsondecode"),
        ('{"eventType":"a b","payload":{}}', "value_error"),
        ('{"eventType":"\\u0000","payload":{}}', "value_error"),
        ('{"eventType":"","payload":{}}', "value_error"),
        ('{"eventType":"' + "a" * 257 + '","payload":{}}', "value_error"),
        ('{"eventType":"a","payload":[]}', "jsondecode"),
        ('{"eventType":"a","payload":null}', "jsondecode"),
        ('{"eventType":"a","payload":"{}"}', "jsondecode"),
        ('{"eventType":"a","payload":{},"eventId":1}', "jsondecode"),
        ('{"eventType":"a","payload":{},"eventId":"msg_1"}', "value_error"),
        ('{"eventType":"a","payload":{},"eventId":"a/b"}', "value_error"),
        ('{"eventType":"a","payload":{},"channels":[]}', "value_error"),
        ('{"eventType":"a","payload":{},"channels":["a","b","c","d","e","f"]}', "value_error"),
        ('{"eventType":"a","payload":{},"channels":"a"}', "jsondecode"),
        ('{"eventType":"a","payload":{},"channels":[7]}', "jsondecode"),
        ('{"eventType":"a","payload":{},"payloadRetentionPeriod":null}', "jsondecode"),
        ('{"eventType":"a","payload":{},"payloadRetentionPeriod":4}', "value_error"),
        ('{"eventType":"a","payload":{},"payloadRetentionPeriod":true}', "jsondecode"),
        ('{"eventType":"a","payload":{},"deliverAt":"tomorrow"}', "jsondecode"),
        ('{"eventType":"a","payload":{},"deliverAt":"9999-01-01T00:00:00Z"}', "value_error"),
        ('{"eventType":"a","payload":{},"expiresAt":7}', "jsondecode"),
        ('{"eventType":"a","payload":{},"expiresAt":"2026-01-01T00:00:00Z"}', "value_error"),
        ('{"eventType":"a","payload":{},"transformationsParams":[]}', "jsondecode"),
        ('{"eventType":"a","payload":{},"transformationsParams":{"rawPayload":1}}', "jsondecode"),
        ('{"eventType":"a","payload":{},"application":7}', "jsondecode"),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_with_its_place(api: Calls, app: str, text: str, kind: str) -> None:
    answer = api.ask("POST", f"{app}/msg", raw=text.encode())
    assert answer.status_code == 422, answer.content
    (problem,) = json.loads(answer.content)["detail"]
    assert problem["loc"][0] == "body"
    assert problem["type"] == ("value_error.jsondecode" if kind == "jsondecode" else kind)
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    ("query", "status"), [("with_content=1", 400), ("with_content=", 400), ("with_content=true&with_content=true", 400)]
)
def test_a_query_that_cannot_be_read_is_refused(api: Calls, app: str, query: str, status: int) -> None:
    sent(api, app, path=f"?{query}", status=status)
    api.get(f"{app}/msg?{query}", status=status)


def test_bytes_that_are_no_utf_8_are_refused(api: Calls, app: str) -> None:
    assert api.ask("POST", f"{app}/msg", raw=b'{"eventType":"a","payload":{"a":"\xff"}}').status_code == 422


def test_what_is_too_long_is_told_so(api: Calls, app: str) -> None:
    for size in (1_100_000, 8_000_000):
        assert sent(api, app, {"a": "x" * size}, status=413)["code"] == "payload_too_large"


def test_a_list_goes_on_and_back_and_between_moments(api: Calls, app: str) -> None:
    made = [sent(api, app) for _ in range(5)][::-1]
    names = [one["id"] for one in made]

    def listed(query: str) -> tuple[list[int], bool]:
        page = api.get(f"{app}/msg?{query}")
        return [names.index(one["id"]) for one in page["data"]], page["done"]

    moments = [one["timestamp"] for one in made]
    assert listed("limit=2") == ([0, 1], False)
    assert listed(f"limit=2&iterator={names[1]}") == ([2, 3], False)
    assert listed(f"limit=2&iterator={names[3]}") == ([4], True)
    assert listed(f"limit=2&iterator=-{names[4]}") == ([2, 3], False)
    assert listed(f"limit=2&iterator=-{names[2]}") == ([0, 1], True)
    assert listed(f"after={moments[2]}") == ([0, 1, 2], True)
    assert listed(f"before={moments[2]}") == ([3, 4], True)
    assert listed(f"after={moments[3]}&before={moments[1]}") == ([2, 3], True)
    # After a moment the oldest ones come first, and are shown as all others.
    assert listed(f"after={moments[3]}&limit=2") == ([2, 3], False)
    assert listed(f"after={moments[3]}&limit=2&iterator=-{names[2]}") == ([0, 1], True)
    assert listed("limit=0") == ([], False)
    api.get(f"{app}/msg?iterator=ep_x", status=422)


def test_what_python_dispatched_is_listed_as_it_is_sent(api: Calls, app: str) -> None:
    message = dispatch("order.paid", {"n": 1}, tenant="acme")
    shown = api.get(f"{app}/msg/{message.public_id}")["payload"]
    assert shown == message.json == {"type": "order.paid", "timestamp": shown["timestamp"], "data": {"n": 1}}


def test_whether_anybody_would_get_a_message_can_be_asked_before(api: Calls, app: str) -> None:
    path = f"{app}/msg/precheck/active"
    assert api("POST", path, {"eventType": "a.b"}) == {"active": False}
    make_endpoint(tenant=Tenant.objects.get(key="acme"), event_types=["a.*"], channels=["c"])
    assert api("POST", path, {"eventType": "a.b"}) == {"active": False}
    assert api("POST", path, {"eventType": "a.b", "channels": ["c", "d"]}) == {"active": True}
    assert api("POST", path, {"eventType": "b", "channels": ["c"]}) == {"active": False}


def test_messages_are_found_by_their_tags(api: Calls, app: str) -> None:
    endpoint = make_endpoint(tenant=Tenant.objects.get(key="acme"))
    plain = sent(api, app)
    tags = ["project_1337", r"a/b\c#1.x"]
    tagged = sent(api, app, tags=[*tags, tags[0]], idempotency_key="one")
    assert ("tags" in plain, tagged["tags"]) == (False, tags)
    assert sent(api, app, idempotency_key="one") == tagged
    assert api.get(f"{app}/msg/{tagged['id']}") == tagged
    batch = sent(api, app, messages=[{"eventType": "a", "payload": {}, "tags": ["other"]}], path="/batch")["data"]
    assert batch[0]["tags"] == ["other"]
    deliver_all(StubTransport(200))

    def found(path: str, tag: str, name: str = "id") -> list[str]:
        return [one[name] for one in api.get(f"{app}{path}?tag={quote(tag)}")["data"]]

    for tag in tags:
        assert found("/msg", tag) == [tagged["id"]]
        assert found(f"/endpoint/{endpoint.public_id}/msg", tag) == [tagged["id"]]
        assert found(f"/attempt/endpoint/{endpoint.public_id}", tag, "msgId") == [tagged["id"]]
        assert found(f"/attempt/msg/{plain['id']}", tag, "msgId") == []
    assert found("/msg", "other") == [batch[0]["id"]]
    assert found("/msg", "nobody") == []
    api.get(f"{app}/msg?tag=no%20tag", status=422)


def test_the_content_of_a_message_is_kept_as_long_as_its_publisher_says(api: Calls, app: str) -> None:
    endpoint = make_endpoint(tenant=Tenant.objects.get(key="acme"))
    kept = sent(api, app)
    for made, time in (
        (sent(api, app, payloadRetentionPeriod=5), timedelta(days=5)),
        (sent(api, app, payloadRetentionHours=1), timedelta(hours=1)),
    ):
        row = Message.objects.get(pk=Message.id_of(made["id"]))
        assert row.content_until is not None
        assert timedelta(0) <= row.content_until - (row.created_at + time) <= timedelta(minutes=1)
    walks = pruners(conf.load({}))
    assert prune(walks).deleted == {}
    Message.objects.exclude(content_until=None).update(content_until=datetime.now(UTC) - timedelta(seconds=1))
    assert prune(walks).deleted == {"contents": 2}
    shown = {one["id"]: one["payload"] for one in api.get(f"{app}/msg")["data"]}
    assert shown.pop(kept["id"]) == {"n": 1}
    assert list(shown.values()) == [{"expired": True}] * 2
    # What waited of them is not sent any more.
    deliver_all(consumer := StubTransport(200))
    assert [request.body for request in consumer.sent] == [b'{"n": 1}']
    states = dict(Delivery.objects.filter(endpoint=endpoint).values_list("message", "state"))
    assert sorted(states.values()) == ["cancelled", "cancelled", "succeeded"]
    assert prune(walks).deleted == {}
