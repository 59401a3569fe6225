"""What the migrations leave in the database besides what the models say."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

JOB_TABLES = ("hookline_event", "hookline_delivery")
HISTORY_TABLES = ("hookline_message", "hookline_attempt", "hookline_rejection")


def storage_parameters() -> dict[str, set[str]]:
    """Table -> its storage parameters, of those tables that have some."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reloptions FROM pg_class WHERE relkind = 'r' AND reloptions IS NOT NULL")
        return {table: set(options) for table, options in cursor.fetchall()}


@pytest.mark.django_db
def test_on_postgresql_the_tables_that_grow_are_vacuumed_early() -> None:
    if connection.vendor != "postgresql":
        return  # there is no vacuum to set
    found = storage_parameters()
    assert set(found) == {*JOB_TABLES, *HISTORY_TABLES}
    for table in JOB_TABLES:
        assert found[table] >= {"autovacuum_vacuum_scale_factor=0.01", "autovacuum_vacuum_threshold=1000"}
    for table in HISTORY_TABLES:
        assert "autovacuum_vacuum_insert_scale_factor=0.05" in found[table]


@pytest.mark.django_db(transaction=True)
def test_the_migrations_can_be_taken_back_and_applied_again() -> None:
    call_command("migrate", "hookline", "0001", verbosity=0)
    if connection.vendor == "postgresql":
        assert storage_parameters() == {}
    call_command("migrate", "hookline", verbosity=0)
    call_command("makemigrations", "hookline", check=True, dry_run=True, verbosity=0)
