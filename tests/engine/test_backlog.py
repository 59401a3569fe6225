"""How much waits and for how long, told without counting everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from hookline.engine import backlog as module
from hookline.engine.backlog import backlog_of
from hookline.engine.claim import claim
from hookline.engine.job import Lane
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import Jobs


def hold(lane: Lane, until: datetime | None) -> None:
    type(lane)._default_manager.filter(pk=lane.pk).update(held_until=until)


def test_a_table_without_rows_has_no_backlog(jobs: Jobs) -> None:
    backlog = backlog_of(jobs.model)
    assert backlog.states == {"pending": 0, "running": 0, "succeeded": 0, "dead": 0, "cancelled": 0}
    assert (backlog.more, backlog.oldest_pending, backlog.lag) == ((), None, None)
    assert (backlog.arriving, backlog.succeeding) == (0, 0)


def test_every_state_is_counted_and_none_past_the_bound(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    jobs.add(jobs.lane(), *[10] * 12)
    claimed = claim(jobs.model, 8, lease=60)
    settle([(job, Settlement.succeed()) for job in claimed[:3]])
    settle([(claimed[3], Settlement.die("")), (claimed[4], Settlement.cancel(""))])
    backlog = backlog_of(jobs.model)
    assert backlog.states == {"pending": 3, "running": 3, "succeeded": 3, "dead": 1, "cancelled": 1}
    assert backlog.more == ("pending",)
    assert (backlog.count("pending"), backlog.count("running")) == ("3+", "3")


def test_lag_is_that_of_the_job_which_waits_longest_for_a_worker(jobs: Jobs) -> None:
    first, second, later = jobs.lane(), jobs.lane(), jobs.lane()
    jobs.add(first, 100, 50)
    jobs.add(second, 300, 1)
    jobs.add(later, -60)
    assert backlog_of(jobs.model).lag == pytest.approx(300, abs=20)
    # What is held waits for the endpoint or for a person, and no worker more would help.
    hold(second, datetime(9999, 12, 31, tzinfo=UTC))
    assert backlog_of(jobs.model).lag == pytest.approx(100, abs=20)
    hold(first, timezone.now() + timedelta(hours=1))
    assert backlog_of(jobs.model).lag is None


def test_rates_are_those_of_the_last_hour(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), *[1] * 36)
    settle([(job, Settlement.succeed()) for job in claim(jobs.model, 18, lease=60)])
    backlog = backlog_of(jobs.model)
    assert backlog.arriving == pytest.approx(0.01)
    assert backlog.succeeding == pytest.approx(0.005)


def test_rates_are_those_of_the_newest_jobs_when_there_are_many(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 20)
    jobs.add(jobs.lane(), *[1] * 40)
    # Forty jobs within a few seconds, and no more than twenty are looked at.
    assert 20 / 60 < backlog_of(jobs.model).arriving <= 20
