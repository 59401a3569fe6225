"""Keep no statistics of a job's state on PostgreSQL; on SQLite there are none.

How many jobs are pending changes from second to second, so what ANALYZE noted is always out of date. After it saw an
empty queue, PostgreSQL took the pending jobs for none and read all ten thousand of them, by the index of the states,
for every lane of a claim. Without statistics it takes them for a two-hundredth of the table and looks each lane up.
https://www.postgresql.org/docs/current/sql-altertable.html (SET STATISTICS)
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, router


def forget(apps: Any, schema_editor: Any) -> None:
    # Giving a column the type that it has drops what was noted of it before.
    _alter(apps, schema_editor, "SET STATISTICS 0", "TYPE {type}")


def keep(apps: Any, schema_editor: Any) -> None:
    _alter(apps, schema_editor, "SET STATISTICS -1")


def _alter(apps: Any, schema_editor: Any, *changes: str) -> None:
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    for name in ("Event", "Delivery"):
        model = apps.get_model("hookline", name)
        if not router.allow_migrate_model(connection.alias, model):
            continue
        table, state = schema_editor.quote_name(model._meta.db_table), model._meta.get_field("state")
        for change in changes:
            column = schema_editor.quote_name(state.column)
            schema_editor.execute(f"ALTER TABLE {table} ALTER {column} {change.format(type=state.db_type(connection))}")


class Migration(migrations.Migration):
    dependencies = [("hookline", "0003_autovacuum")]

    operations = [migrations.RunPython(forget, keep)]
