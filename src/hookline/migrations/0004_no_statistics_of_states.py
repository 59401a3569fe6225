"""Keep no statistics of a job's state on PostgreSQL; on SQLite there are none.

How many jobs are pending changes from second to second, so what ANALYZE noted is always out of date. After it saw an
empty queue, PostgreSQL took the pending jobs for none and read all ten thousand of them, by the index of the states,
for every lane of a claim. Without statistics it takes them for a two-hundredth of the table and looks each lane up.
https://www.postgresql.org/docs/current/sql-altertable.html (SET STATISTICS)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import migrations, router


def forget(apps: Any, schema_editor: Any) -> None:
    for table, field in _states(apps, schema_editor):
        column = schema_editor.quote_name(field.column)
        schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} ALTER {column} SET STATISTICS 0")
        if _has_statistics(schema_editor, table, field.column):
            # Giving a column the type that it has drops what was noted of it. The index of pending jobs is rebuilt
            # for it, during which nobody can use the table: seconds for a million rows.
            kind = field.db_type(schema_editor.connection)
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} ALTER {column} TYPE {kind}")


def keep(apps: Any, schema_editor: Any) -> None:
    for table, field in _states(apps, schema_editor):
        column = schema_editor.quote_name(field.column)
        schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} ALTER {column} SET STATISTICS -1")


def _states(apps: Any, schema_editor: Any) -> Iterator[tuple[str, Any]]:
    """The tables of jobs, each with its field `state`."""
    connection = schema_editor.connection
    for name in ("Event", "Delivery"):
        model = apps.get_model("hookline", name)
        if connection.vendor == "postgresql" and router.allow_migrate_model(connection.alias, model):
            yield model._meta.db_table, model._meta.get_field("state")


def _has_statistics(schema_editor: Any, table: str, column: str) -> bool:
    sql = "SELECT FROM pg_stats WHERE schemaname = ANY(current_schemas(false)) AND tablename = %s AND attname = %s"
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(sql, [table, column])
        return cursor.fetchone() is not None


class Migration(migrations.Migration):
    dependencies = [("hookline", "0003_autovacuum")]

    atomic = False  # the two tables are locked one after the other

    operations = [migrations.RunPython(forget, keep)]
