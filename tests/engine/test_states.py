"""Random histories of jobs, compared with a model of a few lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hookline.engine.claim import claim
from hookline.engine.job import Job, Lane, State, requeue
from hookline.engine.settle import begin, extend, release_expired, settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import KINDS, Jobs

MAX_ATTEMPTS = 3
LATER, NOW = 3600.0, 0.0


@dataclass
class Model:
    lane: UUID
    due: bool
    state: str = "pending"
    attempts: int = 0
    claim: int = 0
    expired: bool = False
    begun: bool = False
    crashes: int = 0


class History(RuleBasedStateMachine):
    """Time stands still: a moment is either long past or an hour away."""

    jobs: ClassVar[Jobs]

    def __init__(self) -> None:
        super().__init__()
        self.lanes: list[Lane] = []
        self.held: set[UUID] = set()
        self.expected: dict[UUID, Model] = {}
        #: Everything that was ever claimed, as its worker saw it: most of it is out of date.
        self.claimed: list[Job] = []

    @initialize()
    def begin(self) -> None:
        self.jobs.model._default_manager.all().delete()
        self.lanes = [self.jobs.lane() for _ in range(2)]

    @rule(lane=st.integers(0, 1), due=st.booleans())
    def add(self, lane: int, due: bool) -> None:
        (job,) = self.jobs.add(self.lanes[lane], 5 if due else -LATER)
        self.expected[job.pk] = Model(self.lanes[lane].pk, due)

    @rule(lane=st.integers(0, 1), hold=st.booleans())
    def hold(self, lane: int, hold: bool) -> None:
        chosen = self.lanes[lane]
        until = datetime.now(UTC) + timedelta(hours=1) if hold else None
        type(chosen)._default_manager.filter(pk=chosen.pk).update(held_until=until)
        self.held = self.held | {chosen.pk} if hold else self.held - {chosen.pk}

    @rule(limit=st.integers(1, 4), expired=st.booleans())
    def claim(self, limit: int, expired: bool) -> None:
        taken = claim(self.jobs.model, limit, lease=-5 if expired else LATER)
        ready = {
            pk for pk, job in self.expected.items() if job.state == "pending" and job.due and job.lane not in self.held
        }
        lanes = len({self.expected[pk].lane for pk in ready})
        assert {job.pk for job in taken} <= ready
        assert len(taken) <= limit
        if ready:
            assert len(taken) >= min(limit, lanes)
        if lanes == 1:
            assert len(taken) == min(limit, len(ready))
        for job in taken:
            model = self.expected[job.pk]
            model.state, model.expired = "running", expired
            model.claim += 1
            model.attempts += 1
            model.begun = False
            assert (job.claim, job.attempts) == (model.claim, model.attempts)
        self.claimed += taken

    def _is_ours(self, job: Job) -> bool:
        model = self.expected[job.pk]
        return model.state == "running" and model.claim == job.claim

    @precondition(lambda self: self.claimed)
    @rule(data=st.data(), kind=st.sampled_from(["succeed", "retry", "retry_now", "give_back", "die", "cancel"]))
    def settle(self, data: st.DataObject, kind: str) -> None:
        picked = data.draw(
            st.lists(st.sampled_from(self.claimed), min_size=1, max_size=3, unique_by=lambda job: job.pk)
        )
        settlement = {
            "succeed": Settlement.succeed(),
            "retry": Settlement.retry(LATER, ""),
            "retry_now": Settlement.retry(NOW, ""),
            "give_back": Settlement.give_back(NOW),
            "die": Settlement.die(""),
            "cancel": Settlement.cancel(""),
        }[kind]
        ours = {job.pk for job in picked if self._is_ours(job)}
        assert settle([(job, settlement) for job in picked]) == ours
        for pk in ours:
            model = self.expected[pk]
            model.state = settlement.state.value
            model.attempts -= kind == "give_back"
            model.crashes = model.crashes if kind == "give_back" else 0
            model.due = model.due if model.state != "pending" else kind != "retry"

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.claimed))
        if self._is_ours(job):
            assert extend([job], LATER) == {job.pk}
            self.expected[job.pk].expired = False
        else:
            assert extend([job], LATER) == set()

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def begin_running(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.claimed))
        ours = self._is_ours(job)
        assert begin([job]) == ({job.pk} if ours else set())
        self.expected[job.pk].begun |= ours

    @rule()
    def release(self) -> None:
        expired = [model for model in self.expected.values() if model.state == "running" and model.expired]
        assert release_expired(self.jobs.model, MAX_ATTEMPTS) == len(expired)
        for model in expired:
            dies = model.begun and model.attempts >= MAX_ATTEMPTS and model.crashes > 0
            model.state = "dead" if dies else "pending"
            model.attempts -= not model.begun
            model.crashes += 1
            model.due = True

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        pk = data.draw(st.sampled_from(sorted(self.expected)))
        model = self.expected[pk]
        finished = model.state in ("succeeded", "dead", "cancelled")
        assert requeue(self.jobs.model._default_manager.filter(pk=pk), "") == finished
        if finished:
            model.state, model.attempts, model.due, model.crashes = "pending", 0, True, 0

    @invariant()
    def the_database_agrees(self) -> None:
        now = datetime.now(UTC)
        rows: dict[UUID, Any] = {}
        for job in self.jobs.model._default_manager.all():
            rows[job.pk] = (job.state, job.attempts, job.claim, job.crashes)
            model = self.expected[job.pk]
            assert (job.lease_until is not None) == (job.state == "running")
            assert (job.finished_at is not None) == (job.state in ("succeeded", "dead", "cancelled"))
            if job.state == "pending":
                assert (job.due_at <= now + timedelta(seconds=1)) == model.due
        assert rows == {
            pk: (model.state, model.attempts, model.claim, model.crashes) for pk, model in self.expected.items()
        }


@pytest.mark.parametrize("kind", KINDS)
def test_any_history_of_jobs_ends_as_the_model_says(kind: type[Jobs], transactional_db: None) -> None:
    class HistoryOfKind(History):
        jobs = kind()

    run_state_machine_as_test(
        HistoryOfKind,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_the_states_of_the_model_are_those_of_the_engine() -> None:
    assert {state.value for state in State} == {"pending", "running", "succeeded", "dead", "cancelled"}
