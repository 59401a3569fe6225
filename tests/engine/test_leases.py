"""The leases keeps the leases of what its worker has claimed."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

import pytest
from django.db import Error, InterfaceError, OperationalError

from hookline.engine import leases as leases_module
from hookline.engine import settle as engine
from hookline.engine.claim import claim
from hookline.engine.job import Job, State
from hookline.engine.leases import Leases
from hookline.engine.settle import release_expired, settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import Jobs, ago
from tests.waiting import wait_until


def make_desk(jobs: Jobs, *, longest_run: float = 3600) -> Leases[Job]:
    return Leases(jobs.model, lease=60, per_lane=100, longest_run=longest_run)


def lease_of(job: Job) -> datetime:
    job.refresh_from_db()
    assert job.lease_until is not None
    return job.lease_until


def test_a_heartbeat_extends_the_leases_of_what_is_on_the_desk(jobs: Jobs) -> None:
    leases = make_desk(jobs)
    jobs.add(jobs.lane(), 2, 1)
    kept, done = leases.claim(2)
    jobs.model._default_manager.update(lease_until=ago(5))
    leases.forget(done)
    leases.heartbeat()
    assert lease_of(kept) > ago(0)
    assert lease_of(done) < ago(0)
    assert release_expired(jobs.model, 5) == 1


def test_a_heartbeat_lets_go_of_what_ran_for_too_long(jobs: Jobs) -> None:
    leases = make_desk(jobs, longest_run=0)
    jobs.add(jobs.lane(), 1)
    (job,) = leases.claim(1)
    jobs.model._default_manager.update(lease_until=ago(5))
    leases.heartbeat()
    assert lease_of(job) < ago(0)


def test_a_lost_lease_is_logged_and_that_of_a_settled_job_is_not(
    jobs: Jobs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = make_desk(jobs)
    jobs.add(jobs.lane(), 2, 1)
    lost, settled = leases.claim(2)
    jobs.model._default_manager.filter(pk=lost.pk).update(claim=5)
    real = engine.extend

    def settle_first(found: list[Job], lease: float) -> object:
        settle([(settled, Settlement.succeed())])
        leases.forget(settled)
        return real(found, lease)

    monkeypatch.setattr(engine, "extend", settle_first)
    with caplog.at_level(logging.WARNING, "hookline.engine"):
        leases.heartbeat()
    assert caplog.messages == [f"the lease of {lost.public_id} was lost while it ran"]


def test_it_tells_the_time_of_the_database_where_this_machine_is_an_hour_ahead(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    leases = make_desk(jobs)
    jobs.add(jobs.lane(), 1)
    leases.claim(1)
    assert abs(leases.now() - right()) < 2


def test_what_is_given_back_is_due_at_once_and_leaves_the_desk(jobs: Jobs) -> None:
    leases = make_desk(jobs)
    jobs.add(jobs.lane(), 1)
    (job,) = leases.claim(1)
    leases.release([(job, Settlement.give_back(0, "not begun"))])
    assert len(leases) == 0
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.PENDING, 0)
    assert len(leases.claim(1)) == 1


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_what_cannot_be_given_back_leaves_the_desk_for_its_lease_to_run_out(
    jobs: Jobs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: type[Error]
) -> None:
    leases = make_desk(jobs)
    jobs.add(jobs.lane(), 1)
    (job,) = leases.claim(1)

    def fail(results: object, **named: object) -> None:
        raise kind("the server is away")

    monkeypatch.setattr(engine, "settle", fail)
    leases.release([(job, Settlement.give_back(0))])
    assert len(leases) == 0
    assert "cannot give back 1 jobs" in caplog.text
    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_what_it_may_have_missed_is_returned_though_it_goes_on_missing_and_the_database_fails(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_module, "UNDER_WAY", 0.2)
    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=9, longest_run=60, worker_number=lambda: 7)
    jobs.add(jobs.lane(), 1, 1)
    leases.claim(1)
    (missed,) = claim(jobs.model, 1, lease=60, worker=7)
    release, failures = engine.release_unheld, [OperationalError("away")]

    def fails_at_first(*arguments: Any) -> int:
        if failures:
            raise failures.pop()
        return release(*arguments)

    monkeypatch.setattr(engine, "release_unheld", fails_at_first)

    def returned() -> int:
        leases.may_have_missed()
        try:
            return leases.return_missed(5)
        except OperationalError:
            return 0

    assert leases.return_missed(5) == 0
    assert wait_until(returned) == 1
    assert failures == []
    states = dict(jobs.model._default_manager.values_list("pk", "state"))
    assert states.pop(missed.pk) == State.PENDING
    assert list(states.values()) == [State.RUNNING]


def test_a_job_that_is_claimed_again_before_its_first_try_is_done_stays_on_the_desk(jobs: Jobs) -> None:
    leases = make_desk(jobs)
    jobs.add(jobs.lane(), 1)
    (first,) = leases.claim(1)
    settle([(first, Settlement.retry(0, "again"))])
    (second,) = leases.claim(1)
    leases.forget(first)
    assert len(leases) == 1
    jobs.model._default_manager.update(lease_until=ago(5))
    leases.heartbeat()
    assert lease_of(second) > ago(0)
    leases.forget(second)
    assert len(leases) == 0
    assert not leases._lanes  # else the lane would count as busy for ever


@pytest.mark.parametrize(
    ("lanes", "limit", "drained"),
    [
        ([3], 10, True),
        ([3], 3, False),
        ([3], 2, False),
        ([4, 1], 10, True),
        ([5, 1], 10, False),
        ([], 10, True),
    ],
)
def test_a_claim_says_whether_it_took_all_that_was_due(jobs: Jobs, lanes: list[int], limit: int, drained: bool) -> None:
    leases = make_desk(jobs)
    for count in lanes:
        jobs.add(jobs.lane(), *[1.0] * count)
    taken = len(leases.claim(limit))
    assert leases.drained == drained
    if drained:
        assert taken == sum(lanes)


def test_a_claim_that_leaves_out_a_busy_lane_has_not_taken_all(jobs: Jobs) -> None:
    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=4, longest_run=3600)
    jobs.add(jobs.lane(), *[1.0] * 9)
    assert len(leases.claim(10)) == 2
    assert len(leases.claim(10)) == 2
    assert leases.claim(10) == []
    assert not leases.drained
