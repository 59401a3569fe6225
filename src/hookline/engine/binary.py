"""Rows to and from PostgreSQL in binary form, past Django's cursor.

Parameters are one array for each column, so the statement is the same for any number of rows. Django's own cursor
writes parameters into the text of the statement, which doubles the size of every body, and reads times as text in
Python, which takes longer than everything else about a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper


def unnest(types: Sequence[str]) -> str:
    """The FROM item that turns one array parameter for each of these types into rows."""
    return f"unnest({', '.join(f'%b::{name}[]' for name in types)})"


def fetch(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows, JSON as values. Joins the open transaction.

    Nothing is prepared: a plan that was made while a table was empty would be kept when it is full.
    """
    import psycopg

    connection.ensure_connection()
    connection.validate_no_broken_transaction()  # as Django's cursor does: what is written here would be rolled back
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, params, binary=True).fetchall()


def fetch_ids(connection: BaseDatabaseWrapper, sql: str, columns: Sequence[Sequence[Any]]) -> set[UUID]:
    """Run a statement that has one array parameter for each column and returns ids."""
    return {row[0] for row in fetch(connection, sql, [list(column) for column in columns])}
