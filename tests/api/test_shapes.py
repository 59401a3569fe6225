"""Every answer has the form of Svix's, whatever was asked. The table is what a real server answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.api.calls import KEY, Calls

pytestmark = pytest.mark.django_db(transaction=True)

CORS = {"access-control-allow-origin": "*"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/nothing", b"", (404, "not_found")),
        ("GET", "", b"", (404, "not_found")),
        ("GET", "/app/app_unknown", b"", (404, "not_found")),
        ("GET", "/app/%ff", b"", (404, "not_found")),
        ("GET", "/app/%00", b"", (404, "not_found")),
        ("DELETE", "/app", b"", (405, "method_not_allowed")),
        ("GET", "/app?limit=abc", b"", (400, "generic_error")),
        ("GET", "/app?limit=-1", b"", (400, "generic_error")),
        ("GET", "/app?limit=", b"", (400, "generic_error")),
        ("GET", "/app?order=desc", b"", (400, "generic_error")),
        ("GET", "/app?limit=1&limit=2", b"", (400, "generic_error")),
        ("POST", "/app?get_if_exists=1", b'{"name":"x"}', (400, "generic_error")),
        ("POST", "/app", b" " * (2 * 1024 * 1024 + 1), (413, "payload_too_large")),
    ],
)
def test_an_error_has_a_code_and_a_detail(
    api: Calls, method: str, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    answer = api.ask(method, path, raw=body)
    found = json.loads(answer.content)
    assert (answer.status_code, found["code"]) == expected
    assert isinstance(found["detail"], str)
    assert found["detail"]
    assert answer["content-type"] == "application/json"
    assert answer["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "body", "loc", "kind"),
    [
        ("/app?limit=251", b"", ["query", "limit"], "value_error"),
        ("/app?iterator=bad", b"", ["query", "iterator"], "value_error"),
        ("/app", b"", ["body"], "value_error.jsondecode"),
        ("/app", b"{", ["body"], "value_error.jsondecode"),
        ("/app", b'{"name":"x"} and more', ["body"], "value_error.jsondecode"),
        ("/app", b'\xef\xbb\xbf{"name":"x"}', ["body"], "value_error.jsondecode"),
        ("/app", b'{"name":"\xff"}', ["body"], "value_error.jsondecode"),
        ("/app", b'{"name":"x","name":"y"}', ["body"], "value_error.jsondecode"),
        ("/app", b'{"name":"x","throttleRate":NaN}', ["body"], "value_error.jsondecode"),
        ("/app", b'["x",null,null,null,{}]', ["body"], "value_error.jsondecode"),
        ("/app", b"{}", ["body", "name"], "value_error.jsondecode"),
        ("/app", b'{"name":1}', ["body", "name"], "value_error.jsondecode"),
        ("/app", b'{"name":""}', ["body", "name"], "value_error"),
        ("/app", b'{"name":"a\\u0000"}', ["body", "name"], "value_error"),
        ("/app", b'{"name":"x","uid":"a b"}', ["body", "uid"], "value_error"),
        ("/app", b'{"name":"x","uid":"app_1"}', ["body", "uid"], "value_error"),
        ("/app", b'{"name":"x","throttleRate":0}', ["body", "throttleRate"], "value_error"),
        ("/app", b'{"name":"x","throttleRate":65536}', ["body", "throttleRate"], "value_error"),
        ("/app", b'{"name":"x","throttleRate":"5"}', ["body", "throttleRate"], "value_error.jsondecode"),
        ("/app", b'{"name":"x","metadata":{"a":1}}', ["body", "metadata", "a"], "value_error.jsondecode"),
        ("/app", b'{"name":"x","metadata":{"a":"%b"}}' % (b"b" * 4096), ["body", "metadata"], "value_error"),
    ],
)
def test_what_is_refused_says_where_it_stands(api: Calls, path: str, body: bytes, loc: list[str], kind: str) -> None:
    answer = api.ask("POST" if path == "/app" else "GET", path, raw=body)
    found = json.loads(answer.content)
    assert answer.status_code == 422
    assert [(one["loc"], one["type"]) for one in found["detail"]] == [(loc, kind)]
    assert isinstance(found["detail"][0]["msg"], str)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer junk"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": "Bearer \u00fc"},
    ],
)
def test_an_unknown_token_is_answered_alike(operator_key: str, headers: dict[str, str]) -> None:
    answer = Client(headers=headers).get("/api/v1/app")
    assert answer.status_code == 401
    assert json.loads(answer.content) == {"code": "authentication_failed", "detail": "Invalid token"}


def test_without_the_setting_no_key_is_known() -> None:
    for token in ("", " ", "x"):
        assert Client(headers={"authorization": f"Bearer {token}"}).get("/api/v1/app").status_code == 401


def test_the_scheme_of_a_token_may_be_written_in_any_case(operator_key: str) -> None:
    assert Client(headers={"authorization": f"bearer  {KEY} "}).get("/api/v1/app").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/app", "/api/v1/app/", "/api/v1/app//", "///api/v1/app"])
def test_slashes_around_a_path_mean_nothing(api: Calls, path: str) -> None:
    asked: Any = Client(headers={"authorization": f"Bearer {KEY}"})
    assert asked.generic("GET", path, PATH_INFO=path).status_code == 200


def test_head_is_answered_as_get_is_without_a_body(api: Calls) -> None:
    answer, head = api.ask("GET", "/app"), api.ask("HEAD", "/app")
    assert (head.status_code, head["content-length"], head.content) == (200, answer["content-length"], b"")


def test_any_options_is_a_preflight(api: Calls) -> None:
    answer = Client(headers={"access-control-request-headers": "authorization, x-a"}).options("/api/v1/whatever/there")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["access-control-allow-methods"] == "*"
    assert answer["access-control-max-age"] == "600"
    assert answer["access-control-allow-headers"] == "authorization, x-a"
    assert answer["access-control-allow-origin"] == "*"
    assert answer["vary"] == "origin, access-control-request-method, access-control-request-headers"


@pytest.mark.parametrize("slash", ["", "/"])
def test_ping_with_and_without_a_slash(slash: str) -> None:
    answer = Client().get(f"/api/v1/health/ping{slash}")
    assert (answer.status_code, answer.content) == (204, b"")


def test_health_needs_no_token() -> None:
    ok = {"status": "ok"}
    assert Client().get("/api/v1/health").json() == {"database": ok, "queue": ok, "cache": ok}


def test_compact_json_and_times_with_microseconds(api: Calls) -> None:
    made = api.ask("POST", "/app", {"name": "Zo\u00eb"})
    assert b'"name":"Zo\xc3\xab"' in made.content
    assert b", " not in made.content
    created = json.loads(made.content)["createdAt"]
    assert len(created) == len("2026-11-26T22:54:43.862439Z")
    assert created.endswith("Z")
