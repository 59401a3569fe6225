"""JSON Schema 2020-12 for the data of event types, within limits. Pure.

A schema comes from a person or from another system: URLs in it are never fetched, and the cost of checking data
against it is limited. https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from re import _constants as parts  # type: ignore[attr-defined]  # the one parser that reads what `re` reads
from re import _parser as regular_expressions  # type: ignore[attr-defined]  # as above
from typing import Any

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from hookline.exceptions import ConfigurationError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: In the `$schema` of one that only is kept.
OLDER = "//json-schema.org/draft-07/schema"
MAX_BYTES, MAX_DEPTH = 64 * 1024, 64
#: References that are followed for one message: a schema of ten lines can double at each of them.
MAX_REFERENCES = 10_000
#: Characters of a regular expression, and of a text that is held against one.
MAX_PATTERN, MAX_MATCHED = 500, 2000

_REPEATS = (parts.MAX_REPEAT, parts.MIN_REPEAT)
_references: ContextVar[list[int]] = ContextVar("references")


class _TooMuch(Exception):  # it ends one validation
    """A schema asks for more than its share."""


def check_schema(schema: Any) -> dict[str, Any]:
    """Return a schema that can be used. Raises ConfigurationError, saying where it is wrong."""
    if not isinstance(schema, Mapping):
        raise ConfigurationError('a schema must be an object, such as {"type": "object", "properties": {...}}')
    if len(json.dumps(schema)) > MAX_BYTES:
        raise ConfigurationError(f"the schema is longer than {MAX_BYTES} bytes; leave out what subscribers do not need")
    if schema.get("$schema", DIALECT).rstrip("#") != DIALECT:
        raise ConfigurationError(f"the schema is of another dialect; write it in {DIALECT}")
    _check_keywords(schema)
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        raise ConfigurationError(f"the schema is not one: {error.json_path}: {error.message:.300}") from None
    violation(schema, {})  # finds references that lead nowhere, or around in a circle
    return dict(schema)


def _check_keywords(schema: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for what would be fetched, and for patterns that may take for ever."""
    for path, keyword, value in _keywords(schema):
        if keyword in ("$ref", "$dynamicRef") and not (isinstance(value, str) and value.startswith("#")):
            raise ConfigurationError(f"{path}: {value!r:.200} is elsewhere, and nothing is fetched; copy it into $defs")
        if keyword == "pattern" and isinstance(value, str):
            _check_pattern(path, value)
        if keyword == "patternProperties" and isinstance(value, Mapping):
            for pattern in value:
                _check_pattern(path, pattern)


def check_schema_of_any_dialect(schema: Any) -> None:
    """Raises ConfigurationError for what is a schema neither of 2020-12 nor of draft 7, or refers to something else."""
    if not isinstance(schema, Mapping) or OLDER not in str(schema.get("$schema", "")):
        check_schema(schema)
        return
    if len(json.dumps(schema)) > MAX_BYTES:
        raise ConfigurationError(f"the schema is longer than {MAX_BYTES} bytes; leave out what subscribers do not need")
    _check_keywords(schema)
    try:
        Draft7Validator.check_schema(dict(schema))
    except SchemaError as error:
        raise ConfigurationError(f"the schema is not one: {error.json_path}: {error.message:.300}") from None


def violation(schema: Mapping[str, Any], value: Any) -> str:
    """Why a JSON value is not what the schema says, with its path; empty when it is.

    Raises ConfigurationError for a schema that cannot be used.
    """
    counting = _references.set([0])
    try:
        first = next(_Validator(schema, registry=Registry()).iter_errors(value), None)
    except (_TooMuch, RecursionError):
        raise ConfigurationError(f"the schema follows more than {MAX_REFERENCES} references for one message") from None
    except Unresolvable as error:
        raise ConfigurationError(f"the schema has a reference that leads nowhere: {error!s:.300}") from None
    finally:
        _references.reset(counting)
    return "" if first is None else f"{first.json_path}: {first.message:.300}"


def _keywords(schema: Any, path: str = "schema", depth: int = 0) -> Iterator[tuple[str, str, Any]]:
    """Every member of every object within it: more than its keywords, and none of them is missed."""
    if depth > MAX_DEPTH:
        raise ConfigurationError(f"the schema is nested more than {MAX_DEPTH} deep")
    if isinstance(schema, Mapping):
        for keyword, value in schema.items():
            yield path, keyword, value
            yield from _keywords(value, f"{path}.{keyword}", depth + 1)
    elif isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from _keywords(item, f"{path}[{number}]", depth + 1)


def _check_pattern(path: str, pattern: str) -> None:
    """Raises ConfigurationError for a regular expression that could take exponential time."""
    problem = ""
    try:
        if len(pattern) > MAX_PATTERN:
            problem = f"is longer than {MAX_PATTERN} characters"
        elif _repeats_what_varies(regular_expressions.parse(pattern)):
            problem = "repeats something that varies itself, such as (a+)+ or (a|b)*, which can take for ever"
    except (re.error, RecursionError, OverflowError) as error:
        problem = f"is not a regular expression: {error}"
    if problem:
        raise ConfigurationError(f"{path}: the pattern {pattern!r:.80} {problem}")


def _repeats_what_varies(parsed: Any, repeated: bool = False) -> bool:
    return any(_varies(operation, argument, repeated) for operation, argument in parsed)


def _varies(operation: Any, argument: Any, repeated: bool) -> bool:
    if operation in _REPEATS:
        least, most, inner = argument
        return (repeated and least != most) or _repeats_what_varies(inner, repeated or most == parts.MAXREPEAT)
    if operation is parts.BRANCH:
        return repeated or any(_repeats_what_varies(branch, repeated) for branch in argument[1])
    if operation is parts.SUBPATTERN:
        return _repeats_what_varies(argument[-1], repeated)
    if operation in (parts.ASSERT, parts.ASSERT_NOT):
        return _repeats_what_varies(argument[1], repeated)
    return bool(operation is parts.GROUPREF)


# ---- keywords whose cost the library does not bound ---------------------------------------------------


def _counted_ref(validator: Any, reference: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    count = _references.get()
    count[0] += 1
    if count[0] > MAX_REFERENCES:
        raise _TooMuch
    yield from Draft202012Validator.VALIDATORS["$ref"](validator, reference, instance, schema)


def _bounded_pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, str):
        return
    if len(instance) > MAX_MATCHED:
        yield ValidationError(f"a text of {len(instance)} characters is too long to be held against a pattern")
    elif not re.search(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _bounded_names(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping) and (long := [name for name in instance if len(name) > MAX_MATCHED]):
        yield ValidationError(f"a name of {len(long[0])} characters is too long to be held against a pattern")
    else:
        yield from Draft202012Validator.VALIDATORS["patternProperties"](validator, patterns, instance, schema)


def _linear_unique(validator: Any, wanted: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """As texts, because 1 and true are the same in Python."""
    if wanted and isinstance(instance, list):
        texts = {json.dumps(item, sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError(f"an array of {len(instance)} items has some of them twice")


_Validator: Any = extend(
    Draft202012Validator,
    {
        "$ref": _counted_ref,
        "$dynamicRef": _counted_ref,
        "pattern": _bounded_pattern,
        "patternProperties": _bounded_names,
        "uniqueItems": _linear_unique,
    },
)
