"""Inserting rows that may exist already, where the database's constraint decides what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connections, models, router
from django.db.models.expressions import DatabaseDefault

from hookline.engine.row import Row


def insert_new(rows: Sequence[Row], unique: Sequence[str]) -> set[UUID]:
    """Insert rows of one model in one statement, leaving out those that violate the unique columns.

    Returns the ids of those that were inserted. Two transactions that insert the same row at once wait for each
    other, and exactly one of them inserts it.
    """
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    columns = [field for field in model._meta.concrete_fields if not _left_to_database(field, rows[0])]
    row_sql = f"({', '.join(['%s'] * len(columns))})"
    params: list[Any] = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in rows for field in columns
    ]
    sql = (
        f"INSERT INTO {model._meta.db_table} ({', '.join(str(field.column) for field in columns)}) "
        f"VALUES {', '.join([row_sql] * len(rows))} "
        f"ON CONFLICT ({', '.join(unique)}) DO NOTHING RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {value if isinstance(value, UUID) else UUID(hex=value) for (value,) in cursor.fetchall()}


def _left_to_database(field: models.Field[Any, Any], row: Row) -> bool:
    return isinstance(getattr(row, field.attname), DatabaseDefault)
