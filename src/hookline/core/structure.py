"""How JSON becomes a dataclass, by the types of its fields: the way back from `serialisation`."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hookline.exceptions import ConfigurationError, DoesNotFit

T = TypeVar("T")


def build(model: type[T], value: Any) -> T:
    """A dataclass made from JSON. Keys without a field are ignored, since senders often add new ones.

    Its fields may be other dataclasses, None, bool, int, float (an int, too), str, datetime, date and time (ISO 8601),
    UUID, Decimal, enums (by value), literals, unions, and lists, tuples, sets and dicts of these.
    Raises DoesNotFit, naming the path, or ConfigurationError for another type.
    """
    if not (isinstance(model, type) and is_dataclass(model)):
        raise ConfigurationError(f"parse() takes a dataclass or a pydantic model, got {model!r}")
    built: T = _build(model, value, "json")
    return built


def _build(wanted: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is Any or wanted is object:
        return value
    if origin is Annotated:
        return _build(arguments[0], value, path)
    if origin in (Union, types.UnionType):
        return _first_that_fits(arguments, value, path)
    if origin is Literal:
        for allowed in arguments:
            if type(allowed) is type(value) and allowed == value:
                return value
        raise _refused(path, " or ".join(map(repr, arguments)), value)
    if is_dataclass(wanted):
        return _object(wanted, value, path)
    if (origin or wanted) in _CONTAINERS:
        return _CONTAINERS[origin or wanted](arguments, value, path)
    return _scalar(wanted, value, path)


def _object(model: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise _refused(path, f"an object for {model.__name__}", value)
    hints = get_type_hints(model, include_extras=True)
    given = {
        field.name: _build(hints[field.name], value[field.name], f"{path}.{field.name}")
        for field in fields(model)
        if field.init and field.name in value
    }
    for field in fields(model):
        if field.init and field.name not in given and not _has_default(field):
            raise DoesNotFit(f"{path}.{field.name} is missing")
    return model(**given)


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _first_that_fits(candidates: tuple[Any, ...], value: Any, path: str) -> Any:
    """The first that fits, but text last: in `str | datetime` any text would fit it."""
    errors = []
    for candidate in sorted(candidates, key=lambda kind: kind is str):
        try:
            return _build(candidate, value, path)
        except DoesNotFit as error:
            errors.append(str(error))
    raise DoesNotFit(errors[0] if len(errors) == 1 else f"{path} fits none of: {'; '.join(errors)}")


def _list(arguments: tuple[Any, ...], value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise _refused(path, "a list", value)
    of = arguments[0] if arguments else Any
    return [_build(of, item, f"{path}[{place}]") for place, item in enumerate(value)]


def _tuple(arguments: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not arguments or arguments[1:] == (...,):
        return tuple(_list(arguments[:1], value, path))
    if not isinstance(value, list) or len(value) != len(arguments):
        raise _refused(path, f"a list of {len(arguments)}", value)
    return tuple(
        _build(of, item, f"{path}[{place}]") for place, (of, item) in enumerate(zip(arguments, value, strict=True))
    )


def _dict(arguments: tuple[Any, ...], value: Any, path: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _refused(path, "an object", value)
    key, of = arguments or (str, Any)
    return {_build(key, name, path): _build(of, item, f"{path}.{name}") for name, item in value.items()}


_CONTAINERS: Mapping[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    list: _list,
    tuple: _tuple,
    set: lambda arguments, value, path: set(_list(arguments, value, path)),
    frozenset: lambda arguments, value, path: frozenset(_list(arguments, value, path)),
    dict: _dict,
}


def _scalar(wanted: Any, value: Any, path: str) -> Any:
    if wanted in (bool, int, str, types.NoneType, None):
        if type(value) is (types.NoneType if wanted is None else wanted):
            return value
    elif wanted is float:
        if type(value) in (int, float):
            return float(value)
    elif wanted is Decimal:
        if type(value) in (str, int, float):
            return _made(lambda: Decimal(str(value)), wanted, value, path)
    elif isinstance(wanted, type) and issubclass(wanted, Enum):
        return _made(lambda: wanted(value), wanted, value, path)
    elif wanted in _FROM_TEXT:
        if isinstance(value, str):
            return _made(lambda: _FROM_TEXT[wanted](value), wanted, value, path)
    else:
        raise ConfigurationError(f"{path}: parse() cannot make a {wanted!r} of JSON; use a pydantic model")
    raise _refused(path, "null" if wanted in (None, types.NoneType) else wanted.__name__, value)


_FROM_TEXT: Mapping[Any, Callable[[str], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
}


def _made(make: Callable[[], Any], wanted: Any, value: Any, path: str) -> Any:
    try:
        return make()
    except (ValueError, InvalidOperation):
        raise _refused(path, wanted.__name__, value) from None


def _refused(path: str, expected: str, value: Any) -> DoesNotFit:
    return DoesNotFit(f"{path} must be {expected}, got {value!r:.80}")
