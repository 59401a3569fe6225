"""Inserting many rows at once: by one statement on PostgreSQL, by a few on SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii as quoted
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import alike
from hookline.db.binary import arrays, execute, fetch_ids, unnest, unnest_any
from hookline.db.connections import one_transaction
from hookline.db.row import Row


@dataclass(frozen=True, slots=True)
class _Form:
    """What all insertions of the same columns have in common."""

    fields: tuple[Any, ...]
    types: tuple[str, ...]
    #: `INSERT INTO` with the columns.
    head: str


@cache
def _form(model: type[Row], names: tuple[str, ...], alias: str) -> _Form:
    fields = tuple(_field(model, name) for name in names)
    types = tuple(_base_type(field, connections[alias]) for field in fields)
    head = f"INSERT INTO {model._meta.db_table} ({', '.join(field.column for field in fields)})"
    return _Form(fields, types, head)


class Json(str):
    """The text of a value for a column of JSON, which is written as it is."""

    __slots__ = ()


def json_of_texts(texts: Iterable[tuple[str, str]]) -> Json:
    """An object of texts, as `json.dumps` writes it, which takes twice as long."""
    return Json("{" + ", ".join([f"{quoted(name)}: {quoted(text)}" for name, text in texts]) + "}")


class Insertion:
    """Rows to insert, given as the values of some columns; the others get their defaults from the database."""

    def __init__(self, model: type[Row], columns: Mapping[str, Sequence[Any]]) -> None:
        """`columns`: by the name of the field, one value for each row."""
        self._model = model
        self._columns = columns
        self._connection = connections[router.db_for_write(model)]
        self._form = form = _form(model, tuple(columns), self._connection.alias)
        self._values = [
            _prepared(field, values, self._connection)
            for field, values in zip(form.fields, columns.values(), strict=True)
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, by their names in the table."""
        return tuple(field.column for field in self._form.fields)

    @property
    def rows(self) -> str:
        """A query that gives the rows, with `given_params` as its parameters."""
        if self._connection.vendor == "postgresql":
            return unnest_any(self._form.types)
        return f"VALUES {_marks(len(self._values), len(self._values[0]))}"

    @property
    def given_params(self) -> list[Any]:
        """Those of `rows`. Raises DataError."""
        if self._connection.vendor == "postgresql":
            return self.params
        return [value for row in zip(*self._values, strict=True) for value in row]

    @property
    def sql(self) -> str:
        """One statement, for PostgreSQL."""
        return f"{self._form.head} SELECT * FROM {unnest(self._form.types)}"

    @property
    def params(self) -> list[Any]:
        """Those of `sql`. Raises DataError."""
        return arrays(self._form.types, self._values)

    def run(self) -> None:
        """Insert them, all or none. Joins the caller's transaction."""
        if not self._values[0]:
            return
        if self._connection.vendor == "postgresql":
            execute(self._connection, self.sql, self.params)
        else:
            self._run_in_parts("")

    def run_where_new(self, unique: Sequence[str]) -> set[UUID]:
        """The same, leaving out those that violate the unique columns. Returns the ids of the others."""
        tail = f"ON CONFLICT ({', '.join(unique)}) DO NOTHING"
        if self._connection.vendor == "postgresql":
            return fetch_ids(self._connection, f"{self.sql} {tail} RETURNING id", self.params, prepared=True)
        return self._run_in_parts(tail)

    def _run_in_parts(self, tail: str) -> set[UUID]:
        """Insert as many as SQLite takes at a time. Returns the ids of those inserted."""
        import sqlite3  # not loaded where another database is used

        rows = list(zip(*self._values, strict=True))
        inserted = 0
        with self._connection.cursor() as cursor:
            # Until 3.32 SQLite took 999 parameters in a statement; as many rows as that allows, or fewer.
            most = cursor.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(self._values)
            size = min(len(rows), most, _ROWS_OF_SQLITE)
            # One statement is a transaction. BEGIN and COMMIT would have this thread wait for its turn twice more.
            with nullcontext() if size == len(rows) else one_transaction(self._connection):
                for start in range(0, len(rows), size):
                    part = rows[start : start + size]
                    marks = _marks(len(self._values), len(part))
                    values = [value for row in part for value in row]
                    cursor.execute(f"{self._form.head} VALUES {marks} {tail}", values)
                    inserted += cursor.rowcount
            if not tail:
                return set()
            ids: Sequence[UUID] = self._columns["id"]
            if inserted == len(ids):
                return set(ids)
            sql = f"SELECT id FROM {self._model._meta.db_table} WHERE id IN (SELECT value FROM json_each(%s))"
            cursor.execute(sql, [json.dumps([one.hex for one in ids])])
            return {UUID(hex=value) for (value,) in cursor.fetchall()}


