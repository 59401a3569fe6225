"""What was committed, though the answer to it was lost, is found when it is tried again: it is there once, and runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connections, transaction
from django.test.utils import override_settings

from hookline import after_commit, conf, dispatch, dispatch_many
from hookline.api.edge import LoopPublisher
from hookline.core.outcome import classify
from hookline.core.retry import RetrySchedule
from hookline.db.group_commit import GroupCommit
from hookline.db.row import new_id
from hookline.engine import leases as leases_module
from hookline.engine.claim import claim
from hookline.engine.job import Job, State
from hookline.engine.kind import kind_of
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.incoming.follow_ups import functions
from hookline.incoming.follow_ups import run as follow_ups
from hookline.incoming.models import Event, FollowUp
from hookline.incoming.process import run as process
from hookline.incoming.receive.asgi import store_groups
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.store import Stored
from hookline.outgoing.deliver.attempt import Result, decide
from hookline.outgoing.deliver.load import prepare
from hookline.outgoing.deliver.record import Recorded, record
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.posting import Outcome, Post
from hookline.providers.base import UNREADABLE
from hookline.telemetry.emit import subscribe
from hookline.telemetry.records import EventsProcessed, JobsDied, LeasesLost, MessagesPublished
from hookline.tenants.models import resolve
from hookline.transport.transport import Response
from tests.edges.conftest import Register
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source
from tests.lost_answers import LosingRelay, losing_relay
from tests.outgoing.consumer import running_consumer
from tests.siblings import reserved
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = 7
INSERTED = {Message: b"INSERT INTO hookline_message", Event: b"INSERT INTO hookline_event"}


@pytest.fixture
def relay() -> Iterator[LosingRelay]:
    with losing_relay() as made:
        yield made


@contextmanager
def working(monkeypatch: pytest.MonkeyPatch, model: type[Job]) -> Iterator[Any]:
    """A worker that polls once a minute, has looked, and so claims nothing unless it is notified."""
    monkeypatch.setattr(leases_module, "UNDER_WAY", 0.2)
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}):
        kind: Any = kind_of(model, replace(conf.get(), POLL=60))
        worker = replace(kind, worker_number=lambda: NUMBER).worker(None)
        worker.start()
        try:
            wait_until(lambda: worker._leases.drained and reserved(model))
            yield worker
        finally:
            worker.stop(10)


def together(write: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """What becomes of items that an edge writes at the same time."""

    async def submit() -> list[Any]:
        with ThreadPoolExecutor(1) as writer:
            commit: GroupCommit[Any, Any] = GroupCommit(write, writer, look=True)
            try:
                return await asyncio.gather(*map(commit.submit, items), return_exceptions=True)
            finally:
                writer.submit(connections.close_all)

    return asyncio.run(submit())


# ---- messages that are posted ------------------------------------------------------------------------


def posts(*keys: str | None, request_key: UUID | None = None) -> list[Post]:
    tenant = resolve(None)
    return [Post(Draft(new_id(), "a.b", [], b"{}", key, request_key=request_key), tenant.pk) for key in keys]


def published(wanted: list[Post]) -> list[Any]:
    """What the edge answers to requests that come together."""

    async def publish() -> list[Any]:
        publisher = LoopPublisher()
        try:
            return await asyncio.gather(*(publisher.commit([one]) for one in wanted))
        finally:
            for executor in publisher.executors:
                executor.submit(connections.close_all)
                executor.shutdown()

    return [one.outcome for (one,) in asyncio.run(publish())]


@pytest.mark.parametrize("lost", [INSERTED[Message], b"COMMIT"], ids=["one statement", "a transaction"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: posts(None),
        lambda: posts(None, None, None),
        lambda: posts("a", None, "b"),
        lambda: posts("a", request_key=uuid4()),
    ],
    ids=["one", "several", "with uids", "with a request key"],
)
def test_a_message_is_new_and_there_once(relay: LosingRelay, make: Callable[[], list[Post]], lost: bytes) -> None:
    make_endpoint(event_types=["a.b"])
    wanted = make()
    if lost == b"COMMIT":
        for one in wanted:
            one.draft.tags = ["written by a second statement"]
    relay.lose(lost)
    assert published(wanted) == [Outcome.NEW] * len(wanted)
    assert relay.lost == 1
    assert set(Message.objects.values_list("pk", flat=True)) == {one.draft.id for one in wanted}
    assert Delivery.objects.count() == len(wanted)


@pytest.mark.parametrize("lost", [INSERTED[Message], b"COMMIT"], ids=["one statement", "a transaction"])
def test_a_message_is_sent_once_and_soon(relay: LosingRelay, monkeypatch: pytest.MonkeyPatch, lost: bytes) -> None:
    with running_consumer() as consumer, working(monkeypatch, Delivery):
        make_endpoint(consumer.url(), event_types=["a.b"])
        wanted = posts(None, None)
        wanted[0].draft.tags = ["written by a second statement"] if lost == b"COMMIT" else None
        relay.lose(lost)
        assert published(wanted) == [Outcome.NEW] * 2
        wait_until(lambda: set(Delivery.objects.values_list("state", flat=True)) == {State.SUCCEEDED})
    assert sorted(one.id for one in consumer.arrivals) == sorted(Message.public(one.draft.id) for one in wanted)
    assert relay.lost == 1


# ---- messages that are dispatched outside of a transaction -------------------------------------------


@pytest.mark.parametrize("key", [None, "a"])
@pytest.mark.parametrize("lost", [INSERTED[Message], b"COMMIT"], ids=["the statement", "COMMIT"])
def test_a_dispatched_message_is_there_once_and_returned_and_sent_soon(
    relay: LosingRelay, monkeypatch: pytest.MonkeyPatch, lost: bytes, key: str | None
) -> None:
    published: list[MessagesPublished] = []
    with running_consumer() as consumer, working(monkeypatch, Delivery):
        make_endpoint(consumer.url(), event_types=["a.b"])
        end = subscribe(MessagesPublished, published.append)
        relay.lose(lost)
        message = dispatch("a.b", {"n": 1}, idempotency_key=key)
        end()
        assert relay.lost == 1
        assert [(one.pk, bytes(one.body), one.uid) for one in Message.objects.all()] == [
            (message.pk, bytes(message.body), key)
        ]
        wait_until(lambda: Delivery.objects.get().state == State.SUCCEEDED)
    assert [one.id for one in consumer.arrivals] == [message.public_id]
    assert published == [MessagesPublished(1)]


@pytest.mark.parametrize("lost", [INSERTED[Message], b"COMMIT"], ids=["the statement", "COMMIT"])
def test_many_dispatched_messages_are_there_once_and_returned_in_order(relay: LosingRelay, lost: bytes) -> None:
    make_endpoint(event_types=["a.*"])
    relay.lose(lost)
    messages = dispatch_many([("a.b", {}), ("a.c", {}), ("b.a", {})])
    assert relay.lost == 1
    assert [one.type for one in messages] == ["a.b", "a.c", "b.a"]
    assert {one.pk for one in messages} == set(Message.objects.values_list("pk", flat=True))
    assert (Message.objects.count(), Delivery.objects.count()) == (3, 2)


def test_a_dispatched_message_that_was_never_stored_is_stored_now(relay: LosingRelay) -> None:
    relay.cut(b"COMMIT")
    message = dispatch("a.b", {})
    assert relay.lost == 1
    assert Message.objects.get() == message


def test_a_message_of_a_transaction_of_the_callers_is_lost_with_it(relay: LosingRelay) -> None:
    relay.lose(INSERTED[Message])
    with pytest.raises(OperationalError), transaction.atomic():
        dispatch("a.b", {})
    assert relay.lost == 1
    assert Message.objects.count() == 0


# ---- events ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["a", "abc"])
@pytest.mark.parametrize("fields", [{}, {"if_known": "repeat"}, {"problem": "made up"}], ids=["", "repeat", "dead"])
def test_an_event_is_no_duplicate_of_itself_and_runs_once(
    relay: LosingRelay, monkeypatch: pytest.MonkeyPatch, handler: Register, keys: str, fields: dict[str, Any]
) -> None:
    ran: list[UUID] = []
    handler("*")(lambda event: ran.append(event.pk))
    source = make_source(awaiting_handshake=False)
    of_type = UNREADABLE if "problem" in fields else "a"
    events = [NewEvent(source, of_type, f"id:{key}", b"{}", **fields) for key in keys]
    with working(monkeypatch, Event):
        relay.lose(b"COMMIT" if "problem" in fields else INSERTED[Event])
        stored = together(store_groups, [[event] for event in events])
        assert stored == [[Stored(event.id, False)] for event in events]
        state = State.DEAD if "problem" in fields else State.SUCCEEDED
        wait_until(lambda: set(Event.objects.values_list("state", flat=True)) == {state})
    assert set(Event.objects.values_list("pk", flat=True)) == {event.id for event in events}
    assert sorted(ran) == sorted(event.id for event in events if not event.problem)
    assert relay.lost == 1


# ---- jobs that are claimed ---------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "lost"), [(0, b"COMMIT"), (5, b"lost one")], ids=["COMMIT", "one statement"])
def test_what_a_handler_dispatches_is_sent_once_and_soon(
    relay: LosingRelay, monkeypatch: pytest.MonkeyPatch, handler: Register, before: int, lost: bytes
) -> None:
    handler("*")(lambda event: dispatch("a.b", event.type))
    source = make_source()
    with running_consumer() as consumer, working(monkeypatch, Delivery):
        make_endpoint(consumer.url(), event_types=["a.b"])
        for number in range(1, before + 2):
            make_event(source, type="lost one" if number > before else "before")
            process.fetch_sources(claimed := claim(Event, 1, lease=60))
            if number > before:
                relay.lose(lost)
            process.run_all(claimed)
            wait_until(lambda expected=number: len(consumer.arrivals) == expected)  # type: ignore[misc]
            wait_until(lambda: set(Delivery.objects.values_list("state", flat=True)) == {State.SUCCEEDED})
    assert set(Event.objects.values_list("state", flat=True)) == {State.SUCCEEDED}
    assert (len(consumer.arrivals), relay.lost) == (before + 1, 1)


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """What is emitted of events."""
    records: list[Any] = []
    ends = [subscribe(kind, records.append) for kind in (EventsProcessed, LeasesLost, JobsDied)]
    yield records
    for end in ends:
        end()


def states_told(told: list[Any]) -> list[State]:
    """What became of events, in the order in which it was told; nothing else was."""
    assert {type(record) for record in told} <= {EventsProcessed}
    return [run.settlement.state for record in told for run in record.runs]


@pytest.mark.parametrize(
    ("count", "lost"), [(1, b"lost 0"), (1, b"COMMIT"), (3, b"COMMIT")], ids=["one statement", "COMMIT", "several"]
)
def test_what_is_processed_is_told_so_and_what_is_to_follow_it_does(
    relay: LosingRelay, handler: Register, told: list[Any], count: int, lost: bytes
) -> None:
    ran: list[str] = []
    followed: list[str] = []

    @handler("*")
    def handle(event: Event) -> None:
        ran.append(event.type)
        transaction.on_commit(lambda: followed.append(event.type))
        if lost == b"COMMIT":
            make_endpoint()
        dispatch("a.b", event.type)

    source = make_source()
    for number in range(5):  # until the connection may prepare what it says, and so say all by one statement
        make_event(source, type=f"before {number}")
    types = [make_event(source, type=f"lost {number}").type for number in range(count)]
    process.fetch_sources(claimed := claim(Event, 50, lease=60))
    for event in claimed[:5]:
        process.run_all([event])
    for of_earlier in (ran, followed, told):
        of_earlier.clear()
    relay.lose(lost)
    process.run_all(claimed[5:])
    assert relay.lost == 1
    assert states_told(told) == [State.SUCCEEDED] * count
    assert sorted(ran) == sorted(followed) == types
    assert Message.objects.count() == 5 + count
    assert set(Event.objects.values_list("state", "attempts")) == {(State.SUCCEEDED, 1)}


@pytest.mark.parametrize("count", [1, 3])
def test_what_was_never_committed_is_not_told_to_be(
    relay: LosingRelay, handler: Register, told: list[Any], count: int
) -> None:
    ran: list[UUID] = []
    followed: list[UUID] = []

    @handler("*")
    def handle(event: Event) -> None:
        ran.append(event.pk)
        transaction.on_commit(lambda: followed.append(event.pk))
        make_endpoint()

    for _ in range(count):
        make_event(make_source())
    process.fetch_sources(claimed := claim(Event, count, lease=60))
    relay.cut(b"COMMIT")
    process.run_all(claimed)
    assert relay.lost == 1
    # One alone is tried again later, as when its handler fails; of several each is tried at once, by itself.
    alone = count == 1
    assert states_told(told) == [State.PENDING if alone else State.SUCCEEDED] * count
    assert len(ran) == (1 if alone else 2 * count)
    assert sorted(followed) == ([] if alone else sorted(event.pk for event in claimed))
    assert Endpoint.objects.count() == (0 if alone else count)


@pytest.mark.parametrize("tries", [1, 2])
def test_what_became_of_an_event_that_failed_is_told_once(
    relay: LosingRelay, handler: Register, told: list[Any], caplog: pytest.LogCaptureFixture, tries: int
) -> None:
    @handler("*", retry=[60] * (tries - 1))
    def fail(_: Event) -> None:
        raise ValueError("made up")

    make_event(make_source())
    process.fetch_sources(claimed := claim(Event, 1, lease=60))
    relay.lose(b"UPDATE hookline_event")
    process.run_all(claimed)
    state = State.PENDING if tries > 1 else State.DEAD
    assert relay.lost == 1
    assert states_told([record for record in told if not isinstance(record, JobsDied)]) == [state]
    died = [record.ids for record in told if isinstance(record, JobsDied)]
    assert died == ([] if tries > 1 else [(claimed[0].pk,)])
    event = Event.objects.get()
    assert (event.state, event.attempts) == (state, 1)
    assert event.note.startswith("ValueError: made up")
    assert [record.getMessage() for record in caplog.records if "lease" in record.getMessage()] == []


FOLLOWED: list[UUID] = []


def follow(event: Event) -> None:
    FOLLOWED.append(event.pk)


def test_a_follow_up_that_ended_is_not_said_to_belong_to_another_worker(
    relay: LosingRelay, handler: Register, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    after_commit(follow)
    handler("*")(lambda event: event.after_commit(follow))
    event = make_event(make_source())
    process.fetch_sources(claimed := claim(Event, 1, lease=60))
    process.run_all(claimed)
    follow_ups.fetch_events(due := claim(FollowUp, 1, lease=60))
    relay.lose(b"UPDATE hookline_followup")
    follow_ups.run(due[0])
    functions.forget(follow)
    assert relay.lost == 1
    assert FollowUp.objects.get().state == State.SUCCEEDED
    assert FOLLOWED.pop() == event.pk
    assert not [record for record in told if isinstance(record, LeasesLost)]
    assert "another worker" not in caplog.text


def test_the_next_of_an_order_key_runs_soon(
    relay: LosingRelay, monkeypatch: pytest.MonkeyPatch, handler: Register
) -> None:
    handler("*")(lambda _: None)
    source = make_source(order_by="$.k")
    for _ in range(2):
        make_event(source, body=b'{"k": 1}', order_key="")
    [first] = claim(Event, 2, lease=60)
    with working(monkeypatch, Event):
        relay.lose(b"COMMIT")
        assert settle([(first, Settlement.succeed())]) == {first.pk}
        wait_until(lambda: list(Event.objects.values_list("state", flat=True)) == [State.SUCCEEDED] * 2)


def test_what_a_worker_claims_runs_soon(relay: LosingRelay, monkeypatch: pytest.MonkeyPatch, handler: Register) -> None:
    ran: list[Event] = []
    handler("*")(ran.append)
    with working(monkeypatch, Event) as worker:
        make_event(make_source())
        relay.lose(b"picked AS MATERIALIZED")
        worker._notified()
        wait_until(lambda: relay.lost)
        wait_until(lambda: Event.objects.get().state == State.SUCCEEDED)
    assert (len(ran), Event.objects.get().claim) == (1, 2)


# ---- results -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("status", "lost"), [(200, b"INSERT INTO hookline_attempt"), (500, b"COMMIT")])
def test_a_result_is_recorded_once(relay: LosingRelay, status: int, lost: bytes, count: int) -> None:
    endpoint = make_endpoint()
    for _ in range(count):
        make_delivery(endpoint)
    outbounds, _ = prepare(claim(Delivery, count, lease=60), Signers(), 0.0)
    response = Response(status=status)
    outcome = classify(status, "", None, 0.0)
    results = [
        Result(one, response, outcome, decide(one, response, outcome, RetrySchedule(), 0.0)) for one in outbounds
    ]
    relay.lose(lost)
    recorded = together(record, results)
    if count == 1:
        assert [type(one) for one in recorded] == [OperationalError]  # and a ResultWriter tries again
        recorded = together(record, results)
    assert recorded == [Recorded(ours=True, held=False)] * count
    assert set(Attempt.objects.values_list("pk", flat=True)) == {result.id for result in results}
    assert relay.lost == 1
