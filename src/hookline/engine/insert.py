"""Inserting rows that may exist already, where the database's constraint decides what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import DatabaseDefault

from hookline.engine.binary import execute, fetch_ids, unnest
from hookline.engine.row import Row

#: SQLite takes at most 32,766 parameters in a statement; no table of ours has as many as 30 columns.
_ROWS_OF_SQLITE = 1000


def insert_new(rows: Sequence[Row], unique: Sequence[str]) -> set[UUID]:
    """Insert rows of one model, leaving out those that violate the unique columns, in one statement.

    Returns the ids of those that were inserted. Two transactions that insert the same row at once wait for each
    other, and exactly one of them inserts it. Columns whose value is left to the database must be the same ones in
    all rows. Run it in a transaction: on SQLite more than 1,000 rows take several statements.
    """
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    # In one order everywhere: two transactions that insert the same rows in different orders would deadlock.
    rows = sorted(rows, key=lambda row: [str(getattr(row, name)) for name in unique])
    columns = [field for field in model._meta.concrete_fields if not _is_left_to_database(field, rows[0])]
    values = [_prepared(field, [field.pre_save(row, add=True) for row in rows], connection) for field in columns]
    statement = f"INSERT INTO {model._meta.db_table} ({_names(columns)})"
    tail = f"ON CONFLICT ({', '.join(unique)}) DO NOTHING RETURNING id"
    if connection.vendor == "postgresql":
        return fetch_ids(connection, f"{statement} SELECT * FROM {_arrays(columns, connection)} {tail}", values)
    return {UUID(hex=value) for (value,) in _insert_values(connection, statement, values, tail)}


def insert_rows(model: type[Row], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows given as the values of these columns; the others get their defaults from the database.

    For many small rows, where making a model instance of each would cost more than inserting it.
    """
    if not rows:
        return
    connection = connections[router.db_for_write(model)]
    columns = [_field(model, name) for name in names]
    values = [
        _prepared(field, column, connection) for field, column in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    statement = f"INSERT INTO {model._meta.db_table} ({_names(columns)})"
    if connection.vendor == "postgresql":
        arrays = [list(column) for column in values]
        execute(connection, f"{statement} SELECT * FROM {_arrays(columns, connection)}", arrays)
    else:
        _insert_values(connection, statement, values)


def _insert_values(
    connection: BaseDatabaseWrapper, statement: str, values: Sequence[Sequence[Any]], tail: str = ""
) -> list[Any]:
    """Insert rows in parts that SQLite takes. Returns what the statements return."""
    rows = list(zip(*values, strict=True))
    returned: list[Any] = []
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _ROWS_OF_SQLITE):
            part = rows[start : start + _ROWS_OF_SQLITE]
            marks = ", ".join([f"({', '.join(['%s'] * len(values))})"] * len(part))
            cursor.execute(f"{statement} VALUES {marks} {tail}", [value for row in part for value in row])
            returned += cursor.fetchall() if tail else []
    return returned


def _arrays(columns: Sequence[Any], connection: BaseDatabaseWrapper) -> str:
    return unnest([_base_type(field, connection) for field in columns])


#: What PostgreSQL's driver takes as it is.
_PLAIN = (
    models.UUIDField,
    models.ForeignKey,
    models.CharField,
    models.TextField,
    models.IntegerField,
    models.BinaryField,
)


def _prepared(field: Any, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Sequence[Any]:
    """The values of a column as the driver takes them."""
    if connection.vendor == "postgresql" and isinstance(field, _PLAIN):
        return values
    return [field.get_db_prep_save(value, connection) for value in values]


def _field(model: type[Row], name: str) -> Any:
    return next(field for field in model._meta.concrete_fields if name in (field.name, field.attname))


def _names(columns: Sequence[Any]) -> str:
    return ", ".join(field.column for field in columns)


def _base_type(field: models.Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    """The column's type without its length: `varchar(256)[]` would cut a value short instead of refusing it."""
    return str(field.rel_db_type(connection) if field.is_relation else field.db_type(connection)).partition("(")[0]


def _is_left_to_database(field: models.Field[Any, Any], row: Row) -> bool:
    return isinstance(getattr(row, field.attname), DatabaseDefault)
