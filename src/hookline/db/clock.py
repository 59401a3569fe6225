"""The database's clock: the one that all workers share, whatever their own say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper


def now(model: type[models.Model]) -> float:
    """Unix time in seconds, from the database that holds this model."""
    connection = connections[router.db_for_write(model)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        else:
            cursor.execute("SELECT (julianday('now') - 2440587.5) * 86400.0")
        return float(cursor.fetchone()[0])


def moment(unix_time: float) -> datetime:
    """A Unix time as an aware datetime."""
    return datetime.fromtimestamp(unix_time, UTC)


def boundary(model: type[models.Model], moment: datetime) -> Any:
    """A moment to compare the `created_at` of rows with, so that the one of a row equals its own.

    On SQLite they are texts that end with milliseconds, and Django would compare them with one that has six digits.
    """
    connection = connections[router.db_for_read(model)]
    if connection.vendor != "sqlite":
        return moment
    return models.Value(written(connection, moment), output_field=models.TextField())


def written(connection: BaseDatabaseWrapper, moment: datetime) -> Any:
    """The same as the parameter of a statement."""
    if connection.vendor != "sqlite":
        return moment
    up = moment.astimezone(UTC) + timedelta(microseconds=999)
    return f"{up:%Y-%m-%d %H:%M:%S}.{up.microsecond // 1000:03}"
