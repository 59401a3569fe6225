"""The database's clock: the one that all workers share, whatever their own say."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connections, models, router


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
