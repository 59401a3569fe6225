"""The databases that the tests run on: SQLite, or PostgreSQL when HOOKLINE_TEST_POSTGRES_URL names a server."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.apps import apps
from django.db import transaction

#: URL of any database on a PostgreSQL server where the tests may create more. Empty: the tests run on SQLite.
POSTGRES_URL = os.environ.get("HOOKLINE_TEST_POSTGRES_URL", "")

SQLITE_OPTIONS: dict[str, Any] = {
    # No test takes the power away, and waiting for the disk is a third of what many tests do.
    # Readers do not block the writer, and a writer waits for its turn at BEGIN. Without IMMEDIATE, a transaction
    # that reads before it writes fails at once with "database is locked", however long the timeout is.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}


def django_database() -> dict[str, Any]:
    """The value of `DATABASES["default"]`."""
    if POSTGRES_URL:
        return {**dj_database_url.parse(POSTGRES_URL), "TEST": {"NAME": "test_hookline"}}
    # conftest.py names the file: in memory, threads and processes would not share a database.
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": SQLITE_OPTIONS}


@contextmanager
def empty_database(directory: Path, template: str = "") -> Iterator[str]:
    """The URL of a new database without tables, for a server in another process. Gone when the block ends.

    `template` is the URL of a database that nobody uses: then it is a copy of that one.
    """
    name = f"hookline_{uuid.uuid4().hex}"
    if not POSTGRES_URL:
        path = directory / f"{name}.db"
        if template:
            shutil.copy(template.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"
        return
    _on_server(f"CREATE DATABASE {name}" + (f" TEMPLATE {urlsplit(template).path[1:]}" if template else ""))
    try:
        yield urlsplit(POSTGRES_URL)._replace(path=f"/{name}").geturl()
    finally:
        _on_server(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def template_database(directory: Path, migrate: Callable[[str], object]) -> Iterator[str]:
    """The URL of a new database that `migrate`, called with its URL, has filled, to be the template of others."""
    with empty_database(directory) as url:
        migrate(url)
        if not POSTGRES_URL:  # all of it into the one file
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield url


def migrate(url: str) -> None:
    """Make Hookline's tables, as `hookline migrate` does."""
    environment = {"HOOKLINE_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "hookline.server.settings"}
    command = [str(Path(sys.executable).with_name("hookline")), "migrate"]
    with TemporaryDirectory() as directory:  # where its keys go
        subprocess.run(command, check=True, capture_output=True, cwd=directory, env={**os.environ, **environment})


def _on_server(statement: str) -> None:
    import psycopg  # not needed on SQLite

    with psycopg.connect(POSTGRES_URL, autocommit=True) as connection:
        connection.execute(statement.encode())


#: What migrations and Django itself wrote, which no test changes.
_KEPT = frozenset({"django_content_type", "auth_permission"})
#: A table of PostgreSQL with so many bytes is truncated: dead rows would be in the way of what comes after.
_LARGE = 256 * 1024


def empty_tables(connection: Any) -> None:
    """Delete all rows that tests wrote.

    Django truncates every table after each test with transactions of its own, and then makes its permissions anew: on
    PostgreSQL a tenth of a second, far longer than most of these tests take.
    """
    models = apps.get_models(include_auto_created=True)
    tables = sorted({model._meta.db_table for model in models if model._meta.managed} - _KEPT)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname = ANY(%s)", [tables])
            sizes = {table: size for table, size in cursor.fetchall() if size}
            if large := [table for table, size in sizes.items() if size > _LARGE]:
                cursor.execute(f"TRUNCATE {', '.join(large)} CASCADE")
            tables = [table for table in sizes if table not in large]
            deletes = [f"a{number} AS (DELETE FROM {table})" for number, table in enumerate(tables)]
            if deletes:
                cursor.execute(f"WITH {', '.join(deletes)} SELECT 1")
        else:
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")
