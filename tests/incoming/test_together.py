"""Several events in one transaction; when one fails, each by itself (EVENTS_PER_TRANSACTION)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings

from hookline import Discard, conf, dispatch, signals
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.outgoing.models import Message
from hookline.telemetry.courier import courier
from tests.edges.conftest import Register
from tests.engine.rows import make_event, make_source
from tests.waiting import wait_until
from tests.workers import events_worker


@pytest.fixture
def events(transactional_db: None) -> list[Event]:
    """Five claimed events of the types a, b, c, d, e."""
    source = make_source("stripe")
    for event_type in "abcde":
        make_event(source, type=event_type)
    return claim(Event, 5, lease=60)


@pytest.fixture
def without_retries() -> Iterator[None]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": []}):
        yield


def states() -> dict[str, str]:
    return dict(Event.objects.values_list("type", "state"))


def written() -> set[str]:
    return set(Group.objects.values_list("name", flat=True))


def test_one_that_fails_and_one_that_is_discarded_leave_nothing_and_the_others_take_effect(
    events: list[Event], handler: Register, without_retries: None
) -> None:
    dead: list[str] = []

    def died(event: Event, **more: Any) -> None:
        dead.append(event.type)

    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name=event.type)
        dispatch("effect", {"event": event.type})
        if event.type == "b":
            raise ValueError("broken")
        if event.type == "c":
            raise SystemExit
        if event.type == "d":
            raise Discard("not wanted")

    signals.event_dead.connect(died)
    try:
        process.run_all(events)
        assert courier.drain(10)
    finally:
        signals.event_dead.disconnect(died)
    assert states() == {"a": "succeeded", "b": "dead", "c": "dead", "d": "cancelled", "e": "succeeded"}
    assert written() == {"a", "e"}
    assert {message.json["data"]["event"] for message in Message.objects.all()} == {"a", "e"}
    assert dead == ["b", "c"]


@pytest.mark.parametrize("together", [True, False])
def test_a_handler_that_swallowed_an_error_of_the_database_is_a_failure_because_its_writes_are_gone(
    events: list[Event], handler: Register, without_retries: None, together: bool
) -> None:
    """Django can only roll back to the savepoint then; to call that done would lose what the handler wrote."""
    Group.objects.create(name="taken")

    @handler("stripe")
    def swallow(event: Event) -> None:
        Group.objects.create(name=event.type)
        if event.type == "b":
            with suppress(IntegrityError):
                Group.objects.create(name="taken")

    if together:
        process.run_all(events)
    else:
        for event in events:
            process.run_all([event])
    assert states() == {"a": "succeeded", "b": "dead", "c": "succeeded", "d": "succeeded", "e": "succeeded"}
    assert written() == {"taken", "a", "c", "d", "e"}


def test_when_one_was_lost_to_another_worker_the_others_take_effect_once(
    events: list[Event], handler: Register
) -> None:
    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name=event.type)

    Event.objects.filter(type="c").update(claim=7)
    process.run_all(events)
    assert states() == {"a": "succeeded", "b": "succeeded", "c": "running", "d": "succeeded", "e": "succeeded"}
    assert written() == {"a", "b", "d", "e"}


def test_what_a_handler_left_to_do_after_the_commit_may_fail_without_undoing_any_event(
    events: list[Event], handler: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ConnectionError("the mail server is away")

    calls: list[str] = []

    @handler("stripe")
    def write(event: Event) -> None:
        calls.append(event.type)
        Group.objects.create(name=event.type)
        if event.type == "b":
            transaction.on_commit(fail)

    process.run_all(events)
    assert set(states().values()) == {State.SUCCEEDED}
    assert sorted(calls) == ["a", "b", "c", "d", "e"]
    assert "the mail server is away" in caplog.text


def test_a_worker_with_batches_gives_every_event_one_effect(handler: Register, transactional_db: None) -> None:
    source = make_source("stripe")
    for _ in range(100):
        make_event(source)

    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("effect", {"event": event.public_id})

    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENTS_PER_TRANSACTION": 8}):
        worker = events_worker(conf.get(), threads=2)
        worker.start()
        wait_until(lambda: Event.objects.filter(state=State.SUCCEEDED).count() == 100, 30)
        worker.stop(10)
    assert len({message.json["data"]["event"] for message in Message.objects.all()}) == Message.objects.count() == 100


def test_while_all_goes_well_there_is_no_savepoint(events: list[Event], handler: Register) -> None:
    @handler("stripe")
    def write(event: Event) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO auth_group (name) VALUES (%s)", [event.type])

    with CaptureQueriesContext(connection) as queries:
        process.run_all(events)
    statements = [query["sql"] for query in queries]
    assert [sql for sql in statements if "SAVEPOINT" in sql] == []
    assert len([sql for sql in statements if sql.startswith("INSERT")]) == 5
    assert set(states().values()) == {State.SUCCEEDED}


def test_when_one_fails_in_its_midst_those_before_it_run_twice_and_have_one_effect(
    events: list[Event], handler: Register, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    done: list[str] = []

    @handler("stripe")
    def write(event: Event) -> None:
        calls.append(event.type)
        Group.objects.create(name=event.type)
        dispatch("effect", {"event": event.type})
        transaction.on_commit(lambda: done.append(event.type))
        if event.type == "c":
            raise ValueError("broken")

    process.run_all(events)
    assert calls == ["a", "b", "c", "a", "b", "c", "d", "e"]
    assert done == ["a", "b", "d", "e"]
    assert written() == {"a", "b", "d", "e"}
    assert sorted(message.json["data"]["event"] for message in Message.objects.all()) == ["a", "b", "d", "e"]
    assert set(Event.objects.values_list("type", "state", "attempts")) == {
        ("a", "succeeded", 1),
        ("b", "succeeded", 1),
        ("c", "pending", 1),
        ("d", "succeeded", 1),
        ("e", "succeeded", 1),
    }
    assert "the 3 events of its transaction run again, each by itself" in caplog.text


def test_what_fails_first_in_its_transaction_runs_only_once(events: list[Event], handler: Register) -> None:
    calls: list[str] = []

    @handler("stripe")
    def fail(event: Event) -> None:
        calls.append(event.type)
        raise ValueError("broken")

    process.run_all(events)
    assert calls == ["a", "b", "c", "d", "e"]
    assert set(states().values()) == {State.PENDING}


def test_what_only_fails_beside_others_succeeds_by_itself(events: list[Event], handler: Register) -> None:
    """A handler that trips over what another one wrote in the same transaction, say."""

    @handler("stripe")
    def write(event: Event) -> None:
        if Group.objects.exists():
            raise ValueError("not alone")
        Group.objects.create(name="mine")
        transaction.on_commit(Group.objects.all().delete)

    process.run_all(events)
    assert set(Event.objects.values_list("state", "attempts")) == {("succeeded", 1)}


def test_a_handler_with_transactions_of_its_own_keeps_what_they_keep(events: list[Event], handler: Register) -> None:
    @handler("stripe")
    def write(event: Event) -> None:
        with transaction.atomic():
            Group.objects.create(name=event.type)
        with suppress(ValueError), transaction.atomic():
            Group.objects.create(name=f"not {event.type}")
            dispatch("effect", {"event": event.type})
            raise ValueError

    process.run_all(events)
    assert set(states().values()) == {State.SUCCEEDED}
    assert written() == {"a", "b", "c", "d", "e"}
    assert not Message.objects.exists()


def test_what_one_left_to_do_after_the_commit_fails_and_what_the_others_left_is_done(
    events: list[Event], handler: Register
) -> None:
    done: list[str] = []

    def after(event_type: str) -> None:
        if event_type == "b":
            raise ConnectionError("the mail server is away")
        done.append(event_type)

    @handler("stripe")
    def leave(event: Event) -> None:
        transaction.on_commit(partial(after, event.type))

    process.run_all(events)
    assert done == ["a", "c", "d", "e"]
    assert set(states().values()) == {State.SUCCEEDED}


def test_by_default_those_that_wait_share_a_transaction(handler: Register, transactional_db: None) -> None:
    source = make_source("stripe")
    ran: list[str] = []
    ran_before_a_commit: set[int] = set()

    @handler("stripe")
    def look(event: Event) -> None:
        Group.objects.create(name=event.public_id)
        ran.append(event.public_id)
        transaction.on_commit(lambda: ran_before_a_commit.add(len(ran)))

    for _ in range(40):
        make_event(source)
    worker = events_worker(conf.get(), threads=1)
    worker.start()
    wait_until(lambda: Event.objects.filter(state=State.SUCCEEDED).count() == 40, 30)
    worker.stop(10)
    assert len(set(ran)) == len(ran) == 40
    assert len(ran_before_a_commit) < 40  # one for each COMMIT


def test_by_default_no_event_waits_behind_a_slow_handler_while_a_thread_is_free(
    handler: Register, transactional_db: None
) -> None:
    source = make_source("stripe")
    together = threading.Barrier(4)

    @handler("stripe")
    def meet(event: Event) -> None:
        together.wait(20)

    for _ in range(4):
        make_event(source)
    worker = events_worker(conf.get(), threads=4)
    worker.start()
    wait_until(lambda: Event.objects.filter(state=State.SUCCEEDED).count() == 4, 30)
    worker.stop(10)
    assert set(Event.objects.values_list("attempts", flat=True)) == {1}
