"""What Svix does not have: sources, forwards, events, rejections, replays, audit and public keys."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from hookline.audit.actor import SYSTEM
from hookline.core import ids
from hookline.incoming.models import Source
from hookline.operations import endpoints, keys, sources
from hookline.replays.models import Replay
from hookline.tenants.models import Tenant
from hookline.testing import StubTransport, deliver_all, post_webhook, run_events
from tests.api.calls import Calls
from tests.engine.rows import make_endpoint, make_event, make_source

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_made_up_for_the_source"


def received(source: Source, **fields: object) -> str:
    """The id of an event that was stored over HTTP."""
    answer = post_webhook(Client(), source, "invoice.paid", **fields)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return str(json.loads(answer.content)["id"])


def test_a_source_lives_its_whole_life_over_the_api(api: Calls) -> None:
    made = api.post("/source", {"provider": "stripe", "name": "shop", "secrets": [SECRET], "orderBy": "$.id"})
    path = f"/source/{made['id']}"
    assert api.get(path) == made
    assert (made["secrets"], made["orderBy"], made["path"]) == (1, "$.id", f"/in/{Source.objects.get().token}")
    assert SECRET not in str(made)
    changed = api.patch(path, {"name": "", "rateLimit": 5, "networks": ["192.0.2.0/24"], "disabled": True})
    assert (changed["name"], changed["rateLimit"], changed["networks"]) == ("", 5, ["192.0.2.0/24"])
    assert api.patch(path, {"rateLimit": None, "networks": None, "disabled": False})["networks"] == []
    rotated = api.post(f"{path}/secret/rotate", {"key": "whsec_another", "gracePeriodSeconds": 60}, status=200)
    assert rotated == {"key": None, "gracePeriodSeconds": 60}
    assert api.get(path)["secrets"] == 2
    api.delete(path, status=409)  # it is enabled
    api.patch(path, {"disabled": True})
    api.delete(path)
    api.get(path, status=404)


def test_lists_go_on_and_back(api: Calls) -> None:
    made = [make_source().public_id for _ in range(5)]
    first = api.get("/source?limit=3")
    assert [one["id"] for one in first["data"]] == made[:3]
    rest = api.get(f"/source?limit=3&iterator={first['iterator']}")
    assert ([one["id"] for one in rest["data"]], rest["done"]) == (made[3:], True)
    api("GET", "/source?iterator=ep_x", status=422)


def test_a_forward_is_made_tried_and_removed(api: Calls) -> None:
    source, endpoint = make_source("stripe", SECRET), make_endpoint()
    event = received(source)
    path = f"/source/{source.public_id}/forward"
    wanted = {"endpointId": endpoint.public_id, "eventTypes": ["invoice.*"]}
    (tried,) = api.post(f"{path}/preview", wanted, status=200)["data"]
    assert (tried["eventId"], tried["forwarded"], tried["reason"]) == (event, True, "")
    made = api.post(path, wanted)
    api.post(path, wanted, status=409)
    assert [one["id"] for one in api.get(path)["data"]] == [made["id"]]
    changed = api.patch(f"{path}/{made['id']}", {"filter": "@.id == 'x'", "eventTypes": None, "headers": ["X-Shop"]})
    assert (changed["filter"], changed["eventTypes"], changed["headers"]) == ("@.id == 'x'", None, ["x-shop"])
    (now,) = api.get(f"{path}/preview")["data"]
    assert (now["forwarded"], now["reason"]) == (False, "it does not pass the filter")
    api.patch(f"{path}/{made['id']}", {"filter": None})
    run_events()
    transport = StubTransport()
    deliver_all(transport)
    assert [one.headers["hookline-event"] for one in transport.sent] == [event]
    api.delete(f"{path}/{made['id']}")
    api.get(f"{path}/{made['id']}", status=404)
    api.post(path, {**wanted, "filter": "total >"}, status=422)


def test_events_are_listed_shown_counted_and_retried(api: Calls) -> None:
    source = make_source("stripe", SECRET)
    names = [received(source) for _ in range(3)]
    run_events()
    listed = api.get(f"/event?source_id={source.public_id}&unhandled=true&status=succeeded&limit=2")
    assert [one["id"] for one in listed["data"]] == names[:0:-1]
    shown = api.get(f"/event/{names[0]}")
    assert (shown["eventType"], shown["method"], shown["unhandled"]) == ("invoice.paid", "POST", True)
    assert shown["body"].startswith("{")
    assert "stripe-signature" in shown["headers"]
    assert api.post(f"/event/{names[0]}/retry", status=202) == {"retried": [names[0]]}
    assert api.post("/event/retry", {"ids": names[1:]}, status=202) == {"retried": names[1:]}
    stats = api.get(f"/source/{source.public_id}/stats")
    assert stats == {
        "pending": 3, "running": 0, "succeeded": 0, "dead": 0, "cancelled": 0, "unhandled": 0, "rejected": 0,
    }  # fmt: skip
    api.get(f"/source/{source.public_id}/stats?since=2020-01-01T00:00:00Z", status=422)
    make_event(source, body=b"\xff")
    assert api.get("/event?limit=1")["data"][0]["sourceId"] == source.public_id
    binary = api.get(f"/event/{api.get('/event?limit=1')['data'][0]['id']}")
    assert (binary["body"], binary["bodyBase64"]) == (None, "/w==")


def test_a_rejection_says_what_to_do_and_shows_no_credential(api: Calls) -> None:
    source = make_source("stripe", "whsec_the_wrong_one")
    right = make_source("stripe", SECRET)
    token, source.token = source.token, right.token
    source.token = token
    headers = {"authorization": "Bearer made-up-token", "stripe-signature": "t=1,v1=00"}
    assert Client().post(source.path, b"{}", "application/json", headers=headers).status_code in (400, 401)
    (listed,) = api.get(f"/rejection?source_id={source.public_id}&admitted=false")["data"]
    shown = api.get(f"/rejection/{listed['id']}")
    assert shown["diagnosis"]["advice"]
    assert shown["request"]["headers"]["authorization"] == "***"
    assert "made-up-token" not in str(shown)
    again = api.post(f"/rejection/{listed['id']}/reverify", status=409)
    assert again["code"] == "still_refused"


def test_a_replay_is_counted_started_paused_and_cancelled(api: Calls) -> None:
    source = make_source()
    for _ in range(3):
        make_event(source, state="dead", attempts=9)
    wanted = {"what": "events", "sourceId": source.public_id, "status": "dead", "rate": 1}
    assert api.post("/replay/preview", wanted, status=200) == {"count": 3, "seconds": 3}
    made = api.post("/replay", wanted, status=202)
    path = f"/replay/{made['id']}"
    assert (made["total"], made["status"], made["sourceId"]) == (3, "running", source.public_id)
    assert api.post(f"{path}/pause", status=200)["status"] == "paused"
    assert api.post(f"{path}/resume", status=200)["status"] == "running"
    assert api.post(f"{path}/cancel", status=200)["status"] == "cancelled"
    api.post(f"{path}/cancel", status=409)
    assert [one["id"] for one in api.get("/replay")["data"]] == [made["id"]]
    api.post("/replay", {"what": "everything"}, status=422)


def test_the_audit_log_names_the_key(api: Calls) -> None:
    made = api.post("/source", {"provider": "stripe", "secrets": [SECRET]})
    (entry,) = api.get(f"/audit?object={made['id']}")["data"]
    assert (entry["action"], entry["actor"]["kind"]) == ("source.create", "key")
    assert SECRET not in str(entry)


def test_public_keys_of_an_endpoint(api: Calls) -> None:
    endpoint = endpoints.create(SYSTEM, "https://consumer.example.com", signatures=["v1a"])
    app = ids.to_text("app", endpoint.tenant_id)
    found = api.get(f"/app/{app}/endpoint/{endpoint.public_id}/jwks")
    assert [key["crv"] for key in found["keys"]] == ["Ed25519"]


# ---- whose is it ----------------------------------------------------------------------------------------


@pytest.fixture
def ours() -> Calls:
    """A key of the application `ours`."""
    tenant = Tenant.objects.create(key="ours")
    return Calls(keys.create(SYSTEM, ["all"], tenant=tenant).text)


def test_a_key_of_an_application_sees_nothing_of_another(ours: Calls, api: Calls) -> None:
    theirs = Tenant.objects.create(key="theirs")
    source, endpoint = make_source(tenant=theirs), make_endpoint(tenant=theirs)
    event = make_event(source, state="dead")
    replay = Replay.objects.create(what="events", until=event.created_at, tenant=theirs)
    Client().post(source.path, b"{}", "application/json")
    sources.update(SYSTEM, source, name="theirs")
    for noun in ("source", "event", "rejection", "replay", "audit"):
        assert api.get(f"/{noun}")["data"]
        assert [one for one in ours.get(f"/{noun}")["data"] if noun != "audit"] == []
        ours.get(f"/{noun}?app_id=theirs", status=404)
    rejection = api.get("/rejection")["data"][0]["id"]
    for method, path in (
        ("GET", f"/source/{source.public_id}"),
        ("PATCH", f"/source/{source.public_id}"),
        ("DELETE", f"/source/{source.public_id}"),
        ("POST", f"/source/{source.public_id}/secret/rotate"),
        ("GET", f"/source/{source.public_id}/stats"),
        ("GET", f"/source/{source.public_id}/forward"),
        ("GET", f"/event/{event.public_id}"),
        ("POST", f"/event/{event.public_id}/retry"),
        ("GET", f"/rejection/{rejection}"),
        ("POST", f"/rejection/{rejection}/reverify"),
        ("GET", f"/replay/{replay.public_id}"),
        ("POST", f"/replay/{replay.public_id}/cancel"),
        ("GET", f"/event?source_id={source.public_id}"),
    ):
        body: object = {} if method in ("POST", "PATCH") else None
        assert ours(method, path, body, status=404) == {"code": "not_found", "detail": "Entity not found"}, path
    mine = ours.post("/source", {"provider": "stripe", "secrets": [SECRET]})
    assert Source.find(mine["id"]).tenant.key == "ours"
    path = f"/source/{mine['id']}/forward"
    ours.post(path, {"endpointId": endpoint.public_id}, status=404)
    ours.post("/replay", {"what": "events", "sourceId": source.public_id}, status=404)
    wanted = {"what": "missed", "endpointId": endpoint.public_id, "since": "2026-01-01T00:00:00Z"}
    ours.post("/replay/preview", wanted, status=404)
    assert ours.post("/replay/preview", {"what": "events"}, status=200)["count"] == 0


def test_a_key_without_the_scope_is_refused(api: Calls) -> None:
    reader = Calls(keys.create(SYSTEM, ["messages:write"]).text)
    for method, path in (
        ("GET", "/source"), ("POST", "/source"), ("GET", "/event"), ("GET", "/rejection"), ("GET", "/replay"),
        ("POST", "/replay"), ("GET", "/audit"), ("POST", "/event/retry"),
    ):  # fmt: skip
        assert reader(method, path, {} if method == "POST" else None, status=403)["code"] == "insufficient access"
