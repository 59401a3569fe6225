"""Limits of a lane hold in all workers together, for events and for deliveries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import cast
from uuid import UUID

from django.db import connection
from django.test.utils import CaptureQueriesContext

from hookline import conf
from hookline.engine.job import FOREVER, Job, Lane, State
from hookline.engine.kind import kind_of
from hookline.engine.lane_limits import LaneLimits
from hookline.engine.leases import Leases
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.outgoing.models import Delivery
from hookline.tenants.models import Tenant
from tests.engine.rows import DeliveryJobs, Jobs, make_endpoint


def workers(jobs: Jobs, count: int) -> list[Leases[Job]]:
    kind = kind_of(jobs.model, conf.get())
    return [kind.leases() for _ in range(count)]


def limit(lane: Lane, **limits: float) -> None:
    type(lane)._default_manager.filter(pk=lane.pk).update(**limits)


def finish(leases: Leases[Job], claimed: Sequence[Job]) -> None:
    settle([(job, Settlement.succeed()) for job in claimed])
    for job in claimed:
        leases.forget(job)


def test_a_rate_holds_however_many_workers_claim_and_however_much_waits(jobs: Jobs) -> None:
    lane, free = jobs.lane(), jobs.lane()
    jobs.add(lane, *[60] * 200)
    jobs.add(free, *[60] * 3)
    limit(lane, lane_rate=50, lane_burst=5)
    all_workers = workers(jobs, 3)
    began, went = time.monotonic(), 0
    others = rounds = 0
    # Not for a time: what a slow machine claims too seldom for, it loses.
    while went < 75 and time.monotonic() - began < 30:
        rounds += 1
        for leases in all_workers:
            claimed = leases.claim(100)
            mine = [job for job in claimed if getattr(job, f"{job.lane}_id") == lane.pk]
            went, others = went + len(mine), others + len(claimed) - len(mine)
            finish(leases, claimed)
        time.sleep(min(leases.pause(0.05) for leases in all_workers))
    assert 75 <= went <= (5 + 50 * (time.monotonic() - began)) * 1.1
    assert went >= rounds * 0.5  # after a pause that the workers name, there is mostly something to claim
    assert others == 3
    waiting = jobs.model._default_manager.filter(**{f"{jobs.model.lane}_id": lane.pk}, state=State.PENDING)
    assert waiting.count() == 200 - went
    assert set(waiting.values_list("attempts", flat=True)) == {0}


def test_no_more_run_at_once_than_may_and_the_next_begins_when_one_is_done(jobs: Jobs) -> None:
    lane = jobs.lane()
    jobs.add(lane, *[60] * 10)
    limit(lane, lane_at_once=3)
    one, other = workers(jobs, 2)
    held = one.claim(10)
    assert len(held) == 3
    assert other.claim(10) == []
    assert one.pause(5) < 5
    finish(one, held[:1])
    time.sleep(other.pause(0.1))
    assert len(other.claim(10)) == 1
    assert jobs.model._default_manager.filter(state=State.RUNNING).count() == 3


def test_what_a_limit_holds_up_says_so_and_when_it_can_go(jobs: Jobs) -> None:
    lane = jobs.lane()
    made = jobs.add(lane, *[60] * 3)
    limit(lane, lane_rate=0.1, lane_burst=1)
    (leases,) = workers(jobs, 1)
    # Two of three are claimed with the first where the database cannot say how many; they are given back.
    assert len(leases.claim(10)) == 1
    found = jobs.model._default_manager.filter(pk__in=[job.pk for job in made], state=State.PENDING)
    notes = set(found.values_list("note", flat=True))
    assert notes <= {"", "waits for its rate limit of 0.1 a second"}
    assert leases.claim(10) == []


def test_a_claim_is_told_nothing_of_limits_of_lanes_that_are_held(jobs: Jobs) -> None:
    held, limited = jobs.lane(), jobs.lane()
    limit(held, lane_slow_rate=20, lane_slow_at=1e12)
    type(held)._default_manager.filter(pk=held.pk).update(held_until=FOREVER)
    limit(limited, lane_rate=20, lane_burst=3)
    known = LaneLimits[Job](jobs.model, attrgetter(f"{jobs.model.lane}_id"))
    known.refresh()
    assert known.most() == {limited.pk: 3}


def test_without_limits_a_claim_asks_nothing_more(jobs: Jobs) -> None:
    lane = jobs.lane()
    jobs.add(lane, *[60] * 4)
    (leases,) = workers(jobs, 1)
    leases.claim(1)
    with CaptureQueriesContext(connection) as asked:
        leases.claim(1)
    # The claim itself, which PostgreSQL is asked past Django, and once more from the first lane on.
    assert len([query for query in asked if "lane_rate" in query["sql"]]) == 0
    assert leases.pause(7) == 7


def test_lanes_of_one_group_share_its_rate(transactional_db: None) -> None:
    """Application `throttleRate`: messages a second to all endpoints of a tenant together."""
    jobs = DeliveryJobs()
    throttled = Tenant.objects.create(key="throttled", throttle_rate=40)
    own, other, slow = (make_endpoint(tenant=throttled) for _ in range(3))
    free = make_endpoint()
    limit(slow, lane_rate=4, lane_burst=1)
    for lane in (own, other, slow):
        jobs.add(lane, *[60] * 100)
    jobs.add(free, *[60] * 30)
    all_workers = workers(jobs, 3)
    began = time.monotonic()
    went: Counter[UUID] = Counter()
    rounds = 0
    # Not for a time: what a slow machine claims too seldom for, it loses.
    while went.total() - went[free.pk] < 60 and time.monotonic() - began < 30:
        rounds += 1
        for leases in all_workers:
            claimed = leases.claim(100)
            went.update(job.endpoint_id for job in cast("list[Delivery]", claimed))
            finish(leases, claimed)
        time.sleep(min(leases.pause(0.05) for leases in all_workers))
    elapsed = time.monotonic() - began
    assert went.pop(free.pk) == 30
    assert 60 <= went.total() <= (10 + 40 * elapsed) * 1.1
    assert went.total() >= rounds * 0.5  # as above
    assert 1 <= went[slow.pk] <= 2 + 4 * elapsed
    assert 0.5 < went[own.pk] / went[other.pk] < 2
    waiting = Delivery.objects.filter(endpoint__tenant=throttled, state=State.PENDING)
    assert set(waiting.values_list("attempts", flat=True)) == {0}
    notes = set(waiting.values_list("note", flat=True)) - {"", "waits for its rate limit of 4 a second"}
    assert notes <= {"waits for the rate limit of its tenant, 40 a second"}
