"""Jobs that a transaction has made are claimed by their names, where a claim would have nothing to decide."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection, transaction

from hookline.engine.claim import claim
from hookline.engine.job import Job, State
from hookline.engine.named import Claim
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import Jobs
from tests.engine.test_worker import states

pytestmark = pytest.mark.django_db(transaction=True)


def claim_named(jobs: Jobs, *named: Job) -> list[Job]:
    with transaction.atomic():  # as the one that made them
        return Claim(jobs.model)([job.pk for job in named], len(named), 60, None)


def claimed(jobs: Jobs, *named: Job) -> list[UUID]:
    return [job.pk for job in claim_named(jobs, *named)]


def test_it_is_claimed_as_any_other_is_and_once(jobs: Jobs) -> None:
    [job] = jobs.add(jobs.lane(), 1)
    [ours] = claim_named(jobs, job)
    assert (ours.state, ours.claim, ours.attempts, ours.pk) == (State.RUNNING, 1, 1, job.pk)
    assert claim_named(jobs, job) == []
    settle([(ours, Settlement.succeed())])
    assert states(jobs) == {"succeeded": 1}


def test_what_has_to_be_decided_is_left_to_a_claim(jobs: Jobs) -> None:
    [later] = jobs.add(jobs.lane(), -60)
    [held] = jobs.add(lane := jobs.lane(), 1)
    type(lane)._default_manager.filter(pk=lane.pk).update(held_until=later.due_at)
    [limited] = jobs.add(jobs.lane(lane_rate=1000), 1)
    [ordered] = jobs.add_in_order(jobs.ordered_lane(), "a")
    lane = jobs.lane()
    [second] = jobs.add(lane, 1)
    jobs.add(lane, 5)
    [tried] = jobs.add(jobs.lane(), 1)
    jobs.model._default_manager.filter(pk=tried.pk).update(attempts=1)
    assert claimed(jobs, later, held, limited, ordered, second, tried) == []
    assert states(jobs) == {"pending": 7}


def test_several_of_one_lane_are_claimed_together(jobs: Jobs) -> None:
    added = jobs.add(jobs.lane(), 1, 1, 1)
    assert sorted(claimed(jobs, *added)) == sorted(job.pk for job in added)


def test_settling_is_planned_once_for_any_number_of_jobs(jobs: Jobs) -> None:
    """With arrays whose lengths it sees, PostgreSQL plans the statement for each of them, for longer than it runs."""
    if connection.vendor != "postgresql":
        return
    lane = jobs.lane()
    for number in range(20):
        jobs.add(lane, *[1.0] * (1 + number % 3 * 20))
        settle([(job, Settlement.succeed()) for job in claim(jobs.model, 50, lease=60)])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%AS (SELECT given.* FROM unnest(%"],
        )
        [(generic, custom)] = cursor.fetchall()
    assert generic >= 10
    assert custom <= 10
