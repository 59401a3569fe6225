"""Claiming jobs: the walk from lane to lane, and what it takes from each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error, connections, router

from hookline.db.rows import columns, read
from hookline.engine.job import Job
from hookline.engine.order import take_turns
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.engine.sql import Dialect, claimed, dialect_of, names_of, uuid_adapter

J = TypeVar("J", bound=Job)

#: Before the first lane.
FIRST = UUID(int=0)
#: How many lanes one claim looks at.
LANES = 256
#: A claim that took only jobs whose turn it was not takes others, so often at most.
LOOKS = 50


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

# Where it is known which lanes to look at, they are not looked for among many others.
_GIVEN = "WITH lane (id) AS ({given})"

# One look at the lane's own row says whether it is held, and whose it is. It comes before the look at its jobs.
_OPEN = """EXISTS (
    SELECT 1 FROM {lanes_table} own
    WHERE own.id = lane.id AND (own.held_until IS NULL OR own.held_until <= {now}){not_theirs}
)"""
# It stops at {lanes} lanes; the caller goes on behind the last one.
_CLAIM = """{visited}, ready AS MATERIALIZED (
    SELECT id FROM lane
    WHERE id IS NOT NULL AND {not_busy} AND CASE WHEN {open} THEN (
        SELECT due_at FROM {table} WHERE state = 'pending' AND {lane} = lane.id ORDER BY due_at LIMIT 1
    ) <= {now} END
    LIMIT {lanes}
), picked AS MATERIALIZED ({pick} LIMIT %(limit)s)
UPDATE {table}
SET {claimed}
WHERE {picked}{no_wait}
RETURNING {columns}
"""

# The job that is due first in each lane that is not held, and of these the first.
_FIRST_DUE = (
    _LANES
    + """, ahead AS MATERIALIZED (
    SELECT (SELECT id FROM {table} WHERE state = 'pending' AND {lane} = lane.id ORDER BY due_at LIMIT 1) AS id
    FROM lane WHERE id IS NOT NULL AND {open}
    LIMIT %(lanes)s
)
SELECT id, due_at FROM {table} WHERE {first} ORDER BY due_at LIMIT 1
"""
)


def claim(
    model: type[J],
    limit: int,
    lease: float,
    *,
    after: UUID = FIRST,
    busy: Collection[UUID] = (),
    without: Collection[UUID] = (),
    among: Collection[UUID] | None = None,
    caps: Mapping[UUID, int] | None = None,
    per_lane: int | None = None,
    lanes: int = LANES,
    worker: int | None = None,
) -> list[J]:
    """Take up to `limit` due jobs for `lease` seconds, spread evenly over at most `lanes` lanes behind `after`.

    At most `per_lane` jobs of each lane are taken, none of the lanes in `busy` or of the tenants in `without`, only
    those of the lanes in `among`, if they are given, and on PostgreSQL at most the given number of a lane in `caps`.
    Jobs due first come first. `worker` is the number of this process (see Liveness). Of jobs with the same order key,
    one is taken. Committed when this returns, as durably as `model.durable_claims` says. Raises DatabaseError; jobs
    that were already taken are released, if the database allows it.
    """
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    adapt = uuid_adapter(connection)
    params: dict[str, Any] = {"after": adapt(after), "limit": limit, "lease": lease, "per_lane": per_lane or limit}
    params["worker"] = worker
    params["busy"] = dialect.ids([adapt(lane) for lane in busy])
    not_theirs = ""
    if without:
        params["tenants"] = dialect.ids([adapt(tenant) for tenant in without])
        not_theirs = f" AND {dialect.none_of.format('own.tenant_id', '%(tenants)s')}"
    known = names_of(model, dialect)
    names = {
        **known,
        "share": _share(dialect, caps, params, adapt),
        "not_busy": dialect.none_of.format("id", "%(busy)s"),
        "open": _OPEN.format(**known, not_theirs=not_theirs),
        "lanes": lanes,
        "claimed": claimed(dialect),
        "picked": dialect.among.format("SELECT id FROM picked"),
        "columns": columns(model),
        "no_wait": "" if model.durable_claims else dialect.no_wait,
    }
    if among is None:
        visited = _LANES.format(**known)
    else:
        params["among"] = dialect.ids([adapt(lane) for lane in among])
        visited = _GIVEN.format(given=dialect.each_of.format("%(among)s"))
    names["visited"] = visited
    sql = _CLAIM.format(**{**names, "pick": dialect.pick.format(**names, lock=dialect.lock)})
    for _ in range(LOOKS):
        taken = read(model, sql, params)
        try:
            ready = take_turns(model, taken)
        except Error:
            with suppress(Error):  # otherwise their leases run out
                settle([(job, Settlement.give_back(0, "the database failed before it began")) for job in taken])
            raise
        if ready or not taken:
            # RETURNING has no order of its own.
            return sorted(ready, key=lambda job: job.due_at)
    return []


def _share(dialect: Dialect, caps: Mapping[UUID, int] | None, params: dict[str, Any], adapt: Any) -> str:
    """How many to take of the lane `ready.id`; the parameters for it are put into `params`."""
    share = f"{dialect.least}(%(per_lane)s, {dialect.most}(1, %(limit)s / (SELECT count(*) FROM ready)))"
    if not caps or not dialect.varying_limit:
        return share
    cases = []
    for number, (lane, most) in enumerate(caps.items()):
        params |= {f"capped{number}": adapt(lane), f"cap{number}": most}
        cases.append(f"WHEN ready.id = %(capped{number})s THEN %(cap{number})s")
    return f"{dialect.least}({share}, CASE {' '.join(cases)} END)"  # NULL, which is no limit, counts for nothing


def first_due(model: type[Job], lanes: int = 10_000) -> datetime | None:
    """When the pending job that is due first of all is due, among `lanes` lanes that are not held."""
    connection = connections[router.db_for_write(model)]
    dialect = dialect_of(connection)
    known = names_of(model, dialect)
    sql = _FIRST_DUE.format(
        **known, open=_OPEN.format(**known, not_theirs=""), first=dialect.among.format("SELECT id FROM ahead")
    )
    params = {"after": uuid_adapter(connection)(FIRST), "lanes": lanes}
    return next((job.due_at for job in model._default_manager.using(connection.alias).raw(sql, params)), None)