#: A statement with more takes no less time for each row.
_ROWS_OF_SQLITE = 1000
#: As many rows as any SQLite takes in one statement, whatever the columns. Statements with so few stay prepared, each
#: for its number of rows.
AT_ONCE_ON_SQLITE = 64


@lru_cache(AT_ONCE_ON_SQLITE)
def _marks(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join(['%s'] * columns)})"] * rows)


def insert_new(model: type[Row], names: Sequence[str], rows: Iterable[Any], unique: Sequence[str]) -> set[UUID]:
    """Insert rows, leaving out those that violate the unique columns: the constraint decides what is new.

    Each row has the columns `names` as attributes; the other columns get their defaults from the database. Returns the
    ids of those that were inserted. Two transactions that insert the same row at once wait for each other, and exactly
    one of them inserts it.
    """
    return insertion_of(model, names, rows, unique).run_where_new(unique)


def insertion_of(model: type[Row], names: Sequence[str], rows: Iterable[Any], unique: Sequence[str]) -> Insertion:
    """What inserts these rows, in the one order."""
    # In one order everywhere: two transactions that insert the same rows in different orders would deadlock.
    ordered = sorted(rows, key=lambda row: [_in_order(getattr(row, name)) for name in unique])
    columns = {}
    for name in names:
        values = list(map(attrgetter(name), ordered))
        if values[0] is not None or not alike(values):  # all of them NULL, which the database makes without us
            columns[name] = values
    return Insertion(model, columns)


def _in_order(value: Any) -> Any:
    """The value of one column in a form that sorts, and quickly."""
    return value.int if type(value) is UUID else str(value)


#: What a database takes as it is; ids of SQLite as their digits.
_IDS = (models.UUIDField, models.ForeignKey)
_PLAIN = (*_IDS, models.CharField, models.TextField, models.IntegerField, models.BinaryField)


def _prepared(field: Any, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Sequence[Any]:
    """The values of a column as the database takes them; the field itself takes many times as long for each."""
    if isinstance(field, models.JSONField):
        if alike(values):
            return [_json(values[0], field)] * len(values)
        return [_json(value, field) for value in values]
    if isinstance(field, _PLAIN) and not hasattr(field, "from_db_value"):  # not one that encrypts
        if connection.vendor == "sqlite" and isinstance(field, _IDS):
            return [value.hex if type(value) is UUID else value for value in values]
        return values
    return [field.get_db_prep_save(value, connection) for value in values]


def _json(value: Any, field: Any) -> str | None:
    if value is None or type(value) is Json:
        return value
    if type(value) is dict:
        try:
            return json_of_texts(value.items())
        except TypeError:  # something else than texts in it
            pass
    return json.dumps(value, cls=field.encoder)


def _field(model: type[Row], name: str) -> Any:
    return next(field for field in model._meta.concrete_fields if name in (field.name, field.attname))


def _base_type(field: models.Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    """The column's type without its length: `varchar(256)[]` would cut a value short instead of refusing it."""
    return str(field.rel_db_type(connection) if field.is_relation else field.db_type(connection)).partition("(")[0]
