"""SQLite keeps no statistics by itself, so its plans are the same however many rows there are, and are read here.

What PostgreSQL plans depends on what the tables hold; `python -m bench.depth` measures it. Here is what once misled it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from hookline.db import binary
from hookline.engine.backlog import backlog_of
from hookline.engine.claim import claim
from hookline.engine.prune import Pruner
from hookline.engine.settle import extend, release_expired, settle
from hookline.engine.settlement import Settlement
from hookline.operations import deliveries, events
from hookline.operations.selection import Selection
from hookline.operations.stats import unhandled_by_type
from tests.engine.rows import Jobs, ago, make_endpoint, make_source


def plan_of(run: Callable[[], object]) -> list[str]:
    """The steps of all queries that `run` makes, such as `SEARCH hookline_event USING INDEX ...`."""
    with CaptureQueriesContext(connection) as captured:
        run()
    steps = []
    with connection.cursor() as cursor:
        for query in captured.captured_queries:
            if query["sql"].lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                steps += [detail for *_, detail in cursor.fetchall()]
    return steps


@pytest.fixture
def table(jobs: Jobs) -> str:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite plans without statistics")
    jobs.add(jobs.lane(), 1)
    return jobs.model._meta.db_table


def test_a_claim_walks_the_index_of_pending_jobs_and_no_other(jobs: Jobs, table: str) -> None:
    steps = [step for step in plan_of(lambda: claim(jobs.model, 10, lease=60)) if f" {table} " in step]
    walked = [step for step in steps if f"INDEX {table}_pending" in step]
    assert len(walked) == 4
    assert [step for step in steps if step not in walked and "autoindex" not in step] == []


def test_no_list_or_count_reads_a_whole_table(jobs: Jobs, table: str) -> None:
    for run in (
        lambda: release_expired(jobs.model, 5),
        lambda: backlog_of(jobs.model),
        Pruner(jobs.model, 60).step,
        events.newest,
        deliveries.newest,
        *(
            lambda newest=newest, narrowed=narrowed: newest(Selection(**narrowed))
            for newest in (events.newest, deliveries.newest)
            for narrowed in ({"status": "succeeded"}, {"tenant": "default"}, {"type": "invoice.*"}, {"until": ago(1)})
        ),
        lambda: events.newest(Selection(source=make_source().public_id, status="dead")),
        lambda: deliveries.newest(Selection(endpoint=make_endpoint().public_id)),
    ):
        assert [step for step in plan_of(run) if step.startswith(f"SCAN {table}") and " INDEX " not in step] == []


@pytest.mark.parametrize("statistics", ["before", "never", "after"])
def test_a_claim_reads_what_it_takes_though_statistics_say_that_nothing_is_pending(jobs: Jobs, statistics: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL plans by statistics")
    lanes, few = [jobs.lane() for _ in range(64)], [1.0] * 40
    table = jobs.model._meta.db_table
    analyze(table if statistics == "before" else None)
    for number in range(100):
        jobs.add(lanes[number % 4], *[1.0] * 40)
    while done := claim(jobs.model, 5000, lease=60):
        settle([(job, Settlement.succeed()) for job in done])
    analyze(table if statistics == "after" else None)
    for lane in lanes:
        jobs.add(lane, *few)
    with transaction.atomic():
        before = rows_read(table)
        claimed = claim(jobs.model, len(lanes), lease=60)
        read = rows_read(table) - before
    assert len(claimed) == len(lanes)
    assert read <= 10 * len(claimed)


def test_a_settlement_passes_over_jobs_that_ran_before(jobs: Jobs) -> None:
    """Each of them leaves an entry among those of the running jobs, until a vacuum."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL keeps what was")
    lane, index = jobs.lane(), f"{jobs.model._meta.db_table}_state"
    for _ in range(20):
        jobs.add(lane, *[1.0] * 100)
        done = claim(jobs.model, 100, lease=60)
        before = scans(index)
        assert len(extend(done, 60)) == len(settle([(job, Settlement.succeed()) for job in done])) == 100
        assert scans(index) == before


def scans(index: str) -> int:
    """How often the index was read so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s", [index])
        (count,) = cursor.fetchone()
    return int(count)


def analyze(table: str | None) -> None:
    if table is not None:
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM ANALYZE {table}")


def rows_read(table: str) -> int:
    """How many rows of the table this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = %s", [table]
        )
        (count,) = cursor.fetchone()
    return int(count)


@pytest.mark.django_db(transaction=True)
def test_unhandled_events_are_found_by_an_index_that_holds_no_others() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite plans without statistics")
    for run in (
        lambda: events.newest(Selection(unhandled=True)),
        lambda: unhandled_by_type(0.0),
    ):
        assert any("INDEX hookline_event_unhandled" in step for step in plan_of(run))


def test_a_prepared_plan_is_made_anew_when_the_table_has_grown(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps no plans")
    monkeypatch.setattr(binary, "PLAN_AGE", 3600.0)

    def read_whole() -> bool:
        """Whether looking for one row reads the whole table."""
        found = "SELECT seq_scan FROM pg_stat_xact_all_tables WHERE relname = 'grown'"
        with connection.cursor() as cursor:
            cursor.execute(found)
            before = cursor.fetchone()
            binary.fetch_prepared(connections["default"], "SELECT id FROM grown WHERE id = ANY(%b::int[])", [[7]])
            cursor.execute(found)
            return bool(cursor.fetchone() != before)

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE grown (id int PRIMARY KEY) ON COMMIT DROP")
            cursor.execute("ANALYZE grown")
        assert all(read_whole() for _ in range(10))
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO grown SELECT generate_series(1, 50000)")
        assert read_whole()
        monkeypatch.setattr(binary, "PLAN_AGE", -1.0)
        assert not read_whole()
