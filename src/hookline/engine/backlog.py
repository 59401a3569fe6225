"""Backlog: how much work there is and how long it waits, at a cost that does not grow with the rows."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import router

from hookline.core import ids
from hookline.db import clock
from hookline.engine.claim import first_due
from hookline.engine.job import Job, State

#: Nothing is counted further: whether a million jobs wait or two is better told by how long they wait.
MOST = 10_000
#: Rates cover this many seconds, or the newest SAMPLE jobs where there were more.
RECENTLY = 3600.0
SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Backlog:
    """The jobs of one kind. Durations are seconds by the database's clock; None where nothing waits."""

    #: State -> how many jobs are in it, up to MOST.
    states: dict[str, int]
    #: The states in which there are more.
    more: tuple[str, ...]
    #: Since the oldest pending job was made.
    oldest_pending: float | None
    #: How long the longest overdue job has waited for a worker. What a lane that is held has waits for something else.
    lag: float | None
    #: Jobs made, and jobs that succeeded, per second.
    arriving: float
    succeeding: float

    def count(self, state: str) -> str:
        """How many jobs are in a state, for people."""
        return f"{MOST:,}+" if state in self.more else f"{self.states[state]:,}"


def backlog_of(model: type[Job]) -> Backlog:
    """Raises DatabaseError."""
    now = clock.now(model)
    jobs = model._default_manager.using(router.db_for_write(model))
    newest = {state: jobs.filter(state=state).order_by("-created_at") for state in State}
    counts = {state.value: rows.values("created_at")[: MOST + 1].count() for state, rows in newest.items()}
    oldest = newest[State.PENDING].values_list("created_at", flat=True).last()
    due = first_due(model)
    made = jobs.order_by("-id").values_list("id", flat=True)[:SAMPLE]
    # Those that succeeded last are those made last, except for some that were retried.
    done = newest[State.SUCCEEDED].values_list("finished_at", flat=True)[:SAMPLE]
    return Backlog(
        states={state: min(count, MOST) for state, count in counts.items()},
        more=tuple(state for state, count in counts.items() if count > MOST),
        oldest_pending=None if oldest is None else max(0.0, now - oldest.timestamp()),
        lag=None if due is None or due.timestamp() > now else now - due.timestamp(),
        arriving=_rate(now, [ids.made_at(made_id) for made_id in made]),
        succeeding=_rate(now, [finished.timestamp() for finished in done if finished is not None]),
    )


def _rate(now: float, times: list[float]) -> float:
    """How many of up to SAMPLE times there were per second of the last RECENTLY."""
    recent = [time for time in times if time >= now - RECENTLY]
    return len(recent) / (max(now - min(recent), 1.0) if len(recent) == SAMPLE else RECENTLY)
