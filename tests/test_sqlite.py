"""Waiting for SQLite's one write lock, as the standalone server does."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate
from django.db.utils import ConnectionHandler

from hookline.server import sqlite

pytestmark = pytest.mark.django_db


@contextmanager
def asking_often(path: Path, timeout: float, journal: str = "WAL") -> Iterator[BaseDatabaseWrapper]:
    """A connection as the server makes them."""
    options = {"transaction_mode": "IMMEDIATE", "timeout": timeout, "init_command": f"PRAGMA journal_mode={journal}"}
    settings: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}
    sqlite.ask_often()
    connection = ConnectionHandler({"default": settings})["default"]
    try:
        connection.ensure_connection()
        yield connection
    finally:
        connection.close()
        connection_created.disconnect(sqlite._prepare)


@contextmanager
def held(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else's transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.mark.django_db(transaction=True)
def test_migrations_sort_on_the_disk() -> None:
    if connections["default"].vendor != "sqlite":
        pytest.skip("PostgreSQL has a bound of its own")
    sqlite.sort_on_disk()
    with connections["default"].cursor() as cursor:
        try:
            cursor.execute("PRAGMA temp_store = MEMORY")
            call_command("migrate", "hookline", verbosity=0)
            assert cursor.execute("PRAGMA temp_store").fetchone() == (1,)
        finally:
            pre_migrate.disconnect(sqlite._before_migrations)
            cursor.execute("PRAGMA temp_store = DEFAULT")


def write(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO things VALUES (1)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "test.db")) as made:
        made.execute("CREATE TABLE things (number)")
    return tmp_path / "test.db"


def test_it_waits_for_the_lock_and_then_goes_on(path: Path) -> None:
    with asking_often(path, timeout=20) as connection, held(path) as other:
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        write(connection)
        timer.join()
        assert connection.errors_occurred is False  # nothing that the connection would be closed for


def test_it_gives_up_when_the_timeout_has_passed(path: Path) -> None:
    with asking_often(path, timeout=0.2) as connection, held(path):
        began = time.monotonic()
        with pytest.raises(OperationalError, match="locked"):
            write(connection)
        assert time.monotonic() - began >= 0.2
        assert connection.errors_occurred is True


def test_what_fails_for_another_reason_fails_at_once(path: Path) -> None:
    with asking_often(path, timeout=20) as connection, pytest.raises(OperationalError, match="no such table"):
        connection.cursor().execute("INSERT INTO others VALUES (1)")


def test_transactions_of_many_threads_all_come_to_their_turn(path: Path) -> None:
    with asking_often(path, timeout=20) as first:
        settings = first.settings_dict

        def work() -> None:
            connection = ConnectionHandler({"default": dict(settings)})["default"]
            for _ in range(25):
                connection.ensure_connection()
                connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
                write(connection)
                connection.commit()
                connection.set_autocommit(True)
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with first.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM things")
            assert cursor.fetchone() == (200,)


def test_it_stays_when_a_block_has_a_wrapper_of_its_own(path: Path) -> None:
    with asking_often(path, timeout=20) as connection:
        connection.close()
        with connection.execute_wrapper(lambda execute, *arguments: execute(*arguments)):
            connection.ensure_connection()
        assert connection.execute_wrappers == [sqlite._patiently]


def test_many_rows_that_are_written_outside_a_transaction_are_written_once_each(path: Path) -> None:
    with asking_often(path, timeout=20) as connection:
        stop = threading.Event()

        def lock_again_and_again() -> None:
            with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
                while not stop.is_set():
                    other.execute("BEGIN IMMEDIATE")
                    other.execute("COMMIT")

        locking = threading.Thread(target=lock_again_and_again)
        locking.start()
        try:
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO things VALUES (%s)", [(number,) for number in range(300)])
        finally:
            stop.set()
            locking.join()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), count(DISTINCT number) FROM things")
            assert cursor.fetchone() == (300, 300)


def test_without_a_write_ahead_log_sqlite_waits_itself(path: Path) -> None:
    with asking_often(path, timeout=20, journal="DELETE") as connection:
        assert connection.execute_wrappers == []
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            assert cursor.fetchone() == (20_000,)
