"""PayloadTemplate: another body that an endpoint gets instead of the message. Pure.

Either a selection of fields, `{"fields": ["id", "customer.name"]}`: the message with only these fields of its data. Or
`{"template": ...}`: any JSON value, in which `{$.data.id}` is replaced by the value that a JSONPath (RFC 9535) selects.
If a text is only that, it becomes the value itself, of any type, or null if there is none; within a longer text
the value is inserted as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jsonpath import JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.path import JSONPath

from hookline.core.serialisation import serialise
from hookline.exceptions import ConfigurationError

MAX_BYTES, MAX_DEPTH, MAX_PARTS = 16 * 1024, 20, 100

_PART = re.compile(r"\{(\$[^{}]*)\}")
_ENVIRONMENT = JSONPathEnvironment(strict=True)


def check_template(given: Any) -> dict[str, Any] | None:
    """Return it as it is stored; None for none. Raises ConfigurationError."""
    if not given:
        return None
    if not isinstance(given, Mapping) or set(given) not in ({"fields"}, {"template"}):
        raise ConfigurationError('a payload is {"fields": ["id", ...]} or {"template": ...}')
    try:
        text = json.dumps(given)
    except (TypeError, ValueError):
        raise ConfigurationError("the payload is not JSON") from None
    if len(text) > MAX_BYTES:
        raise ConfigurationError(f"the payload has {len(text)} bytes; at most {MAX_BYTES} are allowed")
    if "fields" in given:
        _check_fields(given["fields"])
    elif (count := _check_parts(given["template"], 0)) > MAX_PARTS:
        raise ConfigurationError(f"the template looks {count} times into the message; at most {MAX_PARTS} are allowed")
    return dict(given)


def applied(payload: Mapping[str, Any], body: bytes, most: int) -> bytes:
    """The body for an endpoint with this payload. Raises ConfigurationError, or MessageTooLarge above `most` bytes."""
    message = json.loads(body)
    if "fields" in payload:
        return serialise({**message, "data": _selected(message.get("data"), payload["fields"])}, most)
    return serialise(_filled(payload["template"], message), most)


def _check_fields(fields: Any) -> None:
    if not isinstance(fields, Sequence) or isinstance(fields, str) or not 1 <= len(fields) <= MAX_PARTS:
        raise ConfigurationError(f"fields must be a list of 1 to {MAX_PARTS} names")
    for field in fields:
        if not isinstance(field, str) or not all(field.split(".")):
            raise ConfigurationError(f"{field!r:.80} is not the name of a field, such as id or customer.name")


def _check_parts(template: Any, depth: int) -> int:
    """How many parts it has."""
    if depth > MAX_DEPTH:
        raise ConfigurationError(f"the template is nested more than {MAX_DEPTH} deep")
    if isinstance(template, Mapping):
        return sum(_check_parts(value, depth + 1) for value in template.values())
    if isinstance(template, list):
        return sum(_check_parts(value, depth + 1) for value in template)
    if not isinstance(template, str):
        return 0
    parts = _PART.findall(template)
    for part in parts:
        _query(part)
    return len(parts)


@lru_cache(maxsize=4096)
def _query(text: str) -> JSONPath:
    """A JSONPath of one value. Raises ConfigurationError."""
    try:
        path = _ENVIRONMENT.compile(text)
    except (JSONPathError, RecursionError) as error:
        raise ConfigurationError(f"{text!r:.80} is no JSONPath: {str(error).partition(chr(10))[0]:.200}") from None
    if not isinstance(path, JSONPath) or not path.singular_query():
        raise ConfigurationError(f"{text!r:.80} may select several values; name one, such as $.data.items[0].id")
    return path


def _selected(data: Any, fields: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields:
        *parents, name = field.split(".")
        value, target = data, found
        for parent in parents:
            value = value.get(parent) if isinstance(value, dict) else None
        if not isinstance(value, dict) or name not in value:
            continue
        for parent in parents:
            inner = target.setdefault(parent, {})
            target = inner if isinstance(inner, dict) else {}
        # Never into what was selected as a whole: that is the message's own.
        target.setdefault(name, value[name])
    return found


def _filled(template: Any, message: Any) -> Any:
    if isinstance(template, Mapping):
        return {name: _filled(value, message) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, message) for value in template]
    if not isinstance(template, str):
        return template
    whole = _PART.fullmatch(template)
    return _value(whole[1], message) if whole else _PART.sub(lambda part: _text(part[1], message), template)


def _value(text: str, message: Any) -> Any:
    match = next(iter(_query(text).finditer(message)), None)
    return None if match is None else match.obj


def _text(text: str, message: Any) -> str:
    value = _value(text, message)
    if isinstance(value, dict | list):
        raise ConfigurationError(f"{text} is an object or a list, which cannot stand within a text")
    return value if isinstance(value, str) else json.dumps(value)
