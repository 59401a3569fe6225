"""A third kind of job, in one file: everything that is done for every kind is done for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connection, models

from hookline import conf, tasks
from hookline.audit.actor import SYSTEM
from hookline.core.ids import uuid7
from hookline.core.retry import RetrySchedule
from hookline.engine import kind as engine
from hookline.engine.claim import claim
from hookline.engine.job import Job, State, job_indexes
from hookline.engine.kind import JobKind, kind_of
from hookline.engine.prune import Pruner
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement, after_failure
from hookline.engine.threaded import Threaded
from hookline.engine.worker import Begin
from hookline.incoming.models import Source
from hookline.operations import doctor, prune, stats
from hookline.runtime.broker.sweep import sweep
from hookline.runtime.fleet import Fleet
from tests.engine.rows import ago, make_source
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = conf.load({"POLL": 0.05, "RETENTION": 30 * 86400})
DELAYS = (0.0, 0.0)


class Chore(Job):
    prefix = "chr"
    noun, nouns = "chore", "chores"
    lane = "source"

    source = models.ForeignKey(Source, models.DO_NOTHING, related_name="+", db_index=False)
    #: How often it fails.
    failures = models.IntegerField(default=0)

    class Meta:
        app_label = "chores"
        db_table = "chores_chore"
        indexes = job_indexes("chores_chore", "source")


def do(chores: Iterable[Chore], begin: Begin[Chore]) -> None:
    for chore in chores:
        begin(chore, "the chore")
        failed = chore.attempts <= chore.failures
        settle([(chore, fail(chore, ValueError("broken")) if failed else Settlement.succeed())])


def fail(chore: Chore, error: BaseException) -> Settlement:
    return after_failure(RetrySchedule(DELAYS), chore.attempts, str(error))


def make(settings: conf.Settings) -> JobKind[Chore]:
    return JobKind(
        model=Chore,
        lease=settings.LEASE,
        per_lane=100,
        longest_run=60,
        retry=RetrySchedule(DELAYS),
        runner=Threaded(run=do, fail=fail, poll=settings.POLL, threads=2),
        prune=partial(pruners, settings),
    )


def pruners(settings: conf.Settings) -> list[Pruner]:
    return [Pruner(Chore, settings.RETENTION)]


@pytest.fixture(autouse=True)
def source() -> Iterator[Source]:
    """The kind and its table, for the time of a test."""
    with connection.schema_editor() as editor:
        editor.create_model(Chore)
    engine.register(Chore, make, direction="incoming", task="chores.do")
    yield make_source("stripe")
    engine.forget(Chore)
    with connection.schema_editor() as editor:
        editor.delete_model(Chore)


def add(source: Source, **fields: Any) -> Chore:
    return Chore._default_manager.create(source=source, **fields)


def state_of(chore: Chore) -> tuple[str, int, str]:
    chore.refresh_from_db()
    return chore.state, chore.attempts, chore.note


def test_it_is_claimed_run_and_retried_by_workers_and_dies_when_no_tries_are_left(source: Source) -> None:
    fine, once, never = add(source), add(source, failures=1), add(source, failures=9)
    fleet = Fleet(SETTINGS, only="incoming")
    fleet.start()
    try:
        wait_until(lambda: not Chore._default_manager.filter(state__in=["pending", "running"]).exists())
    finally:
        fleet.stop()
    assert state_of(fine) == (State.SUCCEEDED, 1, "")
    assert state_of(once) == (State.SUCCEEDED, 2, "")
    assert state_of(never) == (State.DEAD, 3, "broken; no tries left")


def test_a_task_of_celery_runs_it(source: Source) -> None:
    chore = add(source, failures=1)
    tasks.share(Chore)
    assert state_of(chore) == (State.SUCCEEDED, 2, "")
    assert engine.declaration_of(Chore).task == "chores.do"


def test_the_sweep_takes_it_back_and_asks_for_it(source: Source) -> None:
    chore, asked = add(source), list[Any]()
    claim(Chore, 1, lease=-1)
    sweep(SETTINGS, asked.append)
    assert state_of(chore)[0] == State.PENDING
    assert Chore in asked


def test_it_is_counted_and_its_lag_is_looked_at(source: Source) -> None:
    add(source, due_at=ago(3600))
    assert stats.take().backlogs["chores"].states["pending"] == 1
    [lag] = [finding for finding in doctor.examine() if finding.check == "chores lag"]
    assert not lag.ok


def test_its_history_is_pruned(source: Source) -> None:
    old = uuid7(int((time.time() - 40 * 86400) * 1e9), bytes(8))
    add(source, id=old, state=State.SUCCEEDED, finished_at=ago(35 * 86400))
    kept = add(source)
    assert prune.prune(SYSTEM, SETTINGS)["chores"] == 1
    assert [chore.pk for chore in Chore._default_manager.all()] == [kept.pk]


def test_its_tries_are_counted_in_one_place() -> None:
    assert kind_of(Chore, SETTINGS).max_attempts == 3
