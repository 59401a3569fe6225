"""The OpenAPI 3.1 document of the API, and a page that people can read without a browser's scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from ninja import NinjaAPI

from hookline.api.renderer import compact
from hookline.transport.asgi import API_PATH

PREFIX = API_PATH.rstrip("/")
#: What every operation may answer: name -> what it is.
_ERRORS = {
    "400": "A query parameter cannot be read, or it cannot be done now.",
    "401": "The token is missing or unknown.",
    "403": "The token may not do this.",
    "404": "Nothing has this id or uid, or it is somebody else's.",
    "409": "The uid or name is taken, or the state of the object does not allow it.",
    "413": "The body is longer than 2 MiB.",
    "429": "More requests than the key may send.",
    "500": "The request failed; the server's log says why.",
    "503": "The database does not answer; try again.",
}
_PROBLEM = {
    "type": "object",
    "required": ["code", "detail"],
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}},
}
_INVALID = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": "string"}},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        }
    },
}


def document(api: NinjaAPI) -> dict[str, Any]:
    """The document, as plain values."""
    # Through JSON: Django Ninja leaves enumerations and the like in it.
    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=f"{PREFIX}/"), default=str))
    found["info"]["description"] = "The management API of Hookline, in the shape of Svix's."
    components = found["components"]
    components["schemas"] |= {"Problem": _PROBLEM, "Invalid": _INVALID}
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for _, method, operation in operations(found):
        if "security" in operation:
            operation["security"] = [{"key": []}]
        if method == "post" and "security" in operation:
            operation.setdefault("parameters", []).append(
                {"in": "header", "name": "idempotency-key", "required": False, "schema": {"type": "string"}}
            )
        operation["responses"] |= _errors()
    _plain(components["schemas"])
    for path in found["paths"].values():
        _plain(path)
    return found


def operations(found: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of all of them."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def text(api: NinjaAPI) -> str:
    """As it is stored in docs/openapi.json."""
    return json.dumps(document(api), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


class Pages:
    """Answers for `openapi.json` and `docs`, to anybody."""

    def __init__(self, api: NinjaAPI) -> None:
        self._document = cache(lambda: document(api))

    def answer(self, request: HttpRequest, path: str) -> HttpResponse | None:
        """None for another path, or another method than GET."""
        if request.method not in ("GET", "HEAD") or path not in ("openapi.json", "docs"):
            return None
        if path == "openapi.json":
            return HttpResponse(compact(self._document()), content_type="application/json")
        return HttpResponse(page(self._document()), content_type="text/html; charset=utf-8")


def page(found: Mapping[str, Any]) -> str:
    """The document as HTML."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in operations(found):
        shown = {
            "method": method.upper(),
            "path": path,
            "id": operation["operationId"],
            "about": operation.get("description", ""),
            "parameters": [(one["name"], one["in"], words(one["schema"])) for one in operation.get("parameters", ())],
            "body": fields(found, _schema(operation.get("requestBody"))),
            "answers": [
                (status, fields(found, _schema(answer)))
                for status, answer in operation["responses"].items()
                if status.startswith("2")
            ],
            "public": "security" not in operation,
        }
        groups.setdefault(operation["tags"][0], []).append(shown)
    template = Path(__file__).parents[1] / "templates/hookline/api/docs.html"
    made = Engine().from_string(template.read_text())
    rendered: str = made.render(Context({"groups": groups, "errors": _ERRORS, "version": found["info"]["version"]}))
    return rendered


def fields(found: Mapping[str, Any], schema: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Name, type, and whether it is required, of each field of an object."""
    if "$ref" in schema:
        schema = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    return [(name, words(value), name in required) for name, value in schema.get("properties", {}).items()]


def words(schema: Mapping[str, Any]) -> str:
    """The type of a value, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(words(one) for one in schema["anyOf"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {words(schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(schema.get("format", kind))


def _schema(part: Mapping[str, Any] | None) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = (part or {}).get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _errors() -> dict[str, Any]:
    def answer(about: str, schema: str) -> dict[str, Any]:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        return {"description": about, "content": content}

    found = {status: answer(about, "Problem") for status, about in _ERRORS.items()}
    return found | {"422": answer("A value cannot be taken; `loc` says where it stands.", "Invalid")}


def _plain(schema: Any) -> None:
    """Leave out the titles that pydantic makes of names: they say nothing more."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for value in schema.values():
            _plain(value)
    elif isinstance(schema, list):
        for value in schema:
            _plain(value)
