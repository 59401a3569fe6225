"""Have PostgreSQL clean up these tables sooner than others; on SQLite there is nothing to do.

A job is written three times (stored, claimed, settled), and each time but the first leaves a dead row and dead entries
in the indexes, which claims step over until a vacuum removes them. PostgreSQL waits for a fifth of the table by
default: with ten million events of history that is two million.

No fillfactor: every claim and settlement changes `state`, which is indexed, so room on the page does not make the
update a cheap one (HOT). Measured with 90 and 70, the same rows per second and a larger table.
https://www.postgresql.org/docs/current/storage-hot.html
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, router

#: Ten times the default, so that a vacuum of a large table ends within minutes: what Oban's own migrations for Python
#: set (https://github.com/oban-bg/oban-py), too. Its pages read from the disk still count twice those in memory.
_COST_LIMIT = 2000

#: Parameters of CREATE TABLE (https://www.postgresql.org/docs/current/sql-createtable.html), by model.
_JOB = {
    # A share and not a number alone, as Oban's guide has it (0 and 100: https://hexdocs.pm/oban/scaling.html): there
    # finished jobs go within a minute, here they are kept, and each vacuum reads every index of the table.
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 1000,
    # How many rows there are of which lane changes from minute to minute.
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_analyze_threshold": 1000,
    "autovacuum_vacuum_cost_limit": _COST_LIMIT,
}
_HISTORY = {
    # Only inserted and pruned. A vacuum after inserts alone reads no index and only new pages; it lets lists be read
    # from an index, and spares the freeze of a huge table all at once.
    "autovacuum_vacuum_scale_factor": 0.02,
    "autovacuum_vacuum_insert_scale_factor": 0.05,
    "autovacuum_vacuum_cost_limit": _COST_LIMIT,
}
PARAMETERS = {"Event": _JOB, "Delivery": _JOB, "Message": _HISTORY, "Attempt": _HISTORY, "Rejection": _HISTORY}


def apply(apps: Any, schema_editor: Any) -> None:
    def set_(parameters: dict[str, float]) -> str:
        return f"SET ({', '.join(f'{name} = {value}' for name, value in parameters.items())})"

    _alter(apps, schema_editor, set_)


def revert(apps: Any, schema_editor: Any) -> None:
    _alter(apps, schema_editor, lambda parameters: f"RESET ({', '.join(parameters)})")


def _alter(apps: Any, schema_editor: Any, clause: Any) -> None:
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    for name, parameters in PARAMETERS.items():
        model = apps.get_model("hookline", name)
        if router.allow_migrate_model(connection.alias, model):
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(model._meta.db_table)} {clause(parameters)}")


class Migration(migrations.Migration):
    dependencies = [("hookline", "0002_indexes_by_state_and_lane")]

    operations = [migrations.RunPython(apply, revert)]
