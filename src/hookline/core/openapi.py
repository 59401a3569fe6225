"""The catalogue of event types as the `webhooks` of an OpenAPI 3.1 document, and back. Pure.

Each webhook is one event type. The body of its request is the envelope that is sent: `type`, `timestamp` and `data`. If
another system's document has a different body, that body becomes `data`. References into its own `components` are
copied; nothing else is fetched. https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hookline.core.event_types import check_type
from hookline.exceptions import ConfigurationError, InvalidEventType

_JSON = "application/json"
_COMPONENTS = "#/components/schemas/"
#: What OpenAPI has no place for.
_EXTENSION = "x-hookline"
MAX_TYPES = 10_000


@dataclass(frozen=True, slots=True)
class Described:
    """An event type as a document says it. `enforcement` is None where it does not."""

    name: str
    description: str = ""
    version: str = ""
    schema: dict[str, Any] | None = None
    example: Any = None
    enforcement: str | None = None
    deprecated: bool = False
    #: Seconds; None where it does not say.
    expires_after: int | None = None


def write(types: Iterable[Described]) -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Webhooks", "version": "1.0.0"},
        "webhooks": {described.name: {"post": _operation(described)} for described in types},
    }


def _operation(described: Described) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _envelope(described)}
    if described.example is not None:
        content["example"] = {
            "type": described.name,
            "timestamp": "2026-01-01T00:00:00+00:00",
            "data": described.example,
        }
    operation: dict[str, Any] = {
        "description": described.description,
        "requestBody": {"required": True, "content": {_JSON: content}},
        "responses": {"2XX": {"description": "Received. Any other answer is retried."}},
        _EXTENSION: {"version": described.version, "enforcement": described.enforcement},
    }
    if described.expires_after is not None:
        operation[_EXTENSION]["expires_after"] = described.expires_after
    return operation | ({"deprecated": True} if described.deprecated else {})


def _envelope(described: Described) -> dict[str, Any]:
    schema = dict(described.schema or {})
    # A reference begins at the root of its document, unless its schema is one by itself.
    data = {"$id": f"urn:hookline:{described.name}", **schema} if "$defs" in schema and "$id" not in schema else schema
    return {
        "type": "object",
        "properties": {
            "type": {"const": described.name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
        "required": ["type", "timestamp", "data"],
    }


def read(document: Any) -> dict[str, Described]:
    """The event types of a document, by name. Raises ConfigurationError, saying where it is wrong."""
    webhooks = document.get("webhooks") if isinstance(document, Mapping) else None
    if not isinstance(webhooks, Mapping) or not str(document.get("openapi", "")).startswith("3.1"):
        raise ConfigurationError('this is not an OpenAPI 3.1 document with "webhooks"')
    if len(webhooks) > MAX_TYPES:
        raise ConfigurationError(f"the document has {len(webhooks)} webhooks; at most {MAX_TYPES} are read")
    found = {}
    for name, item in webhooks.items():
        try:
            check_type(name)
            found[name] = _described(name, item, document)
        except (ConfigurationError, InvalidEventType, AttributeError, TypeError) as error:
            raise ConfigurationError(f"webhooks.{name!s:.80}: {error}") from None
    return found


def _described(name: str, item: Any, document: Mapping[str, Any]) -> Described:
    operation = item.get("post")
    if not isinstance(operation, Mapping):
        raise ConfigurationError("it has no `post`, which is how webhooks are sent")
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    extension = operation.get(_EXTENSION, {})
    schema, example = content.get("schema"), _example(content)
    if schema is not None:
        schema = _with_components(schema, document)
        if (data := _data_of(schema)) is not None:
            schema = data
            example = example.get("data") if isinstance(example, Mapping) else None
        schema = {key: value for key, value in schema.items() if key != "$id"}
        from hookline.core.json_schema import check_schema  # loading it takes a while

        schema = check_schema(schema) if schema else None
    return Described(
        name,
        str(operation.get("description") or operation.get("summary") or ""),
        str(extension.get("version", "")),
        schema,
        example,
        extension.get("enforcement"),
        operation.get("deprecated") is True,
        extension.get("expires_after"),
    )


def _example(content: Mapping[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    for example in content.get("examples", {}).values():
        return example.get("value")
    return None


def _data_of(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema of `data`, where this one is that of the envelope."""
    properties = schema.get("properties", {})
    if not {"type", "timestamp", "data"} <= set(properties):
        return None
    data = properties["data"]
    more = {"$defs": {**schema["$defs"], **data.get("$defs", {})}} if "$defs" in schema else {}
    return {**data, **more}


def _with_components(schema: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with the components that it refers to, and that those do, as its own `$defs`."""
    if not isinstance(schema, Mapping):
        raise ConfigurationError("its schema is not an object")
    components = document.get("components", {}).get("schemas", {})
    wanted, definitions = list(_named(schema)), dict(schema.get("$defs", {}))
    while wanted:
        name = wanted.pop()
        if name in definitions:
            continue
        if name not in components:
            raise ConfigurationError(f"{_COMPONENTS}{name} is not in the document")
        definitions[name] = _rewritten(components[name])
        wanted += _named(components[name])
    rewritten: dict[str, Any] = _rewritten(schema)
    reference = rewritten.get("$ref", "")
    if reference.startswith("#/$defs/") and "/" not in (name := reference.removeprefix("#/$defs/")):
        rewritten = {**definitions[name], **{key: value for key, value in rewritten.items() if key != "$ref"}}
    return rewritten | ({"$defs": definitions} if definitions else {})


def _named(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(_COMPONENTS):
            yield reference.removeprefix(_COMPONENTS)
        for value in schema.values():
            yield from _named(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _named(item)


def _rewritten(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: f"#/$defs/{value.removeprefix(_COMPONENTS)}"
            if key == "$ref" and isinstance(value, str) and value.startswith(_COMPONENTS)
            else _rewritten(value)
            for key, value in schema.items()
        }
    return [_rewritten(item) for item in schema] if isinstance(schema, list) else schema
