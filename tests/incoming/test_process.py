"""Processing an event: its handlers and its state commit together, or neither does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.test.utils import override_settings

from hookline import Discard, Retry, conf, signals
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.exceptions import LeaseLost
from hookline.incoming.models import Event, Source
from hookline.incoming.process import run as process
from hookline.outgoing.models import Message
from hookline.outgoing.publish.dispatch import dispatch
from hookline.telemetry.courier import courier
from tests.edges.conftest import Register
from tests.engine.rows import ago, make_event, make_source
from tests.waiting import wait_until
from tests.workers import events_worker


@pytest.fixture
def source(transactional_db: None) -> Source:
    return make_source("stripe")


@pytest.fixture
def event(source: Source) -> Event:
    """A claimed event."""
    make_event(source)
    (claimed,) = claim(Event, 1, lease=60)
    return claimed


@pytest.fixture
def two_retries() -> Iterator[None]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": [5, 30]}):
        yield


@pytest.fixture
def died() -> Iterator[list[Event]]:
    """The events of the signal `event_dead`."""
    events: list[Event] = []

    def remember(event: Event, **more: Any) -> None:
        events.append(event)

    signals.event_dead.connect(remember)
    yield events
    signals.event_dead.disconnect(remember)


def stored(event: Event) -> Event:
    return Event.objects.get(pk=event.pk)


def seconds_until_due(event: Event) -> float:
    return (stored(event).due_at - datetime.now(UTC)).total_seconds()


def run_until_finished() -> None:
    worker = events_worker(conf.get(), threads=2)
    worker.start()
    try:
        wait_until(lambda: not Event.objects.filter(state__in=["pending", "running"]).exists())
    finally:
        worker.stop(10)


def test_the_writes_of_a_handler_and_the_state_commit_together(event: Event, handler: Register) -> None:
    seen: list[tuple[str, str, bytes, Any]] = []

    @handler("stripe", "invoice.*")
    def write(event: Event) -> None:
        Group.objects.create(name=event.public_id)
        dispatch("effect", {"event": event.public_id})
        seen.append((event.type, event.provider_id, bytes(event.body), event.json))
        assert stored(event).state == State.RUNNING

    assert process.run(event).state == State.SUCCEEDED
    assert (stored(event).state, stored(event).note) == (State.SUCCEEDED, "")
    assert (Group.objects.count(), Message.objects.count()) == (1, 1)
    assert seen == [("invoice.paid", "", b"{}", {})]


def test_what_a_handler_wrote_before_it_failed_is_rolled_back_and_the_note_says_what_failed_and_where(
    event: Event, handler: Register
) -> None:
    @handler("stripe")
    def write_and_fail(event: Event) -> None:
        Group.objects.create(name="written")
        dispatch("effect", {})
        raise ValueError("no such customer")

    assert process.run(event).state == State.PENDING
    assert (Group.objects.count(), Message.objects.count()) == (0, 0)
    assert stored(event).note.startswith("ValueError: no such customer (at tests/incoming/test_process.py:")


def test_of_two_handlers_one_of_which_fails_neither_leaves_anything(event: Event, handler: Register) -> None:
    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name="written")

    @handler("stripe")
    def fail(event: Event) -> None:
        raise ValueError("broken")

    process.run(event)
    assert Group.objects.count() == 0
    assert stored(event).state == State.PENDING


def test_an_event_that_no_handler_wants_is_done_and_its_note_says_so(event: Event, handler: Register) -> None:
    @handler("stripe", "customer.*")
    def other_type(event: Event) -> None:
        raise AssertionError("not asked for")

    @handler("github")
    def other_provider(event: Event) -> None:
        raise AssertionError("not asked for")

    process.run(event)
    assert (stored(event).state, stored(event).note) == (State.SUCCEEDED, "unhandled: no handler wants this event")


@pytest.mark.parametrize(("after", "seconds"), [(90, 90), (0, 0), (0.5, 0.5), (timedelta(days=3), 3 * 86400)])
def test_a_handler_may_say_when_to_try_again(
    event: Event, handler: Register, after: float | timedelta, seconds: float
) -> None:
    @handler("stripe")
    def later(event: Event) -> None:
        Group.objects.create(name="written")
        raise Retry(after, "the invoice is not there yet")

    assert process.run(event).state == State.PENDING
    assert abs(seconds_until_due(event) - seconds) < 3
    assert stored(event).note.startswith("Retry: the invoice is not there yet")
    assert Group.objects.count() == 0


def test_a_retry_without_a_time_follows_the_schedule(event: Event, handler: Register, two_retries: None) -> None:
    @handler("stripe")
    def later(event: Event) -> None:
        raise Retry

    process.run(event)
    assert 2 < seconds_until_due(event) <= 6


@pytest.mark.parametrize("after", [float("nan"), float("inf"), -1, 10.0**12, "5", timedelta(seconds=-5)])
def test_a_time_that_is_none_is_the_handlers_mistake_and_the_note_names_it(
    event: Event, handler: Register, two_retries: None, after: Any
) -> None:
    @handler("stripe")
    def later(event: Event) -> None:
        raise Retry(after)

    assert process.run(event).state == State.PENDING
    assert 2 < seconds_until_due(event) <= 6
    assert "seconds" in stored(event).note


def test_a_retry_counts_towards_the_limit(source: Source, handler: Register, died: list[Event]) -> None:
    @handler("stripe")
    def later(event: Event) -> None:
        raise Retry(0, "not yet")

    make_event(source)
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": [0, 0]}):
        run_until_finished()
    event = Event.objects.get()
    assert courier.drain(10)
    assert (event.state, event.attempts, [dead.pk for dead in died]) == (State.DEAD, 3, [event.pk])


@pytest.mark.parametrize("reason", ["a test order", "NUL \x00 and \ud800", ""])
def test_a_discarded_event_is_cancelled_with_the_reason_and_nothing_remains(
    event: Event, handler: Register, died: list[Event], reason: str
) -> None:
    @handler("stripe")
    def discard(event: Event) -> None:
        Group.objects.create(name="written")
        raise Discard(reason)

    assert process.run(event).state == State.CANCELLED
    assert stored(event).state == State.CANCELLED
    note = stored(event).note
    assert {"a test order": "a test order", "": "the handler discarded the event"}.get(reason, note) == note
    assert note
    assert Group.objects.count() == 0
    assert courier.drain(10)
    assert died == []


def test_retries_follow_the_schedule_with_jitter_and_then_the_event_is_dead_and_the_signal_is_sent_once(
    event: Event, handler: Register, two_retries: None, died: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    @handler("stripe")
    def fail(event: Event) -> None:
        raise ValueError("broken")

    waits = []
    for attempt in (1, 2, 3):
        assert event.attempts == attempt
        process.run(event)
        waits.append(seconds_until_due(event))
        if attempt < 3:
            assert stored(event).state == State.PENDING
            Event.objects.update(due_at=ago(1))
            (event,) = claim(Event, 1, lease=60)
    assert 2 < waits[0] <= 6
    assert 27 < waits[1] <= 36
    dead = stored(event)
    assert (dead.state, dead.attempts) == (State.DEAD, 3)
    assert dead.note.startswith("ValueError: broken")
    assert courier.drain(10)
    assert [found.pk for found in died] == [event.pk]
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.WARNING, logging.ERROR]


def test_a_worker_retries_until_the_event_is_dead(source: Source, handler: Register, died: list[Event]) -> None:
    calls: list[int] = []

    @handler("stripe")
    def fail(event: Event) -> None:
        calls.append(event.attempts)
        raise ValueError("broken")

    make_event(source)
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": [0, 0, 0]}):
        run_until_finished()
    assert calls == [1, 2, 3, 4]
    assert courier.drain(10)
    assert (Event.objects.get().state, len(died)) == (State.DEAD, 1)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("NUL \x00"),
        ValueError("long " * 10_000),
        DatabaseError("not really"),
        SystemExit(1),
        asyncio.CancelledError(),
        RecursionError("deep"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_handler_raises_is_a_failure_with_a_note(
    event: Event, handler: Register, error: BaseException
) -> None:
    @handler("stripe")
    def fail(event: Event) -> None:
        Group.objects.create(name="written")
        raise error

    assert process.run(event).state == State.PENDING
    note = stored(event).note
    assert note.startswith(type(error).__name__)
    assert len(note) <= 2000
    assert Group.objects.count() == 0


class Panic(BaseException):
    """What a Rust extension raises when it panics (pyo3's PanicException) is no Exception either."""


@pytest.mark.parametrize("error", [Panic("index out of bounds"), GeneratorExit(), KeyboardInterrupt("raised by code")])
@pytest.mark.parametrize("together", [1, 10])
def test_what_is_no_exception_is_the_failure_of_its_handler_and_its_neighbours_succeed(
    source: Source, handler: Register, error: BaseException, together: int
) -> None:
    @handler("stripe", "bad")
    def fail(event: Event) -> None:
        Group.objects.create(name="written")
        raise error

    @handler("stripe", "good")
    def succeed(event: Event) -> None:
        Group.objects.create(name=event.public_id)

    for kind in ("good", "bad", "good"):
        make_event(source, type=kind)
    with override_settings(
        HOOKLINE={**django_settings.HOOKLINE, "EVENT_RETRY_DELAYS": [], "EVENTS_PER_TRANSACTION": together}
    ):
        run_until_finished()
    bad = Event.objects.get(type="bad")
    assert (bad.state, bad.attempts) == (State.DEAD, 1)
    assert bad.note.startswith(type(error).__name__)
    assert set(Event.objects.filter(type="good").values_list("state", "attempts")) == {(State.SUCCEEDED, 1)}
    assert Group.objects.count() == 2


def test_ctrl_c_in_the_main_thread_ends_the_run_and_not_the_event(event: Event, handler: Register) -> None:
    @handler("stripe")
    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run(event)
    assert (stored(event).state, stored(event).note) == (State.RUNNING, "")


def test_an_error_whose_text_cannot_be_had_is_still_a_failure_with_a_note(event: Event, handler: Register) -> None:
    class Unprintable(Exception):  # named for what is wrong with it
        def __str__(self) -> str:
            raise RuntimeError("no text")

    @handler("stripe")
    def fail(event: Event) -> None:
        raise Unprintable

    assert process.run(event).state == State.PENDING
    assert stored(event).note.startswith("Unprintable")


def test_a_handler_that_swallowed_a_failed_transaction_is_a_failure(event: Event, handler: Register) -> None:
    @handler("stripe")
    def swallow(event: Event) -> None:
        Group.objects.create(name="written")
        transaction.set_rollback(True)

    assert process.run(event).state == State.PENDING
    assert Group.objects.count() == 0


def test_a_run_that_lost_its_lease_leaves_nothing_and_says_so(
    event: Event, handler: Register, died: list[Event]
) -> None:
    calls: list[int] = []

    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name="written")
        if not calls:
            # Another worker claims the event while this one runs it.
            Event.objects.filter(pk=event.pk).update(claim=event.claim + 1)
        calls.append(1)

    # On PostgreSQL the other worker would commit by itself; here the rollback takes its change back too.
    with pytest.raises(LeaseLost, match="claimed by another worker"):
        process.run(event)
    assert Group.objects.count() == 0
    assert stored(event).state == State.RUNNING
    assert courier.drain(10)
    assert died == []


