"""The worker that runs jobs in threads, and the maintenance beside it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import InterfaceError, OperationalError, connection, connections

from hookline.engine import leases as leases_module
from hookline.engine import notifier
from hookline.engine import worker as worker_module
from hookline.engine.claim import claim
from hookline.engine.job import Job, State
from hookline.engine.lease_renewer import LeaseRenewer
from hookline.engine.leases import Leases
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.engine.worker import Begin, OnStuck, ThreadWorker
from tests.costs import counted
from tests.engine.rows import Jobs
from tests.waiting import wait_until


def succeed(job: Job) -> None:
    settle([(job, Settlement.succeed())])


def make_worker(
    jobs: Jobs,
    run: Callable[[Job], object],
    *,
    threads: int = 2,
    lease: float = 60,
    longest_run: float = 3600,
    prepare: Callable[[list[Job]], object] = list,
    on_stuck: OnStuck | None = None,
    poll: float = 0.05,
) -> ThreadWorker[Job]:
    leases: Leases[Job] = Leases(jobs.model, lease=lease, per_lane=100, longest_run=longest_run)

    def run_each(batch: Iterable[Job], begin: Begin[Job]) -> None:
        for job in batch:
            begin(job, "the test's run")
            run(job)

    return ThreadWorker(
        leases, run_each, fail=fail, on_stuck=on_stuck, threads=threads, poll=poll, max_attempts=5, prepare=prepare
    )


def fail(job: Job, error: BaseException) -> Settlement:
    return Settlement.retry(0, str(error))


@contextmanager
def working(worker: ThreadWorker[Job]) -> Iterator[None]:
    worker.start()
    try:
        yield
    finally:
        worker.stop(10)


def states(jobs: Jobs) -> Counter[str]:
    return Counter(jobs.model._default_manager.values_list("state", flat=True))


def test_every_job_runs_once(jobs: Jobs) -> None:
    added = [job.pk for _ in range(3) for job in jobs.add(jobs.lane(), *[1] * 20)]
    ran: list[UUID] = []

    def run(job: Job) -> None:
        ran.append(job.pk)
        succeed(job)

    with working(make_worker(jobs, run)):
        wait_until(lambda: states(jobs) == {"succeeded": 60})
    assert sorted(ran) == sorted(added)


def test_the_next_of_an_order_key_runs_as_soon_as_the_turn_is_its_own(jobs: Jobs) -> None:
    """A worker that had to look for it would run one of each key in each `poll`, which is an hour here."""
    names = [f"k{number % 40}" for number in range(120)]
    jobs.add_in_order(jobs.ordered_lane(), *names)
    with working(make_worker(jobs, succeed, poll=3600)):
        wait_until(lambda: states(jobs) == {"succeeded": 120}, 20)


def test_the_next_of_an_order_key_runs_without_a_claim_of_its_own(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = counted(monkeypatch, leases_module, "claim")
    jobs.add_in_order(jobs.ordered_lane(), *["a"] * 30)
    with working(make_worker(jobs, succeed, threads=3, poll=3600)):
        wait_until(lambda: states(jobs) == {"succeeded": 30}, 20)
    assert len(claims) < 10


def test_a_worker_that_stops_gives_back_what_follows_in_its_order(jobs: Jobs) -> None:
    stopping = threading.Event()

    def run(job: Job) -> None:
        assert stopping.wait(10)
        succeed(job)

    jobs.add_in_order(jobs.ordered_lane(), *["a"] * 3)
    worker = make_worker(jobs, run)
    worker.start()
    wait_until(lambda: states(jobs)["running"] == 1)
    stopper = threading.Thread(target=worker.stop, args=[10])
    stopper.start()
    stopping.set()
    stopper.join(20)
    assert states(jobs)["running"] == 0


def test_jobs_that_wait_are_run_in_batches_and_each_once(jobs: Jobs) -> None:
    added = [job.pk for job in jobs.add(jobs.lane(), *[1] * 60)]
    batches: list[list[UUID]] = []

    def run(jobs: Iterable[Job], begin: Begin[Job]) -> None:
        batch = list(jobs)
        batches.append([job.pk for job in batch])
        settle([(job, Settlement.succeed()) for job in batch])

    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=100, longest_run=3600)
    with working(ThreadWorker(leases, run, fail=fail, threads=3, poll=0.05, max_attempts=5, batch=4)):
        wait_until(lambda: states(jobs) == {"succeeded": 60})
    assert sorted(job_id for batch in batches for job_id in batch) == sorted(added)
    assert max(map(len, batches)) == 4


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_a_run_that_raises_ends_neither_its_thread_nor_the_worker(
    jobs: Jobs, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.add(jobs.lane(), 10, 9, 8, 7, 6)
    runs: list[UUID] = []

    def run(job: Job) -> None:
        runs.append(job.pk)
        if len(runs) < 5:
            raise error
        succeed(job)

    with working(make_worker(jobs, run, threads=1)):
        wait_until(lambda: states(jobs) == {"running": 4, "succeeded": 1})
    assert "will run again when its lease expires" in caplog.text


def test_stopping_waits_for_what_runs_and_gives_back_what_has_not_begun(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 4, 3, 2, 1)
    begun, go_on = threading.Event(), threading.Event()

    def run(job: Job) -> None:
        begun.set()
        assert go_on.wait(20)
        succeed(job)

    worker = make_worker(jobs, run, threads=1)
    worker.start()
    assert begun.wait(10)
    # Two places: one runs, one waits its turn.
    wait_until(lambda: states(jobs) == {"running": 2, "pending": 2})

    def stop() -> None:
        worker.stop(20)
        connections.close_all()

    stopping = threading.Thread(target=stop)
    stopping.start()
    wait_until(lambda: states(jobs) == {"running": 1, "pending": 3})
    assert stopping.is_alive()
    go_on.set()
    stopping.join(20)
    assert states(jobs) == {"succeeded": 1, "pending": 3}
    assert sorted(jobs.model._default_manager.values_list("state", "attempts")) == [("pending", 0)] * 3 + [
        ("succeeded", 1)
    ]


def test_stopping_waits_no_longer_than_it_was_told_however_many_threads_hang(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), *[1] * 4)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def run(job: Job) -> None:
        begun.release()
        assert go_on.wait(30)

    worker = make_worker(jobs, run, threads=4)
    worker.start()
    for _ in range(4):
        assert begun.acquire(timeout=10)
    before = time.monotonic()
    worker.stop(1)
    took = time.monotonic() - before
    go_on.set()
    assert took < 3  # one after the other they would take 4
    wait_until(lambda: not any(thread.is_alive() for thread in worker._runners))


def test_what_comes_after_the_end_is_given_back_though_a_thread_hangs(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    begun, go_on = threading.Event(), threading.Event()

    def run(job: Job) -> None:
        begun.set()
        assert go_on.wait(30)

    worker = make_worker(jobs, run, threads=1)
    worker.start()
    assert begun.wait(10)
    worker.stop(0.1)
    jobs.add(jobs.lane(), 1)
    worker.take(claim(jobs.model, 1, lease=60))
    go_on.set()
    assert sorted(jobs.model._default_manager.values_list("state", "attempts")) == [("pending", 0), ("running", 1)]
    wait_until(lambda: not any(thread.is_alive() for thread in worker._runners))


def test_a_worker_that_is_stopped_while_it_is_busy_always_ends(jobs: Jobs) -> None:
    for _ in range(15):
        jobs.model._default_manager.all().delete()
        jobs.add(jobs.lane(), *[1] * 10)
        worker = make_worker(jobs, succeed, threads=3)
        worker.start()
        wait_until(lambda: states(jobs)["succeeded"] > 0)
        worker.stop(10)
        assert states(jobs)["running"] == 0


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("closed"), RuntimeError("surprise")])
def test_a_claim_that_fails_is_logged_and_made_again(
    jobs: Jobs, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_module, "DATABASE_PAUSE", 0.01)
    jobs.add(jobs.lane(), 1)
    worker = make_worker(jobs, succeed)
    claim, failures = worker._leases.claim, [error]

    def claim_at_the_second_try(limit: int) -> list[Job]:
        if failures:
            raise failures.pop()
        return claim(limit)

    monkeypatch.setattr(worker._leases, "claim", claim_at_the_second_try)
    with working(worker):
        wait_until(lambda: states(jobs) == {"succeeded": 1})
    assert "retrying" in caplog.text


def test_jobs_that_could_not_be_prepared_are_given_back_without_an_attempt(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "DATABASE_PAUSE", 0.01)
    jobs.add(jobs.lane(), 1)
    failures = [OperationalError("away")]

    def prepare(found: list[Job]) -> None:
        if failures:
            raise failures.pop()

    with working(make_worker(jobs, succeed, prepare=prepare)):
        wait_until(lambda: states(jobs) == {"succeeded": 1})
    assert jobs.model._default_manager.get().attempts == 1


def test_a_worker_goes_on_after_the_server_has_closed_all_its_connections(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has no server that could
    monkeypatch.setattr(worker_module, "DATABASE_PAUSE", 0.01)
    lane = jobs.lane()
    with working(make_worker(jobs, succeed)):
        for total in range(1, 4):
            jobs.add(lane, 1)
            wait_until(lambda total=total: states(jobs) == {"succeeded": total})  # type: ignore[misc]  # bound at once
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
        jobs.add(lane, 1)
        wait_until(lambda: states(jobs) == {"succeeded": 4})


def test_a_heartbeat_keeps_a_job_that_runs_longer_than_its_lease(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    begun, go_on = threading.Event(), threading.Event()
    runs: list[UUID] = []

    def run(job: Job) -> None:
        runs.append(job.pk)
        begun.set()
        assert go_on.wait(20)
        succeed(job)

    with working(make_worker(jobs, run, lease=1.5)):
        assert begun.wait(10)
        job = jobs.model._default_manager.get()
        first_end = job.lease_until
        assert first_end is not None

        def outlived_its_first_lease() -> bool:
            job.refresh_from_db()
            return job.lease_until is not None and job.lease_until > first_end + timedelta(seconds=1.5)

        wait_until(outlived_its_first_lease)
        go_on.set()
        wait_until(lambda: states(jobs) == {"succeeded": 1})
    assert len(runs) == 1


def test_a_job_that_hangs_is_let_go_and_run_again_and_its_first_run_settles_nothing(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    go_on = threading.Event()
    settled: list[tuple[int, bool]] = []

    def run(job: Job) -> None:
        if job.claim == 1:
            assert go_on.wait(20)
        settled.append((job.claim, bool(settle([(job, Settlement.succeed(f"run {job.claim}"))]))))

    with working(make_worker(jobs, run, lease=0.3, longest_run=0)):
        wait_until(lambda: states(jobs) == {"succeeded": 1})
        go_on.set()
        wait_until(lambda: any(claim == 1 for claim, _ in settled))
    assert (1, False) in settled
    assert [claim for claim, ours in settled if ours] != [1]
    assert jobs.model._default_manager.get().note != "run 1"


def test_maintenance_takes_back_the_jobs_of_a_worker_that_is_gone(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=-1)
    maintenance = LeaseRenewer(Leases(jobs.model, lease=1, per_lane=1, longest_run=1), max_attempts=5)
    maintenance.start()
    wait_until(lambda: states(jobs) == {"pending": 1})
    maintenance.stop()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.PENDING, 0)


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("closed"), RuntimeError("surprise")])
def test_maintenance_outlives_every_error(
    jobs: Jobs, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leases: Leases[Job] = Leases(jobs.model, lease=0.03, per_lane=1, longest_run=1)
    beats: list[int] = []

    def heartbeat() -> None:
        beats.append(1)
        if len(beats) == 1:
            raise error

    monkeypatch.setattr(leases, "heartbeat", heartbeat)
    maintenance = LeaseRenewer(leases, max_attempts=5)
    maintenance.start()
    wait_until(lambda: len(beats) > 1)
    maintenance.stop()
    assert "retrying" in caplog.text


def test_a_notification_is_answered_with_one_claim_where_that_finds_all(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: list[int] = []
    real = Leases.claim

    def counted(leases: Leases[Job], limit: int) -> list[Job]:
        found = real(leases, limit)
        claims.append(len(found))
        return found

    monkeypatch.setattr(Leases, "claim", counted)
    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=100, longest_run=3600)

    def run(batch: Iterable[Job], begin: Begin[Job]) -> None:
        for job in batch:
            succeed(job)

    with working(ThreadWorker(leases, run, fail=fail, threads=2, poll=60, max_attempts=5)):
        wait_until(lambda: claims == [0])
        for number in range(3):
            jobs.add(jobs.lane(), 1)
            notifier.of(jobs.model).notify_here()
            wait_until(lambda expected=number + 1: states(jobs)["succeeded"] == expected)  # type: ignore[misc]
        wait_until(lambda: len(leases) == 0)
    assert claims == [0, 1, 1, 1]
