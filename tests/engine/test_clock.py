"""The clock that counts is the database's, whatever a worker's own says."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from hookline.db import clock
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.settle import extend, release_expired, settle
from hookline.engine.settlement import Settlement
from hookline.incoming.models import Event
from tests.engine.rows import Jobs, make_event, make_source

real_time = time.time


@pytest.fixture(params=[-3600, 3600], ids=["an hour behind", "an hour ahead"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process takes for the time."""
    monkeypatch.setattr(time, "time", lambda: real_time() + request.param)
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromtimestamp(real_time() + request.param, UTC))


def test_a_worker_with_a_wrong_clock_claims_settles_and_keeps_the_same_jobs(jobs: Jobs, wrong_clock: None) -> None:
    lane = jobs.lane()
    due, _later = jobs.add(lane, 60, -60)
    (job,) = claim(jobs.model, 10, lease=60)
    assert job.pk == due.pk
    assert release_expired(jobs.model, max_attempts=5) == 0
    assert extend([job], 60) == {job.pk}
    settle([(job, Settlement.retry(60, ""))])
    assert claim(jobs.model, 10, lease=60) == []
    job.refresh_from_db()
    assert abs(job.due_at - datetime.fromtimestamp(real_time() + 60, UTC)) < timedelta(seconds=5)


def test_a_row_written_by_a_process_with_a_wrong_clock_is_due_at_once(
    transactional_db: None, wrong_clock: None
) -> None:
    event = make_event(make_source())
    event.refresh_from_db()
    real = datetime.fromtimestamp(real_time(), UTC)
    assert abs(event.due_at - real) < timedelta(seconds=5)
    assert abs(event.created_at - real) < timedelta(seconds=5)
    assert [job.pk for job in claim(Event, 1, lease=60)] == [event.pk]
    assert event.state == State.PENDING


def test_the_engine_reads_the_time_from_the_database(transactional_db: None, wrong_clock: None) -> None:
    assert abs(clock.now(Event) - real_time()) < 5


def test_a_moment_is_an_aware_datetime() -> None:
    assert clock.moment(1_700_000_000.5) == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)
