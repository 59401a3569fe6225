"""Jobs that were committed a moment ago are claimed by their names, where a claim would have nothing to decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from hookline import conf
from hookline.engine import notifier
from hookline.engine.claim import claim
from hookline.engine.job import Job, State
from hookline.engine.kind import kind_of
from hookline.engine.leases import Leases
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.runtime.siblings import split
from tests.engine.rows import Jobs, make_event, make_source
from tests.engine.test_worker import make_worker, states, succeed, working
from tests.round_trips import round_trips
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def leases(jobs: Jobs) -> Leases[Job]:
    return Leases(jobs.model, lease=60, per_lane=100, longest_run=3600)


def claimed(jobs: Jobs, *named: Job) -> list[UUID]:
    return [job.pk for job in leases(jobs).claim_named([job.pk for job in named])]


def test_it_is_claimed_as_any_other_is_and_once(jobs: Jobs) -> None:
    [job] = jobs.add(jobs.lane(), 1)
    held = leases(jobs)
    [ours] = held.claim_named([job.pk])
    assert (ours.state, ours.claim, ours.attempts, ours.pk) == (State.RUNNING, 1, 1, job.pk)
    assert len(held) == 1
    assert held.claim_named([job.pk]) == []
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


def test_it_is_run_without_a_search_where_a_thread_is_idle(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []
    real = Leases.claim

    def counted(leases: Leases[Job], limit: int) -> list[Job]:
        found = real(leases, limit)
        searches.append(len(found))
        return found

    monkeypatch.setattr(Leases, "claim", counted)
    with working(make_worker(jobs, succeed, poll=60)):
        wait_until(lambda: searches == [0])
        for number in range(3):
            added = jobs.add(jobs.lane(), 1, 1)
            notifier.of(jobs.model).notify([job.pk for job in added])
            wait_until(lambda expected=2 * (number + 1): states(jobs)["succeeded"] == expected)  # type: ignore[misc]
    assert searches == [0]


def test_what_could_not_be_claimed_by_its_name_is_searched_for(jobs: Jobs) -> None:
    with working(make_worker(jobs, succeed, poll=60)):
        [ordered] = jobs.add_in_order(jobs.ordered_lane(), "a")
        [plain] = jobs.add(jobs.lane(), 1)
        notifier.of(jobs.model).notify([ordered.pk, plain.pk])
        wait_until(lambda: states(jobs) == {"succeeded": 2})


def test_everybody_is_told_where_no_thread_is_idle(jobs: Jobs) -> None:
    """A job that waits behind a slow one in this process could run in another."""
    told: list[object] = []
    notifier.of(jobs.model).relay(told.append)
    runs: list[Job] = []

    def run(job: Job) -> None:
        runs.append(job)
        wait_until(lambda: bool(told))
        succeed(job)

    try:
        with working(make_worker(jobs, run, threads=1, poll=60)):
            [slow] = jobs.add(jobs.lane(), 1)
            notifier.of(jobs.model).notify([slow.pk])
            wait_until(lambda: bool(runs))
            [waiting] = jobs.add(jobs.lane(), 1)
            notifier.of(jobs.model).notify([waiting.pk])
            assert told == [[waiting.pk]]
            wait_until(lambda: states(jobs) == {"succeeded": 2})
    finally:
        notifier.of(jobs.model).unsubscribe(told.append)


def test_on_postgresql_an_event_comes_with_its_source_and_tenant_in_one_statement(
    django_assert_num_queries: Any, tmp_path: Path
) -> None:
    source = make_source("stripe", "whsec_first", name="billing", options={"account": "a"})
    held = kind_of(Event, conf.get()).leases()
    claimed: list[Event] = []

    def claim() -> None:
        claimed[:] = held.claim_named([event.pk])
        process.fetch_sources(claimed)

    for _ in range(3):  # until the statement is prepared
        event = make_event(source)
        if connection.vendor == "postgresql":
            trips = round_trips(claim, tmp_path / "trace")
        else:
            claim()
        process.run(claimed[0])
    [ours] = claimed
    assert connection.vendor != "postgresql" or trips == 1
    with django_assert_num_queries(0):
        found = ours.source
        assert (found.name, found.options, found.tenant.key) == ("billing", {"account": "a"}, "default")
        assert found.secrets.current == "whsec_first"


@given(st.lists(st.tuples(st.integers(0, 4), st.lists(st.uuids(), max_size=16))), st.integers(1, 40))
def test_what_siblings_say_is_read_wherever_a_read_ends(words: list[tuple[int, list[UUID]]], size: int) -> None:
    said = b"".join(bytes([kind, len(ids)]) + b"".join(one.bytes for one in ids) for kind, ids in words)
    heard, unread = [], b""
    for start in range(0, len(said), size):
        found, unread = split(unread + said[start : start + size])
        heard += found
    assert (heard, unread) == ([(kind, tuple(ids)) for kind, ids in words], b"")


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