def test_a_run_that_lost_its_lease_and_fails_does_not_settle_the_event_of_another(
    event: Event, handler: Register, died: list[Event]
) -> None:
    @handler("stripe")
    def fail(event: Event) -> None:
        raise ValueError("broken")

    Event.objects.filter(pk=event.pk).update(claim=event.claim + 1)
    with pytest.raises(LeaseLost):
        process.run(event)
    assert (stored(event).state, stored(event).note) == (State.RUNNING, "")
    assert courier.drain(10)
    assert died == []


def test_what_a_handler_left_to_do_after_the_commit_may_fail_without_undoing_the_event(
    event: Event, handler: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ConnectionError("the mail server is away")

    @handler("stripe")
    def write(event: Event) -> None:
        Group.objects.create(name="written")
        transaction.on_commit(fail)

    assert process.run(event).state == State.SUCCEEDED
    assert (stored(event).state, Group.objects.count()) == (State.SUCCEEDED, 1)
    assert "the mail server is away" in caplog.text
    assert "another worker" not in caplog.text


def test_a_receiver_of_a_signal_that_fails_changes_nothing(event: Event, handler: Register, two_retries: None) -> None:
    def fail_too(**more: Any) -> None:
        raise RuntimeError("the pager is away")

    @handler("stripe")
    def fail(event: Event) -> None:
        raise ValueError("broken")

    event.attempts = 3
    signals.event_dead.connect(fail_too)
    try:
        assert process.run(event).state == State.DEAD
        assert courier.drain(10)
    finally:
        signals.event_dead.disconnect(fail_too)


def test_an_event_knows_where_it_came_from(event: Event, source: Source) -> None:
    assert event.source == source
    assert event.tenant.key == "default"


def test_the_body_is_bytes_on_every_database(source: Source, handler: Register) -> None:
    body = bytes(range(256))
    make_event(source, body=body)
    (claimed,) = claim(Event, 1, lease=60)
    assert type(claimed.body) is bytes
    assert claimed.body == body
    assert type(Event.objects.get().body) is bytes


@pytest.mark.parametrize(
    ("provider", "content_type", "body"),
    [
        # https://docs.github.com/webhooks/using-webhooks/creating-webhooks: the content type may be a form
        ("github", "application/x-www-form-urlencoded", b"payload=%7B%22action%22%3A%22opened%22%7D"),
        ("github", "application/json", b'{"action":"opened"}'),
    ],
)
def test_the_json_of_an_event_is_what_the_sender_sent_wherever_in_the_body_it_stands(
    transactional_db: None, provider: str, content_type: str, body: bytes
) -> None:
    event = make_event(make_source(provider), body=body, headers={"content-type": content_type})
    assert event.json == {"action": "opened"}


def test_a_hundred_events_run_in_four_threads_each_once(source: Source, handler: Register) -> None:
    for _ in range(100):
        make_event(source)

    @handler("*")
    def announce(event: Event) -> None:
        dispatch("effect", {"event": event.public_id})

    worker = events_worker(conf.get(), threads=4)
    worker.start()
    wait_until(lambda: Event.objects.filter(state=State.SUCCEEDED).count() == 100, 30)
    worker.stop(10)
    assert len({message.json["data"]["event"] for message in Message.objects.all()}) == Message.objects.count() == 100


def test_the_worker_reads_the_sources_of_a_batch_with_one_query(
    source: Source, django_assert_max_num_queries: Any
) -> None:
    from hookline.incoming.process.run import fetch_sources

    for _ in range(5):
        make_event(source)
    events = claim(Event, 5, lease=60)
    with django_assert_max_num_queries(1):  # on PostgreSQL it goes past Django's cursor, which counts
        fetch_sources(events)
        assert {event.tenant.key for event in events} == {"default"}


def test_two_workers_with_the_same_claim_number_process_an_event_once(source: Source, handler: Register) -> None:
    # A claim of an event does not wait for the disk, so a crash of PostgreSQL may take it back, and its number with it.
    make_event(source)
    (first,) = claim(Event, 1, lease=60)
    Event.objects.filter(pk=first.pk).update(state="pending", claim=0, attempts=0, lease_until=None, worker=None)
    (second,) = claim(Event, 1, lease=60)
    assert second.claim == first.claim

    @handler("stripe")
    def count(event: Event) -> None:
        Group.objects.create(name=f"run {Group.objects.count()}")

    assert process.run(first).state == State.SUCCEEDED
    with pytest.raises(LeaseLost):
        process.run(second)
    assert [group.name for group in Group.objects.all()] == ["run 0"]
    assert stored(first).state == State.SUCCEEDED


def test_a_retry_by_one_of_two_workers_with_the_same_claim_number_takes_the_event_from_the_other(
    source: Source, handler: Register
) -> None:
    make_event(source)
    (first,) = claim(Event, 1, lease=60)
    Event.objects.filter(pk=first.pk).update(state="pending", claim=0, attempts=0, lease_until=None, worker=None)
    (second,) = claim(Event, 1, lease=60)
    runs: list[str] = []

    @handler("stripe")
    def fail_once(event: Event) -> None:
        Group.objects.create(name=f"run {len(runs)}")
        runs.append("ran")
        if len(runs) == 1:
            raise ValueError("broken")

    assert process.run(first).state == State.PENDING
    with pytest.raises(LeaseLost):
        process.run(second)
    assert not Group.objects.exists()
