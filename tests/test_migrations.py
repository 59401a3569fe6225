"""What the migrations leave in the database besides what the models say."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations import executor
from django.db.migrations.recorder import MigrationRecorder

from hookline.db import schema

Django = Callable[..., str]

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


@pytest.mark.django_db
def test_of_an_up_to_date_database_no_migration_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    name = max(file.stem for file in Path(schema.__file__).parents[1].glob("migrations/0*.py"))
    with monkeypatch.context() as patched:
        patched.delattr(executor, "MigrationExecutor")
        assert schema.pending() == []
    MigrationRecorder(connection).record_unapplied("hookline", name)
    assert schema.pending() == [f"hookline.{name}"]


@pytest.fixture
def django(database_url: str, tmp_path: Path) -> Django:
    """Runs Django in another process on a database of its own: a failing test leaves the others their tables."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        "HOOKLINE_DATABASE_URL": database_url,
        "HOOKLINE_SECRET_KEY": "made up",
        "HOOKLINE_ENCRYPTION_KEYS": "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def migrate(django: Django, *arguments: str) -> list[tuple[str, str]]:
    output = django("-m", "django", "migrate", "hookline", *arguments)
    return re.findall(r"^  (Applying|Unapplying) hookline\.(\d+).* OK$", output, re.MULTILINE)


def test_the_migrations_can_be_taken_back_and_applied_again(django: Django) -> None:
    applied = [number for _, number in migrate(django)]
    assert applied[:1] == ["0001"]
    assert migrate(django, "0001") == [("Unapplying", number) for number in reversed(applied[1:])]
    assert migrate(django) == [("Applying", number) for number in applied[1:]]


#: With the models as they were after the last migration that is applied.
STATISTICS = """
import django; django.setup()
from django.db import connection
from django.db.migrations.loader import MigrationLoader
loader = MigrationLoader(connection)
last = max(key for key in loader.applied_migrations if key[0] == "hookline")
models = loader.project_state(last).apps
tenant = models.get_model("hookline", "Tenant").objects.create(key=last[1])
source = models.get_model("hookline", "Source").objects.create(tenant=tenant, provider="stripe", token=last[1])
models.get_model("hookline", "Event").objects.create(source=source, type="t", dedup_key="k", body=b"{}")
with connection.cursor() as cursor:
    cursor.execute("ANALYZE hookline_event")
    cursor.execute("SELECT attname FROM pg_stats WHERE tablename = 'hookline_event' ORDER BY attname")
    print([name for name, in cursor.fetchall()])
"""


def test_no_statistics_of_states_are_kept_and_those_that_there_were_are_dropped(django: Django) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL keeps statistics by itself")
    migrate(django, "0003")
    before = ast.literal_eval(django("-c", STATISTICS))
    assert "state" in before
    migrate(django)
    after = ast.literal_eval(django("-c", STATISTICS))
    assert "state" not in after
    assert {*before} - {"state"} <= {*after}
