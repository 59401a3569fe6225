"""How much work there is, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Min

from hookline.cli.rows import age
from hookline.engine import clock
from hookline.engine.job import Job, State
from hookline.models import Delivery, Event


@dataclass(frozen=True, slots=True)
class Queue:
    """The jobs of one kind. Durations are seconds by the database's clock; None where nothing waits."""

    states: dict[str, int]
    #: Since the oldest pending job was made.
    oldest_pending: float | None
    #: How long the longest overdue job has waited for a worker.
    lag: float | None


def queues() -> dict[str, Queue]:
    """The queue of each kind of job."""
    return {"events": queue_of(Event), "deliveries": queue_of(Delivery)}


def queue_of(model: type[Job]) -> Queue:
    now = clock.now(model)
    counts = dict(model._default_manager.order_by().values_list("state").annotate(Count("id")))
    pending = model._default_manager.filter(state=State.PENDING)
    times = pending.aggregate(oldest=Min("created_at"), due=Min("due_at"))
    oldest, due = times["oldest"], times["due"]
    return Queue(
        states={str(state): counts.get(state, 0) for state in State.values},
        oldest_pending=None if oldest is None else max(0.0, age(oldest, now)),
        lag=None if due is None or age(due, now) < 0 else age(due, now),
    )
