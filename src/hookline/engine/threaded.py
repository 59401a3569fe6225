"""Threaded: runs jobs in threads, several in one transaction; for workers and for Celery's tasks."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from hookline.engine.job import Job
from hookline.engine.kind import JobKind
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.engine.quarantine import Quarantine
from hookline.engine.settlement import Settlement
from hookline.engine.watchdog import GaveUp, Watchdog, announce_if_dead
from hookline.engine.worker import BATCH_TIME, Begin, OnStuck, ThreadWorker
from hookline.exceptions import LeaseLost

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.engine")

#: How long one task goes on claiming, in seconds. Then its place is free for the tasks of others.
SHARE = 2.0
#: How many jobs one claim of a task takes.
BATCH = 50
#: Seconds after which a claimed job that has not started is released: the one before it is slow.
PATIENCE = 2.0

#: Of this process. Celery's usual pool runs one task at a time in each, and others run several.
_quarantine = Quarantine()


@dataclass(frozen=True, kw_only=True)
class Threaded(Generic[J]):
    #: Runs and settles jobs, which it takes one by one, and calls the function that it is given as it comes to each.
    run: Callable[[Iterable[J], Begin[J]], object]
    #: The settlement of a job that runs for too long.
    fail: Callable[[J, BaseException], Settlement]
    #: Told of it then.
    gave_up: GaveUp[J] = announce_if_dead
    poll: float
    #: Reads what running a claim's jobs needs.
    prepare: Callable[[list[J]], object] = list
    threads: int = 1
    #: So many jobs at most are taken by one run.
    batch: int = 1

    def worker(self, kind: JobKind[J], on_stuck: OnStuck | None) -> ThreadWorker[J]:
        return ThreadWorker(
            kind.leases(),
            self.run,
            fail=self.fail,
            gave_up=self.gave_up,
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
                left = end - time.monotonic()
                if (pause := leases.pause(SHARE)) >= min(left, SHARE):
                    return
                time.sleep(pause)  # until a limit lets more of them begin
                continue
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
            if time.monotonic() >= impatient and (waiting := list(iter(partial(_take, unbegun), None))):
                back = Settlement.give_back(0, "claimed together with another one that took long")
                leases.release([(job, back) for job in waiting])
                on_more()

        watchdog = Watchdog(leases, self.fail, gave_up=self.gave_up)
        with LeaseRenewer(leases, checks=(give_back_unbegun, watchdog.check)):
            while (first := _take(unbegun)) is not None:
                self._run_watched(leases, watchdog, first, unbegun)
            watchdog.check()

    def _run_watched(self, leases: Leases[J], watchdog: Watchdog[J], first: J, unbegun: deque[J]) -> None:
        """Run a batch, a suspect alone. What the database refuses is run again after its lease."""
        suspect = first.is_suspect
        place = _quarantine.enter(suspect=suspect)
        if place is None:
            back = Settlement.give_back(_quarantine.patience, "waits for a job that may have crashed a worker")
            leases.release([(first, back)])
            return
        most, end = 1 if suspect else self.batch, time.monotonic() + BATCH_TIME
        with watchdog.running(first, place) as run:
            try:
                if not suspect or leases.begin_alone(first):
                    self.run(run.take(most, end, partial(_take, unbegun, suspects=False)), run.begin)
            except LeaseLost as error:
                logger.warning("%s", error)
            except Exception:
                # The database failed. The leases run out, and the sweep returns what is left.
                logger.exception("could not settle %s", ", ".join(job.public_id for job in run.jobs))


def _take(unbegun: deque[J], *, suspects: bool = True) -> J | None:
    """The next one; not asked beforehand whether there is one, because the LeaseRenewer takes some, too."""
    with suppress(IndexError):
        job = unbegun.popleft()
        if suspects or not job.is_suspect:
            return job
        unbegun.appendleft(job)
    return None
