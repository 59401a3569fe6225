"""Watchdog: knows what each thread runs, and gives up on what runs for too long."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DatabaseError, connections, router

from hookline.engine import hang
from hookline.engine.job import Job, State
from hookline.engine.leases import Leases
from hookline.engine.quarantine import Place
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.exceptions import LeaseLost

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.engine")


@dataclass(eq=False)
class Run(Generic[J]):
    """What one thread runs: a batch of jobs that grows as it runs, and the job that started last."""

    leases: Leases[J]
    jobs: list[J]
    #: Django's connection of this thread.
    connection: Any
    place: Place
    thread: threading.Thread = field(default_factory=threading.current_thread)
    job: J | None = None
    #: What runs, for people.
    what: str = ""
    since: float = 0.0
    #: Since it was given up on: its thread may do nothing more.
    hangs: bool = False
    #: Its row, for other processes.
    noted: UUID | None = None
    #: Held while a job is added, or the whole given up on.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, most: int, end: float, following: Callable[[], J | None]) -> Iterator[J]:
        """The jobs, and while they run up to `most` in all: what `following` gives until `end`, in monotonic time."""
        yield from tuple(self.jobs)
        while len(self.jobs) < most and time.monotonic() < end:
            with self.lock:
                if self.hangs or (job := following()) is None:
                    return
                self.jobs.append(job)
            yield job

    def begin(self, job: J, what: str = "") -> None:
        """The thread comes to this job. Raises LeaseLost when it was given up on meanwhile."""
        if self.hangs:
            raise LeaseLost(f"{job.public_id} timed out, because its worker took too long")
        if job is not self.job:
            if self.job is not None:
                self.leases.end(self.job)
            self.since = time.monotonic()
            self.leases.begin(job)
            self.job = job
        self.what = what


#: Told of a job that was given up on, with its settlement and how many seconds it had run.
GaveUp = Callable[[J, Settlement, float], object]


def announce_if_dead(job: Job, settlement: Settlement, seconds: float) -> None:
    """For kinds of which nobody wants to know more."""
    if settlement.state == State.DEAD:
        job.announce_dead([job.id])


class Watchdog(Generic[J]):
    """Times out jobs that run longer than `leases.longest_run`.

    `fail` decides the settlement of such a job. Its connection to PostgreSQL is closed, which ends its transaction and
    its locks; its thread cannot be ended. `on_hang` is called before that, `gave_up` once the settlement is committed.
    Safe to use from several threads.
    """

    def __init__(
        self,
        leases: Leases[J],
        fail: Callable[[J, BaseException], Settlement],
        on_hang: Callable[[Run[J]], object] = id,
        gave_up: GaveUp[J] = announce_if_dead,
    ) -> None:
        self._leases = leases
        self._fail = fail
        self._on_hang = on_hang
        self._gave_up = gave_up
        self._lock = threading.Lock()
        self._runs: set[Run[J]] = set()
        self._ended: list[UUID] = []
        self._renewed = time.monotonic()

    @contextmanager
    def running(self, job: J, place: Place) -> Iterator[Run[J]]:
        """While this thread runs this job and what it takes besides. At the end it forgets their leases."""
        run = Run(self._leases, [job], connections[router.db_for_write(self._leases.model)], place)
        with self._lock:
            self._runs.add(run)
        try:
            yield run
        finally:
            place.leave()
            with self._lock:
                self._runs.discard(run)
                if run.noted is not None:
                    self._ended.append(run.noted)
            if not run.hangs:
                for one in run.jobs:
                    self._leases.forget(one)

    @property
    def hanging(self) -> list[Run[J]]:
        """What hangs now."""
        with self._lock:
            return [run for run in self._runs if run.hangs]

    def check(self) -> None:
        """Give up on what has run for too long, and tell other processes what still hangs. Raises DatabaseError."""
        limit = time.monotonic() - self._leases.longest_run
        with self._lock:
            late = [(run, run.job) for run in self._runs if run.job is not None and not run.hangs and run.since < limit]
        for run, _ in late:
            with run.lock:
                run.hangs = True
            run.place.leave()
            self._on_hang(run)
        for run, job in late:
            self._give_up(run, job)
        self._write_down(late)

    def close(self) -> None:
        """This process ends, and what hangs in it."""
        with self._lock:
            noted = [run.noted for run in self._runs if run.noted is not None]
        try:
            hang.resolve([*noted, *self._ended])
        except DatabaseError:
            logger.warning("cannot delete what was noted of hanging jobs", exc_info=True)

    def _give_up(self, run: Run[J], job: J) -> None:
        error = TimeoutError(f"{run.what or 'it'} ran for longer than {self._leases.longest_run:g} s")
        failed = self._fail(job, error.with_traceback(_traceback_of(run.thread)))
        self._end_connection(run)
        note = f"{job.public_id}, which ran in the same transaction, took too long"
        others = [(other, Settlement.give_back(0, note)) for other in run.jobs if other is not job]
        ours = settle([(job, failed), *others])
        for one in run.jobs:
            self._leases.forget(one)
        if job.id in ours:
            self._gave_up(job, failed, time.monotonic() - run.since)

    def _end_connection(self, run: Run[J]) -> None:
        """Roll back what it has done so far, and release its locks."""
        used = run.connection.connection
        if run.connection.vendor != "postgresql" or used is None or run not in self._runs:
            return
        with connections[run.connection.alias].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [used.info.backend_pid])

    def _write_down(self, late: Sequence[tuple[Run[J], J]]) -> None:
        for run, job in late:
            noted = hang.report(job.public_id, run.what or "a job", run.thread.name, self._leases.lease * 2)
            with self._lock:
                run.noted = noted
                if run not in self._runs:  # it ended meanwhile
                    self._ended.append(noted)
        with self._lock:
            ended, self._ended = self._ended, []
            noted_now = [run.noted for run in self._runs if run.noted is not None]
        hang.resolve(ended)
        if time.monotonic() - self._renewed >= self._leases.lease / 3:
            hang.renew(noted_now, self._leases.lease * 2)
            self._renewed = time.monotonic()


def _traceback_of(thread: threading.Thread) -> TracebackType | None:
    """Where a thread is at this moment, as if it had raised something there."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  # documented, and there is no other way
    found = None
    while frame is not None:
        found = TracebackType(found, frame, frame.f_lasti, frame.f_lineno or 0)
        frame = frame.f_back
    return found
