"""Grant: the leave to make jobs that are claimed already, for a worker that would begin them at once.

An INSERT makes them as a claim would have made them, so nobody has to claim them. Only where a claim would have nothing
to decide: no order, limit, hold or later time, and nothing else that waits for the same lane. All others are pending.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hookline.db.arrays import scalar
from hookline.engine.job import Job
from hookline.engine.sql import Dialect, lanes_of, names_of


@dataclass(frozen=True, slots=True)
class Grant:
    #: For so many jobs at most.
    places: int
    #: Seconds for which they are claimed.
    lease: float
    #: The number of the worker's process: see Liveness.
    worker: int | None

    def left(self, taken: int) -> Grant | None:
        """What is left of it once so many of its places are taken; None where that is nothing."""
        return replace(self, places=self.places - taken) if taken < self.places else None

    def params(self, vendor: str) -> tuple[Any, ...]:
        """Those of the query `granted`."""
        if vendor == "sqlite":
            return self.places, self.lease, self.worker
        return (
            scalar("integer", self.places),
            scalar("double precision", self.lease),
            None if self.worker is None else scalar("integer", self.worker),
        )


#: The first query of the WITH of a statement that makes jobs claimed. The others refer to it, so that its parameters
#: stand in one place.
_GRANTED = {
    "postgresql": "granted AS MATERIALIZED (SELECT %b::int AS places, %b::float8 AS lease, %b::int AS worker)",
    "sqlite": "granted AS MATERIALIZED (SELECT %s AS places, %s AS lease, %s AS worker)",
}

#: The columns that a claim sets.
CLAIMED_COLUMNS = "state, claim, attempts, lease_until, worker"

# The time is a query by itself: see engine.sql.
_FREE = """
{alias}.held_until IS NULL AND {unlimited} AND NOT EXISTS (
    SELECT 1 FROM {table} other
    WHERE other.{lane} = {alias}.id AND other.state = 'pending' AND other.due_at <= (SELECT {now})
)
"""


def granted(vendor: str) -> str:
    """The query that holds a grant, for the beginning of WITH."""
    return _GRANTED[vendor]


@cache
def free(model: type[Job], dialect: Dialect, alias: str) -> str:
    """A condition on a lane: a claim has nothing to decide about what is made for it now, in no order."""
    return _FREE.format(alias=alias, unlimited=lanes_of(model).unlimited(alias), **names_of(model, dialect))


def placed(free: str, order: str) -> str:
    """A condition on a row to insert: it is `free`, a column of a query before, and there is a place for it."""
    return f"{free} AND row_number() OVER (PARTITION BY {free} ORDER BY {order}) <= (SELECT places FROM granted)"


def claimed_values(dialect: Dialect, made: str) -> str:
    """The values of `CLAIMED_COLUMNS`, of a row that is made claimed where this holds, and pending where not."""
    values = (
        ("'running'", "'pending'"),
        ("1", "0"),
        ("1", "0"),
        (dialect.later.format("(SELECT lease FROM granted)"), "NULL"),
        ("(SELECT worker FROM granted)", "NULL"),
    )
    return ", ".join(f"CASE WHEN {made} THEN {claimed} ELSE {pending} END" for claimed, pending in values)
