"""What is published of a row: the fields that are named, or what a serialiser makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import models
from django.utils.encoding import is_protected_type

from hookline.exceptions import ConfigurationError, NotSerializable

#: A row -> its data.
Represent = Callable[[Any], Mapping[str, Any]]


def of_fields(model: type[models.Model], names: Sequence[str]) -> Represent:
    """These fields as Django's own serializers write them; a foreign key is the key that it holds.

    Raises FieldDoesNotExist or ConfigurationError.
    """
    fields = [model._meta.get_field(name) for name in names]
    for field in fields:
        if not isinstance(field, models.Field) or field.many_to_many:
            raise ConfigurationError(
                f"{model.__name__}.{field.name} is no column; use a serialiser for what it leads to"
            )
    columns: list[Any] = fields

    def represent(row: Any) -> dict[str, Any]:
        return {name: _value(field, row) for name, field in zip(names, columns, strict=True)}

    return represent


def _value(field: Any, row: Any) -> Any:
    # https://docs.djangoproject.com/en/5.2/topics/serialization/: protected types are left to the format.
    value = field.value_from_object(row)
    return value if is_protected_type(value) else field.value_to_string(row)


def with_serialiser(serialiser: Any) -> Represent:
    """By a serializer of Django REST framework, a schema of Django Ninja or pydantic, or a function.

    Raises ConfigurationError for what is none of these.
    """
    if hasattr(serialiser, "to_representation"):
        return _object(lambda row: serialiser(row).data)
    if hasattr(serialiser, "model_validate"):
        return _object(lambda row: serialiser.model_validate(row, from_attributes=True).model_dump())
    if callable(serialiser):
        return _object(serialiser)
    raise ConfigurationError(f"{serialiser!r:.80} is no serialiser: neither a class of one nor a function")


def _object(make: Callable[[Any], Any]) -> Represent:
    def represent(row: Any) -> Mapping[str, Any]:
        data = make(row)
        if not isinstance(data, Mapping):
            raise NotSerializable(
                f"the serialiser of {type(row).__name__} gives {type(data).__name__}, and not an object"
            )
        return data

    return represent
