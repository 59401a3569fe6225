"""The life of running jobs: renewing, marking, settling and recovering them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import connections, router, transaction

from hookline.core.text import storable
from hookline.db.binary import arrays, fetch_ids, unnest_any
from hookline.db.change import ONLY_IF, Change
from hookline.db.connections import may_lose_answer, until_answered
from hookline.db.insert import Insertion
from hookline.engine import notifier, order
from hookline.engine.job import Held, Job, State
from hookline.engine.settlement import Settlement
from hookline.engine.sql import Dialect, dialect_of, names_of, uuid_adapter
from hookline.telemetry.emit import emit
from hookline.telemetry.records import LeasesExpired

J = TypeVar("J", bound=Job)

#: Notes of jobs whose worker is gone.
CRASHED = "the worker stopped while it ran; its lease ran out"
CRASHED_UNBEGUN = "the worker stopped before it was known to run, so this try does not count; its lease ran out"
NOT_GIVEN = "its worker was never told of it, so this try does not count"
DIED = "the worker died while it ran"
DIED_UNBEGUN = "the worker died before it was known to run, so this try does not count"

# The state in a form for which no index serves: that of the states has an entry for every job that ran since the last
# vacuum, and PostgreSQL would read all of them each time.
_OURS = """
FROM result
WHERE {table}.id = result.id AND {table}.claim = result.claim AND {table}.state || '' = 'running'
    AND {table}.{among}{only_if}
RETURNING {table}.id
"""

_RESULT_TYPES = ("uuid", "bigint", "text", "double precision", "text", "integer")

_SETTLE = (
    """
WITH {beside} result (id, claim, state, due_in, note, refund) AS ({rows})
UPDATE {table}
SET state = result.state,
    due_at = CASE WHEN result.state = 'pending' AND result.due_in >= 0 THEN {due} ELSE due_at END,
    finished_at = CASE WHEN result.state = 'pending' THEN NULL ELSE {now} END,
    attempts = attempts - result.refund,
    crashes = CASE WHEN result.refund = 1 THEN crashes ELSE 0 END,
    has_turn = CASE WHEN result.state IN ('pending', 'dead') THEN has_turn END,
    {settled_too}
    note = result.note,
    lease_until = NULL"""
    + _OURS
)

# A row that somebody else has locked is left out: most likely it is being settled. So who keeps leases never waits for
# another, neither for a handler that holds its own row for minutes nor, both ways round, for a settlement.
_KEEP = """
WITH result (id, claim) AS ({rows}),
ours AS MATERIALIZED (
    SELECT {table}.id FROM {table}, result
    WHERE {table}.id = result.id AND {table}.claim = result.claim AND {table}.state || '' = 'running'
        AND {table}.{among} {lock}
)
UPDATE {table} SET {kept} WHERE {among_ours} RETURNING id
"""
_EXTENDED, _BEGUN = "lease_until = {lease_end}", "begun_at = {now}"

# Whether the crash is held against a job: only when it is known to have begun. The first crash makes no job dead, since
# any of those that ran in that process may have caused it.
_RELEASE = """
WITH gone AS MATERIALIZED (
    SELECT id FROM {table} WHERE state = 'running' AND {is_gone}
    ORDER BY lease_until LIMIT %(limit)s {lock}
)
UPDATE {table}
SET state = CASE WHEN {dies} THEN 'dead' ELSE 'pending' END,
    finished_at = CASE WHEN {dies} THEN {now} ELSE NULL END,
    attempts = CASE WHEN begun_at IS NULL AND attempts > 0 THEN attempts - 1 ELSE attempts END,
    crashes = {crashes},
    note = CASE WHEN begun_at IS NULL THEN %(unbegun)s ELSE %(begun)s END,
    due_at = {now}, lease_until = NULL
