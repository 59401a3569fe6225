"""What Svix's own end-to-end tests demand of endpoints."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django.utils import timezone

from hookline import conf
from hookline.engine.job import State
from hookline.exceptions import ConfigurationError
from hookline.models import Endpoint
from tests.api.calls import KEY, Calls
from tests.engine.rows import make_delivery

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://example.com/hooks"


@pytest.fixture
def app(api: Calls) -> str:
    found: str = api.post("/app", {"name": "app"})["id"]
    return f"/app/{found}/endpoint"


def secret(size: int, prefix: str = "whsec_") -> str:
    return prefix + base64.b64encode(bytes(range(size))).decode()


def test_create_has_defaults_and_one_spelling_of_the_url(api: Calls, app: str) -> None:
    made = api.post(app, {"url": "HTTPS://Example.com"})
    assert made["url"] == "https://example.com/"
    assert {name: made[name] for name in made if name not in ("id", "url", "createdAt", "updatedAt")} == {
        "description": "", "rateLimit": None, "throttleRate": None, "uid": None, "version": 1, "disabled": False,
        "eventTypes": None, "filterTypes": None, "channels": None, "metadata": {},
    }  # fmt: skip
    assert api.get(f"{app}/{made['id']}") == made


def test_patch_sets_and_clears_every_field_in_turn(api: Calls, app: str) -> None:
    api.post("/event-type", {"name": "event.started", "description": ""})
    made = api.post(app, {"url": URL})
    path, expected = f"{app}/{made['id']}", made
    for field, value, shown in (
        ("url", "https://example.com/other", "https://example.com/other"),
        ("version", 2, 2),
        ("uid", "mine", "mine"),
        ("disabled", True, True),
        ("disabled", False, False),
        ("eventTypes", ["event.started"], ["event.started"]),
        ("eventTypes", None, None),
        ("filterTypes", ["event.started"], ["event.started"]),
        ("filterTypes", None, None),
        ("rateLimit", 1, 1),
        ("throttleRate", None, None),
        ("channels", ["one", "two"], ["one", "two"]),
        ("channels", None, None),
        ("description", "words", "words"),
        ("metadata", {"a": "b"}, {"a": "b"}),
        ("metadata", None, {}),
        ("uid", None, None),
    ):
        found = api.patch(path, {field: value})
        expected = {**expected, field: shown, "updatedAt": found["updatedAt"]}
        for one, other in (("rateLimit", "throttleRate"), ("eventTypes", "filterTypes")):
            if field in (one, other):
                expected |= {one: shown, other: shown}
        assert found == expected
        assert api.get(path) == found
    for field in ("url", "version", "disabled", "description"):
        api.patch(path, {field: None}, status=422)
    api.patch(path, {"eventTypes": ["event.started"], "filterTypes": ["event.started"]}, status=422)


def test_crud_in_two_applications_which_do_not_see_each_other(api: Calls, app: str) -> None:
    other = f"/app/{api.post('/app', {'name': 'other'})['id']}/endpoint"
    made = api.post(app, {"url": URL, "metadata": {"a": "b"}})
    for method in ("GET", "DELETE"):
        api(method, f"{other}/{made['id']}", status=404)
    api.patch(f"{other}/{made['id']}", {"disabled": True}, status=404)
    assert api.put(f"{app}/{made['id']}", {"url": URL})["metadata"] == {}
    by_put = api.put(f"{app}/unknown", {"url": URL}, status=201)
    assert api.get(f"{app}/{by_put['id']}") == by_put
    api.delete(f"{app}/{made['id']}")
    api.get(f"{app}/{made['id']}", status=404)
    api.delete(f"{app}/{made['id']}", status=404)
    assert [one["id"] for one in api.get(app)["data"]] == [by_put["id"]]


def test_list_is_in_both_orders_and_both_directions(api: Calls, app: str) -> None:
    made = [api.post(app, {"url": f"{URL}/{number}"})["id"] for number in range(6)]
    down = made[::-1]
    first = api.get(f"{app}?limit=4")
    assert ([one["id"] for one in first["data"]], first["done"]) == (down[:4], False)
    second = api.get(f"{app}?limit=4&iterator={first['iterator']}")
    assert ([one["id"] for one in second["data"]], second["done"]) == (down[4:], True)
    back = api.get(f"{app}?limit=4&iterator={second['prevIterator']}")
    assert [one["id"] for one in back["data"]] == down[:4]
    up = api.get(f"{app}?limit=4&order=ascending")
    assert [one["id"] for one in up["data"]] == made[:4]
    back = api.get(f"{app}?limit=4&order=ascending&iterator=-{made[3]}")
    assert [one["id"] for one in back["data"]] == made[:3]


def test_a_uid_is_unique_within_its_application(api: Calls, app: str) -> None:
    first = api.post(app, {"url": URL, "uid": "mine"})
    api.post(app, {"url": URL, "uid": "mine"}, status=409)
    second = api.post(app, {"url": URL})
    api.put(f"{app}/{second['id']}", {"url": URL, "uid": "mine"}, status=409)
    assert api.put(f"{app}/{first['id']}", {"url": URL, "uid": "mine"})["uid"] == "mine"
    other = f"/app/{api.post('/app', {'name': 'other'})['id']}/endpoint"
    api.post(other, {"url": URL, "uid": "mine"})
    api.delete(f"{app}/mine")
    api.post(app, {"url": URL, "uid": "mine"})


def test_the_secret_is_made_given_and_rotated(api: Calls, app: str) -> None:
    path = f"{app}/{api.post(app, {'url': URL})['id']}/secret"
    first = api.get(path)["key"]
    assert first.startswith("whsec_")
    assert api.ask("POST", f"{path}/rotate", {"key": None}).content == b""
    second = api.get(path)["key"]
    assert second != first
    api.post(f"{path}/rotate", {"key": first}, status=204)
    assert api.get(path)["key"] == first
    api.post(f"{path}/rotate", {"key": None, "gracePeriodSeconds": 604_801}, status=422)
    api.post(f"{path}/rotate", status=422)


def test_a_client_of_svix_reads_the_rotated_key(api: Calls, app: str) -> None:
    path = f"{app}/{api.post(app, {'url': URL})['id']}/secret"
    answer = api.post(f"{path}/rotate", {}, status=200, user_agent="svix-libs/2.9.1/python")
    assert answer == api.get(path)


def test_ten_previous_secrets_may_sign_and_no_more(api: Calls, app: str) -> None:
    path = f"{app}/{api.post(app, {'url': URL})['id']}/secret/rotate"
    for _ in range(10):
        api.post(path, {"key": None}, status=204)
    assert api.post(path, {"key": None}, status=400)["code"] == "limit_reached"
    api.post(path, {"key": None, "gracePeriodSeconds": 0}, status=204)


@pytest.mark.parametrize("given", [secret(24), secret(32), secret(75)])
def test_a_secret_of_ones_own_is_kept(api: Calls, app: str, given: str) -> None:
    made = api.post(app, {"url": URL, "secret": given})
    assert api.get(f"{app}/{made['id']}/secret") == {"key": given}


@pytest.mark.parametrize("given", [secret(23), secret(76), secret(32, "whpk_"), "", "whsec_"])
def test_a_secret_that_cannot_be_one_is_refused(api: Calls, app: str, given: str) -> None:
    api.post(app, {"url": URL, "secret": given}, status=422)
    made = api.post(app, {"url": URL})
    api.post(f"{app}/{made['id']}/secret/rotate", {"key": given}, status=422)


#: Of the private key 9d61... in section 7.1 of RFC 8032, and its public key.
PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_a_key_pair_signs_beside_the_previous_secret(api: Calls, app: str) -> None:
    private = "whsk_" + base64.b64encode(PRIVATE + PUBLIC).decode()
    public = "whpk_" + base64.b64encode(PUBLIC).decode()
    made = api.post(app, {"url": URL, "secret": private})
    assert api.get(f"{app}/{made['id']}/secret") == {"key": public}
    made = api.post(app, {"url": URL})
    path = f"{app}/{made['id']}/secret"
    first = api.get(path)["key"]
    api.post(f"{path}/rotate", {"key": private}, status=204)
    assert api.get(path) == {"key": public}
    stored = Endpoint.find(made["id"])
    assert (stored.schemes, stored.secrets.active(0), len(stored.keys.active(0))) == (("v1", "v1a"), (first,), 1)
    api.post(f"{path}/rotate", {"key": first}, status=204)
    assert api.get(path) == {"key": first}


def test_event_types_must_be_in_the_catalogue(api: Calls, app: str) -> None:
    api.post(app, {"url": URL, "eventTypes": []}, status=422)
    answer = api.post(app, {"url": URL, "eventTypes": ["unknown.type"]}, status=422)
    assert "unknown.type" in answer["detail"][0]["msg"]
    api.post("/event-type", {"name": "known.type", "description": ""})
    made = api.post(app, {"url": URL, "eventTypes": ["known.type"]})
    assert api.put(f"{app}/{made['id']}", {"url": URL})["eventTypes"] is None
    assert api.put(f"{app}/{made['id']}", {"url": URL, "eventTypes": ["known.type"]})["eventTypes"] == ["known.type"]
    api.delete("/event-type/known.type")
    assert api.put(f"{app}/{made['id']}", {"url": URL, "eventTypes": ["known.type"]})["eventTypes"] == ["known.type"]
    api.post(app, {"url": URL, "eventTypes": ["known.type"]}, status=422)


def test_channels_are_set_and_removed(api: Calls, app: str) -> None:
    api.post(app, {"url": URL, "channels": []}, status=422)
    made = api.post(app, {"url": URL, "channels": ["one"]})
    assert made["channels"] == ["one"]
    assert api.put(f"{app}/{made['id']}", {"url": URL})["channels"] is None
    assert api.put(f"{app}/{made['id']}", {"url": URL, "channels": ["two"]})["channels"] == ["two"]


def test_a_rate_limit_is_stored_and_enforced_by_the_lane(api: Calls, app: str) -> None:
    made = api.post(app, {"url": URL, "rateLimit": 7})
    assert made["throttleRate"] == 7
    assert Endpoint.find(made["id"]).lane_rate == 7
    assert api.put(f"{app}/{made['id']}", {"url": URL})["rateLimit"] is None


def test_headers_are_set_merged_removed_and_hidden(api: Calls, app: str) -> None:
    path = f"{app}/{api.post(app, {'url': URL})['id']}/headers"
    assert api.get(path) == {"headers": {}, "sensitive": []}
    api.patch(path, {"headers": {"X-Test": "one", "Authorization": "Bearer x"}}, status=204)
    assert api.get(path) == {"headers": {"X-Test": "one"}, "sensitive": ["Authorization"]}
    for name in (
        "user-agent",
        "svix-id",
        "X-Svix-Test",
        "x-amz-a",
        "bad name",
        "",
        "content-type",
        "Host",
        "webhook-id",
    ):
        api.patch(path, {"headers": {name: "x"}}, status=422)
        api.put(path, {"headers": {name: "x"}}, status=422)
    for value in ("a\r\nb: c", "a\nb", "x" * 4097, "\x00"):
        api.patch(path, {"headers": {"X-Test": value}}, status=422)
    api.patch(path, {"headers": {"x-other": "two", "x-test": None}}, status=204)
    assert api.get(path) == {"headers": {"x-other": "two"}, "sensitive": ["Authorization"]}
    api.patch(path, {"headers": {"X-Other": "three"}, "deleteHeaders": ["authorization"]}, status=204)
    assert api.get(path) == {"headers": {"X-Other": "three"}, "sensitive": []}
    api.put(path, {"headers": {"X-Only": "1"}}, status=204)
    assert api.get(path) == {"headers": {"X-Only": "1"}, "sensitive": []}


@pytest.mark.parametrize(
    "url",
    ["", "nothing", "ftp://example.com/", "https://", "https://user:pass@example.com/", "https://127.0.0.1/x",
     "https://10.0.0.1/", "http://example.com/", "https://localhost/", "https://2130706433/"],
)  # fmt: skip
def test_a_url_that_would_not_be_sent_to_is_refused_at_once(api: Calls, app: str, url: str) -> None:
    answer = api.post(app, {"url": url}, status=422)
    assert answer["detail"][0]["loc"] == ["body", "url"]


def test_loopback_over_plain_http_is_taken_where_its_subnet_is_allowed() -> None:
    allowed = {**django_settings.HOOKLINE, "API_KEY": KEY, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    with override_settings(HOOKLINE=allowed):
        api = Calls(KEY)
        app = api.post("/app", {"name": "app"})["id"]
        assert api.post(f"/app/{app}/endpoint", {"url": "http://127.0.0.1:8000/x"})["url"] == "http://127.0.0.1:8000/x"


def test_stats_count_deliveries_by_what_became_of_them(api: Calls, app: str) -> None:
    made = api.post(app, {"url": URL})
    endpoint = Endpoint.objects.select_related("tenant").get(pk=Endpoint.id_of(made["id"]))
    for state, attempts in ((State.SUCCEEDED, 1), (State.DEAD, 9), (State.PENDING, 0), (State.PENDING, 2)):
        make_delivery(endpoint, state=state, attempts=attempts)
    path = f"{app}/{made['id']}/stats"
    counted = {"success": 1, "pending": 1, "sending": 1, "fail": 1, "canceled": 0}
    assert api.get(path) == counted
    assert api.get(f"{app}/{made['id']}/attempt-stats") == {"success": 1, "fail": 1, "canceled": 0}
    now = timezone.now()
    moment = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}Z"
    assert api.get(f"{path}?since={moment}") == counted
    assert sum(api.get(f"{path}?until={moment}").values()) == 0
    too_long = f"{now - timedelta(days=29):%Y-%m-%dT%H:%M:%S}Z"
    assert api.get(f"{path}?since={too_long}", status=400)["code"] == "invalid_range"
    assert api.get(f"{path}?until=2999-01-01T00:00:00Z", status=400)["code"] == "invalid_range"
    assert api.get(f"{path}?since=yesterday", status=400)["code"] == "generic_error"


def test_a_recovery_is_a_task_whose_progress_can_be_read(api: Calls, app: str) -> None:
    path = f"{app}/{api.post(app, {'url': URL})['id']}"
    now = timezone.now()
    since: Any = {"since": (now - timedelta(hours=1)).isoformat()}
    task = api.post(f"{path}/recover", since, status=202)
    assert (task["status"], task["task"], task["id"][:6]) == ("running", "endpoint.recover", "qtask_")
    shown = api.get(f"/background-task/{task['id']}")
    assert (shown["id"], shown["status"], shown["data"]["seen"]) == (task["id"], "running", 0)
    api.post(f"{path}/bulk-replay", since, status=202)
    api.post(f"{path}/replay-missing", since, status=202)
    listed = api.get("/background-task")["data"]
    assert [one["task"] for one in listed] == ["endpoint.recover", "endpoint.bulk-replay", "endpoint.recover"]
    api.get("/background-task/qtask_unknown", status=404)
    too_old = {"since": (now - timedelta(weeks=3)).isoformat()}
    assert api.post(f"{path}/recover", too_old, status=422)["detail"][0]["loc"] == ["body", "since"]
    api.post(f"{path}/recover", {"since": "2026-11-26T23:39:34"}, status=422)


def test_an_example_goes_to_this_endpoint_alone(api: Calls, app: str) -> None:
    api.post(app, {"url": URL})
    made = api.post(app, {"url": URL, "channels": ["never"]})
    path = f"{app}/{made['id']}/send-example"
    message = api.post(path, {"eventType": "svix.ping"}, status=200)
    assert (message["eventType"], message["payload"]) == ("svix.ping", {"success": True})
    api.post(path, {"eventType": "unknown.type"}, status=404)
    schema = {"type": "object", "examples": [{"a": 1}, {"a": 2}]}
    api.post("/event-type", {"name": "a.b", "description": "", "schemas": {"1": schema}})
    assert api.post(path, {"eventType": "a.b"}, status=200)["payload"] == {"a": 1}
    assert api.post(path, {"eventType": "a.b", "exampleIndex": 1}, status=200)["payload"] == {"a": 2}
    api.post("/event-type", {"name": "none", "description": ""})
    assert api.post(path, {"eventType": "none"}, status=400)["code"] == "invalid_scheme"
    sent = Endpoint.find(made["id"]).deliveries.count()
    assert (sent, Endpoint.objects.exclude(pk=Endpoint.id_of(made["id"])).get().deliveries.count()) == (3, 0)
    api.patch(f"{app}/{made['id']}", {"disabled": True})
    api.post(path, {"eventType": "svix.ping"}, status=409)


def test_new_endpoints_sign_as_the_settings_say_where_nothing_else_is_said(api: Calls, app: str) -> None:
    """Svix's own tests read `svix-*` headers, and so do subscribers that come from there."""
    pair = "whsk_" + base64.b64encode(PRIVATE + PUBLIC).decode()
    sent_with = {**django_settings.HOOKLINE, "ENDPOINT_SIGNATURES": ("v1", "svix")}
    with override_settings(HOOKLINE=sent_with):
        made = [api.post(app, {"url": URL, **more})["id"] for more in ({}, {"secret": pair})]
    made.append(api.post(app, {"url": URL})["id"])
    found = [Endpoint.objects.get(pk=Endpoint.id_of(one)).schemes for one in made]
    assert found == [("v1", "svix"), ("v1a", "svix"), ("v1",)]
    with pytest.raises(ConfigurationError, match="signature scheme 'v2' is unknown"):
        conf.load({"ENDPOINT_SIGNATURES": ["v2"]})


