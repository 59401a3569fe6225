"""JobQueue: what waits for the threads of a worker, and which of them takes it."""

from __future__ import annotations

import queue
import threading
from collections import Counter

import pytest

from hookline.engine.job_queue import JobQueue
from tests.waiting import wait_until


class Taker(threading.Thread):
    """Takes one item after the other until it gets None."""

    def __init__(self, jobs: JobQueue[int | None], taken: queue.SimpleQueue[tuple[str, int]], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._jobs = jobs
        self._taken = taken
        self.start()

    def run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._taken.put((self.name, job))


def test_of_idle_threads_the_one_that_ran_last_takes_every_job() -> None:
    jobs: JobQueue[int | None] = JobQueue()
    taken: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    takers = []
    for number in range(4):
        takers.append(Taker(jobs, taken, f"taker {number}"))
        wait_until(lambda: jobs.idle == len(takers))
    for job in range(20):
        jobs.put(job)
        assert taken.get(timeout=10) == ("taker 3", job)
        wait_until(lambda: jobs.idle == 4)
    for _ in takers:
        jobs.put(None)
    for taker in takers:
        taker.join(10)
        assert not taker.is_alive()


def test_each_of_many_jobs_is_taken_once() -> None:
    jobs: JobQueue[int | None] = JobQueue()
    taken: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    takers = [Taker(jobs, taken, f"taker {number}") for number in range(4)]

    def put_from(start: int) -> None:
        for job in range(start, start + 500):
            jobs.put(job)

    putters = [threading.Thread(target=put_from, args=(start,)) for start in range(0, 2000, 500)]
    for putter in putters:
        putter.start()
    found = Counter(taken.get(timeout=10)[1] for _ in range(2000))
    assert found == Counter(range(2000))
    for _ in takers:
        jobs.put(None)
    for thread in (*putters, *takers):
        thread.join(10)
        assert not thread.is_alive()
    assert jobs.empty()


def test_what_came_first_is_taken_first_where_nobody_waits() -> None:
    jobs: JobQueue[int] = JobQueue()
    for job in range(3):
        jobs.put(job)
    assert (jobs.qsize(), jobs.get_nowait(), jobs.get(), jobs.get_nowait()) == (3, 0, 1, 2)
    with pytest.raises(queue.Empty):
        jobs.get_nowait()
