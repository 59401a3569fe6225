"""Claiming jobs, keeping them, and settling them: all the hand-written SQL of the engine.

PostgreSQL and SQLite share the statements; a Dialect holds the few words in which they differ. Every statement is
its own transaction and is short: nothing is held while a job runs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.core.text import storable
from hookline.db.binary import arrays, fetch_ids, unnest
from hookline.db.insert import Insertion
from hookline.db.rows import columns, read
from hookline.engine.job import Held, Job, Lane, Settlement, State
from hookline.exceptions import ConfigurationError

J = TypeVar("J", bound=Job)

#: Before the first lane.
FIRST = UUID(int=0)
#: How many lanes one claim looks at.
LANES = 256

#: Notes of jobs whose lease ran out.
CRASHED = "the worker stopped while it ran; its lease ran out"
CRASHED_UNBEGUN = "the worker stopped before it was known to run, so this try does not count; its lease ran out"


@dataclass(frozen=True)
class Dialect:
    least: str
    most: str
    now: str
    #: Now plus a number of seconds, `{}`.
    later: str
    #: Locks the rows that a claim picks, leaving those that another claim is picking.
    lock: str
    #: Has the walk from lane to lane take the index of pending jobs. Without statistics, SQLite would rather read and
    #: sort all that are pending, by the index that begins with the state.
    walk: str
    #: The rows of one lane, joined to `ready`; PostgreSQL and SQLite plan different forms well.
    pick: str
    #: The rows whose ids a query, `{}`, gives. PostgreSQL takes an array for short and looks each up by its key; with
    #: IN it reads the whole table for as long as it believes it small.
    among: str


_PICK = """
    SELECT id FROM {table} WHERE state = 'pending' AND {lane} = ready.id AND due_at <= {now}
    ORDER BY due_at LIMIT {share} {lock}"""

DIALECTS = {
    "postgresql": Dialect(
        least="least",
        most="greatest",
        now="clock_timestamp()",
        later="clock_timestamp() + ({}) * interval '1 second'",
        lock="FOR UPDATE SKIP LOCKED",
        walk="",
        pick=f"SELECT job.id FROM ready CROSS JOIN LATERAL ({_PICK}) job",
        among="id = ANY(ARRAY({}))",
    ),
    "sqlite": Dialect(
        least="min",
        most="max",
        # The form in which Django writes a DateTimeField, to the millisecond. %% because the driver formats it.
        now="strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
        later="strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', ({}) || ' seconds')",
        lock="",
        walk="INDEXED BY {table}_pending",
        pick=f"SELECT job.id FROM ready JOIN {{table}} job ON job.id IN ({_PICK})",
        among="id IN ({})",
    ),
}

# `lane` walks the index of pending jobs from lane to lane, never from job to job: its cost is the number of lanes that
# have work, however deep the backlog of any one of them. Each step orders by `due_at`, too, because then only that
# index will do: one that holds finished jobs as well would make a step as long as a lane's history.
_LANES = """
WITH RECURSIVE lane (id) AS (
    SELECT (
        SELECT {lane} FROM {table} {walk} WHERE state = 'pending' AND {lane} > %(after)s
        ORDER BY {lane}, due_at LIMIT 1
    )
  UNION ALL
    SELECT (
        SELECT {lane} FROM {table} {walk} WHERE state = 'pending' AND {lane} > lane.id
        ORDER BY {lane}, due_at LIMIT 1
    )
    FROM lane WHERE lane.id IS NOT NULL
)"""
_NOT_HELD = "NOT EXISTS (SELECT 1 FROM {lanes_table} held WHERE held.id = lane.id AND held.held_until > {now})"

# It stops at {lanes} lanes; the caller goes on behind the last one.
_CLAIM = (
    _LANES
    + """, ready AS MATERIALIZED (
    SELECT id FROM lane
    WHERE id IS NOT NULL AND {not_busy} AND {not_held}
      AND (SELECT due_at FROM {table} WHERE state = 'pending' AND {lane} = lane.id ORDER BY due_at LIMIT 1) <= {now}
    LIMIT {lanes}
), picked AS MATERIALIZED ({pick} LIMIT %(limit)s)
UPDATE {table}
SET state = 'running', claim = claim + 1, attempts = attempts + 1, lease_until = {lease_end}, begun_at = NULL
WHERE {picked}
RETURNING {columns}
"""
)

# The job that is due first in each lane that is not held, and of these the first.
_FIRST_DUE = (
    _LANES
    + """, ahead AS MATERIALIZED (
    SELECT (SELECT id FROM {table} WHERE state = 'pending' AND {lane} = lane.id ORDER BY due_at LIMIT 1) AS id
    FROM lane WHERE id IS NOT NULL AND {not_held}
    LIMIT %(lanes)s
)
SELECT id, due_at FROM {table} WHERE {first} ORDER BY due_at LIMIT 1
"""
)

# The state in a form for which no index serves: that of the states has an entry for every job that ran since the last
# vacuum, and PostgreSQL would read all of them each time.
_OURS = """
FROM result
WHERE {table}.id = result.id AND {table}.claim = result.claim AND {table}.state || '' = 'running' AND {table}.{among}
RETURNING {table}.id
"""

_RESULT_TYPES = ("uuid", "bigint", "text", "double precision", "text", "integer")

_SETTLE = (
    """
