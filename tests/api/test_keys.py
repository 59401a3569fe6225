"""Keys and tokens over the API."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer
from svix.api import ApplicationIn, ApplicationTokenExpireIn, AppPortalAccessIn, Svix, SvixOptions
from svix.exceptions import HttpError

from hookline.access.authenticate import keys as cache
from hookline.audit.actor import key as key_actor
from hookline.models import ApiKey, AuditEntry, Tenant
from hookline.operations import app_tokens, keys, tenants
from tests.api.calls import Calls

ACTOR = key_actor("key_of_the_test")


@pytest.fixture
def acme(db: None) -> Tenant:
    return tenants.create(ACTOR, "acme", name="Acme")


@contextmanager
def client_of_svix(server: str, token: str) -> Iterator[Svix]:
    client = Svix(token, SvixOptions(server_url=server, retry_schedule=[]))
    with client._httpx_client:  # it has no way to close its connections
        yield client


@pytest.mark.django_db(transaction=True)
def test_the_client_of_svix_issues_a_token_uses_it_and_logs_out(live_server: LiveServer) -> None:
    wanted = AppPortalAccessIn(feature_flags=["beta"], expiry=3600, session_id="one")
    with client_of_svix(live_server.url, keys.create(ACTOR, ["all"]).text) as operator:
        operator.application.create(ApplicationIn(name="Acme", uid="acme"))
        issued = operator.authentication.app_portal_access("acme", wanted)
        second = operator.authentication.app_portal_access("acme", wanted)
        with client_of_svix(live_server.url, issued.token) as page:
            assert page.application.get("acme").name == "Acme"
            with pytest.raises(HttpError) as refused:
                page.application.list()
            assert (refused.value.status_code, refused.value.code) == (403, "insufficient access")
            page.authentication.logout()
        operator.authentication.expire_all("acme", ApplicationTokenExpireIn(session_ids=["one"]))
    cache.forget()  # half a second later
    for ended in (issued, second):
        with client_of_svix(live_server.url, ended.token) as page, pytest.raises(HttpError) as refused:
            page.application.get("acme")
        assert (refused.value.status_code, refused.value.detail) == (401, "Invalid token")


def scenario(api: Calls, acme: Tenant) -> tuple[str, Calls]:
    issued = api.post("/auth/app-portal-access/acme", {"featureFlags": []}, status=200)
    return issued["token"], Calls(issued["token"])


def test_a_token_of_a_page_reads_its_own_application_and_no_other(api: Calls, acme: Tenant) -> None:
    Tenant.objects.create(key="other", name="Other")
    token, page = scenario(api, acme)
    assert token.startswith("hk_app_")
    assert "." not in token  # clients take what is behind a dot for a region
    assert page.get("/app/acme")["uid"] == "acme"
    assert page.get("/app/other", status=404) == {"code": "not_found", "detail": "Entity not found"}
    for method, path in (("GET", "/app"), ("POST", "/app"), ("PUT", "/app/acme"), ("DELETE", "/app/acme")):
        answer = page(method, path, {"name": "x"}, status=403)
        assert answer["code"] == "insufficient access"
    assert page.post("/auth/app-portal-access/acme", {}, status=403)["code"] == "insufficient access"


def test_a_token_logs_out_and_a_key_does_not(api: Calls, acme: Tenant) -> None:
    _, page = scenario(api, acme)
    page.post("/auth/logout", status=204)
    cache.forget()  # half a second later
    page.get("/app/acme", status=401)
    assert AuditEntry.objects.filter(action="key.revoke").count() == 1
    made = keys.create(ACTOR, ["all"], tenant=acme)
    assert Calls(made.text).post("/auth/logout", status=403)["code"] == "insufficient access"


def test_all_tokens_of_an_application_end_at_once_or_those_of_a_session(api: Calls, acme: Tenant) -> None:
    pages = []
    for session in ("one", "two", None):
        issued = api.post("/auth/app-portal-access/acme", {"sessionId": session}, status=200)
        pages.append(Calls(issued["token"]))

    def alive() -> list[bool]:
        cache.forget()
        return [page.ask("GET", "/app/acme").status_code == 200 for page in pages]

    api.post("/auth/app/acme/expire-all", {"expiry": 3600}, status=204)
    assert alive() == [True, True, True]
    api.post("/auth/app/acme/expire-all", {"sessionIds": ["one"]}, status=204)
    assert alive() == [False, True, True]
    api.post("/auth/app/acme/expire-all", {}, status=204)
    assert alive() == [False, False, False]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"readOnly": True}, list(app_tokens.READ)),
        ({"capabilities": ["ViewBase"]}, list(app_tokens.READ)),
        ({"capabilities": ["ViewBase", "CreateAttempts"]}, [*app_tokens.READ, "deliveries:write", "replays:write"]),
        ({"capabilities": ["ManageEndpointSecret"]}, [*app_tokens.READ, "secrets:read", "secrets:write"]),
        ({"readOnly": False}, ["subscriber"]),
        ({}, ["subscriber"]),
    ],
)
def test_a_token_may_do_less_than_a_subscriber(
    api: Calls, acme: Tenant, wanted: dict[str, Any], expected: list[str]
) -> None:
    api.post("/auth/app-portal-access/acme", wanted, status=200)
    assert sorted(ApiKey.objects.latest("id").scopes) == sorted(expected)


@pytest.mark.parametrize(
    "body", [{"expiry": 0}, {"expiry": 28 * 86_400 + 1}, {"capabilities": ["Everything"]}, {"featureFlags": [""]}, []]
)
def test_what_makes_no_sense_is_refused(api: Calls, acme: Tenant, body: Any) -> None:
    assert isinstance(api.post("/auth/app-portal-access/acme", body, status=422)["detail"], list)


def test_an_application_that_is_brought_along_is_created_once(api: Calls, acme: Tenant) -> None:
    brought = {"application": {"name": "New", "uid": "new"}}
    for _ in range(2):
        token = api.post("/auth/app-portal-access/new", brought, status=200)["token"]
    assert Calls(token).get("/app/new")["name"] == "New"
    assert Tenant.objects.filter(key="new").count() == 1
    wrong = api.post("/auth/app-portal-access/third", brought, status=422)["detail"]
    assert [one["type"] for one in wrong] == ["application_uid_mismatch"]
    nameless = api.post("/auth/app-portal-access/third", {"application": {"name": "New"}}, status=422)["detail"]
    assert [one["type"] for one in nameless] == ["application_uid_missing"]


def test_the_page_of_the_settings_gets_the_token_in_its_fragment(api: Calls, acme: Tenant) -> None:
    assert api.post("/auth/app-portal-access/acme", {}, status=200)["url"] == ""
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "PORTAL_URL": "https://shop.example/hooks?x=1#old"}):
        issued = api.post("/auth/app-portal-access/acme", {}, status=200)
    page, _, fragment = issued["url"].partition("#key=")
    assert page == "https://shop.example/hooks?x=1"
    login = json.loads(base64.urlsafe_b64decode(fragment))
    assert login == {"appId": api.get("/app/acme")["id"], "token": issued["token"]}


def test_a_key_makes_keys_for_no_more_than_it_may_do_itself(api: Calls, acme: Tenant) -> None:
    made = api.post("/key", {"name": "Shop", "scopes": ["messages:write", "keys:write", "keys:read"], "appId": "acme"})
    shop = Calls(made["key"])
    assert shop.get("/key/self") == {
        "id": made["id"],
        "appId": made["appId"],
        "organisation": None,
        "scopes": ["keys:read", "keys:write", "messages:write"],
    }
    second = shop.post("/key", {"scopes": ["publish"]})
    assert second["appId"] == made["appId"]
    assert "key" not in shop.get(f"/key/{second['id']}")
    for body in ({"scopes": ["all"]}, {"scopes": ["messages:read"]}):
        assert "lacks" in shop.post("/key", body, status=403)["detail"]
    strong = api.post("/key", {"scopes": ["all"], "appId": "acme"})
    assert "lacks" in shop.post(f"/key/{strong['id']}/rotate", {}, status=403)["detail"]
    assert "lacks" in shop.patch(f"/key/{strong['id']}", {"scopes": ["publish"]}, status=403)["detail"]
    assert {key["id"] for key in shop.get("/key")["data"]} == {made["id"], second["id"], strong["id"]}
    rotated = shop.post(f"/key/{second['id']}/rotate", {"gracePeriodSeconds": 0}, status=200)["key"]
    shop.delete(f"/key/{second['id']}")
    cache.forget()
    Calls(rotated).get("/key/self", status=401)


def test_beyond_its_limit_a_key_is_answered_429_and_told_when_to_come_again(api: Calls, acme: Tenant) -> None:
    slow = Calls(api.post("/key", {"scopes": ["read"], "appId": "acme", "rateLimit": 0.01, "rateBurst": 3})["key"])
    other = Calls(api.post("/key", {"scopes": ["read"], "appId": "acme"})["key"])
    answers = [slow.ask("GET", "/app/acme") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert json.loads(answers[-1].content)["code"] == "rate_limited"
    assert 90 <= int(answers[-1]["retry-after"]) <= 100
    assert slow.ask("GET", "/app").status_code == 429  # what is refused counts, too
    other.get("/app/acme")


@pytest.mark.django_db(transaction=True)
def test_a_project_that_wraps_requests_in_transactions_can_limit_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    slow = Calls(keys.create(ACTOR, ["read"], rate_limit=0.01, rate_burst=1).text)
    assert [slow.ask("GET", "/app").status_code for _ in range(2)] == [200, 429]


def test_an_object_says_to_which_application_it_belongs(api: Calls, acme: Tenant) -> None:
    made = keys.create(ACTOR, ["all"], tenant=acme)
    app = api.get("/app/acme")["id"]
    assert api.get(f"/object/{made.key.public_id}") == {"id": made.key.public_id, "kind": "key", "appId": app}
    api.get("/object/key_0123456789abcdefghijkl", status=404)
    api.get("/object/nothing", status=404)


def test_a_key_that_expires_hands_out_none_that_lasts_longer(db: None) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    made = keys.create(ACTOR, ["keys:write", "keys:read"], expires_at=end)
    calls = Calls(made.text)
    scopes = {"scopes": ["keys:read"]}
    assert datetime.fromisoformat(calls.post("/key", scopes)["expiresAt"]) == end  # left out, it is the same
    sooner = end - timedelta(minutes=1)
    shorter = calls.post("/key", {**scopes, "expiresAt": sooner.isoformat()})
    assert datetime.fromisoformat(shorter["expiresAt"]) == sooner
    calls.post("/key", {**scopes, "expiresAt": (end + timedelta(seconds=1)).isoformat()}, status=403)
    for expires_at, status in ((None, 403), (end + timedelta(hours=1), 403), (sooner, 200)):
        other = keys.create(ACTOR, ["keys:read"], expires_at=expires_at).key
        calls.post(f"/key/{other.public_id}/rotate", {}, status=status)
    calls.post(f"/key/{made.key.public_id}/rotate", {}, status=200)
    forever = Calls(keys.create(ACTOR, ["keys:write", "keys:read"]).text).post("/key", scopes)
    assert forever["expiresAt"] is None


@pytest.mark.parametrize("body", [b"", b"null", b"{}"])
def test_the_older_form_of_portal_access_needs_no_body(api: Calls, acme: Tenant, body: bytes) -> None:
    answer = api.ask("POST", "/auth/dashboard-access/acme", raw=body)
    assert answer.status_code == 200
    assert Calls(json.loads(answer.content)["token"]).get("/app/acme")["uid"] == "acme"
