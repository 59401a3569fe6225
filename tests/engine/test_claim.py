"""Claiming, settling and keeping jobs, on both job tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hookline.engine.claim import claim
from hookline.engine.job import State, requeue
from hookline.engine.settle import begin, extend, release_expired, settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import Jobs, ago, lane_of, rolled_back


def test_only_jobs_that_are_due_are_claimed(jobs: Jobs) -> None:
    due, _later = jobs.add(jobs.lane(), 1, -3600)
    assert [job.pk for job in claim(jobs.model, 10, lease=60)] == [due.pk]


def test_a_lane_is_claimed_in_the_order_in_which_its_jobs_became_due(jobs: Jobs) -> None:
    second, third, first = jobs.add(jobs.lane(), 20, 10, 30)
    claimed = [claim(jobs.model, 1, lease=60)[0].pk for _ in range(3)]
    assert claimed == [first.pk, second.pk, third.pk]


def test_jobs_that_are_claimed_together_come_in_the_order_in_which_they_became_due(jobs: Jobs) -> None:
    added = jobs.add(jobs.lane(), *range(40, 140, 2), *range(1, 39, 2))
    oldest_first = [job.pk for job in sorted(added, key=lambda job: job.due_at)]
    assert [job.pk for job in claim(jobs.model, 100, lease=60)] == oldest_first


def test_a_claimed_job_is_running_and_carries_everything_that_its_worker_needs(jobs: Jobs) -> None:
    (added,) = jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    assert type(job) is jobs.model
    assert (job.state, job.claim, job.attempts) == (State.RUNNING, 1, 1)
    assert lane_of(job) == lane_of(added)
    assert job.lease_until is not None
    assert timedelta(seconds=55) < job.lease_until - datetime.now(UTC) < timedelta(seconds=65)
    stored = jobs.model._default_manager.get(pk=added.pk)
    assert (stored.state, stored.claim, stored.attempts) == (State.RUNNING, 1, 1)


def test_a_running_job_is_not_claimed_again(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    assert len(claim(jobs.model, 10, lease=60)) == 1
    assert claim(jobs.model, 10, lease=60) == []


def test_nothing_is_claimed_when_there_is_nothing(jobs: Jobs) -> None:
    assert claim(jobs.model, 10, lease=60) == []


@pytest.mark.parametrize(
    ("settlement", "state"),
    [
        (Settlement.succeed("fine"), State.SUCCEEDED),
        (Settlement.die("fine"), State.DEAD),
        (Settlement.cancel("fine"), State.CANCELLED),
    ],
)
def test_a_finished_job_has_its_state_its_note_and_when_and_is_never_claimed_again(
    jobs: Jobs, settlement: Settlement, state: State
) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    assert settle([(job, settlement)]) == {job.pk}
    job.refresh_from_db()
    assert (job.state, job.note, job.attempts, job.lease_until) == (state, "fine", 1, None)
    assert job.finished_at is not None
    assert abs(job.finished_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert claim(jobs.model, 1, lease=60) == []


def test_a_retry_is_pending_until_it_is_due_and_keeps_its_attempts(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    settle([(job, Settlement.retry(90.5, "again later"))])
    job.refresh_from_db()
    assert (job.state, job.note, job.attempts, job.finished_at) == (State.PENDING, "again later", 1, None)
    assert timedelta(seconds=85) < job.due_at - datetime.now(UTC) < timedelta(seconds=95)
    assert claim(jobs.model, 1, lease=60) == []
    jobs.model._default_manager.update(due_at=ago(1))
    (job,) = claim(jobs.model, 1, lease=60)
    assert (job.attempts, job.claim) == (2, 2)


def test_a_job_that_is_given_back_gets_its_attempt_back_but_not_its_claim_number(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    settle([(job, Settlement.give_back(0, "not begun"))])
    job.refresh_from_db()
    assert (job.state, job.attempts, job.claim, job.note) == (State.PENDING, 0, 1, "not begun")
    assert [(job.attempts, job.claim) for job in claim(jobs.model, 1, lease=60)] == [(1, 2)]


def test_a_worker_whose_lease_ran_out_can_neither_settle_nor_extend_what_another_has_claimed(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (slow,) = claim(jobs.model, 1, lease=-1)
    release_expired(jobs.model, max_attempts=5)
    (fast,) = claim(jobs.model, 1, lease=60)
    assert fast.pk == slow.pk
    assert settle([(slow, Settlement.die("too late"))]) == set()
    assert extend([slow], 60) == set()
    assert settle([(fast, Settlement.succeed())]) == {fast.pk}
    fast.refresh_from_db()
    assert (fast.state, fast.note) == (State.SUCCEEDED, "")


def test_a_job_is_settled_once(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    assert settle([(job, Settlement.succeed())]) == {job.pk}
    assert settle([(job, Settlement.die("second thoughts"))]) == set()
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED


def test_a_batch_reports_exactly_those_that_were_still_ours_and_settles_each_in_its_own_way(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), *range(5, 0, -1))
    batch = claim(jobs.model, 5, lease=60)
    lost = batch[1]
    jobs.model._default_manager.filter(pk=lost.pk).update(claim=lost.claim + 1)
    gone = batch[3]
    jobs.model._default_manager.filter(pk=gone.pk).delete()
    ours = settle(
        [
            (batch[0], Settlement.succeed()),
            (lost, Settlement.succeed()),
            (batch[2], Settlement.retry(60, "later")),
            (gone, Settlement.succeed()),
            (batch[4], Settlement.die("no more")),
        ]
    )
    assert ours == {batch[0].pk, batch[2].pk, batch[4].pk}
    states = dict(jobs.model._default_manager.values_list("pk", "state"))
    assert states == {
        batch[0].pk: State.SUCCEEDED,
        lost.pk: State.RUNNING,
        batch[2].pk: State.PENDING,
        batch[4].pk: State.DEAD,
    }


def test_settling_or_extending_nothing_asks_the_database_nothing(jobs: Jobs) -> None:
    assert settle([]) == set()
    assert extend([], 60) == set()


def test_a_settlement_joins_the_transaction_of_its_caller(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    with rolled_back():
        assert settle([(job, Settlement.succeed())]) == {job.pk}
    job.refresh_from_db()
    assert job.state == State.RUNNING
    assert settle([(job, Settlement.succeed())]) == {job.pk}


def test_extending_moves_the_end_of_the_lease(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 2, 1)
    mine, other = claim(jobs.model, 2, lease=5)
    assert extend([mine], 600) == {mine.pk}
    mine.refresh_from_db()
    other.refresh_from_db()
    assert mine.lease_until is not None
    assert other.lease_until is not None
    assert mine.lease_until - other.lease_until > timedelta(seconds=500)


@pytest.mark.parametrize("begun", [True, False])
def test_a_job_whose_lease_ran_out_returns_and_its_try_counts_only_if_it_had_begun(jobs: Jobs, begun: bool) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=-1)
    assert begin([job] if begun else []) == ({job.pk} if begun else set())
    assert release_expired(jobs.model, max_attempts=2) == 1
    job.refresh_from_db()
    assert (job.state, job.attempts, job.lease_until) == (State.PENDING, 1 if begun else 0, None)
    assert job.crashes == 1
    assert "worker stopped" in job.note
    assert len(claim(jobs.model, 1, lease=60)) == 1


def test_a_job_that_outlived_its_last_try_dies_when_its_lease_runs_out(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    begin(claim(jobs.model, 1, lease=-1))
    release_expired(jobs.model, max_attempts=2)
    (job,) = claim(jobs.model, 1, lease=-1)
    begin([job])
    assert release_expired(jobs.model, max_attempts=2) == 1
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.DEAD, 2)
    assert job.finished_at is not None


def test_jobs_that_never_begin_stay_alive_however_many_workers_crash(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    for crashes in range(1, 6):
        (job,) = claim(jobs.model, 1, lease=-1)
        release_expired(jobs.model, max_attempts=2)
        job.refresh_from_db()
        assert (job.state, job.attempts, job.crashes) == (State.PENDING, 0, crashes)


def test_the_first_crash_makes_no_job_dead_because_another_one_may_have_caused_it(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    for state in (State.PENDING, State.DEAD):
        (job,) = claim(jobs.model, 1, lease=-1)
        begin([job])
        release_expired(jobs.model, max_attempts=1)
        job.refresh_from_db()
        assert job.state == state


def test_a_job_that_failed_by_itself_is_no_suspect_any_more_and_one_that_was_given_back_is(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    claim(jobs.model, 1, lease=-1)
    release_expired(jobs.model, max_attempts=5)
    for settlement, crashes in ((Settlement.give_back(0), 1), (Settlement.retry(0, "failed"), 0)):
        (job,) = claim(jobs.model, 1, lease=60)
        settle([(job, settlement)])
        job.refresh_from_db()
        assert job.crashes == crashes


def test_only_its_owner_marks_a_job_as_begun(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (old,) = claim(jobs.model, 1, lease=-1)
    release_expired(jobs.model, max_attempts=5)
    (new,) = claim(jobs.model, 1, lease=60)
    assert (begin([old]), begin([new]), begin([])) == (set(), {new.pk}, set())


def test_a_lease_that_has_not_run_out_is_left_alone(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    assert release_expired(jobs.model, max_attempts=5) == 0
    assert settle([(job, Settlement.succeed())]) == {job.pk}


def test_expired_leases_return_a_limited_number_at_a_time(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), *[1] * 7)
    claim(jobs.model, 7, lease=-1)
    assert [release_expired(jobs.model, 5, limit=3) for _ in range(4)] == [3, 3, 1, 0]


def test_a_finished_job_is_revived_with_all_its_tries_and_others_are_left_alone(jobs: Jobs) -> None:
    lane = jobs.lane()
    jobs.add(lane, 2, 1)
    dead, running = claim(jobs.model, 2, lease=60)
    settle([(dead, Settlement.die("no more"))])
    (pending,) = jobs.add(lane, -3600)
    assert requeue(jobs.model._default_manager.all(), "a person asked") == 1
    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.finished_at, dead.note) == (State.PENDING, 0, None, "a person asked")
    running.refresh_from_db()
    pending.refresh_from_db()
    assert (running.state, pending.state) == (State.RUNNING, State.PENDING)
    (again,) = claim(jobs.model, 5, lease=60)
    assert (again.pk, again.claim) == (dead.pk, 2)


@pytest.mark.parametrize("due_in", [1e-7, 0.001, 7 * 86400.0, 366 * 86400.0])
def test_very_short_and_very_long_waits_are_written_exactly(jobs: Jobs, due_in: float) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    settle([(job, Settlement.retry(due_in, ""))])
    job.refresh_from_db()
    assert abs((job.due_at - datetime.now(UTC)).total_seconds() - due_in) < 5


def test_a_note_may_hold_any_text_that_a_database_can(jobs: Jobs) -> None:
    note = "100% 'quoted' \"twice\" %s {braces} \\ back \u2603 \U0001f600\nline"
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    settle([(job, Settlement.die(note))])
    job.refresh_from_db()
    assert job.note == note


def test_what_a_database_refuses_is_written_as_escapes_in_a_note(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), 1)
    (job,) = claim(jobs.model, 1, lease=60)
    settle([(job, Settlement.die("NUL \x00 and \ud800"))])
    job.refresh_from_db()
    assert job.note == "NUL \\x00 and \\ud800"


def test_five_hundred_results_are_settled_in_one_statement(jobs: Jobs) -> None:
    jobs.add(jobs.lane(), *[1] * 500)
    batch = claim(jobs.model, 500, lease=60)
    assert len(batch) == 500
    assert extend(batch, 60) == {job.pk for job in batch}
    assert len(settle([(job, Settlement.succeed()) for job in batch])) == 500
    assert set(jobs.model._default_manager.values_list("state", flat=True)) == {State.SUCCEEDED}
