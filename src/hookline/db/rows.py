"""Reading many rows of one model, where Django's own way would take longer than what is done with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Generic, Self, TypeVar
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
        return _whole(model).instances(model, connection, rows)
    return list(model._default_manager.using(connection.alias).raw(sql, params))


#: What a row refers to, by the path of foreign keys that leads there, such as `source__tenant` behind `source`: the
#: fields of it that are wanted besides its id.
Parts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the rows that a joined row consists of: the first, or what a path of foreign keys leads to."""

    path: str
    model: type[Row]
    columns: Sequence[str]
    form: _Form
    #: Where its columns are in the joined row.
    place: slice
    #: The path before the last foreign key, and that key; None of the first row.
    above: tuple[str, Any]


class RowsWithParts(Generic[R]):
    """Rows of a model together with rows that they refer to, on PostgreSQL, by one statement.

    What is known before a statement runs is found out once: many a statement reads a single row.
    """

    def __init__(self, model: type[R], parts: Parts) -> None:
        self._model = model
        self._wanted = parts

    @property
    def columns(self) -> str:
        """For RETURNING: all columns of the model, and those of the parts; each other row goes by its path."""
        return self.columns_of(self._model._meta.db_table)

    def columns_of(self, name: str) -> str:
        """The same where the rows of the model go by another name than their table's."""
        return ", ".join(f"{part.path or name}.{column}" for part in self._parts for column in part.columns)

    @property
    def joined(self) -> str:
        """FROM, and the beginning of WHERE: what joins the rows to their parts."""
        others, table = self._parts[1:], self._model._meta.db_table
        if not others:
            return "WHERE"
        tables = ", ".join(f"{part.model._meta.db_table} {part.path}" for part in others)
        keys = " AND ".join(f"{part.path}.id = {part.above[0] or table}.{part.above[1].column}" for part in others)
        return f"FROM {tables} WHERE {keys} AND"

    def from_query(self, name: str) -> str:
        """FROM: the rows of a query that go by its name, each joined to its parts."""
        joins = [
            f"JOIN {part.model._meta.db_table} {part.path}"
            f" ON {part.path}.id = {part.above[0] or name}.{part.above[1].column}"
            for part in self._parts[1:]
        ]
        return " ".join([f"FROM {name}", *joins])

    def of(self, connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> list[R]:
        """The instances of rows that have `columns`, each with its parts."""
        found: dict[str, list[Any]] = {}
        for part in self._parts:
            found[part.path] = made = part.form.instances(part.model, connection, [row[part.place] for row in rows])
            before, key = part.above
            if key is not None:
                for instance, other in zip(found[before], made, strict=True):
                    key.set_cached_value(instance, other)
        return found[""]

    @cached_property
    def _parts(self) -> Sequence[_Part]:
        parts = [_part("", self._model, self._model._meta.concrete_fields, 0, ("", None))]
        for path, names in self._wanted.items():
            _, key = above = _key_at(self._model, path)
            fields = [key.related_model._meta.get_field(name) for name in ("id", *names)]
            parts.append(_part(path, key.related_model, fields, parts[-1].place.stop, above))
        return parts


def _part(path: str, model: type[Row], fields: Sequence[Any], start: int, above: tuple[str, Any]) -> _Part:
    place = slice(start, start + len(fields))
    return _Part(path, model, [field.column for field in fields], _Form.of(fields), place, above)


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


def of_columns(model: type[R], connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> list[R]:
    """The rows whose values are those of all `columns()`, as PostgreSQL gave them."""
    return _whole(model).instances(model, connection, rows)


def of_fields(
    model: type[R], connection: BaseDatabaseWrapper, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[R]:
    """The same of the id and the fields `names`."""
    return _instances(model, connection, _fields(model, tuple(names)), rows)


@cache
def _fields(model: type[Row], names: Sequence[str]) -> Sequence[Any]:
    return [model._meta.get_field(name) for name in ("id", *names)]


def _columns(fields: Sequence[Any]) -> str:
    return ", ".join(field.column for field in fields)


def _instances(
    model: type[R], connection: BaseDatabaseWrapper, fields: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> list[R]:
    return _Form.of(fields).instances(model, connection, rows)


@dataclass(frozen=True, slots=True)
class _Form:
    """How the columns of rows become attributes."""

    names: Sequence[str]
    #: JSON is a value already; what else wants to see what the database has is our EncryptedField.
    seen: Sequence[Any]

    @classmethod
    def of(cls, fields: Sequence[Any]) -> Self:
        seen = [one for one in fields if hasattr(one, "from_db_value") and not isinstance(one, models.JSONField)]
        return cls([field.attname for field in fields], seen)

    def instances(self, model: type[R], connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> list[R]:
        instances = model.from_rows(connection.alias, self.names, rows)
        for field in self.seen:
            for instance in instances:
                held = instance.__dict__
                held[field.attname] = field.from_db_value(held[field.attname], None, connection)
        return instances


@cache
def _whole(model: type[Row]) -> _Form:
    """The form of rows with all columns."""
    return _Form.of(model._meta.concrete_fields)
