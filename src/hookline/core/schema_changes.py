"""Whether subscribers that were written for one schema can read data that another one allows. Pure.

The rule: the old schema must allow all data that the new schema allows, except for properties that the old
schema did not name. So a new property is compatible. Breaking changes are a property that is removed or no longer
required, a wider type, enum or bound, and a change that cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Keywords that say nothing about what a message may be.
_ANNOTATIONS = frozenset({
    "$comment", "$defs", "$id", "$schema", "$anchor", "default", "deprecated", "description", "example", "examples",
    "readOnly", "title", "writeOnly",
})  # fmt: skip
_COMPARED = frozenset({"additionalProperties", "const", "enum", "items", "properties", "required", "type"})
#: A larger value lets more through, or a smaller one.
_AT_MOST = frozenset({"exclusiveMaximum", "maximum", "maxItems", "maxLength", "maxProperties"})
_AT_LEAST = frozenset({"exclusiveMinimum", "minimum", "minItems", "minLength", "minProperties"})
_JSON_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_DEEPEST = 32


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What breaks, each with its path; none when the new schema is compatible with the old one."""
    return list(dict.fromkeys(_Comparison(old, new).between(old, new, "data", 0)))


class _Comparison:
    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._old, self._new = old, new
        #: What was compared already: a schema can name itself, and more than once.
        self._seen: set[tuple[str, str]] = set()

    def between(self, old: Any, new: Any, path: str, depth: int) -> Iterator[str]:
        if (pair := (repr(old), repr(new))) in self._seen and (_refers(old) or _refers(new)):
            return
        self._seen.add(pair)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if old is None or new is None or depth > _DEEPEST:
            if depth <= _DEEPEST:
                yield f"{path}: a reference leads nowhere"
            return
        if isinstance(old, bool) or new is False:
            if old != new and not (old is True and isinstance(new, Mapping)):
                yield f"{path}: it was {'never' if old is False else 'sometimes'} sent, and is no longer so"
            return
        yield from self._keywords(old, {} if new is True else new, path, depth)

    def _keywords(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str, depth: int) -> Iterator[str]:
        if old == new and not _refers({"both": [old, new]}):
            return
        yield from self._types(old, new, path)
        yield from self._values(old, new, path)
        yield from self._bounds(old, new, path)
        yield from self._properties(old, new, path, depth)
        if "items" in old:
            yield from self.between(old["items"], new.get("items", True), f"{path}[]", depth + 1)
        for keyword in sorted((set(old) | set(new)) - _ANNOTATIONS - _COMPARED - _AT_MOST - _AT_LEAST - {"$ref"}):
            if keyword in old and old[keyword] != new.get(keyword):  # a keyword more only allows less
                yield f"{path}: {keyword} has changed, and whether that breaks subscribers cannot be told"

    def _types(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        before, now = _types_of(old), _types_of(new)
        if wider := now - before:
            yield f"{path}: may now be {', '.join(sorted(wider))}"

    def _values(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        before, now = _values_of(old), _values_of(new)
        if before is None:
            return
        if now is None:
            yield f"{path}: may now be any value, and not only {_shown(before)}"
        elif more := [value for value in now if value not in before]:
            yield f"{path}: may now be {_shown(more)}"

    def _bounds(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        for keyword in sorted((_AT_MOST | _AT_LEAST) & set(old)):
            now, before = new.get(keyword), old[keyword]
            if now is None or (now > before if keyword in _AT_MOST else now < before):
                yield f"{path}: {keyword} was {before} and is {'gone' if now is None else now}"

    def _properties(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str, depth: int) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
            yield f"{path}.{name}: is no longer required"
        for name, schema in before.items():
            if name not in now:
                yield f"{path}.{name}: is gone"
            else:
                yield from self.between(schema, now[name], f"{path}.{name}", depth + 1)
        others = old.get("additionalProperties", True)
        if isinstance(others, Mapping):
            yield from self.between(others, new.get("additionalProperties", True), f"{path}.*", depth + 1)


def _resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    """A schema without a reference at its top; None for one that leads nowhere."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, Mapping) or not isinstance(reference := schema.get("$ref"), str):
            return schema
        target: Any = root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        if target is None:
            return None
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = {**target, **beside} if isinstance(target, Mapping) else target
    return None


def _refers(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return "$ref" in schema or any(map(_refers, schema.values()))
    return isinstance(schema, list) and any(map(_refers, schema))


def _types_of(schema: Mapping[str, Any]) -> set[str]:
    found = schema.get("type", _JSON_TYPES)
    types = {found} if isinstance(found, str) else set(found)
    return types | {"integer"} if "number" in types else types


def _values_of(schema: Mapping[str, Any]) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _shown(values: list[Any]) -> str:
    shown = ", ".join(repr(value)[:40] for value in values[:5])
    return f"{shown}, ..." if len(values) > 5 else shown
