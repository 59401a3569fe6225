"""Whatever stands in a field: the answer is 4xx in one of the API's shapes, or a success, and never 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hookline.api.build import build
from hookline.api.document import document, operations
from tests.api.calls import Calls

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = document(build())
#: As JSON texts, because some of them are no values that Python writes.
BAD = (
    "null", "true", "0", "-1", "1.5", "1e400", "9" * 400, "9" * 5000, '""', '"\\u0000"', '"\\ud800"', '"\\u202e"',
    json.dumps("x" * 100_000), "[]", "[null]", "[[1]]", "{}", '{"": null}', '{"a": {"b": []}}', '{"a": "\\u0000"}',
    "[" * 200 + "]" * 200, "[" * 100_000, "NaN", '{"a": 1, "a": 2}', '"2026-13-45T99:99:99Z"', '"http://[::1"',
)  # fmt: skip
#: What makes a body whole where the document asks for more than one field.
WHOLE = {
    "name": "words", "url": "https://example.com/", "description": "words", "eventType": "svix.ping", "headers": {},
    "since": "2026-11-26T23:39:34Z", "payload": {}, "scopes": ["messages:read"], "to": "x", "messages": [],
}  # fmt: skip


def bodies() -> Iterator[tuple[str, str, str]]:
    """Method, path and field, of every field that is sent to us in a body."""
    for path, method, operation in operations(DOCUMENT):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for field in schema.get("properties", {}):
            yield method.upper(), path.removeprefix("/api/v1"), field


@pytest.fixture
def paths(api: Calls) -> dict[str, str]:
    """What parameters of paths stand for."""
    app = api.post("/app", {"name": "app"})["id"]
    endpoint = api.post(f"/app/{app}/endpoint", {"url": "https://example.com"})["id"]
    api.post("/event-type", {"name": "a.b", "description": ""})
    return {"{app}": app, "{ep}": endpoint, "{name}": "a.b"}


def filled(path: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize(("method", "path"), sorted({(method, path) for method, path, _ in bodies()}))
def test_bad_values_in_each_field_of_a_body(api: Calls, paths: dict[str, str], method: str, path: str) -> None:
    fields = [field for one, other, field in bodies() if (one, other) == (method, path)]
    for field in fields:
        for value in BAD:
            others = {name: json.dumps(WHOLE[name]) for name in fields if name in WHOLE and name != field}
            text = ",".join(f"{json.dumps(name)}:{given}" for name, given in {**others, field: value}.items())
            answer = api.ask(method, filled(path, paths), raw=f"{{{text}}}".encode())
            check(answer, f"{method} {path} {field}={value[:60]}")


@pytest.mark.parametrize(
    "value", ["%00", "%ff", "%ed%a0%80", "x" * 5000, "..%2f..", "%F0%9F%98%80", "a%0Ab", "app_" + "z" * 22]
)
def test_bad_values_in_each_path_and_query(api: Calls, paths: dict[str, str], value: str) -> None:
    for path, method, operation in operations(DOCUMENT):
        short = path.removeprefix("/api/v1")
        for name in [part for part in short.split("/") if part.startswith("{")]:
            asked = filled(short.replace(name, value), paths)
            check(api.ask(method.upper(), asked, raw=b"{}"), f"{method} {asked[:80]}")
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                asked = f"{filled(short, paths)}?{parameter['name']}={value}"
                check(api.ask(method.upper(), asked, raw=b"{}"), f"{method} {asked[:80]}")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
@example(b"\xff")
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_for_a_body(api: Calls, body: bytes) -> None:
    check(api.ask("POST", "/app", raw=body), repr(body))


def check(answer: Any, asked: str) -> None:
    assert answer.status_code < 500, f"{asked}: {answer.status_code} {answer.content!r}"
    if answer.status_code < 400:
        return
    found = json.loads(answer.content)
    if answer.status_code == 422:
        assert all({"loc", "msg", "type"} <= set(one) for one in found["detail"]), f"{asked}: {found}"
    else:
        assert {"code", "detail"} <= set(found), f"{asked}: {found}"
