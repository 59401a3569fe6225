"""Rows to and from PostgreSQL in binary form, past Django's cursor.

Parameters are one array for each column, so the statement is the same for any number of rows. Django's own cursor
writes parameters into the text of the statement, which doubles the size of every body, and reads times as text in
Python, which takes longer than everything else about a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


def unnest(types: Sequence[str]) -> str:
    """The FROM item that turns one array parameter for each of these types into rows."""
    return f"unnest({', '.join(f'%b::{name}[]' for name in types)})"


@contextmanager
def transaction_in_one_go(model: type[models.Model]) -> Iterator[None]:
    """A transaction of `execute` and `fetch`, whose statements PostgreSQL gets without waiting for this thread.

    Between two statements it would otherwise wait for us, and in a busy process we wait for our turn to run Python. The
    statements of a pipeline are one transaction (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html). On
    SQLite, and where a transaction is open already, this is Django's `atomic`.
    """
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql" or not connection.get_autocommit():
        with transaction.atomic(using=connection.alias):
            yield
        return
    _connect(connection)
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def execute(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> None:
    """Run a statement that returns nothing. Joins the open transaction."""
    _run(connection, sql, params).close()


def fetch(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows, JSON as values. Joins the open transaction.

    Nothing is prepared: a plan that was made while a table was empty would be kept when it is full.
    """
    with _run(connection, sql, params) as cursor, connection.wrap_database_errors:
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def fetch_ids(connection: BaseDatabaseWrapper, sql: str, columns: Sequence[Sequence[Any]]) -> set[UUID]:
    """Run a statement that has one array parameter for each column and returns ids."""
    return {row[0] for row in fetch(connection, sql, [list(column) for column in columns])}


def _run(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> Any:
    import psycopg

    _connect(connection)
    connection.validate_no_broken_transaction()  # as Django's cursor does: what is written here would be rolled back
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(sql, params, binary=True)


def _connect(connection: BaseDatabaseWrapper) -> None:
    """As Django's cursor does. With CONN_HEALTH_CHECKS the server may have closed the connection since it was used."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
