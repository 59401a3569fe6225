"""The tables of Hookline in the database: which migrations are missing, and applying them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from hookline.exceptions import ConfigurationError

#: The label of the Django app whose tables these are.
APP = "hookline"
#: PostgreSQL's advisory locks are numbers: these are the letters "hookline".
_LOCK = int.from_bytes(b"hookline")


def pending() -> list[str]:
    """The migrations of Hookline, and of what they need, that are not applied. Raises DatabaseError."""
    executor = MigrationExecutor(_connection())
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
    return [f"{migration.app_label}.{migration.name}" for migration, _ in executor.migration_plan(targets)]


def apply() -> list[str]:
    """Apply what is missing and return it. Of several processes that start together, one does it."""
    if not pending():
        return []
    connection = _connection()
    with _alone(connection):
        missing = pending()
        if missing:
            call_command("migrate", APP, database=connection.alias, verbosity=0, interactive=False)
    return missing


def require() -> None:
    """Raises ConfigurationError when migrations are missing."""
    if missing := pending():
        raise ConfigurationError(
            f"the database lacks {', '.join(missing)}; run `hookline migrate`, or `manage.py migrate` in a project"
        )


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(apps.get_model(APP, "Event"))]


@contextmanager
def _alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
        return
    # The directory itself is locked, since a lock file would have to stay.
    directory = os.open(Path(connection.settings_dict["NAME"]).parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
