"""No lane can delay another, however deep its backlog."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hookline.engine.claim import claim
from hookline.engine.job import Job, Lane
from hookline.engine.leases import Leases
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import Jobs, ago, lane_of


def lanes_of(found: list[Job]) -> Counter[UUID]:
    return Counter(lane_of(job) for job in found)


def hold(lane: Lane, until: datetime | None) -> None:
    type(lane)._default_manager.filter(pk=lane.pk).update(held_until=until)


def test_a_lane_with_an_older_and_deeper_backlog_leaves_room_for_the_others(jobs: Jobs) -> None:
    deep, shallow = jobs.lane(), jobs.lane()
    jobs.add(deep, *[3600] * 500)
    jobs.add(shallow, 1, 1)
    assert lanes_of(claim(jobs.model, 10, lease=60)) == {deep.pk: 5, shallow.pk: 2}


def test_no_lane_gives_more_than_its_share(jobs: Jobs) -> None:
    lanes = [jobs.lane() for _ in range(4)]
    for lane in lanes:
        jobs.add(lane, *[1] * 50)
    assert lanes_of(claim(jobs.model, 40, lease=60)) == {lane.pk: 10 for lane in lanes}
    assert lanes_of(claim(jobs.model, 40, lease=60, per_lane=3)) == {lane.pk: 3 for lane in lanes}


def test_a_busy_lane_gives_nothing(jobs: Jobs) -> None:
    busy, idle = jobs.lane(), jobs.lane()
    jobs.add(busy, *[60] * 20)
    jobs.add(idle, 1, 1, 1)
    assert lanes_of(claim(jobs.model, 10, lease=60, busy=[busy.pk])) == {idle.pk: 3}
    assert claim(jobs.model, 10, lease=60, busy=[busy.pk, idle.pk]) == []


def test_a_claim_among_some_lanes_takes_nothing_of_others(jobs: Jobs) -> None:
    one, held, other = jobs.lane(), jobs.lane(), jobs.lane()
    for lane in (one, held, other):
        jobs.add(lane, 60, 60, -60)
    hold(held, datetime.now(UTC) + timedelta(hours=1))
    assert claim(jobs.model, 10, lease=60, among=[]) == []
    assert lanes_of(claim(jobs.model, 10, lease=60, among=[one.pk, held.pk])) == {one.pk: 2}
    assert claim(jobs.model, 10, lease=60, among=[one.pk]) == []


def test_a_held_lane_gives_nothing_until_its_time_has_come(jobs: Jobs) -> None:
    held, free = jobs.lane(), jobs.lane()
    jobs.add(held, *[60] * 20)
    jobs.add(free, 1)
    hold(held, datetime.now(UTC) + timedelta(hours=1))
    assert lanes_of(claim(jobs.model, 10, lease=60)) == {free.pk: 1}
    assert claim(jobs.model, 10, lease=60) == []
    hold(held, ago(1))
    assert lanes_of(claim(jobs.model, 10, lease=60)) == {held.pk: 10}
    hold(held, None)
    assert lanes_of(claim(jobs.model, 10, lease=60)) == {held.pk: 10}


def test_a_lane_held_for_ever_is_held(jobs: Jobs) -> None:
    lane = jobs.lane()
    jobs.add(lane, 1)
    hold(lane, datetime(9999, 12, 31, tzinfo=UTC))
    assert claim(jobs.model, 10, lease=60) == []


def test_a_lane_whose_jobs_are_all_later_takes_no_share(jobs: Jobs) -> None:
    waiting, ready = jobs.lane(), jobs.lane()
    jobs.add(waiting, *[-3600] * 20)
    jobs.add(ready, *[1] * 20)
    assert lanes_of(claim(jobs.model, 10, lease=60)) == {ready.pk: 10}


def test_fewer_places_than_lanes_go_to_different_lanes(jobs: Jobs) -> None:
    for _ in range(10):
        jobs.add(jobs.lane(), 1, 1, 1)
    first = lanes_of(claim(jobs.model, 4, lease=60))
    assert sorted(first.values()) == [1, 1, 1, 1]
    second = lanes_of(claim(jobs.model, 4, lease=60, after=max(first)))
    assert sorted(second.values()) == [1, 1, 1, 1]
    assert not first.keys() & second.keys()


def test_a_claim_looks_at_a_limited_number_of_lanes_and_goes_on_behind_the_last(jobs: Jobs) -> None:
    lanes = [jobs.lane() for _ in range(10)]
    for lane in lanes:
        jobs.add(lane, 1)
    first = lanes_of(claim(jobs.model, 100, lease=60, lanes=6))
    assert sorted(first) == sorted(lane.pk for lane in lanes)[:6]
    second = lanes_of(claim(jobs.model, 100, lease=60, lanes=6, after=max(first)))
    assert sorted(second) == sorted(lane.pk for lane in lanes)[6:]


def test_held_and_waiting_lanes_do_not_use_up_the_lanes_that_a_claim_looks_at(jobs: Jobs) -> None:
    for _ in range(70):
        lane = jobs.lane()
        jobs.add(lane, 1)
        hold(lane, datetime.now(UTC) + timedelta(hours=1))
    for _ in range(70):
        jobs.add(jobs.lane(), -3600)
    last = jobs.lane()
    jobs.add(last, 1)
    assert lanes_of(claim(jobs.model, 10, lease=60)) == {last.pk: 1}


@pytest.mark.parametrize("limit", [1, 7, 64, 100, 200])
def test_a_desk_visits_every_one_of_many_lanes_before_it_returns_to_the_first(jobs: Jobs, limit: int) -> None:
    """However many lanes have a backlog, each is served within one round: with 100 lanes, 100 / limit claims."""
    lanes = [jobs.lane() for _ in range(100)]
    for lane in lanes:
        jobs.add(lane, *[1] * 8)
    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=50, longest_run=60)
    served: Counter[UUID] = Counter()
    claims = 0
    while len(served) < 100:
        batch = leases.claim(limit)
        claims += 1
        served += lanes_of(batch)
        settle([(job, Settlement.succeed()) for job in batch])
        for job in batch:
            leases.forget(job)
        assert claims <= max(4, 2 * 100 // limit + 2), f"{100 - len(served)} of 100 lanes starve"


def test_a_desk_gives_a_newcomer_its_turn_beside_a_lane_that_never_empties(jobs: Jobs) -> None:
    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=4, longest_run=60)
    deep = jobs.lane()
    jobs.add(deep, *[3600] * 500)
    assert lanes_of(leases.claim(8)) == {deep.pk: 2}
    assert lanes_of(leases.claim(8)) == {deep.pk: 2}
    # Four places of this lane are under way: it is asked for nothing more until one is free.
    assert leases.claim(8) == []
    late = jobs.lane()
    (job,) = jobs.add(late, 1)
    assert [found.pk for found in leases.claim(4)] == [job.pk]


def test_a_desk_asks_a_lane_again_when_its_jobs_are_done(jobs: Jobs) -> None:
    leases: Leases[Job] = Leases(jobs.model, lease=60, per_lane=1, longest_run=60)
    jobs.add(jobs.lane(), 2, 1)
    (first,) = leases.claim(8)
    assert leases.claim(8) == []
    settle([(first, Settlement.succeed())])
    leases.forget(first)
    leases.forget(first)  # twice does no harm
    assert len(leases.claim(8)) == 1
    assert len(leases) == 1