def test_options_that_svix_does_not_have_are_set_shown_and_cleared(api: Calls, app: str) -> None:
    options = {
        "sequenced": True,
        "orderBy": "$.data.customer",
        "filter": "@.data.total > 100",
        "payload": {"fields": ["id"]},
        "signatures": ["v1", "x-webhook"],
        "retry": {"delays": [1, 60], "deadline": 600},
        "burst": 3,
        "atOnce": 2,
        "proxy": "http://user:made-up-password@8.8.8.8:3128",
        "oauth2": {"tokenUrl": "https://example.com/token", "clientId": "me", "clientSecret": "made-up-secret"},
    }
    made = api.post(app, {"url": URL, "uid": "main", "throttleRate": 5, "sending": options})
    shown = made["sending"]
    secret_ones = ("proxy", "oauth2")
    assert {name: shown[name] for name in shown if name not in secret_ones} == {
        name: value for name, value in options.items() if name not in secret_ones
    }
    assert "made-up" not in json.dumps(made)
    assert (shown["oauth2"]["tokenUrl"], shown["oauth2"]["sendAs"]) == ("https://example.com/token", "basic")
    path = f"{app}/main"
    assert api.get(path)["sending"] == shown
    assert api.get(app)["data"][0]["sending"] == shown
    # A client of Svix does not know of them: what it sends leaves them as they are.
    assert api.put(path, {"url": URL, "throttleRate": 5})["sending"] == shown
    assert api.patch(path, {"description": "mine"})["sending"] == shown
    stored = Endpoint.objects.get()
    assert (stored.lane_rate, stored.lane_burst, stored.lane_at_once) == (5, 3, 2)
    assert stored.access.oauth2 is not None
    assert stored.access.oauth2.client_secret == "made-up-secret"

    changed = api.patch(path, {"sending": {"atOnce": 7, "oauth2": None, "retry": None}})["sending"]
    gone = {name: shown[name] for name in shown if name not in ("oauth2", "retry")}
    assert changed == {**gone, "atOnce": 7}
    without = api.patch(path, {"throttleRate": None})
    assert (without["throttleRate"], "burst" in without["sending"]) == (None, False)
    cleared = api.patch(path, {"sending": dict.fromkeys(options, None) | {"sequenced": False}})
    assert cleared.get("sending") in (None, {"signatures": ["v1"]})


@pytest.mark.parametrize(
    "sending",
    [
        {"sequenced": 1}, {"orderBy": "header:X"}, {"filter": "@.("}, {"payload": {"no": 1}}, {"signatures": ["v2"]},
        {"retry": {"delays": [-1]}}, {"retry": {"delays": "5"}}, {"burst": 1}, {"atOnce": 0}, {"proxy": "ftp://x"},
        {"proxy": "http://127.0.0.1:3128"}, {"oauth2": {}}, {"clientCertificate": "no PEM"}, [],
        {"oauth2": {"tokenUrl": "https://10.0.0.1/", "clientId": "a", "clientSecret": "b"}},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(api: Calls, app: str, sending: Any) -> None:
    api.post(app, {"url": URL, "sending": sending}, status=422)
    assert not Endpoint.objects.exists()
