"""Waiting for SQLite's one write lock, and sorting on the disk.

SQLite's own waiting looks again after 1, 2, 5, 10 and so on up to 100 ms (`sqliteDefaultBusyCallback` in its main.c).
Whoever looks at the wrong moments waits on while others take the lock many times: at 1,000 webhooks per second and a
worker in a process of its own, one acknowledgement of a hundred took more than 85 ms. Transactions here take a
millisecond or two, so we look more often.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate

#: Seconds between two looks.
PAUSE = 0.0002

#: Held between two looks, so that of the threads of a process one at a time looks, and another process has a chance.
_looking = threading.Lock()


def ask_often() -> None:
    """Have every connection to SQLite that is made from now on wait for the lock so."""
    connection_created.connect(_prepare)


def sort_on_disk() -> None:
    """Have migrations sort on the disk: a new index of a large table would take as much memory as it has bytes."""
    pre_migrate.connect(_before_migrations)


def _before_migrations(using: str, **kwargs: Any) -> None:
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute("PRAGMA temp_store = FILE")


def _prepare(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    # Without a write-ahead log, a COMMIT may have to wait, too, and it does not come by the wrapper.
    if connection.vendor != "sqlite" or _pragma(connection, "journal_mode") != "wal":
        return
    _pragma(connection, "busy_timeout = 0")
    if _patiently not in connection.execute_wrappers:  # it outlives the connection to the database
        connection.execute_wrappers.insert(0, _patiently)  # Django takes the last one away where a block of it ends


def _patiently(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement, again and again while another holds the lock, for the `timeout` of the database's OPTIONS."""
    connection: BaseDatabaseWrapper = context["connection"]
    patience = connection.settings_dict["OPTIONS"].get("timeout", 5)
    if many:  # some of its rows may be written when it fails, so SQLite has to wait itself
        _pragma(connection, f"busy_timeout = {patience * 1000:.0f}")
        try:
            return execute(sql, params, many, context)
        finally:
            _pragma(connection, "busy_timeout = 0")
    had_failed, end = connection.errors_occurred, time.monotonic() + patience
    while True:
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if not _is_busy(error) or time.monotonic() >= end:
                raise
            connection.errors_occurred = had_failed
        with _looking:
            time.sleep(PAUSE)


def _pragma(connection: BaseDatabaseWrapper, text: str) -> Any:
    (value,) = connection.connection.execute(f"PRAGMA {text}").fetchone()
    return value


def _is_busy(error: OperationalError) -> bool:
    """Whether another holds the lock; not where waiting is of no use, because what was read is out of date."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT
