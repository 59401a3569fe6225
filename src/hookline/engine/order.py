"""Turns: jobs of one lane with the same order key run one after the other, in the order in which they were committed.

A job whose lane has an order is inserted with the key UNREAD, which costs nothing more, and is claimed like any other.
Only then, `take_turns` reads the keys of the jobs that have arrived in its lane, gives the turn to the first job of
each key, and makes the others wait: pending, due at FOREVER, where no claim looks. The transaction that ends a job
gives the turn to the next, and claims it where a worker of this process has room for it: so it begins after the COMMIT,
without a notification and a claim. A dead job keeps the turn: it parks its key until a person decides.

At most one job of a key has the turn: a unique index guarantees it. The key is locked before a turn is given, so that
no decision rests on rows that another transaction is changing. On PostgreSQL this needs its default isolation, READ
COMMITTED.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.functions import Now

from hookline.db.rows import columns, read
from hookline.engine import handover, notifier
from hookline.engine.job import FOREVER, UNREAD, Held, Job, State
from hookline.engine.settlement import Settlement
from hookline.engine.sql import claimed, dialect_of, lanes_of, names_of, uuid_adapter

J = TypeVar("J", bound=Job)

#: A lane and a key in it.
Key = tuple[UUID, str]

#: Note of a job that waits.
WAITS = "waits for an earlier one with the same order key"
#: Note of a job that was claimed as it got its turn. No other that has no turn yet is running with this note.
FOLLOWS = "began as the one before it with the same order key ended"
#: How many keys are read at a time.
PORTION = 500
#: The first halves of PostgreSQL's advisory locks of lanes and of keys: the letters "hkln" and "hkky".
_LANE_CLASS, _KEY_CLASS = 0x686B6C6E, 0x686B6B79
#: Of keys. They share so many locks, since a server has no room for any number of them.
_LOCKS = 1024
#: States in which a settlement ends a job for good.
_ENDS = (State.SUCCEEDED, State.CANCELLED)

_OPEN = "order_key IS NOT NULL AND state IN ('pending', 'running')"

_UNREAD = (
    """
SELECT id FROM {table} {order_index}
WHERE {lane} = %s AND order_key = '' AND """
    + _OPEN
    + """
ORDER BY created_at, id LIMIT %s
"""
)

_GIVE = (
    """
WITH wanted (lane, name) AS (VALUES {keys}),
following AS MATERIALIZED (
    SELECT (
        SELECT id FROM {table} {order_index}
        WHERE {lane} = wanted.lane AND order_key = wanted.name AND """
    + _OPEN
    + """
        ORDER BY created_at, id LIMIT 1
    ) AS id
    FROM wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM {table} {turn_index} WHERE {lane} = wanted.lane AND order_key = wanted.name AND {turn}
    )
)
UPDATE {table}
SET has_turn = true, {claimed}
    note = CASE {noted} WHEN due_at >= %(forever)s THEN '' ELSE note END,
    due_at = CASE WHEN due_at >= %(forever)s THEN {now} ELSE due_at END
WHERE {following}
RETURNING {returned}
"""
)

# As it gets its turn it is claimed, where a claim would have nothing to decide: no limit, no hold, no later time.
_BEGINS = """
state = 'pending' AND crashes = 0 AND (due_at >= %(forever)s OR due_at <= {now}) AND EXISTS (
    SELECT 1 FROM {lanes_table} own
    WHERE own.id = {table}.{lane} AND (own.held_until IS NULL OR own.held_until <= {now}) AND {unlimited}
)"""

# Whoever has an earlier one of its key in the same portion waits from here on, without another write.
_READ = """
WITH result (id, name, waits) AS ({rows})
UPDATE {table}
SET order_key = result.name,
    state = CASE WHEN {goes} AND state = 'running' THEN 'pending' ELSE state END,
    attempts = CASE WHEN {goes} AND state = 'running' THEN attempts - 1 ELSE attempts END,
    lease_until = CASE WHEN {goes} THEN NULL ELSE lease_until END,
    due_at = CASE WHEN {goes} THEN %s ELSE due_at END,
    note = CASE WHEN {goes} THEN %s ELSE note END
FROM result
WHERE {table}.id = result.id AND {table}.{among}
"""
_GOES = "result.waits AND (state = 'running' OR state = 'pending' AND due_at <= {now})"

# The states in a form for which no index serves: SQLite would rather read all that wait than look up these ids.
_WAIT = """
UPDATE {table}
SET state = 'pending', due_at = %s, note = %s, lease_until = NULL,
    attempts = CASE WHEN state = 'running' THEN attempts - 1 ELSE attempts END
WHERE {among} AND order_key || '' <> '' AND has_turn IS NULL
    AND (state || '' = 'running' OR state || '' = 'pending' AND due_at <= {now})
"""


def take_turns(model: type[J], jobs: Sequence[J]) -> list[J]:
    """Of jobs that were claimed a moment ago those that may run. The others were given back. Raises DatabaseError."""
    waiting = [job for job in jobs if job.order_key is not None and not job.has_turn]
    if not waiting:
        return list(jobs)
    lane_of = attrgetter(f"{model.lane}_id")
    claimed = {job.id: job for job in waiting}
    connection = connections[router.db_for_write(model)]
    with transaction.atomic(using=connection.alias):
        _lock(connection, _LANE_CLASS, {lane_of(job).bytes for job in waiting}, model, waiting[0].id)
        keys: dict[UUID, Key] = {job.id: (lane_of(job), job.order_key) for job in waiting if job.order_key}
        for lane in {lane_of(job) for job in waiting if job.order_key == UNREAD}:
            first = _read_keys(connection, model, lane)
            keys.update({job_id: (lane, key) for key, job_id in first.items()})
        give_turns(model, keys.values())
        _have_wait(connection, model, keys)
        found = model._default_manager.using(connection.alias).filter(pk__in=claimed)
        fields = ("pk", "state", "claim", "order_key", "has_turn")
        mine = {
            pk: rest
            for pk, state, *rest in found.values_list(*fields)
            if state == State.RUNNING and rest[0] == claimed[pk].claim
        }
        unread = [claimed[pk] for pk, (_, key, _) in mine.items() if key == UNREAD]
        if unread:  # behind more than a portion of others, which are read first
            _give_back(connection, model, unread)
    for pk, (_, key, has_turn) in mine.items():
        claimed[pk].order_key, claimed[pk].has_turn = key, has_turn
    kept = {pk for pk, (_, key, has_turn) in mine.items() if key is None or has_turn}
    return [job for job in jobs if job.id not in claimed or job.id in kept]


def ended(model: type[Job], results: Iterable[tuple[Held, Settlement]], ours: Collection[UUID]) -> set[Key]:
    """The keys whose turn is over with these settlements."""
    lane_of = attrgetter(f"{model.lane}_id")
    return {
        (lane_of(job), job.order_key) for job, to in results if job.order_key and to.state in _ENDS and job.id in ours
    }


def pass_turns(model: type[J], keys: Iterable[Key]) -> None:
    """Give the turn to the next of keys whose turn is over. Joins the caller's transaction.

    After its COMMIT a worker of this process begins with those for which it has room, and whoever waits is told of the
    others.
    """
    wanted = sorted(set(keys))
    follower = handover.follower_of(model)
    room = 0 if follower is None else follower.room
    begun: list[J] = []
    given = 0
    if follower is not None and room > 0 and wanted:
        turns = _give(model, wanted[:room], follower)
        begun = [job for job in turns if job.state == State.RUNNING and job.note == FOLLOWS]
        given = len(turns)
        if begun:
            handover.give_after_commit(model, follower, begun)
        wanted = wanted[room:]
    given += give_turns(model, wanted)
    if given > len(begun):
        notifier.notify_after_commit(model)


def give_turns(model: type[Job], keys: Iterable[Key]) -> int:
    """Give the turn to the first job of each key that nobody has the turn of. Locks the keys until the COMMIT.

    Returns how many have their turn now. Joins the caller's transaction; on SQLite it has written already.
    """
    wanted = sorted(set(keys))
    return len(_give(model, wanted)) if wanted else 0


def _give(model: type[J], wanted: Sequence[Key], follower: handover.Follower | None = None) -> list[J]:
    """Those that got their turn. Where a follower is given, those that may begin are running for it with FOLLOWS."""
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    lock_keys(model, wanted)
    adapt, mark = uuid_adapter(connection), "%(lane{0})s::uuid" if connection.vendor == "postgresql" else "%(lane{0})s"
    params: dict[str, Any] = {"forever": _forever(connection)}
    for number, (lane, key) in enumerate(wanted):
        params |= {f"lane{number}": adapt(lane), f"key{number}": key}
    names = _names(connection, model)
    begun = noted = ""
    if follower is not None:
        begins = _BEGINS.format(**names, unlimited=lanes_of(model).unlimited("own"))
        begun = f"{claimed(dialect, begins)},"
        noted = f"WHEN {begins} THEN %(follows)s"
        params |= {"lease": follower.lease, "worker": follower.worker, "follows": FOLLOWS}
    sql = _GIVE.format(
        **names,
        keys=", ".join([f"({mark.format(number)}, %(key{number})s)" for number in range(len(wanted))]),
        following=dialect.among.format("SELECT id FROM following"),
        claimed=begun,
        noted=noted,
        returned=columns(model),
    )
    return read(model, sql, params)


def cancel(model: type[Job], ids: Collection[UUID], note: str) -> list[UUID]:
    """End jobs that wait or are dead, and give what turns they had to the next. Returns which those were."""
    return _decide(
        model, ids, Q(state__in=[State.PENDING, State.DEAD]), state=State.CANCELLED, finished_at=Now(), note=note
    )


def release(model: type[Job], ids: Collection[UUID]) -> list[UUID]:
    """Let the next of their keys go on, past those dead ones. Returns which those were."""
    return _decide(model, ids, Q(state=State.DEAD, has_turn=True))


def _decide(model: type[Job], ids: Collection[UUID], which: Q, **to: Any) -> list[UUID]:
    alias = router.db_for_write(model)
    jobs = model._default_manager.using(alias).filter(pk__in=ids)
    with transaction.atomic(using=alias):
        # While nobody reads keys of these lanes: the turn of one that was not known here would be given to nobody.
        lanes = jobs.exclude(order_key=None).values_list(f"{model.lane}_id", flat=True).distinct()
        _lock(connections[alias], _LANE_CLASS, {lane.bytes for lane in lanes})
        keys = list(jobs.exclude(order_key=UNREAD).exclude(order_key=None).values_list(f"{model.lane}_id", "order_key"))
        lock_keys(model, keys)
        chosen = jobs.filter(which).select_for_update(no_key=True).order_by("pk")
        found = list(chosen.values_list("pk", flat=True))
        jobs.filter(which, pk__in=found).update(has_turn=None, **to)
        give_turns(model, keys)
    return found


def lock_keys(model: type[Job], keys: Iterable[Key]) -> None:
    """Let nobody else give a turn of these keys until the transaction ends. On SQLite whoever writes is alone."""
    connection = connections[router.db_for_write(model)]
    _lock(connection, _KEY_CLASS, {lane.bytes + key.encode() for lane, key in keys})


def _lock(
    connection: BaseDatabaseWrapper,
    kind: int,
    names: Iterable[bytes],
    model: type[Job] | None = None,
    one: UUID | None = None,
) -> None:
    """Take advisory locks, in one order everywhere; on SQLite the only lock there is, by writing a row of the model."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            numbers = {int.from_bytes(hashlib.sha256(name).digest()[:4], "big") % _LOCKS for name in names}
            cursor.execute("SELECT pg_advisory_xact_lock(%s, n) FROM unnest(%s::integer[]) n", [kind, sorted(numbers)])
        elif model is not None and one is not None:
            cursor.execute(f"UPDATE {model._meta.db_table} SET claim = claim WHERE id = %s", [one.hex])


def _read_keys(connection: BaseDatabaseWrapper, model: type[Job], lane: UUID) -> Mapping[str, UUID]:
    """Read and write down the keys of the jobs that came first in a lane. A job without one has no order.

    Returns the first job of each key; the others of these wait.
    """
    adapt = uuid_adapter(connection)
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD.format(**_names(connection, model)), [adapt(lane), PORTION])
        ids = [value if isinstance(value, UUID) else UUID(hex=value) for (value,) in cursor.fetchall()]
        if not ids:
            return {}
        keys = model.order_keys(ids)
        first: dict[str, UUID] = {}
        for job_id in ids:
            if (key := keys.get(job_id)) is not None:
                first.setdefault(key, job_id)
        rows = [(adapt(job_id), key := keys.get(job_id), key is not None and first[key] != job_id) for job_id in ids]
        if connection.vendor == "postgresql":
            values = "SELECT * FROM unnest(%s::uuid[], %s::text[], %s::boolean[])"
            given: list[Any] = [list(column) for column in zip(*rows, strict=True)]
        else:
            values = f"VALUES {', '.join(['(%s, %s, %s)'] * len(rows))}"
            given = [value for row in rows for value in row]
        dialect = dialect_of(connection)
        names = {**_names(connection, model), "among": dialect.among.format("SELECT id FROM result")}
        sql = _READ.format(**names, rows=values, goes=_GOES.format(now=dialect.now))
        cursor.execute(sql, [*given, _forever(connection), WAITS])
    return first


