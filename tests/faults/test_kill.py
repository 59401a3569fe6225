"""Workers that are killed (SIGKILL) at the worst moments. The ledger: every acknowledged event, and every effect."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from hookline.engine.job import State
from hookline.incoming.models import Event, Source
from hookline.outgoing.models import Attempt, Delivery, Message
from tests.edges.senders import stripe, stripe_event
from tests.edges.servers import Edge, view_server
from tests.engine.other_processes import databases_as_json
from tests.engine.rows import make_endpoint, make_source
from tests.outgoing.consumer import Consumer, running_consumer
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

#: A lease that runs out soon after its worker is gone.
SETTINGS = {
    "LEASE": 1,
    "POLL": 0.05,
    "ALLOWED_SUBNETS": ["127.0.0.0/8"],
    "EVENT_RETRY_DELAYS": [0] * 20,
    "DELIVERY_RETRY_DELAYS": [0] * 20,
}


class Worker:
    """A worker process. `held` waits until it stops at its point, and says for what."""

    def __init__(self, hold: str) -> None:
        script = Path(__file__).with_name("worker_process.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), hold] if hold else [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdin is not None
        given = {"DATABASES": json.loads(databases_as_json()), "HOOKLINE": SETTINGS}
        self.process.stdin.write(json.dumps(given) + "\n")
        self.process.stdin.flush()
        assert self.read() == ["ready"]

    def read(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def held(self) -> str:
        word, what = self.read()
        assert word == "held"
        return what

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait(10) == -signal.SIGKILL


@contextmanager
def worker(hold: str = "") -> Iterator[Worker]:
    started = Worker(hold)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait(10)
        for pipe in (started.process.stdin, started.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def edge(transactional_db: None) -> Iterator[Edge]:
    with view_server() as running:
        yield running


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with running_consumer() as running:
        yield running


def post(edge: Edge, source: Source, event_id: str) -> str:
    """Post an event until it is acknowledged; returns Hookline's id of it."""
    answer = edge.post(source.path, stripe(stripe_event(event_id), "made-up-secret"))
    assert (answer.status, answer.json["status"]) == (200, "accepted")
    acknowledged: str = answer.json["id"]
    return acknowledged


def effects() -> list[str]:
    """The events whose handlers have taken effect, one entry for each effect."""
    return sorted(message.json["data"]["event"] for message in Message.objects.all())


def test_a_worker_killed_between_the_handler_and_its_commit_leaves_no_effect_and_the_next_one_makes_it_once(
    edge: Edge,
) -> None:
    source = make_source("stripe", "made-up-secret")
    acknowledged = post(edge, source, "evt_1")
    for attempt in (1, 2):
        with worker(hold="handler") as doomed:
            assert doomed.held() == acknowledged
            if not (on_sqlite := connection.vendor == "sqlite") or attempt > 1:
                wait_until(lambda: Event.objects.get().begun_at is not None)  # noted beside it, so that the try counts
            doomed.kill()
        assert effects() == []
        # On SQLite the handler's writes keep others from noting that it began, until it is a suspect.
        state, counted = Event.objects.values_list("state", "attempts").get()
        assert (state, counted in ({1, attempt} if on_sqlite else {attempt})) == (State.RUNNING, True)
    with worker():
        wait_until(lambda: Event.objects.get().state == State.SUCCEEDED, 20)
    assert effects() == [acknowledged]
    assert Event.objects.get().attempts in ({2, 3} if on_sqlite else {3})


def test_a_worker_killed_between_an_answer_and_its_recording_delivers_again_under_the_same_id_and_then_settles(
    transactional_db: None, consumer: Consumer
) -> None:
    import hookline

    make_endpoint(consumer.url())
    message = hookline.dispatch("invoice.paid", {"id": 7})
    with worker(hold="record") as doomed:
        assert doomed.held() == message.public_id
        wait_until(lambda: Delivery.objects.get().begun_at is not None)
        doomed.kill()
    assert [arrival.id for arrival in consumer.arrivals] == [message.public_id]
    assert (Delivery.objects.get().state, Attempt.objects.count()) == (State.RUNNING, 0)
    with worker():
        wait_until(lambda: Delivery.objects.get().state == State.SUCCEEDED, 20)
    assert [arrival.id for arrival in consumer.arrivals] == [message.public_id] * 2
    assert {arrival.body for arrival in consumer.arrivals} == {bytes(message.body)}
    assert all(arrival.genuine for arrival in consumer.arrivals)
    assert [attempt.number for attempt in Attempt.objects.all()] == [2]


@pytest.mark.parametrize("point", ["claim", "take"])
def test_a_worker_killed_while_it_hands_over_what_its_handler_dispatched_has_it_sent_once_by_the_next(
    point: str, edge: Edge, consumer: Consumer
) -> None:
    source = make_source("stripe", "made-up-secret")
    make_endpoint(consumer.url())
    with worker(hold=point) as doomed:
        acknowledged = post(edge, source, "evt_1")
        doomed.held()
        doomed.kill()
    left = list(Delivery.objects.values_list("state", "claim", "attempts"))
    assert left == ([] if point == "claim" else [(State.RUNNING, 1, 1)])
    with worker():
        wait_until(lambda: Delivery.objects.filter(state=State.SUCCEEDED).count() == 1, 20)
    assert effects() == [acknowledged]
    assert [arrival.id for arrival in consumer.arrivals] == [Message.objects.get().public_id]
    assert list(Delivery.objects.values_list("attempts", flat=True)) == [1]  # the lost one did not count


def test_workers_killed_in_the_midst_of_their_work_lose_nothing_and_double_no_effect(
    edge: Edge, consumer: Consumer
) -> None:
    source = make_source("stripe", "made-up-secret")
    make_endpoint(consumer.url())
    acknowledged = [post(edge, source, f"evt_{number}") for number in range(60)]
    for kills in range(1, 4):
        with worker() as doomed:
            # Killed as soon as some of its share is done, wherever the rest of it stands then.
            wait_until(lambda kills=kills: len(effects()) >= 12 * kills, 20)  # type: ignore[misc]  # bound at once
            doomed.kill()
    with worker():
        done = Event.objects.filter(state=State.SUCCEEDED)
        wait_until(lambda: done.count() == 60, 30)
        wait_until(lambda: Delivery.objects.filter(state=State.SUCCEEDED).count() == 60, 30)
    assert effects() == sorted(acknowledged)
    arrived = Counter(arrival.id for arrival in consumer.arrivals)
    assert set(arrived) == {message.public_id for message in Message.objects.all()}
    assert all(arrival.genuine for arrival in consumer.arrivals)
