"""The tables of Hookline in the database: which migrations are missing, and applying them."""

from __future__ import annotations

import fcntl
import os
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from hookline.exceptions import ConfigurationError

#: The label of the Django app whose tables these are.
APP = "hookline"
#: PostgreSQL's advisory locks are numbers: these are the letters "hookline".
_LOCK = int.from_bytes(b"hookline")


def pending() -> list[str]:
    """The migrations of Hookline, and of what they need, that are not applied. Raises DatabaseError."""
    connection = _connection()
    if _names() <= {name for app, name in MigrationRecorder(connection).applied_migrations() if app == APP}:
        return []  # without loading them, which would be a twentieth of a server's start
    from django.db.migrations.executor import MigrationExecutor  # a server that is up to date starts without it

    executor = MigrationExecutor(connection)
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
    return [f"{migration.app_label}.{migration.name}" for migration, _ in executor.migration_plan(targets)]


def _names() -> set[str]:
    """The names of Hookline's migrations, by their files."""
    package, _ = MigrationLoader.migrations_module(APP)
    if package is None:  # a project's tests can do without migrations, by MIGRATION_MODULES
        return set()
    found = pkgutil.iter_modules(import_module(package).__path__)
    return {module.name for module in found if module.name[0] not in "_~"}


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
