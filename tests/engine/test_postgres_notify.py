"""NOTIFY from one process and LISTEN in another: at once when it is quiet, bundled in a storm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection, transaction

from hookline.engine import notifier, postgres_notify
from hookline.engine.postgres_notify import CHANNEL, Listener, PostgresNotify, notifying_later
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


def test_a_group_tells_others_behind_whoever_commits_and_says_who_it_is(
    listening: psycopg.Connection[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_notify, "_group", "ours")
    monkeypatch.setattr(postgres_notify, "GROUP_LINGER", 0.05)
    notify = PostgresNotify(Event)
    for _ in range(10):
        notify()
    assert [notice.payload for notice in listening.notifies(timeout=10, stop_after=1)] == ["hookline_event ours"]
    wait_until(lambda: not any(thread.name == "hookline-notify" for thread in threading.enumerate()))
    assert heard(listening, 0.1) == []


def test_a_listener_leaves_out_its_own_group_and_hears_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_notify, "_group", "ours")
    rang: list[str] = []

    def ring() -> None:
        rang.append("rang")

    notifier.of(Event).subscribe(ring)
    listener = Listener([Event])
    listener.start()
    try:
        wait_until(lambda: rang == ["rang"])  # it listens
        with connection.cursor() as cursor:
            for payload in ("hookline_event ours", "hookline_event theirs", "hookline_event"):
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        wait_until(lambda: len(rang) >= 3)
    finally:
        listener.stop()
        notifier.of(Event).unsubscribe(ring)
    assert len(rang) == 3


def test_what_nobody_should_wait_for_is_sent_later(listening: psycopg.Connection[tuple[object, ...]]) -> None:
    later: list[Callable[[], None]] = []
    with notifying_later(later.append):
        PostgresNotify(Event)()
    assert heard(listening, 0.1) == []
    for send in later:
        send()
    assert [notice.payload for notice in listening.notifies(timeout=10, stop_after=1)] == ["hookline_event"]


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
