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
from django.db import OperationalError, connections
from django.test.utils import override_settings

from hookline import conf, dispatch
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
from hookline.incoming.models import Event
from hookline.incoming.process import run as process
from hookline.incoming.receive.asgi import store_groups
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.store import Stored
from hookline.outgoing.deliver.attempt import Result, decide
from hookline.outgoing.deliver.load import prepare
from hookline.outgoing.deliver.record import Recorded, record
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Attempt, Delivery, Message
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.posting import Outcome, Post
from hookline.providers.base import UNREADABLE
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
        with pytest.raises(OperationalError):
            settle([(first, Settlement.succeed())])
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
