"""ThreadWorker: claims jobs and runs each in a thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Generic, TypeVar

from django.db import OperationalError, connections

from hookline.db.connections import DATABASE_PAUSE, look_after
from hookline.engine import giving, handover, notifier
from hookline.engine.job import Job
from hookline.engine.job_queue import JobQueue
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.engine.prefetch import Prefetch
from hookline.engine.quarantine import Quarantine
from hookline.engine.settlement import Settlement
from hookline.engine.watchdog import GaveUp, Run, Watchdog, announce_if_dead
from hookline.exceptions import LeaseLost

J = TypeVar("J", bound=Job)
A = TypeVar("A")

logger = logging.getLogger("hookline.engine")

#: What runs a batch of jobs. It says which of them begins, and what of it runs, for people.
Begin = Callable[[J, str], None]

#: Told that the process must be started again, and why. True: at once, since what hangs has the database's only lock.
OnStuck = Callable[[str, bool], object]

#: So many threads may hang before the process has to be replaced. Each keeps its memory, and on SQLite perhaps a lock.
MOST_HANGING = 16
#: Seconds after which a batch takes no more jobs: those that ran wait for the COMMIT, and hold locks.
BATCH_TIME = 0.05
#: Seconds after which a waiting job is released, since the one before it is slow.
PATIENCE = 10.0
#: So many jobs are given to each idle thread: it runs them in one transaction.
_GIVEN = 4


class ThreadWorker(Generic[J]):
    """Claims jobs of one kind and calls `run(jobs, begin)` for up to `batch` of them at a time, in `threads` threads.

    `jobs` yields waiting jobs one after the other, for up to `BATCH_TIME`, so that a free thread can take the others.
    `run` settles the jobs itself, and calls `begin(job, what)` before each. If it raises, the error is logged
    and the leases run out: only the database can be the cause. `fail` decides the settlement of a job that runs
    for too long, `gave_up` is called, and its thread is replaced. When too many hang, or one holds a lock that all
    need, `on_stuck` is called with the reason.
    """

    def __init__(
        self,
        leases: Leases[J],
        run: Callable[[Iterable[J], Begin[J]], object],
        *,
        fail: Callable[[J, BaseException], Settlement],
        gave_up: GaveUp[J] = announce_if_dead,
        on_stuck: OnStuck | None = None,
        threads: int,
        poll: float,
        max_attempts: int,
        batch: int = 1,
        prepare: Callable[[list[J]], object] = list,
    ) -> None:
        self._leases = leases
        self._run = run
        self._prepare = prepare
        self._poll = poll
        self._queue: JobQueue[J | None] = JobQueue()
        #: One entry for each thread that waits for something to run.
        self._idle: deque[None] = deque()
        #: Told when the places change, by which others give jobs to this worker.
        self._told: giving.Told | None = None
        self._stopping = threading.Event()
        #: Everything that waits was given back, and what comes now is, too.
        self._closed = False
        self._wake = threading.Event()
        #: Whether there may be something to claim: the last claim left some, or somebody notified since it began.
        self._more = True
        self._on_stuck = on_stuck
        self._stuck = False
        self._watchdog = Watchdog(leases, fail, self._replace, gave_up)
        self._renewer = LeaseRenewer(
            leases, max_attempts, checks=(self._give_back_waiting, self._check, self._tell_places)
        )
        self._quarantine = Quarantine()
        #: Suspects that were met while a batch was put together. Each is a batch of its own.
        self._suspects: deque[J] = deque()
        self._name = leases.model.__name__.lower()
        self._numbers = count(threads)
        self._batch = batch
        # At least twice what can run, so that a thread finds work waiting when it is done.
        self._prefetch = Prefetch(threads * 2)
        self._claiming = threading.Thread(target=self._claim_all, name=f"hookline-claim-{self._name}", daemon=True)
        self._runners = [self._runner(number) for number in range(threads)]
        #: When a batch was last begun, in monotonic time.
        self._moved = time.monotonic()

    def start(self) -> None:
        notifier.of(self._leases.model).subscribe(self._notified)
        handover.offer_to_follow(self._leases.model, self)
        giving.receive(self._leases.model, self)
        self._told = giving.told_of(self._leases.model)
        for thread in (self._renewer, self._claiming, *self._runners):
            thread.start()

    def stop(self, timeout: float) -> None:
        """Claim nothing more, give back what has not begun, and wait for the rest for up to `timeout` seconds."""
        end = time.monotonic() + timeout
        self._stopping.set()
        self._tell_places()
        notifier.of(self._leases.model).unsubscribe(self._notified)
        handover.withdraw(self._leases.model)
        self._wake.set()
        self._claiming.join(timeout)
        self._give_back(self._take_waiting(), "the worker stopped before it began")
        for _ in self._runners:
            self._queue.put(None)
        for runner in tuple(self._runners):
            runner.join(max(0.0, end - time.monotonic()))
        self._closed = True
        giving.leave(self._leases.model, self)
        self._give_back(self._take_waiting(), "the worker stopped before it began")
        self._renewer.stop()
        self._watchdog.close()

    # What comes without a claim: the next of order keys (see engine.handover.Follower), and jobs that were made claimed
    # (see engine.giving.Receiver)

    @property
    def places(self) -> int:
        return 0 if self._stopping.is_set() else max(0, len(self._idle) - self._queue.qsize()) * _GIVEN

    @property
    def room(self) -> int:
        return 0 if self._stopping.is_set() else self._prefetch.room(len(self._leases))

    @property
    def lease(self) -> float:
        return self._leases.lease

    @property
    def worker(self) -> int | None:
        return self._leases.worker_number()

    def take(self, claimed: Sequence[J]) -> None:
        """Have them run. What cannot be prepared is given back, and so is what comes after the end."""
        jobs = self._prepared(self._kept, claimed) or []
        self._prefetch.added(len(jobs))
        for job in jobs:
            self._queue.put(job)
        if self._closed:
            self._give_back(self._take_waiting(), "the worker stopped before it began")

    def of_rows(self, rows: Sequence[Any]) -> Sequence[J]:
        return self._leases.of_rows(rows)

    def expect(self, claimed: Sequence[J]) -> None:
        self._leases.expect(claimed)

    def may_have_missed(self) -> None:
        self._leases.may_have_missed()

    def _tell_places(self) -> None:
        if self._told is not None:
            self._told.tell(self)

    def _kept(self, claimed: Sequence[J]) -> list[J]:
        self._leases.keep(claimed)
        return list(claimed)

    def _notified(self) -> None:
        self._more = True
        self._wake.set()

    def _claim_all(self) -> None:
        while not self._stopping.is_set():
            wanted = self._prefetch.wanted(len(self._leases), time.monotonic())
            pause = self._poll
            if wanted:
                look_after()
                self._more = False
                if (jobs := self._prepared(self._leases.claim, wanted)) is None:
                    jobs, pause = [], DATABASE_PAUSE
                elif not self._leases.drained:
                    self._more = True
                self._prefetch.claimed(len(self._leases), time.monotonic())
                for job in jobs:
                    self._queue.put(job)
                if jobs and self._more:
                    continue
            self._wake.wait(self._leases.pause(pause))
            self._wake.clear()
        connections.close_all()

    def _prepared(self, claim: Callable[[A], list[J]], what: A) -> list[J] | None:
        """What `claim(what)` gives, ready to run; None where the database failed."""
        jobs: list[J] = []
        try:
            jobs = claim(what)
            self._prepare(jobs)
        except Exception:
            # Whatever it is, a worker that claims nothing any more without a word would be worse.
            logger.exception("cannot claim %s jobs; retrying", self._leases.model.__name__)
            self._give_back(jobs, "the database failed before it began")
            return None
        return jobs

    def _give_back(self, jobs: list[J], note: str) -> None:
        self._leases.release([(job, Settlement.give_back(0, note)) for job in jobs])

    def _take_waiting(self) -> list[J]:
        """Take away, and return, what has not begun."""
        waiting: list[J] = []
        with suppress(IndexError):
            while True:
                waiting.append(self._suspects.popleft())
        ends = 0  # each meant for a runner; what came behind one that a runner never takes waits, too
        with suppress(queue.Empty):  # not asked beforehand: a runner may take the last one in between
            while True:
                if (job := self._queue.get_nowait()) is None:
                    ends += 1
                else:
                    waiting.append(job)
        for _ in range(ends):
            self._queue.put(None)
        return waiting

    def _give_back_waiting(self) -> None:
        """Let others have what waits here while every thread takes its time."""
        if not self._stopping.is_set() and time.monotonic() - self._moved > PATIENCE and not self._queue.empty():
            self._give_back(self._take_waiting(), "it waited behind others that took long")

    # What runs

    def _runner(self, number: int) -> threading.Thread:
        return threading.Thread(target=self._run_all, name=f"hookline-{self._name}-{number}", daemon=True)

    def _run_all(self) -> None:
        while (job := self._next_job()) is not None:
            look_after()  # the database may have closed this thread's while it waited
            if self._run_batch(job):
                break
            if self._more and not self._prefetch.enough(len(self._leases)):
                self._wake.set()
        connections.close_all()

    def _run_batch(self, first: J) -> bool:
        """Run this job and those behind it. Returns whether this thread was given up on and replaced meanwhile."""
        self._moved = time.monotonic()
        suspect = first.is_suspect
        place = self._quarantine.enter(suspect=suspect)
        if place is None:
            back = Settlement.give_back(self._quarantine.patience, "waits for a job that may have crashed a worker")
            self._leases.release([(first, back)])
            return False
        most = 1 if suspect else self._batch
        with self._watchdog.running(first, place) as run:
            try:
                if not suspect or self._leases.begin_alone(first):
                    self._run(run.take(most, self._moved + BATCH_TIME, self._next_of_batch), run.begin)
            except LeaseLost as error:
                logger.warning("%s", error)
            except BaseException:  # SystemExit too: it must not end a thread on which other jobs rely
                names = ", ".join(job.public_id for job in run.jobs)
                if run.hangs:
                    logger.warning("%s finished, but had already timed out", names, exc_info=True)
                else:
                    logger.exception("could not settle %s; what is left will run again when its lease expires", names)
        return run.hangs

    def _replace(self, run: Run[J]) -> None:
        """Have another thread in the place of one that hangs."""
        if run.thread in self._runners and not self._stopping.is_set():
            runner = self._runner(next(self._numbers))
            self._runners[self._runners.index(run.thread)] = runner
            runner.start()

    def _check(self) -> None:
        try:
            self._watchdog.check()
        except OperationalError as error:
            # On SQLite it has the only write lock, and there is no other way to take that from a thread.
            if hanging := self._watchdog.hanging:
                self._report_stuck(f"{hanging[0].what} hangs, and nothing can be written beside it ({error})", True)
            raise
        if len(hanging := self._watchdog.hanging) >= MOST_HANGING:
            self._report_stuck(f"{len(hanging)} threads hang, one of them in {hanging[-1].what}", False)

    def _report_stuck(self, reason: str, at_once: bool) -> None:
        if not self._stuck:
            self._stuck = True
            logger.critical("this process must be restarted: %s", reason)
            if self._on_stuck is not None:
                self._on_stuck(f"this process must be started again: {reason}", at_once)

    def _next_of_batch(self) -> J | None:
        """One that waits, and is no suspect: that is a batch by itself."""
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._queue.put(None)  # it was meant for this thread, which first has its batch to run
        elif job.is_suspect:
            self._suspects.append(job)  # for the next thread that is free: this one, if no other
        else:
            self._moved = time.monotonic()
            return job
        return None

    def _next_job(self) -> J | None:
        with suppress(IndexError):
            return self._suspects.popleft()
        with suppress(queue.Empty):
            return self._queue.get_nowait()
        self._idle.append(None)
        self._tell_places()
        job = self._queue.get()
        self._idle.pop()
        self._tell_places()
        return job
