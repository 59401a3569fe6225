"""Jobs with the same order key run one after the other, on both job tables."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction

from hookline.engine import handover, notifier, order
from hookline.engine.backlog import backlog_of
from hookline.engine.claim import claim
from hookline.engine.job import FOREVER, Job, State, requeue
from hookline.engine.order import PORTION
from hookline.engine.prune import Pruner
from hookline.engine.settle import begin, release_expired, settle
from hookline.engine.settlement import Settlement
from hookline.incoming.models import Event
from tests.engine.rows import Jobs, ago, make_event, make_source, rolled_back
from tests.waiting import somebody_waits_for_us, wait_until


def claimed(jobs: Jobs, most: int = 100) -> list[Any]:
    return [job.pk for job in claim(jobs.model, most, lease=60)]


def finish(jobs: Jobs, settlement: Settlement, most: int = 100) -> list[Any]:
    """Claim, settle, and return the ids."""
    taken = claim(jobs.model, most, lease=60)
    settle([(job, settlement) for job in taken])
    return [job.pk for job in taken]


def lease_of(job: Job) -> datetime:
    assert job.lease_until is not None
    return job.lease_until


def state_of(job: Job) -> tuple[str, bool | None]:
    job.refresh_from_db()
    return job.state, job.has_turn


def test_jobs_with_the_same_key_are_claimed_one_after_the_other_in_the_order_of_arrival(jobs: Jobs) -> None:
    added = [job.pk for job in jobs.add_in_order(jobs.ordered_lane(), *["a"] * 5)]
    assert [finish(jobs, Settlement.succeed()) for _ in range(6)] == [*([pk] for pk in added), []]


def test_other_keys_and_other_lanes_go_on(jobs: Jobs) -> None:
    one, other = jobs.ordered_lane(), jobs.ordered_lane()
    a1, _a2, b1, _a3, c1 = jobs.add_in_order(one, "a", "a", "b", "a", "c")
    (same_key,) = jobs.add_in_order(other, "a")
    assert set(claimed(jobs)) == {a1.pk, b1.pk, c1.pk, same_key.pk}
    assert claimed(jobs) == []


def test_a_job_without_a_key_waits_for_nobody(jobs: Jobs) -> None:
    lane = jobs.ordered_lane()
    added = jobs.add_in_order(lane, None, None, "")
    assert set(claimed(jobs)) == {job.pk for job in added}
    assert set(jobs.model._default_manager.values_list("order_key", flat=True)) == {None}


def test_the_next_one_is_due_once_the_settlement_is_committed_and_not_before(jobs: Jobs) -> None:
    _, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    (job,) = claim(jobs.model, 10, lease=60)
    with rolled_back():
        settle([(job, Settlement.succeed())])
    assert claimed(jobs) == []
    settle([(job, Settlement.succeed())])
    assert claimed(jobs) == [second.pk]


def test_one_that_waits_for_its_retry_or_is_given_back_keeps_its_turn(jobs: Jobs) -> None:
    first, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    assert finish(jobs, Settlement.retry(60, "later")) == [first.pk]
    assert claimed(jobs) == []
    jobs.model._default_manager.filter(pk=first.pk).update(due_at=ago(1))
    assert finish(jobs, Settlement.give_back(0)) == [first.pk]
    assert finish(jobs, Settlement.cancel("")) == [first.pk]
    assert claimed(jobs) == [second.pk]


def test_a_dead_one_parks_its_key_until_it_is_retried(jobs: Jobs) -> None:
    first, second, other = jobs.add_in_order(jobs.ordered_lane(), "a", "a", "b")
    assert set(finish(jobs, Settlement.die("broken"))) == {first.pk, other.pk}
    assert claimed(jobs) == []
    first.refresh_from_db()
    assert first.is_parked
    requeue(jobs.model._default_manager.filter(pk=first.pk), "a person asked")
    assert finish(jobs, Settlement.succeed()) == [first.pk]
    assert claimed(jobs) == [second.pk]


def test_one_that_is_done_again_waits_for_its_turn_like_the_others(jobs: Jobs) -> None:
    first, second, third = jobs.add_in_order(jobs.ordered_lane(), "a", "a", "a")
    finish(jobs, Settlement.succeed())
    (running,) = claim(jobs.model, 10, lease=60)
    assert running.pk == second.pk
    requeue(jobs.model._default_manager.filter(pk=first.pk), "a person asked")
    assert claimed(jobs) == []
    settle([(running, Settlement.succeed())])
    assert finish(jobs, Settlement.succeed()) == [first.pk]
    assert claimed(jobs) == [third.pk]


def test_one_that_is_due_later_keeps_its_time_and_its_place(jobs: Jobs) -> None:
    first, second, third = jobs.add_in_order(jobs.ordered_lane(), "a", "a", "a")
    later = jobs.model._default_manager.filter(pk=second.pk)
    later.update(due_at=ago(-3600))
    assert finish(jobs, Settlement.succeed()) == [first.pk]
    assert claimed(jobs) == []
    second.refresh_from_db()
    assert (second.due_at - ago(0)).total_seconds() > 3000
    later.update(due_at=ago(1))
    assert finish(jobs, Settlement.succeed()) == [second.pk]
    assert claimed(jobs) == [third.pk]


def test_one_that_waits_has_spent_no_try_and_says_what_for(jobs: Jobs) -> None:
    _, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    claimed(jobs)
    second.refresh_from_db()
    assert (second.state, second.attempts, second.lease_until) == (State.PENDING, 0, None)
    assert "same order key" in second.note
    assert backlog_of(jobs.model).lag is None


def test_the_key_of_a_worker_that_died_stays_with_its_job(jobs: Jobs) -> None:
    first, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    for _ in range(2):
        (job,) = claim(jobs.model, 10, lease=-1)
        begin([job])
        release_expired(jobs.model, max_attempts=2)
    assert state_of(first) == (State.DEAD, True)
    assert claimed(jobs) == []
    assert state_of(second) == (State.PENDING, None)


def test_one_that_was_claimed_by_a_worker_which_died_before_it_had_its_turn_comes_first_again(jobs: Jobs) -> None:
    first, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    jobs.model._default_manager.filter(pk=first.pk).update(state=State.RUNNING, attempts=1, lease_until=ago(1))
    assert claimed(jobs) == []
    release_expired(jobs.model, max_attempts=5)
    assert finish(jobs, Settlement.succeed()) == [first.pk]
    assert claimed(jobs) == [second.pk]


def test_a_settlement_that_came_too_late_gives_no_turn_away(jobs: Jobs) -> None:
    first, _ = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    (slow,) = claim(jobs.model, 10, lease=-1)
    release_expired(jobs.model, max_attempts=5)
    (fast,) = claim(jobs.model, 10, lease=60)
    assert (slow.pk, fast.pk) == (first.pk, first.pk)
    assert settle([(slow, Settlement.succeed())]) == set()
    assert claimed(jobs) == []


def test_a_claim_that_fails_to_take_turns_gives_back_what_it_took(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = jobs.add_in_order(jobs.ordered_lane(), "a", "a")

    def fail(*_: Any) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patched:
        patched.setattr(order, "_have_wait", fail)
        with pytest.raises(OperationalError):
            claim(jobs.model, 10, lease=60)
    assert set(jobs.model._default_manager.values_list("state", "attempts")) == {(State.PENDING, 0)}
    assert claimed(jobs) == [first.pk]


class Follower:
    """A worker with some room, which does nothing but note what it is given."""

    lease, worker = 60.0, 7

    def __init__(self, room: int = 10) -> None:
        self.room = room
        self.taken: list[Job] = []

    def expect(self, claimed: Sequence[Job]) -> None:
        assert connection.in_atomic_block

    def may_have_missed(self) -> None:
        raise AssertionError("it expects what is claimed")

    def take(self, claimed: Sequence[Job]) -> None:
        assert not connection.in_atomic_block
        self.taken += claimed


@contextmanager
def following(jobs: Jobs, follower: Follower) -> Iterator[list[int]]:
    """Whoever waits for notifications is told so many times."""
    told: list[int] = []
    notifier.of(jobs.model).subscribe(subscriber := lambda: told.append(1))
    handover.offer_to_follow(jobs.model, follower)
    try:
        yield told
    finally:
        handover.withdraw(jobs.model)
        notifier.of(jobs.model).unsubscribe(subscriber)


def test_a_worker_goes_on_with_the_next_of_a_key_without_a_claim_or_a_notification(jobs: Jobs) -> None:
    lane, follower = jobs.ordered_lane(), Follower()
    added = [job.pk for job in jobs.add_in_order(lane, *["a"] * 4, "b", "b")]
    running = claim(jobs.model, 10, lease=60)
    with following(jobs, follower) as told:
        for _ in range(2):
            settle([(job, Settlement.succeed()) for job in running])
            running, follower.taken = follower.taken, []
            for job in running:
                assert (job.state, job.attempts, job.worker) == (State.RUNNING, 1, 7)
                assert 30 < (lease_of(job) - ago(0)).total_seconds() <= 60
            assert claimed(jobs) == []
        assert [job.pk for job in running] == [added[2]]
        assert told == []


def test_a_worker_goes_on_with_nothing_that_was_not_committed(jobs: Jobs) -> None:
    _, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    running, follower = claim(jobs.model, 10, lease=60), Follower()
    with following(jobs, follower):
        with rolled_back():
            settle([(job, Settlement.succeed()) for job in running])
        assert follower.taken == []
        assert state_of(second) == (State.PENDING, None)

        def fail() -> None:
            raise RuntimeError("what somebody else left to do")

        with suppress(RuntimeError), transaction.atomic():
            transaction.on_commit(fail)
            settle([(job, Settlement.succeed()) for job in running])
    assert [job.pk for job in follower.taken] == [second.pk]


@pytest.mark.parametrize("why", ["no room", "held", "limited", "later", "crashed", "too late", "retried", "dead"])
def test_what_a_claim_has_to_decide_is_left_to_a_claim(jobs: Jobs, why: str) -> None:
    lane, follower = jobs.ordered_lane(), Follower(0 if why == "no room" else 10)
    first, second = jobs.add_in_order(lane, "a", "a")
    (job,) = claim(jobs.model, 10, lease=60)
    lanes: Any = type(lane)._default_manager.filter(pk=lane.pk)
    next_one = jobs.model._default_manager.filter(pk=second.pk)
    match why:
        case "held":
            lanes.update(held_until=ago(-3600))
        case "limited":
            lanes.update(lane_rate=5.0)
        case "later":
            next_one.update(due_at=ago(-3600))
        case "crashed":
            next_one.update(crashes=1)
        case "too late":
            jobs.model._default_manager.filter(pk=first.pk).update(claim=2)
    ends = {"retried": Settlement.retry(60, ""), "dead": Settlement.die("")}.get(why, Settlement.succeed())
    with following(jobs, follower) as told:
        settle([(job, ends)])
    ended = why not in ("too late", "retried", "dead")
    assert follower.taken == []
    assert state_of(second) == (State.PENDING, ended or None)
    assert len(told) == ended
    lanes.update(held_until=None)
    next_one.update(due_at=ago(1) if ended else second.due_at)
    assert claimed(jobs) == ([second.pk] if ended else [])


def test_no_two_jobs_of_a_key_can_have_the_turn(jobs: Jobs) -> None:
    _, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    claimed(jobs)
    with pytest.raises(IntegrityError), transaction.atomic():
        jobs.model._default_manager.filter(pk=second.pk).update(has_turn=True)


def test_a_person_who_discards_one_while_a_claim_reads_its_key_passes_its_turn_on(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite one comes after the other")
    first, second = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    jobs.model._default_manager.filter(pk=first.pk).update(due_at=ago(-3600))
    real, claimers = order.lock_keys, list[threading.Thread]()

    def claim_meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(order, "lock_keys", real)
        real(*arguments)
        claimers.append(threading.Thread(target=together, args=(lambda _: claimed(jobs), 1)))
        claimers[0].start()
        wait_until(lambda: not claimers[0].is_alive() or somebody_waits_for_us())

    monkeypatch.setattr(order, "lock_keys", claim_meanwhile)
    assert order.cancel(jobs.model, [first.pk], "a person asked") == [first.pk]
    claimers[0].join(10)
    jobs.model._default_manager.filter(state=State.RUNNING).update(lease_until=ago(1))
    release_expired(jobs.model, max_attempts=5)
    assert claimed(jobs) == [second.pk]


def test_what_parks_a_key_is_history_only_once_somebody_has_decided(jobs: Jobs) -> None:
    first, _ = jobs.add_in_order(jobs.ordered_lane(), "a", "a")
    finish(jobs, Settlement.die("broken"))
    jobs.model._default_manager.filter(pk=first.pk).update(finished_at=ago(90 * 86400))
    Pruner(jobs.model, -60.0).step()
    assert state_of(first) == (State.DEAD, True)


def test_more_than_a_portion_of_one_key_is_put_behind_the_others_by_one_claim(jobs: Jobs) -> None:
    lane = jobs.ordered_lane()
    first, *_ = jobs.add_in_order(lane, *["a"] * (PORTION + 20))
    (other,) = jobs.add_in_order(lane, "b")
    assert claimed(jobs, 10) == [first.pk]
    assert claimed(jobs, 10) == [other.pk]
    assert claimed(jobs, 10) == []


def test_the_keys_of_many_workers_never_meet_and_nothing_is_left_over(jobs: Jobs) -> None:
    """Each keeps to the order of arrival while others claim, settle, fail, crash and add."""
    lane, names = jobs.ordered_lane(), [f"k{number % 4}" for number in range(60)]
    arrived = defaultdict(list)
    for job, name in zip(jobs.add_in_order(lane, *names), names, strict=True):
        arrived[name].append(job.pk)
    key_of = {pk: name for name, keys in arrived.items() for pk in keys}
    done: dict[str, list[Any]] = defaultdict(list)
    under_way: set[str] = set()
    problems: list[str] = []
    guard = threading.Lock()

    def work(number: int) -> None:
        rounds = 0
        while sum(map(len, done.values())) < len(names) and rounds < 2000 and not problems:
            rounds += 1
            for job in claim(jobs.model, 5, lease=60):
                with guard:
                    if key_of[job.pk] in under_way:
                        problems.append(f"{key_of[job.pk]} runs twice")
                    under_way.add(key_of[job.pk])
                fails = (rounds + number) % 5 == 0
                same = jobs.model._default_manager.filter(order_key=key_of[job.pk], has_turn=True)
                if [one.pk for one in same] != [job.pk]:
                    problems.append(f"{key_of[job.pk]} is somebody else's")
                with guard:
                    under_way.discard(key_of[job.pk])
                    if not fails:
                        done[key_of[job.pk]].append(job.pk)
                settle([(job, Settlement.retry(0, "again") if fails else Settlement.succeed())])

    together(work, 4)
    assert problems == []
    assert done == arrived


def together(work: Callable[[int], None], count: int) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  # raised below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def test_a_claim_and_a_settlement_read_no_more_when_thousands_are_parked(jobs: Jobs) -> None:
    """What waits lies behind all that is due, so nobody comes to it, not even to have one more wait there."""
    lane = jobs.ordered_lane()
    first, *_ = jobs.add_in_order(lane, "a", "a")
    finish(jobs, Settlement.die("broken"))
    steps_of_a_round(jobs, lane)  # the first one plans
    few = steps_of_a_round(jobs, lane)
    waiting = jobs.model._default_manager.filter(pk=first.pk)
    assert waiting.get().is_parked
    add_waiting(jobs, lane, 1500)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # as it does by itself
            cursor.execute(f"ANALYZE {jobs.model._meta.db_table}")
    assert steps_of_a_round(jobs, lane) <= few * 1.2 + 20


def steps_of_a_round(jobs: Jobs, lane: Any) -> int:
    """Of claiming some that arrived, of which one waits behind the others of its parked key, and settling the rest."""
    # SQLite plans for the number of ids, and PostgreSQL for their share of the table.
    count = 60 if connection.vendor == "sqlite" else 4
    arrived = jobs.add_in_order(lane, "a", *(f"k{number}" for number in range(count)))

    def work() -> None:
        taken = claim(jobs.model, 100, lease=60)
        assert {job.pk for job in taken} == {job.pk for job in arrived[1:]}
        settle([(job, Settlement.succeed()) for job in taken])

    return steps_of(jobs, work)


def add_waiting(jobs: Jobs, lane: Any, count: int) -> None:
    added = jobs.add(lane, *[1.0] * count)
    jobs.model._default_manager.filter(pk__in=[job.pk for job in added]).update(order_key="a", due_at=FOREVER)


def steps_of(jobs: Jobs, work: Callable[[], None]) -> int:
    """How much work it is: rows read on PostgreSQL, instructions of the virtual machine on SQLite."""
    if connection.vendor == "postgresql":
        table = jobs.model._meta.db_table
        with transaction.atomic(), connection.cursor() as cursor:
            sql = (
                "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables "
                "WHERE relname = %s"
            )
            cursor.execute(sql, [table])
            before = cursor.fetchone()[0]
            work()
            cursor.execute(sql, [table])
            return int(cursor.fetchone()[0] - before)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 10)
    try:
        work()
    finally:
        connection.connection.set_progress_handler(None, 10)
    return steps


def test_an_event_is_ordered_by_a_header_as_well(jobs: Jobs) -> None:
    if jobs.model is not Event:
        pytest.skip("a message has no headers")
    source = make_source(order_by="header:X-Shop-Id")
    first, _ = [make_event(source, headers={"x-shop-id": "7"}, body=b"[", order_key="") for _ in range(2)]
    assert claimed(jobs) == [first.pk]
