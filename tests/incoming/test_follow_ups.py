"""What follows an event once its handlers are committed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

import hookline
from hookline import Discard, Retry, conf
from hookline.engine.claim import claim
from hookline.engine.job import State, requeue
from hookline.engine.kind import kind_of
from hookline.engine.prune import Pruner
from hookline.engine.settle import release_expired
from hookline.exceptions import ConfigurationError
from hookline.incoming.follow_ups import functions
from hookline.incoming.follow_ups import run as follow_ups
from hookline.incoming.models import Event, FollowUp, Source
from hookline.incoming.process import run as process
from hookline.incoming.retention import pruners
from tests.edges.conftest import Register
from tests.engine.rows import ago, make_event, make_source
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

#: Every call of the functions below, and what they do next.
CALLS: list[Any] = []
RAISES: list[BaseException] = []


def notify(event: Event, **arguments: Any) -> None:
    CALLS.append((event.public_id, arguments, connection.in_atomic_block))
    if RAISES:
        raise RAISES.pop(0)


async def anotify(event: Event) -> None:
    await asyncio.sleep(0)
    CALLS.append((event.public_id, {}, connection.in_atomic_block))


@pytest.fixture(autouse=True)
def marked() -> Iterator[None]:
    hookline.after_commit(retry=(0, 60))(notify)
    hookline.after_commit(anotify)
    yield
    functions.forget(notify)
    functions.forget(anotify)
    CALLS.clear()
    RAISES.clear()


@pytest.fixture
def source() -> Source:
    return make_source("stripe")


def run_event(source: Source, **fields: Any) -> Event:
    made = make_event(source, **fields)
    (event,) = claim(Event, 1, lease=60)
    process.run(event)
    return made


def run_due() -> None:
    """Run what is due now, once."""
    due = claim(FollowUp, 10, lease=60)
    follow_ups.fetch_events(due)
    for one in due:
        follow_ups.run(one)


def test_it_is_called_with_the_event_and_its_arguments_outside_of_any_transaction(
    source: Source, handler: Register
) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        Group.objects.create(name="paid")
        event.after_commit(notify, order=7)
        event.after_commit(anotify)
        assert CALLS == []

    event = run_event(source)
    assert FollowUp.objects.pending().count() == 2
    run_due()
    assert sorted(CALLS, key=str) == [(event.public_id, {"order": 7}, False), (event.public_id, {}, False)]
    assert set(FollowUp.objects.values_list("state", flat=True)) == {State.SUCCEEDED}


def test_handlers_that_fail_leave_nothing_to_follow(source: Source, handler: Register) -> None:
    @handler("stripe")
    def broken(event: Event) -> None:
        event.after_commit(notify)
        raise ValueError("broken")

    run_event(source)
    assert FollowUp.objects.count() == 0


def test_one_event_has_one_call_of_a_function_for_each_key(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        for order in (1, 2):
            event.after_commit(notify, order=order)
            event.after_commit(notify, key=f"copy-{order}", order=order)

    run_event(source)
    asked = FollowUp.objects.order_by("key").values_list("key", "arguments")
    assert list(asked) == [("", {"order": 2}), ("copy-1", {"order": 1}), ("copy-2", {"order": 2})]


def test_an_event_that_is_processed_again_is_followed_again(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify, attempt=event.claim)

    run_event(source)
    run_due()
    requeue(Event.objects.all(), "a person asked")
    (event,) = claim(Event, 1, lease=60)
    process.run(event)
    run_due()
    assert [arguments for _, arguments, _ in CALLS] == [{"attempt": 1}, {"attempt": 2}]
    assert FollowUp.objects.count() == 1


def test_what_it_raises_is_retried_by_its_own_schedule_until_it_is_dead(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify)

    run_event(source)
    RAISES[:] = [ValueError("no mail server"), Retry(after=0), ValueError("still none")]
    for state, attempts in ((State.PENDING, 1), (State.PENDING, 2), (State.DEAD, 3)):
        FollowUp.objects.update(due_at=ago(1))
        run_due()
        found = FollowUp.objects.get()
        assert (found.state, found.attempts) == (state, attempts)
    assert found.note.startswith("ValueError: still none")
    assert Event.objects.get().state == State.SUCCEEDED


def test_it_may_discard_itself(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify)

    run_event(source)
    RAISES[:] = [Discard("the customer wants no mail")]
    run_due()
    assert FollowUp.objects.values_list("state", "note").get() == (State.CANCELLED, "the customer wants no mail")


def test_one_whose_worker_died_is_called_again(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify)

    run_event(source)
    claim(FollowUp, 1, lease=-1)
    release_expired(FollowUp, 5)
    run_due()
    assert len(CALLS) == 1


def test_a_worker_runs_them_beside_the_handlers(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify)

    run_event(source)
    kind = kind_of(FollowUp, conf.get())
    assert kind.runs_here()
    worker = kind.worker()
    worker.start()
    try:
        wait_until(lambda: FollowUp.objects.get().state == State.SUCCEEDED)
    finally:
        worker.stop(10)
    assert len(CALLS) == 1


def test_where_no_function_is_marked_no_worker_looks_for_them() -> None:
    functions.forget(notify)
    functions.forget(anotify)
    assert not kind_of(FollowUp, conf.get()).runs_here()


def test_what_no_worker_could_call_is_refused_at_once(source: Source, handler: Register) -> None:
    def local(event: Event) -> None: ...

    with pytest.raises(ConfigurationError, match="at the top of a module"):
        hookline.after_commit(local)
    with pytest.raises(ConfigurationError, match="is for handlers"):
        make_event(source, dedup_key="id:x").after_commit(notify)
    problems: list[str] = []

    @handler("stripe")
    def paid(event: Event) -> None:
        for function, order in ((run_due, 1), (notify, object())):
            try:
                event.after_commit(function, order=order)
            except (ConfigurationError, TypeError) as error:
                problems.append(str(error))

    Event.objects.all().delete()
    run_event(source)
    assert "is not marked with @hookline.after_commit" in problems[0]
    assert "not JSON serializable" in problems[1]


def test_one_whose_function_is_gone_says_so_and_is_retried(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify)

    run_event(source)
    functions.forget(notify)
    run_due()
    found = FollowUp.objects.get()
    assert found.state == State.PENDING
    assert "is not marked with @hookline.after_commit in this process" in found.note


def test_an_event_stays_for_as_long_as_what_follows_it(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify)

    run_event(source)
    Event.objects.update(finished_at=ago(90 * 86400))
    settings = conf.load({"RETENTION": 1})
    of_events = next(pruner for pruner in pruners(settings) if pruner.model is Event)
    of_events.retention = -60.0
    of_events.step()
    assert Event.objects.count() == 1
    run_due()
    FollowUp.objects.update(finished_at=ago(90 * 86400))
    Pruner(FollowUp, -60.0).step()
    again = Pruner(Event, -60.0, keepers=[(FollowUp, "event")])
    again.step()
    assert (Event.objects.count(), FollowUp.objects.count()) == (0, 0)


def test_a_batch_writes_them_all_by_one_statement(source: Source, handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        event.after_commit(notify, id=event.public_id)

    for _ in range(5):
        make_event(source)
    events = claim(Event, 5, lease=60)
    with transaction.atomic():
        pass
    process.run_all(events)
    assert FollowUp.objects.count() == 5
    assert {one.event_id.hex for one in FollowUp.objects.all()} == {event.pk.hex for event in events}
