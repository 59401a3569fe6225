"""Rows to PostgreSQL as one array for each column.

The statement is then the same for any number of rows, so that it is planned once, and parameters travel in binary form.
Django's own cursor writes parameters into the text of the statement, which doubles the size of every body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper


def unnest(types: Sequence[str]) -> str:
    """The FROM item that turns one array parameter for each of these types into rows."""
    return f"unnest({', '.join(f'%b::{name}[]' for name in types)})"


def fetch_ids(connection: BaseDatabaseWrapper, sql: str, columns: Sequence[Sequence[Any]]) -> set[UUID]:
    """Run a statement that has one array parameter for each column and returns ids. Joins the open transaction."""
    import psycopg

    connection.ensure_connection()
    connection.validate_no_broken_transaction()  # as Django's cursor does: what is written here would be rolled back
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, [list(column) for column in columns], prepare=True, binary=True)
        return {row[0] for row in cursor}
