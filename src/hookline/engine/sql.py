"""What the hand-written SQL of the engine shares: how PostgreSQL and SQLite differ, and the names in statements.

Every statement is its own transaction and is short: nothing is held while a job runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.engine.job import Job, Lane
from hookline.exceptions import ConfigurationError


@dataclass(frozen=True)
class Dialect:
    least: str
    most: str
    now: str
    #: Now plus a number of seconds, `{}`.
    later: str
    #: Locks the rows that a claim picks, leaving those that another claim is picking.
    lock: str
    #: Locks rows, leaving those that others have locked; and the same, waiting for these. Rows that refer to one are no
    #: reason to leave it: what a handler makes may refer to its event.
    lock_unlocked: str
    lock_waiting: str
    #: Has the walk from lane to lane take the index of pending jobs. Without statistics, SQLite would rather read and
    #: sort all that are pending, by the index that begins with the state.
    walk: str
    #: The rows of one lane, joined to `ready`; PostgreSQL and SQLite plan different forms well.
    pick: str
    #: The rows whose ids a query, `{}`, gives. PostgreSQL takes an array for short and looks each up by its key; with
    #: IN it reads the whole table for as long as it believes it small.
    among: str
    #: A condition that `{0}` is an id that the parameter `{1}` does not hold, which is made by `ids` of such ids as the
    #: database has. The statement is the same for any number of them.
    none_of: str
    ids: Callable[[list[Any]], Any]
    #: The ids in such a parameter, as rows.
    each_of: str
    #: A condition that is true, and has the transaction not wait for the disk.
    no_wait: str
    #: Whether the LIMIT of a subquery may depend on the row outside of it.
    varying_limit: bool


# The time is a query by itself, asked once. PostgreSQL compares what a volatile function says row by row, and would so
# come by all that is due later, up to a million jobs that wait in order.
_PICK = """
    SELECT id FROM {table} WHERE state = 'pending' AND {lane} = ready.id AND due_at <= (SELECT {now})
    ORDER BY due_at LIMIT {share} {lock}"""

DIALECTS = {
    "postgresql": Dialect(
        least="least",
        most="greatest",
        now="clock_timestamp()",
        later="clock_timestamp() + ({}) * interval '1 second'",
        lock="FOR UPDATE SKIP LOCKED",
        lock_unlocked="FOR NO KEY UPDATE SKIP LOCKED",
        lock_waiting="FOR NO KEY UPDATE",
        walk="",
        pick=f"SELECT job.id FROM ready CROSS JOIN LATERAL ({_PICK}) job",
        among="id = ANY(ARRAY({}))",
        none_of="{0} <> ALL({1}::uuid[])",
        ids=list,
        each_of="SELECT unnest({}::uuid[])",
        no_wait=" AND (SELECT set_config('synchronous_commit', 'off', true) = 'off')",
        varying_limit=True,
    ),
    "sqlite": Dialect(
        least="min",
        most="max",
        # The form in which Django writes a DateTimeField, to the millisecond. %% because the driver formats it.
        now="strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
        later="strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', ({}) || ' seconds')",
        lock="",
        lock_unlocked="",
        lock_waiting="",
        walk="INDEXED BY {table}_pending",
        pick=f"SELECT job.id FROM ready JOIN {{table}} job ON job.id IN ({_PICK})",
        among="id IN ({})",
        none_of="{0} NOT IN (SELECT value FROM json_each({1}))",
        ids=json.dumps,
        each_of="SELECT value FROM json_each({})",
        no_wait="",
        varying_limit=False,
    ),
}


def dialect_of(connection: BaseDatabaseWrapper) -> Dialect:
    """Raises ConfigurationError for a database that Hookline does not support."""
    try:
        return DIALECTS[connection.vendor]
    except KeyError:
        raise ConfigurationError(f"Hookline runs on PostgreSQL and SQLite, not on {connection.display_name}") from None


#: What a claim assigns to a row, column by column; with the parameters `lease`, in seconds, and `worker`.
_CLAIMED = {
    "state": "'running'",
    "claim": "claim + 1",
    "attempts": "attempts + 1",
    "lease_until": "{lease_end}",
    "begun_at": "NULL",
    "worker": "%(worker)s",
}


def claimed(dialect: Dialect, where: str = "") -> str:
    """The assignments of a claim; `where`: only to those of the updated rows for which this condition holds."""
    form = "{0} = CASE WHEN {2} THEN {1} ELSE {0} END" if where else "{0} = {1}"
    values = {name: value.format(lease_end=dialect.later.format("%(lease)s")) for name, value in _CLAIMED.items()}
    return ", ".join(form.format(name, value, where) for name, value in values.items())


def lanes_of(model: type[Job]) -> type[Lane]:
    """The model of its lanes."""
    return cast("type[Lane]", model._meta.get_field(model.lane).related_model)


def names_of(model: type[Job], dialect: Dialect) -> dict[str, Any]:
    lane = model._meta.get_field(model.lane)
    return {
        "table": model._meta.db_table,
        "lanes_table": lanes_of(model)._meta.db_table,
        "lane": lane.column,  # type: ignore[union-attr]  # a foreign key has a column
        "now": dialect.now,
        "walk": dialect.walk.format(table=model._meta.db_table),
        "settled_too": model.settled_too,
    }


def uuid_adapter(connection: BaseDatabaseWrapper) -> Any:
    return (lambda value: value) if connection.features.has_native_uuid_field else (lambda value: value.hex)
