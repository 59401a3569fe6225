"""History goes when it is older than its retention, a few rows at a time; what still waits never goes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, connections, transaction

from hookline import conf
from hookline.core import ids
from hookline.engine import prune as engine
from hookline.engine.job import State, requeue
from hookline.engine.prune import Pruner, Pruning, prune
from hookline.incoming import retention as incoming
from hookline.incoming.models import Event, Rejection
from hookline.outgoing import retention as outgoing
from hookline.outgoing.content import ContentEnding
from hookline.outgoing.expiry import Expiring
from hookline.outgoing.models import Attempt, Delivery, Message
from tests.engine.rows import ago, make_delivery, make_endpoint, make_event, make_message, make_source
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86400
KEPT = 90 * DAY


def id_from(seconds_ago: float) -> UUID:
    """The id of a row that was made so long ago."""
    return ids.uuid7(int((time.time() - seconds_ago) * 1e9), os.urandom(8))


def make_old_event(source: Any, state: State, days: float = 100, **fields: Any) -> Event:
    finished = state in (State.SUCCEEDED, State.DEAD, State.CANCELLED)
    fields.setdefault("finished_at", ago(days * DAY) if finished else None)
    return make_event(source, id=id_from(days * DAY), state=state, **fields)


def make_attempt(delivery: Delivery) -> Attempt:
    return Attempt.objects.create(delivery=delivery, number=1, status=200, duration_ms=3)


def ids_of(model: Any) -> set[UUID]:
    return set(model.objects.values_list("pk", flat=True))


def steps(pruner: Pruner) -> int:
    """How many steps it makes until nothing is left to look at."""
    count = 1
    while pruner.step().more:
        count += 1
    return count


def test_events_that_ended_before_the_retention_go_and_all_others_stay() -> None:
    source = make_source()
    for state in (State.SUCCEEDED, State.DEAD, State.CANCELLED):
        make_old_event(source, state)
    stay = {
        make_old_event(source, State.PENDING).pk,
        make_old_event(source, State.RUNNING, lease_until=ago(-60)).pk,
        make_old_event(source, State.SUCCEEDED, days=89).pk,
        # Retried by hand last week.
        make_old_event(source, State.DEAD, finished_at=ago(7 * DAY)).pk,
    }
    assert prune([Pruner(Event, KEPT)]).deleted == {"events": 3}
    assert ids_of(Event) == stay


def test_rejections_go_by_their_age() -> None:
    fields = {"reason": "signature_mismatch", "status": 401, "method": "POST", "path": "/in/x"}
    Rejection.objects.create(id=id_from(31 * DAY), **fields)
    recent = Rejection.objects.create(id=id_from(29 * DAY), **fields)
    assert prune(incoming.pruners(conf.load({}))).deleted == {"rejections": 1}
    assert ids_of(Rejection) == {recent.pk}


def test_a_delivery_goes_with_its_attempts_and_a_message_when_no_delivery_is_left() -> None:
    endpoint, other = make_endpoint(), make_endpoint()
    done, waiting, unwanted = (make_message() for _ in range(3))
    for message in (done, waiting, unwanted):
        Message.objects.filter(pk=message.pk).update(id=id_from(100 * DAY))
    done, waiting, unwanted = Message.objects.order_by("id")
    ended = {"state": State.SUCCEEDED, "finished_at": ago(99 * DAY)}
    for message in (done, waiting):
        delivery = make_delivery(endpoint, message, id=id_from(100 * DAY), **ended)
        make_attempt(delivery)
        make_attempt(delivery)
    pending = make_delivery(other, waiting, id=id_from(100 * DAY))
    kept = make_attempt(pending)
    deleted = prune(outgoing.pruners(conf.load({}))).deleted
    assert deleted == {"deliveries": 2, "attempts": 4, "messages": 2}
    assert (ids_of(Message), ids_of(Delivery), ids_of(Attempt)) == ({waiting.pk}, {pending.pk}, {kept.pk})


def test_only_what_has_a_time_of_its_own_ends_where_everything_is_kept() -> None:
    settings = conf.load({"RETENTION": 0, "REJECTION_RETENTION": 0})
    walks = [*incoming.pruners(settings), *outgoing.pruners(settings)]
    assert {type(walk) for walk in walks} == {Expiring, ContentEnding}


def test_what_waits_is_stepped_over_once_and_looked_at_again_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WINDOW", 3)
    source = make_source()
    waiting = [make_old_event(source, State.PENDING, days=100 + number) for number in range(12)]
    pruner = Pruner(Event, KEPT)
    assert steps(pruner) == 5
    Event.objects.filter(pk=waiting[5].pk).update(state=State.CANCELLED, finished_at=ago(91 * DAY))
    assert steps(pruner) == 1
    assert Event.objects.count() == 12
    monkeypatch.setattr(engine, "_AGAIN", 0.0)
    assert steps(pruner) == 1  # the end of this walk
    assert steps(pruner) == 5
    assert Event.objects.count() == 11


def test_a_step_deletes_no_more_than_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WINDOW", 4)
    source = make_source()
    for number in range(10):
        make_old_event(source, State.SUCCEEDED, days=100 + number)
    pruner = Pruner(Event, KEPT)
    assert [pruner.step().deleted["events"] for _ in range(3)] == [4, 4, 2]


def test_pruning_ends_when_its_time_is_up_and_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WINDOW", 2)
    source = make_source()
    for number in range(9):
        make_old_event(source, State.SUCCEEDED, days=100 + number)
    pruners = [Pruner(Event, KEPT)]
    assert prune(pruners, seconds=0) == engine.Step(more=True)
    step = prune(pruners)
    assert (step.deleted, step.more) == ({"events": 9}, False)


@contextmanager
def in_another_transaction(statements: Sequence[Any]) -> Iterator[None]:
    """Runs the functions in a transaction of another connection, which stays open for the length of the block."""
    ready, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                for statement in statements:
                    statement()
                ready.set()
                assert go_on.wait(20)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        go_on.set()
        holder.join()


def test_an_event_that_is_made_due_again_at_the_same_moment_stays() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite there is one writer at a time")
    source = make_source()
    gone = make_old_event(source, State.DEAD)
    revived = make_old_event(source, State.DEAD)
    with in_another_transaction([lambda: requeue(Event.objects.filter(pk=revived.pk), "again")]):
        assert prune([Pruner(Event, KEPT)]).deleted == {"events": 1}
        assert not Event.objects.filter(pk=gone.pk).exists()
    assert [event.state for event in Event.objects.all()] == [State.PENDING]


def test_several_that_prune_at_once_delete_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WINDOW", 10)
    source, endpoint = make_source(), make_endpoint()
    for number in range(100):
        make_old_event(source, State.SUCCEEDED, days=100 + number / 100)
        delivery = make_delivery(
            endpoint, id=id_from((100 + number / 100) * DAY), state=State.DEAD, finished_at=ago(99 * DAY)
        )
        make_attempt(delivery)
    deleted: list[int] = []

    def work() -> None:
        try:
            done = prune([Pruner(Event, KEPT), Pruner(Delivery, KEPT, parts=[(Attempt, "delivery")])]).deleted
            deleted.append(done.total())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(deleted) == 300
    assert (Event.objects.count(), Delivery.objects.count(), Attempt.objects.count()) == (0, 0, 0)


def test_a_thread_beside_the_worker_prunes_and_outlives_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_old_event(make_source(), State.SUCCEEDED)
    pruner = Pruner(Event, KEPT)
    step, failures = pruner.step, [OperationalError("away")]

    def step_at_the_second_try() -> engine.Step:
        if failures:
            raise failures.pop()
        return step()

    monkeypatch.setattr(pruner, "step", step_at_the_second_try)
    monkeypatch.setattr(Pruning, "PAUSE", 0.01)
    pruning = Pruning([pruner])
    pruning.start()
    try:
        wait_until(lambda: not Event.objects.exists())
    finally:
        pruning.stop()
    assert "cannot prune history" in caplog.text
