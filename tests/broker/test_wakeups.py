"""With Celery as the engine, what is committed becomes a message, and what is rolled back does not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from django.db import transaction

import hookline
from hookline import checks, conf
from hookline.apps import wake_celery
from hookline.engine import notifier
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.store import store
from hookline.outgoing.models import Delivery
from hookline.runtime.broker import messenger as module
from hookline.runtime.broker import wakeups
from hookline.runtime.broker.messenger import Messenger
from tests.broker.conftest import Queue
from tests.engine.rows import make_endpoint, make_source


@pytest.fixture
def connected(messenger: Messenger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Messenger]:
    """As Django starts with HOOKLINE = {"ENGINE": "celery"}."""
    monkeypatch.setattr(wakeups, "messenger", lambda: messenger)
    monkeypatch.setattr(module, "DEBOUNCE", 0.001)
    wakeups.connect()
    yield messenger
    for model in (Event, Delivery):
        notifier.of(model).unsubscribe(partial(wakeups.wake, model))


@pytest.mark.django_db(transaction=True)
def test_a_stored_event_and_a_dispatched_message_wake_their_workers(connected: Messenger, queue: Queue) -> None:
    source = make_source("stripe")
    make_endpoint()
    store([NewEvent(source=source, type="invoice.paid", dedup_key="id:1", body=b"{}")])
    assert connected.flush(5)
    assert queue.messages() == ["hookline.process_events"]
    with transaction.atomic():
        hookline.dispatch("invoice.paid", {"id": 7})
        assert connected.flush(5)
        assert queue.messages() == []
    assert connected.flush(5)
    assert queue.messages() == ["hookline.send_deliveries"]


@pytest.mark.django_db(transaction=True)
def test_a_rollback_wakes_nobody(connected: Messenger, queue: Queue) -> None:
    make_endpoint()
    with transaction.atomic():
        hookline.dispatch("invoice.paid", {"id": 7})
        transaction.set_rollback(True)
    assert connected.flush(5)
    assert queue.messages() == []


def test_a_project_whose_own_tests_run_tasks_at_once_sends_no_messages(connected: Messenger, queue: Queue) -> None:
    queue.app.conf.task_always_eager = True
    wakeups.wake(Event)
    assert connected.flush(5)
    assert queue.messages() == []


@pytest.fixture
def engine_is_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = conf.load({"ENGINE": "celery"})
    monkeypatch.setattr(conf, "get", lambda: settings)


@pytest.mark.usefixtures("engine_is_celery")
def test_without_celery_the_engine_celery_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda _name: None)
    monkeypatch.setattr("hookline.apps.find_spec", lambda _name: None)
    monkeypatch.setattr(wakeups, "connect", lambda: pytest.fail("there is nothing to connect"))
    wake_celery()
    assert [message.id for message in checks.check_engine()] == ["hookline.E006"]


@pytest.mark.usefixtures("engine_is_celery", "connected")
def test_a_project_with_a_celery_app_is_fine() -> None:
    assert checks.check_engine() == []


@pytest.mark.usefixtures("engine_is_celery")
def test_a_project_without_a_celery_app_is_warned(messenger: Messenger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messenger.app, "main", "default")  # as Celery calls the app that it makes when there is none
    monkeypatch.setattr(wakeups, "messenger", lambda: messenger)
    assert [message.id for message in checks.check_engine()] == ["hookline.W004"]


def test_another_engine_needs_no_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "connect", lambda: pytest.fail("this engine is not Celery"))
    wake_celery()
    assert checks.check_engine() == []


def test_an_engine_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"ENGINE.*worker, celery.*'rq'"):
        conf.load({"ENGINE": "rq"})
