"""A thread's connection is looked after before each piece of work, nearly for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection, connections

from hookline.db import connections as module
from hookline.db.connections import look_after
from tests.round_trips import round_trips
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_the_server_closed_a_moment_ago_is_replaced_before_it_is_used() -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has no server that could
    look_after()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

            def has_ended() -> bool:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid])
                return bool(cursor.fetchone() == (0,))

            wait_until(has_ended)
    finally:
        other.close()
    look_after()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (pid,)


def test_what_was_used_a_moment_ago_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        return

    def work() -> None:
        look_after()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 2")

    work()
    assert round_trips(work, tmp_path / "trace") == 1
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 600)
    connection.close()
    work()
    monkeypatch.setattr(connections["default"], "health_check_enabled", True)
    assert round_trips(work, tmp_path / "trace") == 1
    monkeypatch.setattr(module, "IDLE", 0.0)
    assert round_trips(work, tmp_path / "trace") == 2
    connection.close()


def test_what_is_too_old_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        return
    monkeypatch.setattr(module, "EVERY", 0.0)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 600)
    connection.close()
    look_after()
    connection.ensure_connection()
    raw = connection.connection
    look_after()
    assert connection.connection is raw
    connections["default"].close_at = 0.0
    look_after()
    connection.ensure_connection()
    assert connection.connection is not raw
    connection.close()
