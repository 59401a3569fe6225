"""NOTIFY from one process and LISTEN in another: at once when it is quiet, bundled in a storm."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction

from hookline.engine import notifier, postgres_notify
from hookline.engine.postgres_notify import CHANNEL, Listener, PostgresNotify
from hookline.incoming.models import Event
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no NOTIFY"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def listening() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory", None)
    with psycopg.connect(**{**parameters, "autocommit": True}) as other:
        other.execute(f"LISTEN {CHANNEL}")
        yield other


def heard(listening: psycopg.Connection[tuple[object, ...]], seconds: float) -> list[str]:
    return [notice.payload for notice in listening.notifies(timeout=seconds)]


def test_the_first_notification_is_sent_before_the_call_returns(
    listening: psycopg.Connection[tuple[object, ...]],
) -> None:
    PostgresNotify(Event)()
    assert [notice.payload for notice in listening.notifies(timeout=10, stop_after=1)] == ["hookline_event"]


def test_a_storm_is_bundled_and_its_last_commit_is_told(
    listening: psycopg.Connection[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_notify, "WINDOW", 0.4)
    notify = PostgresNotify(Event)
    for _ in range(100):
        notify()
    assert len(heard(listening, 0.1)) == 1
    # The others, at the end of the window, by a thread that then ends.
    assert [notice.payload for notice in listening.notifies(timeout=10, stop_after=1)] == ["hookline_event"]
    wait_until(lambda: not any(thread.name == "hookline-notify" for thread in threading.enumerate()))
    assert heard(listening, 0.1) == []


def test_nothing_is_sent_within_a_transaction(listening: psycopg.Connection[tuple[object, ...]]) -> None:
    with transaction.atomic():
        PostgresNotify(Event)()
    assert heard(listening, 0.1) == []


def test_a_listener_rings_for_each_notification_without_a_pause() -> None:
    rang: list[float] = []

    def ring() -> None:
        rang.append(time.monotonic())

    notifier.of(Event).subscribe(ring)
    listener = Listener([Event])
    listener.start()
    try:
        wait_until(lambda: len(rang) == 1)  # it listens
        told = []
        for number in range(10):
            told.append(time.monotonic())
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, "hookline_event"])
            wait_until(lambda expected=number + 2: len(rang) >= expected)  # type: ignore[misc]
        # Of ten the quickest: the machine may be busy.
        assert min(later - earlier for earlier, later in zip(told, rang[1:], strict=False)) < 0.03
        assert len(rang) == 11
    finally:
        listener.stop()
        notifier.of(Event).unsubscribe(ring)
