"""Reading many rows of one model, where Django's own way would take longer than what is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import packed
from hookline.db.binary import fetch
from hookline.db.row import Row

R = TypeVar("R", bound=Row)


def read(model: type[R], sql: str, params: Mapping[str, Any]) -> list[R]:
    """The rows that a statement returns, which are all `columns()` of the model."""
    connection = connections[router.db_for_write(model)]
    if connection.vendor == "postgresql":
        return _instances(model, connection, model._meta.concrete_fields, fetch(connection, sql, params))
    return list(model._default_manager.using(connection.alias).raw(sql, params))


def by_id(model: type[R], ids: Iterable[UUID], names: Sequence[str]) -> dict[int, R]:
    """The rows with these ids, of which only the fields `names` are read; without those that do not exist.

    By the numbers of the ids, because Python computes the hash of a UUID in Python. An id may be given repeatedly.
    """
    distinct = list({one.int: one for one in ids}.values())
    connection = connections[router.db_for_write(model)]
    if connection.vendor == "postgresql":
        fields = [model._meta.get_field(name) for name in ("id", *names)]
        sql = f"SELECT {_columns(fields)} FROM {model._meta.db_table} WHERE id = ANY(%b::uuid[])"
        found = _instances(model, connection, fields, fetch(connection, sql, [packed("uuid", distinct)]))
    else:
        found = list(model._default_manager.using(connection.alias).only(*names).in_bulk(distinct).values())
    return {row.id.int: row for row in found}


def columns(model: type[Row]) -> str:
    """The names of all columns, for RETURNING."""
    return _columns(model._meta.concrete_fields)


def _columns(fields: Sequence[Any]) -> str:
    return ", ".join(field.column for field in fields)


def _instances(
    model: type[R], connection: BaseDatabaseWrapper, fields: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> list[R]:
    names = [field.attname for field in fields]
    instances = [model.from_db(connection.alias, names, row) for row in rows]
    # JSON is a value already; what else wants to see what the database has is our EncryptedField.
    for field in fields:
        if hasattr(field, "from_db_value") and not isinstance(field, models.JSONField):
            for instance in instances:
                instance.__dict__[field.attname] = field.from_db_value(
                    instance.__dict__[field.attname], None, connection
                )
    return instances
