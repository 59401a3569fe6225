"""How the data of a Message becomes JSON: every type by an explicit rule, and nothing by `str()`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from hookline.exceptions import MessageTooLarge, NotSerializable

#: Lists and objects within each other. Receivers refuse what is nested without end; 128 is what Hookline reads, too.
MAX_DEPTH = 128
#: Of a number. To write it takes quadratic time, and `Decimal("1E+100000000")` would be a hundred megabytes.
MAX_DIGITS = 4000

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def serialise(value: Any, most: int | None = None) -> bytes:
    """UTF-8 JSON, compact, keys in the caller's order. Raises NotSerializable, naming the path and the type.

    - datetime: ISO 8601 with its UTC offset; a naive one is refused, because its moment is unknown
    - date, time: ISO 8601; timedelta: ISO 8601 duration in seconds (`PT90.5S`)
    - UUID, Decimal: text, so that no digit is lost; Enum: its value
    - str subclasses and lazy translations: text; list, tuple, set of texts: array (a set is sorted)
    - dataclass: an object of its fields; pydantic model: what its `model_dump()` gives, by these same rules
    - NaN and infinity are refused (RFC 8259 section 6), as is anything else

    Raises MessageTooLarge, before it is written, if it certainly has more than `most` bytes: a few nested lists
    can expand to gigabytes.
    """
    try:
        return _ENCODER.encode(_Plain(most).plain(value)).encode()
    except _Refused as refused:
        raise NotSerializable(f"data{''.join(refused.path[::-1])} {refused.what}") from None
    except RecursionError:
        raise NotSerializable("data is nested too deeply, or contains itself") from None


class _Refused(Exception):  # it becomes a NotSerializable
    """Says what is wrong with a value; each container that it leaves adds a step of the path."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        #: The innermost first.
        self.path: list[str] = []


class _Plain:
    """Makes values of what JSON has: None, bool, int, float, str, list and dict."""

    __slots__ = ("_depth", "_left", "_most")

    def __init__(self, most: int | None) -> None:
        self._most = most
        #: How many more bytes may come.
        self._left: float = math.inf if most is None else most
        self._depth = 0

    def plain(self, value: Any) -> Any:
        kind = type(value)  # what most values are, before the questions that take longer
        if kind is str:
            if value.isascii() and len(value) <= self._left:
                self._left -= len(value)
                return value
            return self._text(value)
        if kind is dict:
            return self._object(value)
        if value is None or kind is bool:
            return value
        return self._uncommon(value)

    def _uncommon(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return self.plain(value.value)
        if isinstance(value, str):
            return self._text(str(value))
        if isinstance(value, int):
            return _whole(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise _Refused(f"is {value}, which JSON cannot hold; send null or text instead")
            return value
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list | tuple):
            return self._array(value)
        if isinstance(value, set | frozenset):
            return self._sorted(value)
        return self._model(value)

    def _model(self, value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            return self._object({field.name: getattr(value, field.name, _MISSING) for field in fields(value)})
        if hasattr(type(value), "__pydantic_serializer__") and hasattr(type(value), "model_dump"):
            return self.plain(_dump(value))
        return _known(value)

    def _object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        self._enter(len(value))
        plain: dict[str, Any] = {}
        for key, item in value.items():
            name = key if type(key) is str and key.isascii() else _key(key)
            if name in plain:
                raise _Refused(f"has two keys that become {name!r:.80}, so that one of their values would be lost")
            self._left -= len(name)
            try:
                plain[name] = self.plain(item)
            except _Refused as refused:
                refused.path.append(f".{name:.80}")
                raise
        self._charge(0)
        self._depth -= 1
        return plain

    def _array(self, value: list[Any] | tuple[Any, ...]) -> list[Any]:
        self._enter(len(value))
        plain: list[Any] = []
        try:
            for item in value:
                plain.append(self.plain(item))  # noqa: PERF401  # its length tells which item was refused
        except _Refused as refused:
            refused.path.append(f"[{len(plain)}]")
            raise
        self._depth -= 1
        return plain

    def _sorted(self, value: AbstractSet[Any]) -> list[Any]:
        self._enter(len(value))
        try:
            plain = sorted((self.plain(item) for item in value), key=lambda item: (str(type(item)), item))
        except TypeError:
            raise _Refused("is a set whose items have no order; convert it to a list") from None
        self._depth -= 1
        return plain

    def _text(self, value: str) -> str:
        self._charge(len(value))
        return _unicode(value)

    def _enter(self, items: int) -> None:
        self._charge(items)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotSerializable(f"data is nested more than {MAX_DEPTH} deep, or contains itself")

    def _charge(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise MessageTooLarge(f"data has more than {self._most} bytes")


#: In place of a field that was never set.
_MISSING = object()


def _whole(value: int) -> int:
    if value.bit_length() > MAX_DIGITS * 3.25:  # a little less than the bits of a digit
        raise _Refused("is a number of thousands of digits; send it as text if it must be")
    return int(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise _Refused(f"is {value}, which JSON cannot hold; send null or text instead")
    # Without the digits first, of which there may be millions.
    if abs(value.adjusted()) > MAX_DIGITS or int(value.as_tuple().exponent) < -MAX_DIGITS:
        raise _Refused("is a number of thousands of digits; send it as text if it must be")
    return format(value, "f")


def _duration(value: timedelta) -> str:
    sign = "-" if value < timedelta(0) else ""
    seconds, microseconds = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
    return f"PT{sign}{seconds}{fraction}S"


def _dump(model: Any) -> Any:
    """What a pydantic model holds; aliases and serializers as the model says."""
    try:
        return model.model_dump(mode="python", warnings=False)
    except (ValueError, TypeError) as error:
        raise _Refused(f"is a {_name(model)}, which pydantic does not dump: {str(error)[:200]}") from None


def _known(value: Any) -> str:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise _Refused("is a datetime without a time zone; make it aware, so that its moment is known")
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if hasattr(value, "_proxy____cast"):  # a lazy string of Django, recognised without importing Django
        return _unicode(str(value))
    if value is _MISSING:
        raise _Refused("is a field without a value")
    raise _Refused(f"is a {_name(value)}, which has no agreed JSON form; convert it before dispatch()")


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, UUID):
        key = str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(_whole(key))
    if not isinstance(key, str):
        raise _Refused(f"has a key of type {type(key).__qualname__}; use text")
    return _unicode(str(key))


def _unicode(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Refused("holds a lone surrogate, which UTF-8 cannot hold") from None
    return value
