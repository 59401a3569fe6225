"""The noun Threaded: runs jobs in threads, several in one transaction; for workers and for Celery's tasks."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from hookline.engine.job import Job
from hookline.engine.kind import JobKind
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.engine.quarantine import Quarantine
from hookline.engine.settlement import Settlement
from hookline.engine.watchdog import Watchdog
from hookline.engine.worker import Begin, OnStuck, ThreadWorker
from hookline.exceptions import LeaseLost

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.engine")

#: How long one task goes on claiming, in seconds. Then its place is free for the tasks of others.
SHARE = 2.0
#: How many jobs one claim of a task takes.
BATCH = 50
#: A job that a task claimed and that has not begun after so many seconds is given back: what is before it takes long.
PATIENCE = 2.0

#: Of this process. Celery's usual pool runs one task at a time in each, and others run several.
_quarantine = Quarantine()


@dataclass(frozen=True, kw_only=True)
class Threaded(Generic[J]):
    #: Runs and settles up to `batch` jobs, and calls the function that it is given as it comes to each.
    run: Callable[[list[J], Begin[J]], object]
    #: What becomes of a job that runs for too long.
    fail: Callable[[J, BaseException], Settlement]
    poll: float
    #: Reads what running a claim's jobs needs.
    prepare: Callable[[list[J]], object] = list
    threads: int = 1
    batch: int = 1

    def worker(self, kind: JobKind[J], on_stuck: OnStuck | None) -> ThreadWorker[J]:
        return ThreadWorker(
            kind.leases(),
            self.run,
            fail=self.fail,
            on_stuck=on_stuck,
            threads=self.threads,
            batch=self.batch,
            poll=self.poll,
            max_attempts=kind.max_attempts,
            prepare=self.prepare,
        )

    def share(self, kind: JobKind[J], on_more: Callable[[], None]) -> None:
        """See Runner."""
        leases = kind.leases(per_lane=BATCH * 2)
        end = time.monotonic() + SHARE
        while time.monotonic() < end:
            jobs = leases.claim(BATCH)
            if not jobs:
                return
            if len(jobs) * 2 > BATCH:
                on_more()
            self._run_claimed(leases, jobs, on_more)
        on_more()

    def _run_claimed(self, leases: Leases[J], jobs: list[J], on_more: Callable[[], None]) -> None:
        """Run claimed jobs in this thread, one batch after the other."""
        try:
            self.prepare(jobs)
        except Exception:
            leases.release([(job, Settlement.give_back(0, "the database failed before it began")) for job in jobs])
            raise
        unbegun = deque(jobs)
        impatient = time.monotonic() + PATIENCE

        def give_back_unbegun() -> None:
            """Let others have what waits behind a job that takes long."""
            if time.monotonic() >= impatient and (waiting := _take(unbegun, len(unbegun))):
                back = Settlement.give_back(0, "claimed together with another one that took long")
                leases.release([(job, back) for job in waiting])
                on_more()

        watchdog = Watchdog(leases, self.fail)
        with LeaseRenewer(leases, checks=(give_back_unbegun, watchdog.check)):
            while begun := _next(unbegun, self.batch):
                self._run_watched(leases, watchdog, begun)
            watchdog.check()

    def _run_watched(self, leases: Leases[J], watchdog: Watchdog[J], jobs: list[J]) -> None:
        """Run a batch, a suspect alone. What the database refuses is run again after its lease."""
        suspect = jobs[0].is_suspect
        place = _quarantine.enter(suspect=suspect)
        if place is None:
            back = Settlement.give_back(_quarantine.patience, "another one that may have stopped a worker runs")
            leases.release([(job, back) for job in jobs])
            return
        with watchdog.running(jobs, place) as run:
            try:
                if not suspect or leases.begin_alone(jobs[0]):
                    self.run(jobs, run.begin)
            except LeaseLost as error:
                logger.warning("%s", error)
            except Exception:
                # The database failed. The leases run out, and the sweep returns what is left.
                logger.exception("could not settle %s", ", ".join(job.public_id for job in jobs))


def _next(unbegun: deque[J], most: int) -> list[J]:
    """The next batch. A suspect is one by itself."""
    jobs = _take(unbegun, 1)
    while jobs and len(jobs) < most and not jobs[-1].is_suspect:
        if not (more := _take(unbegun, 1)):
            break
        if more[0].is_suspect:
            unbegun.appendleft(more[0])
            break
        jobs += more
    return jobs


def _take(unbegun: deque[J], most: int) -> list[J]:
    """Up to `most`; not asked beforehand how many there are, because the LeaseRenewer takes some, too."""
    jobs: list[J] = []
    with suppress(IndexError):
        while len(jobs) < most:
            jobs.append(unbegun.popleft())
    return jobs
