"""JSON Schema for the data of event types: what it lets through, what it costs, and what breaks subscribers."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from hookline.core import openapi
from hookline.core.json_schema import check_schema, violation
from hookline.core.openapi import Described
from hookline.core.schema_changes import breaking_changes
from hookline.exceptions import ConfigurationError

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "total": {"type": "integer", "minimum": 0},
        "status": {"enum": ["new", "paid"]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "note": {"type": "string"},
    },
    "required": ["id", "total"],
    "$defs": {"line": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
}


@pytest.mark.parametrize(
    ("data", "at"),
    [
        ({"id": "7", "total": 1, "lines": [{"sku": "a"}], "more": 1}, ""),
        ({"id": "7"}, "$: 'total'"),
        ({"id": 7, "total": 1}, "$.id: "),
        ({"id": "7", "total": -1}, "$.total: "),
        ({"id": "7", "total": 1, "lines": [{}]}, "$.lines[0]: 'sku'"),
    ],
)
def test_data_are_held_against_the_schema(data: Any, at: str) -> None:
    found = violation(check_schema(ORDER), data)
    assert found.startswith(at)
    assert bool(found) == bool(at)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$ref": "http://127.0.0.1:{port}/schema.json"}, "nothing is fetched"),
        ({"properties": {"a": {"allOf": [{"$ref": "file:///etc/passwd"}]}}}, "nothing is fetched"),
        ({"$dynamicRef": "http://127.0.0.1:{port}/x"}, "nothing is fetched"),
        ({"$schema": "http://127.0.0.1:{port}/dialect"}, "another dialect"),
        ({"$id": "http://127.0.0.1:{port}/", "$ref": "#/$defs/none"}, "leads nowhere"),
        ({"$ref": "#"}, "references"),
        ({"type": "strnig"}, "not one"),
        ([], "must be an object"),
        ({"pattern": "(a+)+$"}, "for ever"),
        ({"pattern": "^(a|aa)*$"}, "for ever"),
        ({"patternProperties": {"(.*a){11}": {}, "(x*)*": {}}}, "for ever"),
        ({"pattern": "("}, "not a regular expression"),
        ({"description": "x" * 70_000}, "longer than"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_and_nothing_is_fetched(schema: Any, problem: str) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        text = json.dumps(schema).replace("{port}", str(server.getsockname()[1]))
        with pytest.raises(ConfigurationError, match=problem):
            check_schema(json.loads(text))
        with pytest.raises(BlockingIOError):  # nobody came
            server.accept()


def test_a_schema_that_doubles_at_each_reference_is_refused() -> None:
    bomb = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    started = time.process_time()
    with pytest.raises(ConfigurationError, match="references"):
        check_schema({"$ref": "#/$defs/a0", "$defs": {**bomb, "a40": {}}})
    assert time.process_time() - started < 20  # and not a million years


def test_unique_items_and_long_texts_cost_no_more_than_their_length() -> None:
    unique = check_schema({"uniqueItems": True})
    assert violation(unique, [{"n": [n]} for n in range(20_000)]) == ""
    assert violation(unique, [{"a": 1, "b": 2}, {"b": 2, "a": 1}]) != ""
    assert violation(unique, [1, True]) == ""  # RFC 8259: they are not the same
    assert "too long" in violation(check_schema({"pattern": "a*a*b"}), "a" * 100_000)


# ---- what breaks subscribers ----------------------------------------------------------------------------


def changed(**properties: Any) -> dict[str, Any]:
    return {**ORDER, "properties": {**ORDER["properties"], **properties}}


@pytest.mark.parametrize(
    "new",
    [
        ORDER,
        changed(currency={"type": "string"}),
        {**changed(currency={"type": "string"}), "required": ["id", "total", "currency"]},
        changed(status={"const": "paid"}),
        changed(total={"type": "integer", "minimum": 10, "maximum": 20}),
        changed(id={"type": "string", "description": "Its own", "pattern": "^o_"}),
        {**ORDER, "additionalProperties": False},
    ],
)
def test_additions_and_narrower_schemas_break_nothing(new: dict[str, Any]) -> None:
    assert breaking_changes(ORDER, new) == []


@pytest.mark.parametrize(
    ("new", "where"),
    [
        ({**ORDER, "properties": {k: v for k, v in ORDER["properties"].items() if k != "note"}}, "data.note: is gone"),
        ({**ORDER, "required": ["id"]}, "data.total: is no longer required"),
        (changed(id={"type": ["string", "null"]}), "data.id: may now be null"),
        (changed(total={"type": "number", "minimum": 0}), "data.total: may now be number"),
        (changed(total={"type": "integer"}), "data.total: minimum was 0 and is gone"),
        (changed(status={"enum": ["new", "paid", "void"]}), "data.status: may now be 'void'"),
        (changed(status={"type": "string"}), "data.status: may now be any value"),
        ({**ORDER, "$defs": {"line": {"type": "object", "properties": {}}}}, "data.lines[].sku: is"),
        ({}, "data: may now be"),
    ],
)
def test_what_subscribers_cannot_read_is_found(new: dict[str, Any], where: str) -> None:
    found = breaking_changes(ORDER, new)
    assert any(change.startswith(where) for change in found), found


def test_a_keyword_that_cannot_be_compared_counts_as_breaking_once_it_changes() -> None:
    old = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert breaking_changes(old, old) == []
    assert breaking_changes(old, {"anyOf": [{"type": "string"}]}) != []
    assert breaking_changes({}, old) == []


def test_schemas_that_name_themselves_are_compared_in_their_size() -> None:
    tree = {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"properties": {"l": {"$ref": "#/$defs/t"}, "r": {"$ref": "#/$defs/t"}}}},
    }
    other = {"$ref": "#/$defs/t", "$defs": {"t": {"properties": {"l": {"$ref": "#/$defs/t"}, "r": {"type": "null"}}}}}
    assert breaking_changes(tree, tree) == []
    assert breaking_changes(other, tree) != []


def with_schema(schema: Any) -> Any:
    body = {"content": {"application/json": {"schema": schema}}}
    return {"openapi": "3.1.0", "webhooks": {"a": {"post": {"requestBody": body}}}}


# ---- OpenAPI ------------------------------------------------------------------------------------------


def test_a_document_with_components_is_read() -> None:
    """The webhook example of the OpenAPI initiative. https://learn.openapis.org/examples/v3.1/webhook-example.html"""
    document = json.loads((Path(__file__).parent.parent / "operations/webhooks.json").read_text())
    pet = openapi.read(document)["newPet"]
    assert pet.schema is not None
    assert violation(pet.schema, {"id": 7, "name": "Rex"}) == ""
    assert violation(pet.schema, {"id": 7}).startswith("$: 'name'")


def test_what_is_written_is_read_again_the_same() -> None:
    types = [
        Described("order.paid", "Paid", "2", ORDER, {"id": "7", "total": 1}, "enforce", True),
        Described("order.gone", "", "", None, None, "off", False),
    ]
    document = json.loads(json.dumps(openapi.write(types)))
    assert list(openapi.read(document).values()) == types
    body = document["webhooks"]["order.paid"]["post"]["requestBody"]["content"]["application/json"]
    assert violation(body["schema"], body["example"]) == ""


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"openapi": "3.0.0", "webhooks": {}},
        {"openapi": "3.1.0", "webhooks": {"a b": {"post": {}}}},
        {"openapi": "3.1.0", "webhooks": {"a": {"get": {}}}},
        {"openapi": "3.1.0", "webhooks": {"a": []}},
        with_schema({"$ref": "#/components/schemas/No"}),
        with_schema({"$ref": "http://127.0.0.1/y"}),
    ],
)
def test_what_is_no_such_document_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError):
        openapi.read(document)
