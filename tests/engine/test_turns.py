"""Random histories of jobs with order keys, through workers that die between any two steps and come back too late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from hookline.engine import claim as claiming
from hookline.engine import order
from hookline.engine.claim import claim
from hookline.engine.job import FOREVER, Job, Lane, State, requeue
from hookline.engine.order import take_turns
from hookline.engine.settle import begin, release_expired, settle
from hookline.engine.settlement import Settlement
from tests.engine.rows import KINDS, Jobs, ago

LATER = 3600.0
SETTLEMENTS = {
    "succeed": Settlement.succeed(),
    "retry": Settlement.retry(LATER, ""),
    "give back": Settlement.give_back(0),
    "die": Settlement.die(""),
    "cancel": Settlement.cancel(""),
}
#: Which of some jobs a step is about. It depends on nothing, since what is claimed first may differ from run to run.
SOME = st.lists(st.integers(0, 11), min_size=1, max_size=3)
T = TypeVar("T")


def _some(of: Sequence[T], numbers: list[int]) -> list[T]:
    """Those with these numbers, counted round and round, each job once."""
    chosen = [of[number % len(of)] for number in numbers] if of else []
    return list({getattr(one, "pk", one): one for one in chosen}.values())


@dataclass
class Known:
    """What the test knows of a job."""

    key: str | None
    place: int
    #: Whether its first run began, or a person ended it before that.
    begun: bool = False


class Turns(RuleBasedStateMachine):
    """Each step of a worker is a step here: anything may happen before it takes the next, and it may never do so."""

    jobs: ClassVar[Jobs]

    def __init__(self) -> None:
        super().__init__()
        self.lane: Lane
        self.known: dict[UUID, Known] = {}
        #: Claimed, and not yet told whether it is their turn.
        self.claimed: list[Job] = []
        #: Running, or running no longer without its worker knowing.
        self.running: list[Job] = []
        #: Of each key the job that has begun and not ended.
        self.under_way: dict[str, UUID] = {}

    @initialize()
    def start(self) -> None:
        self.jobs.model._default_manager.all().delete()
        self.lane = self.jobs.ordered_lane()

    @rule(keys=st.lists(st.sampled_from(["a", "a", "b", None]), min_size=1, max_size=3))
    def add(self, keys: list[str | None]) -> None:
        for job, key in zip(self.jobs.add_in_order(self.lane, *keys), keys, strict=True):
            self.known[job.pk] = Known(key, len(self.known))

    @rule(most=st.integers(1, 4))
    def claim(self, most: int) -> None:
        """A worker claims, and comes no further yet."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(claiming, "take_turns", lambda _, jobs: list(jobs))
            self.claimed += claim(self.jobs.model, most, lease=LATER)

    @rule(numbers=SOME)
    def take_turns(self, numbers: list[int]) -> None:
        taken = _some(self.claimed, numbers)
        had_turn = {job.pk for job in taken if job.has_turn}
        self.claimed = [job for job in self.claimed if job not in taken]
        for job in take_turns(self.jobs.model, taken):
            # One that had its turn when it was claimed is not looked at again. If its worker slept through the lease,
            # it begins what may have been cancelled meanwhile, as at any moment after this one; its result is refused.
            if job.pk not in had_turn or self._holds(job):
                self._begins(job)
            self.running.append(job)

    def _holds(self, job: Job) -> bool:
        held = self.jobs.model._default_manager.filter(pk=job.pk, state=State.RUNNING, claim=job.claim)
        return held.exists()

    @rule(most=st.integers(1, 4))
    def claim_and_take_turns(self, most: int) -> None:
        for job in claim(self.jobs.model, most, lease=LATER):
            self._begins(job)
            self.running.append(job)

    def _begins(self, job: Job) -> None:
        known = self.known[job.pk]
        if known.key is None:
            return
        assert self.under_way.get(known.key, job.pk) == job.pk, f"{known} runs beside another of its key"
        if not known.begun:
            earlier = [one for one in self.known.values() if one.key == known.key and one.place < known.place]
            assert all(one.begun for one in earlier), f"{known} has overtaken {earlier}"
        known.begun = True
        self.under_way[known.key] = job.pk

    def _ends(self, pk: UUID) -> None:
        known = self.known[pk]
        known.begun = True
        if known.key is not None and self.under_way.get(known.key) == pk:
            del self.under_way[known.key]

    @rule(numbers=SOME, how=st.sampled_from(sorted(SETTLEMENTS)))
    def settle(self, numbers: list[int], how: str) -> None:
        """Perhaps too late."""
        some = _some(self.running, numbers)
        for pk in settle([(job, SETTLEMENTS[how]) for job in some]):
            if how in ("succeed", "cancel"):
                self._ends(pk)
        self.running = [job for job in self.running if job not in some]

    @rule(numbers=SOME, crashed=st.booleans())
    def lapse(self, numbers: list[int], crashed: bool) -> None:
        """Workers die, or sleep through their leases; others notice. A job that crashed too often is dead."""
        held = self.jobs.model._default_manager.filter(state=State.RUNNING)
        pks = sorted(held.values_list("pk", flat=True), key=lambda pk: self.known[pk].place)
        lost = _some(pks, numbers)
        if crashed:
            begin([job for job in self.running if job.pk in lost])
        held.filter(pk__in=lost).update(lease_until=ago(1))
        release_expired(self.jobs.model, max_attempts=2)

    @rule()
    def wait_out_a_back_off(self) -> None:
        waiting = self.jobs.model._default_manager.filter(state=State.PENDING, due_at__lt=FOREVER)
        waiting.update(due_at=ago(1))

    def _ids(self, numbers: list[int]) -> list[UUID]:
        return _some(list(self.known), numbers)

    @rule(numbers=SOME)
    def requeue(self, numbers: list[int]) -> None:
        """By a person or a replay; or by the sender, who delivers a dead one again."""
        requeue(self.jobs.model._default_manager.filter(pk__in=self._ids(numbers)), "")

    @rule(numbers=SOME)
    def hurry(self, numbers: list[int]) -> None:
        """A person wants one done now that waits."""
        waiting = self.jobs.model._default_manager.filter(pk__in=self._ids(numbers), state=State.PENDING)
        waiting.update(due_at=ago(0))

    @rule(numbers=SOME)
    def discard(self, numbers: list[int]) -> None:
        for pk in order.cancel(self.jobs.model, self._ids(numbers), ""):
            self._ends(pk)

    @rule(numbers=SOME)
    def release(self, numbers: list[int]) -> None:
        for pk in order.release(self.jobs.model, self._ids(numbers)):
            self._ends(pk)

    @invariant()
    def who_waits_waits_for_somebody(self) -> None:
        """A turn that is lost would never come back."""
        rows: list[Any] = list(self.jobs.model._default_manager.all())
        for job in rows:
            if job.state == State.PENDING and job.due_at == FOREVER:
                assert [one for one in rows if one.has_turn and one.order_key == job.order_key], f"{job} is forgotten"

    def teardown(self) -> None:
        """All that is left is done in the end, once a person has decided about the dead."""
        if not self.known:
            return
        model = self.jobs.model
        while True:
            model._default_manager.filter(state=State.RUNNING).update(lease_until=ago(1))
            release_expired(model, max_attempts=1000)
            self.wait_out_a_back_off()
            done = claim(model, 100, lease=LATER)
            for job in done:
                self._begins(job)
                for pk in settle([(job, Settlement.succeed())]):
                    self._ends(pk)
            parked = list(model._default_manager.filter(state=State.DEAD, has_turn=True).values_list("pk", flat=True))
            for pk in order.release(model, parked):
                self._ends(pk)
            if not done and not parked:
                break
        assert set(model._default_manager.values_list("state", flat=True)) <= {"succeeded", "dead", "cancelled"}
        model._default_manager.all().delete()


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_no_job_overtakes_another_of_its_key_and_none_is_forgotten(
    kind: type[Jobs], transactional_db: None
) -> None:
    class TurnsOfKind(Turns):
        jobs = kind()

    run_state_machine_as_test(
        TurnsOfKind,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],
        ),
    )
