"""A handler that hangs stops neither other events nor webhooks, and everybody can see it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from hookline import conf
from hookline.audit.actor import SYSTEM
from hookline.engine import worker as worker_module
from hookline.engine.hang import Hang
from hookline.engine.job import State
from hookline.engine.worker import ThreadWorker
from hookline.incoming.models import Event, Source
from hookline.operations import doctor, sources
from hookline.testing import post_webhook
from tests.edges.conftest import Register
from tests.engine.rows import make_event, make_source
from tests.waiting import wait_until
from tests.workers import events_worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """Ends what hangs."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def source(transactional_db: None) -> Source:
    return make_source("stripe")


@contextmanager
def working(go_on: threading.Event, *, threads: int = 2, **settings: Any) -> Iterator[ThreadWorker[Event]]:
    given = {"HANDLER_TIMEOUT": 0.5, "POLL": 0.05, "EVENT_RETRY_DELAYS": [3600], **settings}
    made = events_worker(conf.load(given), threads=threads)
    made.start()
    try:
        yield made
    finally:
        go_on.set()
        made.stop(10)


def states() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, state in Event.objects.order_by("type", "pk").values_list("type", "state"):
        found.setdefault(kind, []).append(state)
    return found


def readyz() -> tuple[int, Any]:
    with override_settings(ROOT_URLCONF="hookline.server.urls"):
        answer = Client().get("/readyz")
    return answer.status_code, answer.json()


def failed_checks() -> list[str]:
    return [finding.detail for finding in doctor.examine() if finding.check == "hangs" and not finding.ok]


def test_when_all_threads_hang_they_are_replaced_and_readyz_and_doctor_name_the_handler(
    source: Source, handler: Register, go_on: threading.Event
) -> None:
    @handler("stripe", "slow")
    def hang(event: Event) -> None:
        assert go_on.wait(60)

    @handler("stripe", "fine")
    def fine(event: Event) -> None:
        Group.objects.create(name=event.public_id)

    for _ in range(2):
        make_event(source, type="slow")
    assert readyz()[0] == 200
    with working(go_on):
        wait_until(lambda: Hang.objects.count() == 2)
        for _ in range(3):
            make_event(source, type="fine")
        wait_until(lambda: states()["fine"] == [State.SUCCEEDED] * 3)
        slow = Event.objects.filter(type="slow")
        assert set(slow.values_list("state", "attempts")) == {(State.PENDING, 1)}
        note = slow[0].note

        assert "hang ran for longer than 0.5 s (at tests/incoming/test_hangs.py:" in note
        status, answer = readyz()
        assert (status, answer["error"]["code"]) == (503, "handlers_hang")
        assert all(f"hang hangs on {event.public_id} in hookline-event-" in str(answer) for event in slow)
        assert [slow[0].public_id in detail for detail in failed_checks()].count(True) == 1
        go_on.set()
        wait_until(lambda: not Hang.objects.exists())
        assert (readyz()[0], failed_checks()) == (200, [])
    assert Group.objects.count() == 3


def transactions_left_open() -> int:
    """Of this test's database: others run on the same server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE state LIKE 'idle in transaction%%' AND datname = current_database()"
        )
        (count,) = cursor.fetchone()
    return int(count)


def test_what_a_handler_wrote_before_it_was_given_up_on_does_not_take_effect(
    source: Source, handler: Register, go_on: threading.Event
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite its process has to be replaced: see below")

    @handler("stripe", "slow")
    def write_and_hang(event: Event) -> None:
        Group.objects.create(name="written")
        assert go_on.wait(60)
        Group.objects.create(name="written later")

    event = make_event(source, type="slow")
    with working(go_on):
        wait_until(lambda: Hang.objects.count() == 1)
        # Its transaction is over, though its thread is not: nobody has to wait for its locks.
        wait_until(lambda: transactions_left_open() == 0)
        go_on.set()
        wait_until(lambda: not Hang.objects.exists())
    event.refresh_from_db()
    assert (Group.objects.count(), event.state, event.attempts) == (0, State.PENDING, 1)


def test_events_that_share_a_transaction_with_one_that_hangs_run_again_without_losing_a_try(
    source: Source, handler: Register, go_on: threading.Event
) -> None:
    @handler("stripe", "slow")
    def hang(event: Event) -> None:
        assert go_on.wait(60)

    @handler("stripe", "fine")
    def fine(event: Event) -> None:
        """Reads and writes nothing."""

    for kind in ("fine", "slow", "fine"):
        make_event(source, type=kind)
    with working(go_on, threads=1, EVENTS_PER_TRANSACTION=3):
        wait_until(lambda: states()["fine"] == [State.SUCCEEDED] * 2)
        assert set(Event.objects.values_list("type", "attempts")) == {("fine", 1), ("slow", 1)}


def test_a_handler_that_hangs_before_it_writes_keeps_no_webhook_from_being_stored(
    client: Client, handler: Register, go_on: threading.Event
) -> None:
    began = threading.Event()

    @handler("stripe", "slow")
    def read_and_hang(event: Event) -> None:
        Group.objects.count()
        began.set()
        assert go_on.wait(60)

    stripe = sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"])
    make_event(stripe, type="slow")
    with working(go_on, HANDLER_TIMEOUT=60):
        assert began.wait(10)
        assert post_webhook(client, stripe, "invoice.paid").status_code == 200
        assert Event.objects.count() == 2
        go_on.set()
        wait_until(lambda: states()["slow"] == [State.SUCCEEDED])
    assert Event.objects.get(type="slow").attempts == 1


def test_a_handler_that_reads_and_then_writes_while_others_write_runs_again_and_takes_effect_once(
    source: Source, handler: Register, go_on: threading.Event
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite refuses that")
    runs: list[int] = []

    @handler("stripe", "slow")
    def read_then_write(event: Event) -> None:
        runs.append(Group.objects.count())
        if len(runs) == 1:
            writer = threading.Thread(target=write_beside)
            writer.start()
            writer.join()
        Group.objects.create(name="by the handler")

    def write_beside() -> None:
        Group.objects.create(name="by another")
        connection.close()

    make_event(source, type="slow")
    with working(go_on):
        wait_until(lambda: states()["slow"] == [State.SUCCEEDED])
    assert runs == [0, 1]
    assert sorted(Group.objects.values_list("name", flat=True)) == ["by another", "by the handler"]
    assert Event.objects.get().attempts == 1


def test_a_process_in_which_too_many_threads_hang_asks_to_be_started_again(
    source: Source, handler: Register, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MOST_HANGING", 3)
    reasons: list[str] = []

    def note(reason: str, at_once: bool) -> None:
        assert not at_once
        reasons.append(reason)

    @handler("stripe", "slow")
    def hang(event: Event) -> None:
        assert go_on.wait(60)

    for _ in range(3):
        make_event(source, type="slow")
    settings = conf.load({"HANDLER_TIMEOUT": 0.5, "POLL": 0.05, "EVENT_RETRY_DELAYS": [3600]})
    made = events_worker(settings, threads=1, on_stuck=note)
    made.start()
    try:
        wait_until(lambda: bool(reasons), 20)
    finally:
        go_on.set()
        made.stop(10)
    assert len(reasons) == 1
    assert "3 threads hang" in reasons[0]
    assert "must be started again" in reasons[0]