WITH {beside} result (id, claim, state, due_in, note, refund) AS ({rows})
UPDATE {table}
SET state = result.state,
    due_at = CASE WHEN result.state = 'pending' THEN {due} ELSE due_at END,
    finished_at = CASE WHEN result.state = 'pending' THEN NULL ELSE {now} END,
    attempts = attempts - result.refund,
    crashes = CASE WHEN result.refund = 1 THEN crashes ELSE 0 END,
    {settled_too}
    note = result.note,
    lease_until = NULL"""
    + _OURS
)

_EXTEND = (
    """
WITH result (id, claim) AS ({rows})
UPDATE {table} SET lease_until = {lease_end}"""
    + _OURS
)

_BEGIN = (
    """
WITH result (id, claim) AS ({rows})
UPDATE {table} SET begun_at = {now}"""
    + _OURS
)

# Whether the crash is held against a job: only when it is known to have begun. The first crash makes no job dead, since
# any of those that ran in that process may have caused it.
_RELEASE = """
WITH expired AS MATERIALIZED (
    SELECT id FROM {table} WHERE state = 'running' AND lease_until < {now}
    ORDER BY lease_until LIMIT %(limit)s {lock}
)
UPDATE {table}
SET state = CASE WHEN {dies} THEN 'dead' ELSE 'pending' END,
    finished_at = CASE WHEN {dies} THEN {now} ELSE NULL END,
    attempts = CASE WHEN begun_at IS NULL AND attempts > 0 THEN attempts - 1 ELSE attempts END,
    crashes = {least}(crashes + 1, 1000),
    note = CASE WHEN begun_at IS NULL THEN %(unbegun)s ELSE %(begun)s END,
    due_at = {now}, lease_until = NULL
