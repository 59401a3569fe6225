"""What the migrations leave in the database besides what the models say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
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


def test_the_migrations_can_be_taken_back_and_applied_again(database_url: str, tmp_path: Path) -> None:
    def migrate(*arguments: str) -> list[tuple[str, str]]:
        """Migrate a database of its own: a test that fails halfway must not leave the others without tables."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
            "HOOKLINE_DATABASE_URL": database_url,
            "HOOKLINE_SECRET_KEY": "made up",
            "HOOKLINE_ENCRYPTION_KEYS": "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        }
        command = [sys.executable, "-m", "django", "migrate", "hookline", *arguments]
        result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return re.findall(r"^  (Applying|Unapplying) hookline\.(\d+).* OK$", result.stdout, re.MULTILINE)

    applied = [number for _, number in migrate()]
    assert applied[:1] == ["0001"]
    assert migrate("0001") == [("Unapplying", number) for number in reversed(applied[1:])]
    assert migrate() == [("Applying", number) for number in applied[1:]]
