"""How the data of a Message becomes JSON: every type by an explicit rule, and nothing by `str()`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from hookline.exceptions import NotSerializable

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def serialise(value: Any) -> bytes:
    """UTF-8 JSON, compact, keys in the caller's order. Raises NotSerializable, naming the path and the type.

    - datetime: ISO 8601 with its UTC offset; a naive one is refused, because its moment is unknown
    - date, time: ISO 8601; timedelta: ISO 8601 duration in seconds (`PT90.5S`)
    - UUID, Decimal: text, so that no digit is lost; Enum: its value
    - str subclasses and lazy translations: text; list, tuple, set of texts: array (a set is sorted)
    - NaN and infinity are refused (RFC 8259 section 6), as is anything else
    """
    try:
        return _ENCODER.encode(_plain(value, "data")).encode()
    except RecursionError:
        raise NotSerializable("data is nested too deeply, or contains itself") from None


def _plain(value: Any, path: str) -> Any:
    kind = type(value)  # what most values are, before the questions that take longer
    if kind is str:
        return value if value.isascii() else _text(value, path)
    if kind is dict:
        return _object(value, path)
    if value is None or kind is bool:
        return value
    return _uncommon(value, path)


def _uncommon(value: Any, path: str) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value, path)
    if isinstance(value, str):
        return _text(str(value), path)
    if isinstance(value, int):
        return _whole(value, path)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotSerializable(f"{path} is {value}, which JSON cannot hold; send null or text instead")
        return value
    if isinstance(value, Mapping):
        return _object(value, path)
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return _sorted(value, path)
    return _known(value, path)


def _object(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = _key(key, path)
        if name in plain:
            raise NotSerializable(
                f"{path} has two keys that become {name!r}, so that one of their values would be lost"
            )
        plain[name] = _plain(item, f"{path}.{key}")
    return plain


def _sorted(value: AbstractSet[Any], path: str) -> list[Any]:
    try:
        return sorted((_plain(item, path) for item in value), key=lambda item: (str(type(item)), item))
    except NotSerializable:
        raise
    except TypeError:
        raise NotSerializable(f"{path} is a set whose items have no order; convert it to a list") from None


def _whole(value: int, path: str) -> int:
    # Python refuses to write longer ones (sys.set_int_max_str_digits), since that takes quadratic time.
    if value.bit_length() > 13_000:
        raise NotSerializable(f"{path} is a number of thousands of digits; send it as text if it must be")
    return int(value)


def _known(value: Any, path: str) -> str:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise NotSerializable(
                f"{path} is a datetime without a time zone; make it aware, so that its moment is known"
            )
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():f}".rstrip("0").rstrip(".") + "S"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise NotSerializable(f"{path} is {value}, which JSON cannot hold; send null or text instead")
        return format(value, "f")
    if hasattr(value, "_proxy____cast"):  # a lazy string of Django, recognised without importing Django
        return _text(str(value), path)
    raise NotSerializable(
        f"{path} is a {type(value).__module__}.{type(value).__qualname__}, which has no agreed JSON form; "
        "convert it before dispatch()"
    )


def _key(key: Any, path: str) -> str:
    if type(key) is str:
        return key if key.isascii() else _text(key, path)
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, UUID):
        key = str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str):
        raise NotSerializable(f"{path} has a key of type {type(key).__qualname__}; use text")
    return _text(str(key), path)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotSerializable(f"{path} holds a lone surrogate, which UTF-8 cannot hold") from None
    return value
