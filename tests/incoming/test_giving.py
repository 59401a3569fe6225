"""Lone events come claimed to a worker that begins them at once, of the same process or of a sibling."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from hookline import conf
from hookline.engine import giving
from hookline.engine import leases as leases_module
from hookline.engine.job import State
from hookline.engine.kind import kind_of
from hookline.incoming.models import Event, Source
from hookline.incoming.receive import claimed_at_once
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.store import store_at_once
from hookline.runtime.siblings import Siblings
from tests.costs import counted
from tests.edges.conftest import Register
from tests.engine.rows import ago, make_event, make_source
from tests.siblings import WAYS, giving_by, reserved
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = 7
UNIQUE = ("source_id", "dedup_key")


@pytest.fixture(params=WAYS)
def siblings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Siblings | None]:
    with giving_by(request.param, Event, monkeypatch) as made:
        yield made


@contextmanager
def working(*, threads: int = 2, number: int | None = NUMBER) -> Iterator[Any]:
    """A worker that polls once a minute, has looked, and so claims nothing unless it is notified."""
    kind = kind_of(Event, replace(conf.get(), POLL=60, HANDLER_THREADS=threads))
    worker: Any = replace(kind, worker_number=lambda: number).worker(None)
    worker.start()
    try:
        wait_until(lambda: worker._leases.drained and worker.places == threads * 4)
        wait_until(lambda: reserved(Event))
        yield worker
    finally:
        worker.stop(10)


def new_event(source: Source, key: str) -> NewEvent:
    return NewEvent(source, "invoice.paid", f"id:{key}", b'{"a": 1}', headers={"x": "y"})


def store(source: Source, *keys: str) -> None:
    store_at_once([new_event(source, key) for key in keys])


def ready_source(**fields: Any) -> Source:
    return make_source(awaiting_handshake=False, **fields)


def states() -> Counter[str]:
    return Counter(Event.objects.values_list("state", flat=True))


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return counted(monkeypatch, leases_module, "claim")


def test_a_lone_event_runs_without_a_claim(siblings: Siblings | None, handler: Register, claims: list[Any]) -> None:
    ran: list[Event] = []
    handler("*")(ran.append)
    source = ready_source(name="billing")
    with working():
        claims.clear()
        for number in range(3):
            store(source, str(number), f"{number} too")
            wait_until(lambda expected=2 * (number + 1): states() == {State.SUCCEEDED: expected})  # type: ignore[misc]
            wait_until(lambda: reserved(Event))
    assert claims == []
    assert [(event.source.name, bytes(event.body), event.headers) for event in ran] == [
        ("billing", b'{"a": 1}', {"x": "y"})
    ] * 6
    assert set(Event.objects.values_list("claim", "attempts", "worker")) == {(1, 1, NUMBER)}


def test_a_busy_worker_leaves_it_to_a_claim(siblings: Siblings | None, handler: Register, claims: list[Any]) -> None:
    going_on, begun = threading.Event(), threading.Semaphore(0)

    @handler("*")
    def wait(event: Event) -> None:
        begun.release()
        assert going_on.wait(10)

    source = ready_source()
    with working(threads=1):
        store(source, "a")
        assert begun.acquire(timeout=10)
        wait_until(lambda: not reserved(Event))
        claims.clear()
        store(source, "b")
        wait_until(lambda: claims)
        going_on.set()
        wait_until(lambda: states() == {State.SUCCEEDED: 2})


def _limited(source: Source) -> None:
    Source.objects.filter(pk=source.pk).update(lane_rate=1000)


def _another_waits(source: Source) -> None:
    make_event(source)


@pytest.mark.parametrize("change", [_limited, _another_waits])
def test_what_a_claim_has_to_decide_about_is_left_to_one(
    siblings: Siblings | None, claims: list[Any], change: Callable[[Source], None]
) -> None:
    source = ready_source()
    with working():
        claims.clear()
        change(source)
        store(source, "a")
        wait_until(lambda: set(states()) == {State.SUCCEEDED})
    assert claims


def test_what_is_held_stays_pending(siblings: Siblings | None) -> None:
    source = ready_source()
    with working():
        Source.objects.filter(pk=source.pk).update(held_until=ago(-60))
        store(source, "a")
        assert reserved(Event)
    assert set(Event.objects.values_list("state", "claim", "worker")) == {(State.PENDING, 0, None)}


def test_a_duplicate_is_no_event(siblings: Siblings | None) -> None:
    source = ready_source()
    with working():
        store(source, "a")
        wait_until(lambda: states() == {State.SUCCEEDED: 1})
        store(source, "a", "b")
        wait_until(lambda: states() == {State.SUCCEEDED: 2})


def test_a_worker_that_has_stopped_gives_back_what_comes(siblings: Siblings | None) -> None:
    source = ready_source()
    with working():
        places = giving.reserve(Event, 1)
        assert places is not None
    claimed_at_once.insert([new_event(source, "late")], UNIQUE, places)
    wait_until(lambda: set(Event.objects.values_list("state", "claim", "attempts")) == {(State.PENDING, 1, 0)})
    assert (giving.reserve(Event, 1), giving.receiver_of(Event)) == (None, None)


@pytest.mark.parametrize("siblings", ["sibling"], indirect=True)
def test_a_word_for_a_process_that_died_is_given_back(siblings: Siblings | None, handler: Register) -> None:
    ran: list[Event] = []
    handler("*")(ran.append)
    source = ready_source()
    number = [NUMBER]
    kind = kind_of(Event, replace(conf.get(), POLL=60, HANDLER_THREADS=2))
    worker = replace(kind, worker_number=lambda: number[0]).worker(None)
    worker.start()
    try:
        wait_until(lambda: reserved(Event))
        places = giving.reserve(Event, 1)
        assert places is not None
        number[0] = 8  # another process in its place
        claimed_at_once.insert([new_event(source, "dead")], UNIQUE, places)
        wait_until(lambda: (found := giving.reserve(Event, 1)) is not None and found.grant.worker == 8)
        store(source, "alive")
        wait_until(lambda: states() == {State.SUCCEEDED: 2})
    finally:
        worker.stop(10)
    assert sorted(event.dedup_key for event in ran) == ["id:alive", "id:dead"]
    dead = Event.objects.get(dedup_key="id:dead")
    assert (dead.claim, dead.attempts, dead.worker) == (2, 1, 8)


@pytest.mark.parametrize("siblings", ["sibling"], indirect=True)
def test_what_a_process_that_died_was_about_to_give_does_not_wait_for_its_lease(
    siblings: Siblings | None, handler: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_module, "UNDER_WAY", 0.2)
    going_on, ran = threading.Event(), Counter[str]()

    @handler("*")
    def wait(event: Event) -> None:
        ran[event.dedup_key] += 1
        assert event.crashes == 0  # it is no suspect
        assert event.dedup_key != "id:held" or going_on.wait(30)

    assert siblings is not None
    source = ready_source()
    with working():
        store(source, "held")
        lease_until = ago(-(conf.get().LEASE - 5))  # both were claimed five seconds ago
        make_event(source, state=State.RUNNING, claim=1, attempts=1, worker=NUMBER, dedup_key="id:lost")
        Event.objects.update(lease_until=lease_until)
        siblings.join_as_server(0)  # in the place of the one that gave the first
        wait_until(lambda: ran["id:lost"] == 1)
        going_on.set()
        wait_until(lambda: states() == {State.SUCCEEDED: 2})
    assert ran == {"id:held": 1, "id:lost": 1}
    assert set(Event.objects.values_list("dedup_key", "claim", "attempts")) == {("id:held", 1, 1), ("id:lost", 2, 1)}


@pytest.mark.parametrize("siblings", ["sibling"], indirect=True)
def test_what_cannot_be_told_is_given_back_and_its_place_is_free(
    siblings: Siblings | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def send(self, word: bytes) -> int:
            raise BlockingIOError

    assert siblings is not None
    source = ready_source()
    with working(threads=1):
        [(_, write)] = siblings._sockets
        full: Any = Full()
        giver: Any = giving._givers[Event]
        monkeypatch.setattr(giver, "_writers", [full])
        for number in range(8):
            store(source, str(number))
        monkeypatch.setattr(giver, "_writers", [write])
        store(source, "told")
        wait_until(lambda: states() == {State.SUCCEEDED: 9})
    assert set(Event.objects.values_list("attempts", flat=True)) == {1}
