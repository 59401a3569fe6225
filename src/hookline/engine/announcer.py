"""Announcer: has the courier load jobs and call the receivers of a Django signal with each.

A record is ignored unless the signal has receivers, and the thread that emits it reads nothing from the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from django.db import router
from django.db.models import QuerySet
from django.dispatch import Signal

from hookline.engine.job import Job
from hookline.telemetry.courier import courier
from hookline.telemetry.emit import subscribe
from hookline.telemetry.records import JobsDied

J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Announcer(Generic[J]):
    """Tells of the jobs of one model, as the argument of receivers that has the model's `noun`."""

    model: type[J]
    #: What is read with each job.
    related: tuple[str, ...]

    def connect(self, dead: Signal) -> None:
        """Call the receivers of `dead` with the jobs that have no tries left."""

        def died(record: JobsDied) -> None:
            if record.model is self.model and dead.has_listeners(self.model):
                self.tell(dead, record.ids)

        subscribe(JobsDied, died)

    def tell(self, signal: Signal, ids: Sequence[UUID]) -> None:
        """Call the receivers of the signal with these jobs soon. The caller has asked whether there are any."""
        if ids:
            courier.put(partial(self._send, signal, ids))

    def load(self, ids: Sequence[UUID]) -> QuerySet[J]:
        jobs = self.model._default_manager.using(router.db_for_write(self.model))  # a replica may not have them yet
        return jobs.filter(pk__in=ids).select_related(*self.related).order_by("pk")

    def _send(self, signal: Signal, ids: Sequence[UUID]) -> None:
        for job in self.load(ids):
            signal.send_robust(self.model, **{self.model.noun: job})