WHERE state = 'running' AND {expired}
RETURNING id, state
"""
_DIES = "begun_at IS NOT NULL AND attempts >= %(most)s AND crashes > 0"


def claim(
    model: type[J],
    limit: int,
    lease: float,
    *,
    after: UUID = FIRST,
    busy: Collection[UUID] = (),
    per_lane: int | None = None,
    lanes: int = LANES,
) -> list[J]:
    """Take up to `limit` due jobs for `lease` seconds, spread evenly over at most `lanes` lanes behind `after`.

    No lane gives more than `per_lane` jobs, and those in `busy` give none. Those due first come first. Committed when
    this returns.
    """
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    adapt = _uuid_adapter(connection)
    params: dict[str, Any] = {"after": adapt(after), "limit": limit, "lease": lease, "per_lane": per_lane or limit}
    params.update({f"busy{number}": adapt(lane) for number, lane in enumerate(busy)})
    names = {
        **_names(model, dialect),
        "share": f"{dialect.least}(%(per_lane)s, {dialect.most}(1, %(limit)s / (SELECT count(*) FROM ready)))",
        "not_busy": f"id NOT IN ({', '.join(f'%(busy{n})s' for n in range(len(busy)))})" if busy else "1 = 1",
        "lanes": lanes,
        "lease_end": dialect.later.format("%(lease)s"),
        "picked": dialect.among.format("SELECT id FROM picked"),
        "columns": columns(model),
    }
    sql = _CLAIM.format(**{**names, "pick": dialect.pick.format(**names, lock=dialect.lock)})
    # RETURNING has no order of its own.
    return sorted(read(model, sql, params), key=lambda job: job.due_at)


def settle(
    results: Sequence[tuple[Held, Settlement]], beside: Insertion | None = None, *, model: type[Job] | None = None
) -> set[UUID]:
    """Write what became of running jobs of one model, and in the same transaction insert other rows `beside` that.

    `model` says which, where the jobs are not given as instances of it.

    Returns the ids of those that were still ours. The others were changed by whoever claimed them since; what is
    beside is inserted all the same. Without results nothing is. Joins the caller's transaction, if there is one.
    """
    if not results:
        return set()
    rows = [
        (job.id, job.claim, to.state.value, float(to.due_in), storable(to.note), int(to.refund)) for job, to in results
    ]
    model = model or cast("type[Job]", type(results[0][0]))
    return _change(model, _SETTLE, _RESULT_TYPES, rows, beside=beside)


def extend(jobs: Sequence[J], lease: float) -> set[UUID]:
    """Give running jobs `lease` seconds from now. Returns the ids of those that were still ours."""
    if not jobs:
        return set()
    rows = [(job.id, job.claim) for job in jobs]
    return _change(type(jobs[0]), _EXTEND, _RESULT_TYPES[:2], rows, lease=lease)


def begin(jobs: Sequence[J]) -> set[UUID]:
    """Note that running jobs have begun, so that a crash counts. Returns the ids of those that were still ours."""
    if not jobs:
        return set()
    return _change(type(jobs[0]), _BEGIN, _RESULT_TYPES[:2], [(job.id, job.claim) for job in jobs])


def release_expired(model: type[Job], max_attempts: int, limit: int = 1000) -> int:
    """Return jobs whose worker is gone: pending again, or dead when no tries are left. At most `limit`.

    A try counts only when the job is known to have begun. All of them are suspects from now on, which run alone.
    """
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    names = {**_names(model, dialect), "lock": dialect.lock, "least": dialect.least, "dies": _DIES}
    sql = _RELEASE.format(**names, expired=dialect.among.format("SELECT id FROM expired"))
    params: dict[str, Any] = {"most": max_attempts, "limit": limit, "begun": CRASHED, "unbegun": CRASHED_UNBEGUN}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        released = cursor.fetchall()
    if dead := [_uuid(job_id) for job_id, state in released if state == State.DEAD]:
        model.announce_dead(dead)
    return len(released)


def first_due(model: type[Job], lanes: int = 10_000) -> datetime | None:
    """When the pending job that is due first of all is due, among `lanes` lanes that are not held."""
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    sql = _FIRST_DUE.format(**_names(model, dialect), first=dialect.among.format("SELECT id FROM ahead"))
    params = {"after": _uuid_adapter(connection)(FIRST), "lanes": lanes}
    return next((job.due_at for job in model._default_manager.using(connection.alias).raw(sql, params)), None)


def dialect_of(connection: BaseDatabaseWrapper) -> Dialect:
    """Raises ConfigurationError for a database that Hookline does not support."""
    try:
        return DIALECTS[connection.vendor]
    except KeyError:
        raise ConfigurationError(f"Hookline runs on PostgreSQL and SQLite, not on {connection.display_name}") from None


def _change(
    model: type[Job],
    statement: str,
    types: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    lease: float = 0.0,
    beside: Insertion | None = None,
) -> set[UUID]:
    """Change the jobs that `rows` name by id and claim. Returns the ids of those that were still ours.

    On PostgreSQL other rows are inserted `beside` that by the same statement: one round trip, and one transaction
    without a BEGIN and a COMMIT.
    """
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    names = {
        **_names(model, dialect),
        "due": dialect.later.format("result.due_in"),
        "lease_end": dialect.later.format(float(lease)),
        "among": dialect.among.format("SELECT id FROM result"),
        "beside": f"beside AS ({beside.sql})," if beside else "",
    }
    if connection.vendor == "postgresql":
        sql = statement.format(**names, rows=f"SELECT * FROM {unnest(types)}")
        params = arrays(types, list(zip(*rows, strict=True)))
        return fetch_ids(connection, sql, [*beside.params, *params] if beside else params)
    if beside:
        with transaction.atomic(using=connection.alias):
            beside.run()
            return _change(model, statement, types, rows, lease=lease)
    marks = ", ".join([f"({', '.join(['%s'] * len(types))})"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**names, rows=f"VALUES {marks}"),
            [value.hex if isinstance(value, UUID) else value for row in rows for value in row],
        )
        return {UUID(hex=value) for (value,) in cursor.fetchall()}


def _names(model: type[Job], dialect: Dialect) -> dict[str, Any]:
    lane = model._meta.get_field(model.lane)
    lanes_model = cast("type[Lane]", lane.related_model)
    return {
        "table": model._meta.db_table,
        "lane": lane.column,  # type: ignore[union-attr]  # a foreign key has a column
        "not_held": _NOT_HELD.format(lanes_table=lanes_model._meta.db_table, now=dialect.now),
        "now": dialect.now,
        "walk": dialect.walk.format(table=model._meta.db_table),
        "settled_too": model.settled_too,
    }


def _uuid_adapter(connection: BaseDatabaseWrapper) -> Any:
    return (lambda value: value) if connection.features.has_native_uuid_field else (lambda value: value.hex)


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(hex=value)
