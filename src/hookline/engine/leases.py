"""Leases: the jobs that one worker has claimed and not yet settled."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import Error, connections, router

from hookline.db.rows import Parts, RowsWithParts
from hookline.engine import settle as settling
from hookline.engine.claim import FIRST, LANES, claim
from hookline.engine.job import Held, Job
from hookline.engine.lane_limits import LaneLimits
from hookline.engine.settlement import Settlement
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import JobsClaimed

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.engine")

#: Seconds after which a running job is marked as started.
MARK_AFTER = 0.1
#: Seconds after which jobs that were claimed for a worker, and did not come to it, are taken for missed: what is under
#: way comes within milliseconds.
UNDER_WAY = 2.0


def no_number() -> int | None:
    """For those whose process has none: see Liveness."""
    return None


class Leases(Generic[J]):
    """Claims jobs in turn between lanes, and keeps their leases while they run. Safe to use from several threads."""

    def __init__(
        self,
        model: type[J],
        *,
        lease: float,
        per_lane: int,
        longest_run: float,
        mark_after: float = MARK_AFTER,
        worker_number: Callable[[], int | None] = no_number,
        parts: Parts | None = None,
    ) -> None:
        """`parts`: what is read, where that costs nothing more, with jobs that are given to this worker."""
        self.model = model
        self.lease = lease
        self.per_lane = per_lane
        #: A job that runs longer, or waits longer to run, loses its lease: its worker may hang.
        self.longest_run = longest_run
        #: See `mark_begun`.
        self.mark_after = mark_after
        #: The number of this process: see Liveness.
        self.worker_number = worker_number
        self._lock = threading.Lock()
        #: By the numbers of their ids, because Python computes the hash of a UUID in Python.
        self._jobs: dict[int, tuple[J, float]] = {}
        #: Those that run and are not yet marked so in the database, and since when.
        self._begun: dict[int, tuple[J, float]] = {}
        #: Those that others claimed for this worker and that may not be committed yet, by the numbers of their ids, and
        #: since when; below 0: some of which nothing is known, one entry for each second.
        self._expected: dict[int, float] = {}
        self._lanes: Counter[int] = Counter()
        self._after = FIRST
        #: Whether the last claim took all that was due, so that another one would give nothing until somebody notifies.
        self.drained = False
        #: The same of the tenants that the last claim without some asked.
        self.others_drained = False
        #: By how many seconds this machine's clock is ahead of the database's.
        self._ahead = 0.0
        self._lane_of: Callable[[J], UUID] = attrgetter(f"{model.lane}_id")
        self._limits = LaneLimits[J](model, self._lane_of)
        self._rows = RowsWithParts(model, parts or {})

    def __len__(self) -> int:
        return len(self._jobs)

    def claim(self, limit: int, *, without: Collection[UUID] = (), among: Collection[UUID] | None = None) -> list[J]:
        """Claim up to `limit` due jobs, of all tenants but these; of these lanes only, if they are given.

        Raises DatabaseError.
        """
        # A lane may fill half of its places at once, so that those that are half full can still be asked.
        half = max(1, self.per_lane // 2)
        with self._lock:
            busy = [UUID(int=lane) for lane, count in self._lanes.items() if count > self.per_lane - half]
        self._limits.refresh()
        busy += self._limits.waiting()
        whole = self._after == FIRST
        jobs = self._claim(limit, busy, half, without, among)
        if not jobs and not whole and not without:
            self._after, whole = FIRST, True
            jobs = self._claim(limit, busy, half)
        lanes = Counter([self._lane_of(job).int for job in jobs])
        # A claim leaves lanes unvisited when there are more than it looks at (half of those may have given nothing,
        # because another worker was just taking theirs), or when there are fewer places than lanes.
        unvisited = len(lanes) * 2 >= LANES or len(jobs) == limit == len(lanes)
        # Every lane was asked for as many, and had less. Those of which another worker was just taking are its own.
        share = min(half, limit // max(1, len(lanes)))
        drained = not (unvisited or busy) and all(count < share for count in lanes.values())
        # Of those that were taken others had to wait for their turn, so there may be more than that.
        drained = drained and all(job.order_key is None for job in jobs)
        if without:
            self.others_drained = drained
        else:
            self._after = UUID(int=max(lanes)) if unvisited else FIRST
            self.drained = drained and whole
        self.read_clock(jobs)
        jobs = self._admit(jobs)
        self.keep(jobs)
        return jobs

    def of_rows(self, rows: Sequence[Any]) -> list[J]:
        """The jobs of rows as they are given, with all columns and those of the parts; on SQLite they are jobs."""
        connection = connections[router.db_for_write(self.model)]
        jobs = list(rows) if connection.vendor == "sqlite" else self._rows.of(connection, rows)
        self.read_clock(jobs)
        return jobs

    def keep(self, jobs: Sequence[J]) -> None:
        """Keep the leases of jobs that were claimed a moment ago, here or with the number and the lease of this."""
        if not jobs:
            return
        since = time.monotonic()
        with self._lock:
            for job in jobs:
                self._expected.pop(job.id.int, None)
                self._remove(job)  # one that was settled and is due again before anybody said that it is done
            self._lanes.update([self._lane_of(job).int for job in jobs])
            self._jobs.update([(job.id.int, (job, since)) for job in jobs])
        if wanted(JobsClaimed):
            emit(JobsClaimed(self.model.nouns, len(jobs)))

    def pause(self, most: float) -> float:
        """Seconds until a claim may find something that a limit holds up, but no more than `most`."""
        wait = self._limits.pause()
        return most if wait is None else min(most, wait)

    def _admit(self, jobs: list[J]) -> list[J]:
        """Those that the limits of their lanes let begin. Raises DatabaseError."""
        try:
            return self._limits.admit(jobs)
        except Error:
            self.release([(job, Settlement.give_back(0, "the database failed before it began")) for job in jobs])
            raise

    def read_clock(self, jobs: Sequence[J]) -> None:
        """Learn the database's time from jobs that were claimed this moment."""
        if jobs and (until := jobs[0].lease_until):
            self._ahead = time.time() - (until.timestamp() - self.lease)

    def now(self) -> float:
        """Unix time by the database's clock, as the last claim told it: this machine's own may be wrong."""
        return time.time() - self._ahead

    def begin(self, job: Held) -> None:
        """The job runs from now on."""
        with self._lock:
            if (known := self._known(job)) is not None:
                self._jobs[job.id.int] = self._begun[job.id.int] = (known, time.monotonic())

    def end(self, job: J) -> None:
        """It has run and is not settled yet: a crash from now on is not its fault."""
        with self._lock:
            self._begun.pop(job.id.int, None)

    def mark_begun(self) -> None:
        """Note in the database which jobs have run for `mark_after`, so that a crash counts. Raises DatabaseError.

        To note it of every job would be another write for each. What ends within a moment needs none; what crashes
        within a moment is a suspect the next time, and marked before it begins.
        """
        limit = time.monotonic() - self.mark_after
        with self._lock:
            jobs = [job for job, since in self._begun.values() if since <= limit]
        marked = settling.begin(jobs)
        with self._lock:
            for job in jobs:
                # One that is being changed at this moment has its turn with the next look.
                if job.id in marked and (known := self._begun.get(job.id.int)) is not None and known[0] is job:
                    del self._begun[job.id.int]

    def begin_alone(self, job: Held) -> bool:
        """A suspect runs from now on: note it in the database first. Returns whether it is still ours."""
        self.begin(job)
        with self._lock:
            self._begun.pop(job.id.int, None)
            known = self._known(job)
        return known is not None and bool(settling.begin([known], wait=True))

    def forget(self, job: Held) -> None:
        """Forget a job that is settled or lost; not one that was claimed again meanwhile."""
        with self._lock:
            if (known := self._known(job)) is not None:
                self._remove(known)

    def heartbeat(self) -> None:
        """Extend the leases of all jobs that have not run for too long. Raises DatabaseError."""
        now = time.monotonic()
        with self._lock:
            jobs = [job for job, since in self._jobs.values() if now - since < self.longest_run]
        kept = settling.extend(jobs, self.lease)
        with self._lock:
            others = {job.id: job.claim for job in jobs if job.id not in kept and job.id.int in self._jobs}
        if not others:
            return
        # Most were settled a moment ago and are `done` in the next one: those have the claim that they had.
        rows = self.model._default_manager.using(router.db_for_write(self.model)).filter(pk__in=others)
        for job_id, number in rows.values_list("pk", "claim"):
            if number != others[job_id]:
                lost = self.model(id=job_id).public_id
                logger.warning("the lease of %s was lost while it ran", lost, extra={self.model.__name__.lower(): lost})

    def expect(self, jobs: Sequence[J]) -> None:
        """These were claimed for this worker a moment ago, and `keep` follows if that is committed."""
        self.read_clock(jobs)
        now = time.monotonic()
        with self._lock:
            self._expected.update([(job.id.int, now) for job in jobs])

    def may_have_missed(self) -> None:
        """Some jobs may be claimed for this worker of which it is not told."""
        now = time.monotonic()
        with self._lock:  # of one second, so that those that come again and again do not put it off for ever
            self._expected[-1 - int(now)] = now

    def return_missed(self, max_attempts: int) -> int:
        """Return jobs that are claimed for this worker and that it does not hold, if there may be some.

        Their claim was committed, and the database's answer was lost, or whoever had it. Returns how many. Raises
        DatabaseError.
        """
        if not self._expected:  # as nearly always
            return 0
        end = time.monotonic() - UNDER_WAY
        with self._lock:
            late = {key: since for key, since in self._expected.items() if since <= end}
            held = [job.id for job, _ in self._jobs.values()]
        if not late:
            return 0
        if (worker := self.worker_number()) is None:  # nobody can tell which they are, and at last their leases run out
            self._look_again({key: since for key, since in late.items() if since <= end - self.lease}, None)
            return 0
        try:
            returned = settling.release_unheld(self.model, worker, held, self.lease - UNDER_WAY, max_attempts)
        except Error:
            self._look_again(late, time.monotonic())
            raise
        self._look_again(late, None)
        return returned

    def _look_again(self, late: Mapping[int, float], at: float | None) -> None:
        """What was expected is expected since this time, or no more."""
        with self._lock:
            for key, since in late.items():
                if self._expected.get(key) != since:
                    continue
                if at is None:
                    del self._expected[key]
                else:
                    self._expected[key] = at

    def release(self, jobs: Sequence[tuple[Held, Settlement]]) -> None:
        """Return jobs that were claimed but not begun."""
        try:
            settling.settle(jobs, model=self.model)
        except Error:  # InterfaceError, too, which is no DatabaseError
            logger.exception("cannot give back %d jobs; retrying soon", len(jobs))
            self.may_have_missed()
        for job, _ in jobs:
            self.forget(job)

    def _known(self, job: Held) -> J | None:
        """The job of this claim, if we have it."""
        known = self._jobs.get(job.id.int)
        return known[0] if known is not None and known[0].claim == job.claim else None

    def _remove(self, job: J) -> None:
        self._begun.pop(job.id.int, None)
        if self._jobs.pop(job.id.int, None) is not None:
            lane = self._lane_of(job).int
            self._lanes[lane] -= 1
            if not self._lanes[lane]:
                del self._lanes[lane]

    def _claim(
        self,
        limit: int,
        busy: list[UUID],
        per_lane: int,
        without: Collection[UUID] = (),
        among: Collection[UUID] | None = None,
    ) -> list[J]:
        try:
            return claim(
                self.model,
                limit,
                self.lease,
                after=FIRST if without else self._after,
                busy=busy,
                without=without,
                among=among,
                caps=self._limits.most(),
                per_lane=per_lane,
                worker=self.worker_number(),
            )
        except Error:  # it may be committed all the same
            self.may_have_missed()
            raise
