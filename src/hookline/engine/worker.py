"""The noun ThreadWorker: claims jobs and runs each in a thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from django.db import connections

from hookline.db.connections import look_after
from hookline.engine import notifier
from hookline.engine.job import Job, Settlement
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.engine.prefetch import Prefetch
from hookline.exceptions import LeaseLost

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.engine")

#: Pause after the database failed, so that its return is not met by a storm.
_DATABASE_PAUSE = 1.0


class ThreadWorker(Generic[J]):
    """Claims jobs of one kind and calls `run(jobs)` for up to `batch` of them at a time, in `threads` threads.

    `run` settles the jobs itself. What it raises is logged and the leases run out: only the database can be at
    fault by then.
    """

    def __init__(
        self,
        leases: Leases[J],
        run: Callable[[list[J]], object],
        *,
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
        self._queue: queue.SimpleQueue[J | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._renewer = LeaseRenewer(leases, max_attempts)
        name = leases.model.__name__.lower()
        self._batch = batch
        # At least twice what can run, so that a thread finds work waiting when it is done.
        self._prefetch = Prefetch(threads * batch * 2)
        self._claiming = threading.Thread(target=self._claim_all, name=f"hookline-claim-{name}", daemon=True)
        self._runners = [
            threading.Thread(target=self._run_all, name=f"hookline-{name}-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        notifier.of(self._leases.model).subscribe(self._wake.set)
        for thread in (self._renewer, self._claiming, *self._runners):
            thread.start()

    def stop(self, timeout: float) -> None:
        """Claim nothing more, give back what has not begun, and wait for the rest for up to `timeout` seconds."""
        end = time.monotonic() + timeout
        self._stopping.set()
        notifier.of(self._leases.model).unsubscribe(self._wake.set)
        self._wake.set()
        self._claiming.join(timeout)
        unbegun: list[J] = []
        with suppress(queue.Empty):  # not asked beforehand: a runner may take the last one in between
            while (job := self._queue.get_nowait()) is not None:
                unbegun.append(job)
        self._give_back(unbegun, "the worker stopped before it began")
        for _ in self._runners:
            self._queue.put(None)
        for runner in self._runners:
            runner.join(max(0.0, end - time.monotonic()))
        self._renewer.stop()

    def _claim_all(self) -> None:
        while not self._stopping.is_set():
            wanted = self._prefetch.wanted(len(self._leases), time.monotonic())
            pause = self._poll
            if wanted:
                look_after(every=0)
                jobs: list[J] = []
                try:
                    jobs = self._leases.claim(wanted)
                    self._prepare(jobs)
                except Exception:
                    # Whatever it is, a worker that claims nothing any more without a word would be worse.
                    logger.exception("cannot claim %s jobs; trying again", self._leases.model.__name__)
                    self._give_back(jobs, "the database failed before it began")
                    jobs, pause = [], _DATABASE_PAUSE
                self._prefetch.claimed(len(self._leases), time.monotonic())
                for job in jobs:
                    self._queue.put(job)
                if jobs:
                    continue
            self._wake.wait(pause)
            self._wake.clear()
        connections.close_all()

    def _give_back(self, jobs: list[J], note: str) -> None:
        self._leases.release([(job, Settlement.give_back(0, note)) for job in jobs])

    def _run_all(self) -> None:
        while jobs := self._next_jobs():
            look_after()
            try:
                self._run(jobs)
            except LeaseLost as error:
                logger.warning("%s", error)
            except BaseException:  # SystemExit too: it must not end a thread on which other jobs rely
                names = ", ".join(job.public_id for job in jobs)
                logger.exception("could not settle %s; what is left runs again when its lease ends", names)
            finally:
                for job in jobs:
                    self._leases.forget(job)
                if not self._prefetch.enough(len(self._leases)):
                    self._wake.set()
        connections.close_all()

    def _next_jobs(self) -> list[J]:
        """Up to a batch of jobs, waiting for the first; none when the worker stops."""
        jobs: list[J] = []
        job = self._next_job()
        while job is not None:
            jobs.append(job)
            if len(jobs) == self._batch:
                return jobs
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # the end was meant for this thread, which first has these to run
        return jobs

    def _next_job(self) -> J | None:
        with suppress(queue.Empty):
            return self._queue.get_nowait()
        job = self._queue.get()
        look_after(every=0)  # the database may have closed this thread's while it waited
        return job