def _have_wait(connection: BaseDatabaseWrapper, model: type[Job], ids: Collection[UUID]) -> None:
    """Have those wait that have no turn now."""
    if not ids:
        return
    sql = _WAIT.format(**_names(connection, model), among=_among(connection, ids))
    with connection.cursor() as cursor:
        cursor.execute(sql, [_forever(connection), WAITS, *map(uuid_adapter(connection), ids)])


def _give_back(connection: BaseDatabaseWrapper, model: type[Job], jobs: Collection[Job]) -> None:
    sql = (
        "UPDATE {table} SET state = 'pending', due_at = {now}, lease_until = NULL, attempts = attempts - 1 "
        "WHERE {among}"
    )
    sql = sql.format(**_names(connection, model), among=_among(connection, jobs))
    with connection.cursor() as cursor:
        cursor.execute(sql, [uuid_adapter(connection)(job.id) for job in jobs])


def _names(connection: BaseDatabaseWrapper, model: type[Job]) -> dict[str, Any]:
    names = names_of(model, dialect_of(connection))
    indexes = {"order_index": "", "turn_index": "", "turn": "has_turn"}
    if connection.vendor == "sqlite":
        table = names["table"]
        indexes = {
            "order_index": f"INDEXED BY {table}_order",
            "turn_index": f"INDEXED BY {table}_turn",
            # Django 5 and Django 6.1 write the condition of the index in different ways, and SQLite uses the index
            # only where a term of the query is the same.
            "turn": "has_turn AND has_turn = 1",
        }
    return {**names, **indexes}


def _forever(connection: BaseDatabaseWrapper) -> Any:
    return connection.ops.adapt_datetimefield_value(FOREVER)


def _among(connection: BaseDatabaseWrapper, rows: Collection[Any]) -> str:
    """A condition that the id is among so many parameters, for which each is looked up by its key."""
    marks = (["(%s::uuid)"] if connection.vendor == "postgresql" else ["(%s)"]) * len(rows)
    return dialect_of(connection).among.format(f"VALUES {', '.join(marks)}")
