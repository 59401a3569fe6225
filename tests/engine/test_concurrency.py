"""Many workers at once: every job is claimed by exactly one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.db import close_old_connections, connection, connections, transaction

from hookline.db.insert import insert_new
from hookline.engine.claim import claim
from hookline.engine.job import Job, State
from hookline.engine.settle import begin, extend, release_expired, settle
from hookline.engine.settlement import Settlement
from hookline.incoming.models import Event
from hookline.incoming.receive.new_event import COLUMNS, NewEvent
from tests.engine.other_processes import databases_as_json
from tests.engine.rows import Jobs, make_source
from tests.waiting import somebody_waits_for_us, wait_until

ROOT = Path(__file__).parents[2]


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in threads that begin together; the first error of any is raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(10)
            work(number)
        except BaseException as error:  # noqa: BLE001  # raised again by the test's own thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def test_eight_threads_never_share_a_job_and_lose_none(jobs: Jobs) -> None:
    added = [job.pk for _ in range(5) for job in jobs.add(jobs.lane(), *[1] * 60)]
    claimed: list[list[UUID]] = [[] for _ in range(8)]

    def work(number: int) -> None:
        misses = 0
        while misses < 3:  # another thread may hold what is left while it is being claimed
            batch = claim(jobs.model, 5, lease=60)
            misses = 0 if batch else misses + 1
            ours = settle([(job, Settlement.succeed()) for job in batch])
            assert ours == {job.pk for job in batch}
            claimed[number] += ours

    in_threads(8, work)
    everything = [job_id for mine in claimed for job_id in mine]
    assert sorted(everything) == sorted(added)
    rows = set(jobs.model._default_manager.values_list("state", "claim", "attempts"))
    assert rows == {(State.SUCCEEDED, 1, 1)}


def test_threads_that_claim_and_threads_that_take_back_never_settle_a_job_twice(jobs: Jobs) -> None:
    """Leases here run out at once, so every worker races with the return of its own jobs."""
    added = {job.pk for job in jobs.add(jobs.lane(), *[1] * 60)}
    settled: list[UUID] = []

    def work(number: int) -> None:
        for _ in range(30):
            batch = claim(jobs.model, 4, lease=-1 if number % 2 else 60)
            release_expired(jobs.model, max_attempts=1000)
            settled.extend(settle([(job, Settlement.succeed()) for job in batch]))

    in_threads(6, work)
    while True:
        release_expired(jobs.model, max_attempts=1000)
        batch = claim(jobs.model, 100, lease=60)
        if not batch:
            break
        settled.extend(settle([(job, Settlement.succeed()) for job in batch]))
    assert sorted(settled) == sorted(added)


def test_several_processes_never_share_a_job_and_lose_none(jobs: Jobs) -> None:
    added = [str(job.pk) for _ in range(3) for job in jobs.add(jobs.lane(), *[1] * 60)]
    script = Path(__file__).with_name("claiming_process.py")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), jobs.model.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(3)
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(databases_as_json() + "\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        outputs = [process.communicate("go\n", timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
    shares = [json.loads(output) for output in outputs]
    assert sorted(job_id for share in shares for job_id in share) == sorted(added)


def test_of_threads_that_insert_the_same_rows_at_once_in_different_order_exactly_one_wins_each(
    transactional_db: None,
) -> None:
    source = make_source()
    keys = [f"id:{number}" for number in range(50)]
    won: list[str] = []

    def work(number: int) -> None:
        order = keys if number % 2 else list(reversed(keys))
        rows = [NewEvent(source, "a", key, b"{}") for key in order]
        new = insert_new(Event, COLUMNS, rows, unique=("source_id", "dedup_key"))
        won.extend(row.dedup_key for row in rows if row.id in new)

    for _ in range(10):
        in_threads(6, work)
        assert sorted(won) == sorted(keys)
        won.clear()
        Event.objects.all().delete()


def test_a_row_that_repeats_within_one_insert_is_there_once(transactional_db: None) -> None:
    source = make_source()
    rows = [NewEvent(source, "a", "id:same", b"{}") for _ in range(3)]
    assert len(insert_new(Event, COLUMNS, rows, unique=("source_id", "dedup_key"))) == 1
    assert Event.objects.count() == 1
    assert connection.in_atomic_block is False


def test_a_claim_checks_the_health_of_its_connection_where_django_would(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has no server that could close it
    jobs.add(jobs.lane(), 1)
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", True)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def terminate(_: int) -> None:
        with connection.cursor() as cursor:  # this thread's own
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            assert cursor.fetchone() == (True,)

    in_threads(1, terminate)
    close_old_connections()
    assert len(claim(jobs.model, 10, lease=60)) == 1
    connection.close()  # the next test's is not checked


@pytest.mark.parametrize("keep", [lambda jobs: extend(jobs, 60), begin], ids=["extend", "begin"])
def test_who_keeps_leases_waits_for_no_settlement(jobs: Jobs, keep: Callable[[list[Job]], set[UUID]]) -> None:
    """Otherwise each could wait for a row that the other has locked already, which PostgreSQL ends with an error."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one write after the other")
    jobs.add(jobs.lane(), *[1] * 4)
    first, second, third, fourth = claim(jobs.model, 4, lease=60)
    done = Settlement.succeed()
    kept: list[set[UUID]] = []

    def keep_all() -> None:
        try:
            kept.append(keep([third, first, fourth, second]))
        finally:
            connections.close_all()

    with transaction.atomic():
        settle([(second, done), (third, done)])
        keeper = threading.Thread(target=keep_all)
        keeper.start()
        keeper.join(10)
        assert kept == [{first.pk, fourth.pk}]
        settle([(first, done), (fourth, done)])
    assert not keep([first, second, third, fourth])


def test_who_begins_one_alone_waits_until_it_knows_whether_it_may(jobs: Jobs) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one write after the other")
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    begun: list[set[UUID]] = []

    def begin_it() -> None:
        try:
            begun.append(begin([job], wait=True))
        finally:
            connections.close_all()

    with transaction.atomic():
        jobs.model._default_manager.filter(pk=job.pk).update(note="somebody looks at it")
        thread = threading.Thread(target=begin_it)
        thread.start()
        wait_until(somebody_waits_for_us)
    thread.join(10)
    assert begun == [{job.pk}]
