"""What Svix's own end-to-end tests demand of event types."""

from __future__ import annotations

import pytest

from tests.api.calls import Calls

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def test_patch_sets_and_clears_one_field_at_a_time(api: Calls) -> None:
    expected = api.post("/event-type/", {"name": "a.b", "description": "words"})
    for field, value in (
        ("description", "others"),
        ("schemas", {"1": SCHEMA}),
        ("schemas", {}),
        ("schemas", {"1": SCHEMA, "10": {"type": "object"}, "9": SCHEMA}),
        ("schemas", None),
        ("archived", True),
        ("archived", False),
        ("deprecated", True),
        ("featureFlag", "beta"),
        ("featureFlag", None),
    ):
        found = api.patch("/event-type/a.b/", {field: value})
        expected = {**expected, field: value, "updatedAt": found["updatedAt"]}
        if field == "featureFlag":
            expected["featureFlags"] = [] if value is None else [value]
        assert found == expected
        assert api.get("/event-type/a.b") == found
    for field in ("description", "archived", "deprecated"):
        api.patch("/event-type/a.b", {field: None}, status=422)
    api.patch("/event-type/unknown", {"description": ""}, status=404)
    made = api.put("/event-type/made.by.put", {"description": "d"}, status=201)
    assert (made["name"], made["archived"], made["schemas"]) == ("made.by.put", False, None)
    api.put("/event-type/a b", {"description": "d"}, status=422)


def test_create_read_and_list_with_content_and_without(api: Calls) -> None:
    made = api.post("/event-type", {"name": "a.b", "description": "d", "schemas": {"1": SCHEMA}})
    assert made["schemas"] == {"1": SCHEMA}
    assert api.get("/event-type/a.b") == made
    assert api.get("/event-type?with_content=true")["data"] == [made]
    assert api.get("/event-type")["data"] == [{**made, "schemas": None}]
    assert api.post("/event-type", {"name": "a.b", "description": "d"}, status=409)["code"] == "event_type_exists"


def test_an_archived_event_type_comes_back_as_it_is_created_again(api: Calls) -> None:
    made = api.post("/event-type", {"name": "a.b", "description": "d", "schemas": {"1": SCHEMA}})
    api.delete("/event-type/a.b")
    api.delete("/event-type/a.b")
    assert api.get("/event-type")["data"] == []
    assert api.get("/event-type?include_archived=true")["data"][0]["archived"] is True
    assert api.get("/event-type/a.b")["archived"] is True
    again = api.post("/event-type", {"name": "a.b", "description": "e"})
    assert (again["createdAt"], again["archived"], again["description"]) == (made["createdAt"], False, "e")
    api.delete("/event-type/a.b?expunge=true")
    api.delete("/event-type/a.b", status=404)


def test_list_is_by_name_and_goes_both_ways(api: Calls) -> None:
    names = [f"type.{letter}" for letter in "edcba"]
    for name in names:
        api.post("/event-type", {"name": name, "description": ""})
    ordered = sorted(names)
    first = api.get("/event-type?limit=3")
    assert [one["name"] for one in first["data"]] == ordered[:3]
    assert (first["iterator"], first["prevIterator"], first["done"]) == ("type.c", "-type.a", False)
    second = api.get("/event-type?limit=3&iterator=type.c")
    assert ([one["name"] for one in second["data"]], second["done"]) == (ordered[3:], True)
    back = api.get("/event-type?limit=3&iterator=-type.d")
    assert [one["name"] for one in back["data"]] == ordered[:3]
    api.get("/event-type?iterator=a%20b", status=422)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        "text",
        {"$ref": "http://127.0.0.1/schema.json"},
        {"$ref": "#/nowhere"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "nothing"},
        {"pattern": "(a+)+$"},
    ],
)
def test_what_is_no_schema_or_would_be_fetched_is_refused(api: Calls, schema: object) -> None:
    api.post("/event-type", {"name": "a.b", "description": "", "schemas": {"1": schema}}, status=422)
    api.get("/event-type/a.b", status=404)


def test_a_schema_of_draft_7_is_kept_as_it_is(api: Calls) -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}
    made = api.post("/event-type", {"name": "a.b", "description": "", "schemas": {"1": schema}})
    assert api.get("/event-type/a.b")["schemas"] == made["schemas"] == {"1": schema}


def test_event_types_come_from_an_openapi_document(api: Calls) -> None:
    content = {"application/json": {"schema": SCHEMA}}
    webhook = {"post": {"description": "d", "requestBody": {"content": content}, "responses": {}}}
    spec = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "webhooks": {"a.b": webhook}}
    assert api.post("/event-type/import/openapi", {"spec": spec, "dryRun": True}, status=200)["data"]["modified"]
    api.get("/event-type/a.b", status=404)
    api.post("/event-type/import/openapi", {"spec": spec}, status=200)
    assert api.get("/event-type/a.b")["schemas"] == {"1": SCHEMA}
    api.post("/event-type/import/openapi", {"spec": {}}, status=422)
    api.post("/event-type/import/openapi", {}, status=422)
