"""Reading many rows of one model, where Django's own way would take longer than what is done with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import packed
from hookline.db.binary import fetch_prepared
from hookline.db.row import Row

R = TypeVar("R", bound=Row)


def read(model: type[R], sql: str, params: Mapping[str, Any]) -> list[R]:
    """The rows that a statement returns, which are all `columns()` of the model; on PostgreSQL a prepared one."""
    connection = connections[router.db_for_write(model)]
    if connection.vendor == "postgresql":
        rows = fetch_prepared(connection, sql, params)
        return _instances(model, connection, model._meta.concrete_fields, rows)
    return list(model._default_manager.using(connection.alias).raw(sql, params))


#: What a row refers to, by the path of foreign keys that leads there, such as `source__tenant` behind `source`: the
#: fields of it that are wanted besides its id.
Parts = Mapping[str, Sequence[str]]


def read_with(model: type[R], sql: str, params: Mapping[str, Any], parts: Parts) -> list[R]:
    """On PostgreSQL the rows that a prepared statement returns, each with its parts.

    Behind all `columns()` of the model it returns those of the parts: see `columns_with`.
    """
    connection = connections[router.db_for_write(model)]
    return instances_with(model, connection, fetch_prepared(connection, sql, params), parts)


def instances_with(
    model: type[R], connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]], parts: Parts
) -> list[R]:
    """The instances of rows that have the columns of `columns_with`."""
    fields = model._meta.concrete_fields
    start = len(fields)
    found: dict[str, Sequence[Any]] = {"": _instances(model, connection, fields, [row[:start] for row in rows])}
    for path, names in parts.items():
        before, key = _key_at(model, path)
        others = [key.related_model._meta.get_field(name) for name in ("id", *names)]
        end = start + len(others)
        found[path] = _instances(key.related_model, connection, others, [row[start:end] for row in rows])
        for instance, other in zip(found[before], found[path], strict=True):
            key.set_cached_value(instance, other)
        start = end
    return list(found[""])


def columns_with(model: type[Row], parts: Parts) -> str:
    """The columns for `read_with`; each other row goes by its path, see `joined`."""
    names = [f"{model._meta.db_table}.{field.column}" for field in model._meta.concrete_fields]
    for path, wanted in parts.items():
        other: Any = _key_at(model, path)[1].related_model
        names += [f"{path}.{other._meta.get_field(name).column}" for name in ("id", *wanted)]
    return ", ".join(names)


def joined(model: type[Row], parts: Parts) -> tuple[str, str]:
    """What stands behind FROM, and behind WHERE, for the parts of the model's rows."""
    tables, conditions = [], []
    for path in parts:
        before, key = _key_at(model, path)
        tables.append(f"{key.related_model._meta.db_table} {path}")
        conditions.append(f"{path}.id = {before or model._meta.db_table}.{key.column}")
    return ", ".join(tables), " AND ".join(conditions)


def _key_at(model: type[Row], path: str) -> tuple[str, Any]:
    """The path before the last foreign key, and that key."""
    before, _, name = path.rpartition("__")
    owner: Any = _key_at(model, before)[1].related_model if before else model
    return before, owner._meta.get_field(name)


def all_fields(model: type[Row]) -> list[str]:
    """The names of all fields but the id, for parts that are wanted whole."""
    return [field.attname for field in model._meta.concrete_fields if field.name != "id"]


def by_id(model: type[R], ids: Iterable[UUID], names: Sequence[str]) -> dict[int, R]:
    """The rows with these ids, of which only the fields `names` are read; without those that do not exist.

    By the numbers of the ids, because Python computes the hash of a UUID in Python. An id may be given repeatedly.
    """
    distinct = list({one.int: one for one in ids}.values())
    connection = connections[router.db_for_write(model)]
    fields = [model._meta.get_field(name) for name in ("id", *names)]
    if connection.vendor == "postgresql":
        sql = f"SELECT {_columns(fields)} FROM {model._meta.db_table} WHERE id = ANY(%b::uuid[])"
        rows = fetch_prepared(connection, sql, [packed("uuid", distinct)])
        found = _instances(model, connection, fields, rows)
    else:
        sql = f"SELECT {_columns(fields)} FROM {model._meta.db_table} WHERE id IN (SELECT value FROM json_each(%s))"
        params = [json.dumps([one.hex for one in distinct])]
        found = list(model._default_manager.using(connection.alias).raw(sql, params))
    return {row.id.int: row for row in found}


def by_second_key(
    model: type[R], first: tuple[str, UUID], second: tuple[str, Sequence[str]], names: Sequence[str]
) -> list[R]:
    """The rows with this id in the field `first` and one of these texts in the field `second`, as `by_id` reads them.

    For a pair of fields with an index of their own.
    """
    (one, value), (other, texts) = first, second
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql":
        found = model._default_manager.using(connection.alias).filter(**{one: value, f"{other}__in": texts})
        return list(found.only("id", *names))
    fields: list[Any] = [model._meta.get_field(name) for name in ("id", *names)]
    keys = f"{model._meta.get_field(one).column} = %b AND {model._meta.get_field(other).column} = ANY(%b::text[])"  # type: ignore[union-attr]  # both are columns
    sql = f"SELECT {_columns(fields)} FROM {model._meta.db_table} WHERE {keys}"
    return _instances(model, connection, fields, fetch_prepared(connection, sql, [value, packed("text", texts)]))


def by_id_with(model: type[R], relation: str, ids: Iterable[UUID]) -> dict[int, R]:
    """The same with all fields, and with the whole row that each refers to by the foreign key `relation`."""
    distinct = list({one.int: one for one in ids}.values())
    if not distinct:
        return {}
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql":
        found = model._default_manager.using(connection.alias).select_related(relation).in_bulk(distinct)
        return {row.id.int: row for row in found.values()}
    key: Any = model._meta.get_field(relation)
    fields, others = model._meta.concrete_fields, key.related_model._meta.concrete_fields
    names = [f"one.{field.column}" for field in fields] + [f"other.{field.column}" for field in others]
    sql = (
        f"SELECT {', '.join(names)} FROM {model._meta.db_table} one"
        f" JOIN {key.related_model._meta.db_table} other ON other.id = one.{key.column} WHERE one.id = ANY(%b::uuid[])"
    )
    rows = fetch_prepared(connection, sql, [packed("uuid", distinct)])
    instances = _instances(model, connection, fields, [row[: len(fields)] for row in rows])
    related = _instances(key.related_model, connection, others, [row[len(fields) :] for row in rows])
    for instance, other in zip(instances, related, strict=True):
        key.set_cached_value(instance, other)
    return {row.id.int: row for row in instances}


def columns(model: type[Row]) -> str:
    """The names of all columns, for RETURNING."""
    return _columns(model._meta.concrete_fields)


def _columns(fields: Sequence[Any]) -> str:
    return ", ".join(field.column for field in fields)


def _instances(
    model: type[R], connection: BaseDatabaseWrapper, fields: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> list[R]:
    names = [field.attname for field in fields]
    instances = model.from_rows(connection.alias, names, rows)
    # JSON is a value already; what else wants to see what the database has is our EncryptedField.
    for field in fields:
        if hasattr(field, "from_db_value") and not isinstance(field, models.JSONField):
            for instance in instances:
                instance.__dict__[field.attname] = field.from_db_value(
                    instance.__dict__[field.attname], None, connection
                )
    return instances
