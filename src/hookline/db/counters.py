"""Counting in rows: one statement adds to many counters, and makes those that are not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, router
from django.db.models.expressions import DatabaseDefault

from hookline.db.row import Row


def add(rows: Sequence[Row], unique: str, counters: Sequence[str]) -> None:
    """Insert rows of one model; where a row with the same unique column is there, add the counters to its own.

    Rows that are given twice are not allowed. Joins the caller's transaction.
    """
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    table = model._meta.db_table
    fields: list[Any] = [field for field in model._meta.concrete_fields if not _is_left(rows[0], field)]
    # In one order everywhere: two transactions that add to the same rows in different orders would deadlock.
    ordered = sorted(rows, key=lambda row: str(getattr(row, unique)))
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for row in ordered for field in fields]
    marks = ", ".join([f"({', '.join(['%s'] * len(fields))})"] * len(rows))
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in counters)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(field.column for field in fields)}) VALUES {marks} "
            f"ON CONFLICT ({unique}) DO UPDATE SET {sums}",
            values,
        )


def _is_left(row: Row, field: Any) -> bool:
    """Whether the database makes the value of this column."""
    return isinstance(getattr(row, field.attname), DatabaseDefault)