WHERE state = 'running' AND {gone}
RETURNING id, state
"""
_DIES = "begun_at IS NOT NULL AND attempts >= {most} AND crashes > 0"
_OWN_TRIES = "coalesce((SELECT {tries} FROM {lanes_table} own WHERE own.id = {table}.{lane}), %(most)s)"


def settle(
    results: Sequence[tuple[Held, Settlement]], beside: Insertion | None = None, *, model: type[Job] | None = None
) -> set[UUID]:
    """Write the settlements of running jobs of one model, and in the same transaction insert the rows `beside`.

    `model` says which, if the jobs are not given as instances of it.

    Returns the ids of the jobs that were still ours. The others were claimed by another worker since; the rows
    `beside` are inserted all the same. Without results nothing is. Joins the caller's transaction, if there is one;
    otherwise, without rows `beside`, a lost connection is no error.
    """
    if not results:
        return set()
    model = model or cast("type[Job]", type(results[0][0]))
    connection = connections[router.db_for_write(model)]
    # The caller's transaction is lost as a whole. Who has rows to insert sees by them what was done before.
    if connection.in_atomic_block or beside is not None or not may_lose_answer(connection):
        return _settle(results, beside, model)
    return until_answered(connection, partial(_settle, results, None, model), partial(_settle_again, results, model))


def settled_before(results: Sequence[tuple[Held, Settlement]], model: type[Job]) -> set[UUID]:
    """The ids of the jobs that were settled so when they were ours, for when the answer to that was lost.

    Waits for whoever is changing them at this moment, since a COMMIT may be under way. Raises DatabaseError.
    """
    wanted = {job.id: (job.claim, to.state, storable(to.note)) for job, to in results}
    database = router.db_for_write(model)
    with transaction.atomic(using=database):
        jobs = model._default_manager.using(database).filter(pk__in=wanted).order_by("pk")
        found = jobs.select_for_update(no_key=True).values_list("pk", "claim", "state", "note")
        return {job_id for job_id, *its in found if tuple(its) == wanted[job_id]}


def _settle_again(results: Sequence[tuple[Held, Settlement]], model: type[Job]) -> set[UUID]:
    ours = _settle(results, None, model)
    if others := [(job, to) for job, to in results if job.id not in ours]:
        ours = ours | settled_before(others, model)
        notifier.of(model).notify()  # what followed on it was not told of
    return ours


def _settle(results: Sequence[tuple[Held, Settlement]], beside: Insertion | None, model: type[Job]) -> set[UUID]:
    rows = _rows_of(results)
    if all(job.order_key is None for job, _ in results):
        return _change(model, _SETTLE, _RESULT_TYPES, rows, beside=beside)
    with transaction.atomic(using=router.db_for_write(model), savepoint=False):
        ours = _change(model, _SETTLE, _RESULT_TYPES, rows, beside=beside)
        order.pass_turns(model, order.ended(model, results, ours))
    return ours


def _rows_of(results: Sequence[tuple[Held, Settlement]]) -> list[tuple[Any, ...]]:
    return [
        (job.id, job.claim, to.state.value, float(to.due_in), storable(to.note), int(to.refund)) for job, to in results
    ]


def change_of(results: Sequence[tuple[Job, Settlement]]) -> Change | None:
    """What `settle` would run, to be run together with other work.

    None where it takes more than one statement: on SQLite, or where one of the jobs has an order key.
    """
    model = type(results[0][0])
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql" or any(job.order_key is not None for job, _ in results):
        return None
    params = arrays(_RESULT_TYPES, list(zip(*_rows_of(results), strict=True)))
    return Change(_settlement(model, connection.alias), params, len(results))


@cache
def _settlement(model: type[Job], alias: str) -> str:
    names = _names(model, dialect_of(connections[alias]))
    return _SETTLE.format(**{**names, "only_if": f" AND {ONLY_IF}"}, beside="", rows=unnest_any(_RESULT_TYPES))


def extend(jobs: Sequence[J], lease: float) -> set[UUID]:
    """Give running jobs `lease` seconds from now. Returns the ids of those that were still ours.

    It waits for nobody: on PostgreSQL a job that another transaction is changing keeps the lease that it has.
    """
    return _keep(jobs, _EXTENDED, lease=lease)


def begin(jobs: Sequence[J], *, wait: bool = False) -> set[UUID]:
    """Note that running jobs have begun, so that a crash counts. Returns the ids of those that were still ours.

    On PostgreSQL those that another transaction is changing are left out, unless it shall `wait`.
    """
    return _keep(jobs, _BEGUN, wait=wait)


def _keep(jobs: Sequence[J], kept: str, *, lease: float = 0.0, wait: bool = False) -> set[UUID]:
    if not jobs:
        return set()
    rows = [(job.id, job.claim) for job in jobs]
    return _change(type(jobs[0]), _KEEP, _RESULT_TYPES[:2], rows, lease=lease, kept=kept, wait=wait)


def release_expired(model: type[Job], max_attempts: int, limit: int = 1000) -> int:
    """Return jobs whose worker died: pending again, or dead when no tries are left. At most `limit`.

    A job has `max_attempts`, unless its lane has a number of its own.

    An attempt counts only if the job is known to have begun. All of them are suspects from now on, which run alone.
    """
    params = {"begun": CRASHED, "unbegun": CRASHED_UNBEGUN}
    return _release(model, "lease_until < {now}", {**params, "most": max_attempts, "limit": limit})


def release_of(model: type[Job], workers: Collection[int], max_attempts: int, limit: int = 1000) -> int:
    """The same for the jobs of these workers, which are known to be dead, whatever their leases say."""
    numbers = {f"worker{place}": number for place, number in enumerate(workers)}
    is_gone = f"worker IN ({', '.join(f'%({name})s' for name in numbers)})"
    params = {"begun": DIED, "unbegun": DIED_UNBEGUN, "most": max_attempts, "limit": limit}
    return _release(model, is_gone, {**params, **numbers})


def release_unheld(model: type[Job], worker: int, held: Sequence[UUID], left: float, max_attempts: int) -> int:
    """The same for jobs of a worker that is alive and does not hold them: they were claimed for it, and it was never
    told, since the database's answer was lost, or whoever had it. So they are no suspects. Only those whose leases have
    less than `left` seconds left."""
    connection = connections[router.db_for_write(model)]
    dialect, adapt = dialect_of(connection), uuid_adapter(connection)
    is_gone = (
        f"worker = %(worker)s AND lease_until < {dialect.later.format('%(left)s')} "
        f"AND {dialect.none_of.format('id', '%(held)s')}"
    )
    params = {"worker": worker, "left": left, "held": dialect.ids([adapt(one) for one in held])}
    notes = {"begun": NOT_GIVEN, "unbegun": NOT_GIVEN, "most": max_attempts, "limit": 1000}
    return _release(model, is_gone, {**params, **notes}, crashed=False)


def workers_of(model: type[Job]) -> set[int]:
    """The numbers of those that hold running jobs."""
    connection = connections[router.db_for_write(model)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT worker FROM {model._meta.db_table} WHERE state = 'running' AND worker IS NOT NULL"
        )
        return {number for (number,) in cursor.fetchall()}


def _release(model: type[Job], is_gone: str, params: Mapping[str, Any], *, crashed: bool = True) -> int:
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    crashes = f"{dialect.least}(crashes + 1, 1000)" if crashed else "crashes"
    names = {**names_of(model, dialect), "lock": dialect.lock, "crashes": crashes}
    own = model.tries_of_lane.get(connection.vendor)
    names["dies"] = _DIES.format(most="%(most)s" if own is None else _OWN_TRIES.format(**names, tries=own))
    gone = dialect.among.format("SELECT id FROM gone")
    sql = _RELEASE.format(**names, is_gone=is_gone.format(now=dialect.now), gone=gone)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        released = cursor.fetchall()
    if released:
        emit(LeasesExpired(model.nouns, len(released)))
    if dead := [_uuid(job_id) for job_id, state in released if state == State.DEAD]:
        model.announce_dead(dead)
    return len(released)


def _change(
    model: type[Job],
    statement: str,
    types: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    lease: float = 0.0,
    kept: str = "",
    wait: bool = False,
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
        "among_ours": dialect.among.format("SELECT id FROM ours"),
        "kept": kept.format(lease_end=dialect.later.format(float(lease)), now=dialect.now),
        "lock": dialect.lock_waiting if wait else dialect.lock_unlocked,
        "beside": f"beside AS ({beside.sql})," if beside else "",
    }
    if connection.vendor == "postgresql":
        sql = statement.format(**names, rows=unnest_any(types))
        params = arrays(types, list(zip(*rows, strict=True)))
        params = [*beside.params, *params] if beside else params
        return fetch_ids(connection, sql, params, prepared=True)
    if beside:
        with transaction.atomic(using=connection.alias):
            beside.run()
            return _change(model, statement, types, rows)
    marks = ", ".join([f"({', '.join(['%s'] * len(types))})"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**names, rows=f"VALUES {marks}"),
            [value.hex if isinstance(value, UUID) else value for row in rows for value in row],
        )
        return {UUID(hex=value) for (value,) in cursor.fetchall()}


def _names(model: type[Job], dialect: Dialect) -> dict[str, Any]:
    return {
        **names_of(model, dialect),
        "due": dialect.later.format("result.due_in"),
        "among": dialect.among.format("SELECT id FROM result"),
        "only_if": "",
    }


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(hex=value)
