"""What dispatch() costs the database, and what must not be lost for it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, DataError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext

from hookline import dispatch, dispatch_many
from hookline.db.binary import fetch_prepared
from hookline.db.row import new_id
from hookline.engine.postgres_notify import notifying_later
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.posting import Outcome, Post, post
from hookline.tenants.models import Tenant
from tests.engine.rows import make_endpoint
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("endpoints", [0, 1, 100])
@pytest.mark.parametrize("tenant", [None, "acme"])
def test_dispatch_is_one_round_trip(endpoints: int, tenant: str | None, tmp_path: Path) -> None:
    owner = Tenant.objects.create(key=tenant or "default")
    for _ in range(endpoints):
        make_endpoint(tenant=owner)
    for _ in range(5):  # until the statement is prepared
        dispatch("invoice.paid", {}, tenant=tenant)
    with transaction.atomic():
        dispatch("invoice.paid", {}, tenant=tenant)  # begins the transaction
        if connection.vendor == "postgresql":
            assert round_trips(lambda: dispatch("invoice.paid", {}, tenant=tenant), tmp_path / "trace") == 1
            many: list[tuple[str, Any]] = [("invoice.paid", {}), ("a", {}), ("b", {})]
            assert round_trips(lambda: dispatch_many(many, tenant=owner), tmp_path / "trace") <= 2  # once to prepare it
        else:
            with CaptureQueriesContext(connection) as queries:
                dispatch("invoice.paid", {}, tenant=tenant)
            assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "INSERT", "INSERT", "RELEASE"]
    assert Delivery.objects.filter(message__type="invoice.paid").count() >= 7 * endpoints


def test_a_filter_costs_one_round_trip_more(tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no round trips; see test_filters.py for its statements")
    make_endpoint(tenant=Tenant.objects.create(key="acme"), filter="@.data.n == 1")
    for _ in range(5):  # until the statements are prepared
        dispatch("invoice.paid", {"n": 1}, tenant="acme")
    with transaction.atomic():
        dispatch("invoice.paid", {"n": 1}, tenant="acme")  # begins the transaction
        assert round_trips(lambda: dispatch("invoice.paid", {"n": 1}, tenant="acme"), tmp_path / "trace") == 2
        assert round_trips(lambda: dispatch("invoice.paid", {"n": 2}, tenant="acme"), tmp_path / "trace") == 1
    assert Delivery.objects.count() == 7


@pytest.mark.parametrize("key", [None, "request"])
def test_posted_messages_are_committed_in_one_round_trip(key: str | None, tmp_path: Path) -> None:
    tenant = Tenant.objects.create(key="acme")
    make_endpoint(tenant=tenant)

    def post_two() -> None:
        drafts = [Draft(new_id(), "a", [], b"{}", request_key=uuid4() if key else None) for _ in range(2)]
        assert [one.outcome for one in post([Post(draft, tenant.pk) for draft in drafts])] == [Outcome.NEW] * 2

    for _ in range(5):  # until the statement is prepared
        post_two()
    if connection.vendor == "postgresql":
        with notifying_later(lambda _: None):
            assert round_trips(post_two, tmp_path / "trace") == 1
    assert Delivery.objects.count() == Message.objects.count() == (12 if connection.vendor == "postgresql" else 10)


def in_another_thread(work: Callable[[], object]) -> None:
    def run() -> None:
        work()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)


def test_an_endpoint_that_another_connection_committed_a_moment_ago_gets_the_message() -> None:
    """However often the statement ran before: its plan may be kept, its answer may not."""
    for number in range(1, 12):
        in_another_thread(make_endpoint)
        assert dispatch("invoice.paid", {}).deliveries.count() == number
    in_another_thread(lambda: Endpoint.objects.update(event_types=["other"]))
    assert dispatch("invoice.paid", {}).deliveries.count() == 0
    in_another_thread(lambda: Endpoint.objects.update(event_types=[], channels=["eu"]))
    assert dispatch("invoice.paid", {}).deliveries.count() == 0
    assert dispatch("invoice.paid", {}, channels=["eu"]).deliveries.count() == 11


def test_a_pattern_that_makes_others_backtrack_for_hours_does_not() -> None:
    make_endpoint(event_types=["*a" * 127 + "*b", "a*" * 127 + "b"])
    make_endpoint(event_types=["*a" * 127 + "*"])
    message = dispatch("a" * 256, {})
    assert message.deliveries.count() == 1


@pytest.mark.parametrize(
    "broken", ["null", "{}", "7", "[7, null]", '["[a-z]*"]', '["invoice?paid"]', '["%*"]', '["\\\\*"]']
)
def test_an_endpoint_whose_patterns_are_none_gets_nothing_and_disturbs_no_other(broken: str) -> None:
    """What no face of Hookline writes, but a person with SQL might."""
    good = make_endpoint()
    make_endpoint("https://bad.example")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hookline_endpoint SET event_types = %s WHERE url = %s", [broken, "https://bad.example"])
    message = dispatch("invoice.paid", {})
    assert [delivery.endpoint for delivery in message.deliveries.all()] == [good]


# ---- prepared statements --------------------------------------------------------------------------------


def prepared(database: BaseDatabaseWrapper) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("by_psycopg", [False, True])
def test_a_statement_that_runs_often_is_prepared_once_and_is_there_after_a_rollback(by_psycopg: bool) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps its statements itself")
    connection.close()
    connection.ensure_connection()
    if by_psycopg:  # as OPTIONS can say: then it prepares, and discards, the project's own statements too
        connection.connection.prepare_threshold = 2
    for _ in range(5):
        dispatch("invoice.paid", {})
    assert prepared(connection) == 1
    with transaction.atomic():
        dispatch("invoice.paid", {})
        transaction.set_rollback(True)
    for _ in range(3):
        dispatch("invoice.paid", {})
    assert prepared(connection) == 1
    assert Message.objects.count() == 8
    connection.close()


def test_a_transaction_that_dispatch_begins_is_as_the_connection_says() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one level")
    import psycopg

    for _ in range(5):
        dispatch("invoice.paid", {})
    connection.connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    for _ in range(2):
        with transaction.atomic():
            dispatch("invoice.paid", {})
            with connection.cursor() as cursor:
                cursor.execute("SHOW transaction_isolation")
                assert cursor.fetchone() == ("serializable",)
    connection.close()
    assert Message.objects.count() == 7


def test_a_prepared_statement_that_is_out_of_date_fails_once() -> None:
    """Its table has changed, or somebody has discarded what is prepared: both may be while a process runs."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite prepares such a statement again itself")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE changed AS SELECT 1 AS a")
        for change in ("ALTER TABLE changed ADD b int", "DEALLOCATE ALL"):
            for _ in range(4):
                assert fetch_prepared(connections["default"], "SELECT *, %b::text FROM changed", ["x"])[0][0] == 1
            cursor.execute(change)
            with pytest.raises(DatabaseError):
                fetch_prepared(connections["default"], "SELECT *, %b::text FROM changed", ["x"])
            assert fetch_prepared(connections["default"], "SELECT *, %b::text FROM changed", ["x"])[0][0] == 1
        cursor.execute("DROP TABLE changed")


@pytest.mark.parametrize("run", [in_another_thread, lambda work: work()], ids=["in a thread", "in the main thread"])
def test_what_goes_wrong_with_a_prepared_statement_is_the_databases_own_error(run: Callable[[Any], object]) -> None:
    """In the main thread it can be interrupted; in others it waits within libpq."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite prepares nothing here")
    seen: list[object] = []

    def work() -> None:
        database = connections["default"]
        for _ in range(5):
            seen.extend(fetch_prepared(database, "SELECT 6 / %b::int", [3]))
        with pytest.raises(DataError, match="division by zero"):
            fetch_prepared(database, "SELECT 6 / %b::int", [0])
        with transaction.atomic():
            seen.extend(fetch_prepared(database, "SELECT 6 / %b::int", [2]))
        with pytest.raises(OperationalError):
            fetch_prepared(database, "SELECT pg_terminate_backend(pg_backend_pid()), %b::int", [1])
        database.close()
        seen.extend(fetch_prepared(database, "SELECT 6 / %b::int", [1]))

    run(work)
    assert seen == [(2,)] * 5 + [(3,), (6,)]


def test_statements_beyond_a_hundred_take_the_place_of_others() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps its statements itself")
    for number in range(250):
        assert fetch_prepared(connections["default"], f"SELECT %b::text, {number}", ["x"]) == [("x", number)]
    assert 1 <= prepared(connection) <= 100


@contextmanager
def pooler(server: str, directory: Path) -> Iterator[None]:
    """Listens in `directory` and passes everything on, but names a process of its own, as poolers do."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory / ".s.PGSQL.5432"))
    listening.listen()

    def copy(source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):  # the other side has ended
            while data := source.recv(65536):
                target.sendall(change(data))
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        try:
            client, _ = listening.accept()
        except OSError:  # nobody came
            return
        with client, socket.socket(socket.AF_UNIX) as behind:
            behind.connect(f"{server}/.s.PGSQL.5432")
            forward = threading.Thread(target=copy, args=(client, behind, bytes))
            forward.start()
            # BackendKeyData: a K, the length 12, the process, the key.
            # https://www.postgresql.org/docs/current/protocol-message-formats.html
            copy(behind, client, partial(re.compile(rb"K\0\0\0\x0c....", re.DOTALL).sub, b"K\0\0\0\x0c\0\0\0\x07"))
            forward.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(20)
        listening.close()


def test_nothing_is_prepared_through_a_pooler(tmp_path: Path) -> None:
    """The next statement may meet another server process, which knows of no preparation."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has poolers")
    connection.ensure_connection()
    server = connection.connection.info.host
    if not server.startswith("/"):
        pytest.skip("the server has no Unix socket here")
    for through, expected in ((False, 1), (True, 0)):
        database = connection.copy()
        with pooler(server, tmp_path):
            if through:
                database.settings_dict["OPTIONS"] = {**database.settings_dict["OPTIONS"], "host": str(tmp_path)}
            try:
                for _ in range(6):
                    assert fetch_prepared(database, "SELECT %b::int + 1", (6,)) == [(7,)]
                assert prepared(database) == expected
            finally:
                database.close()
                (tmp_path / ".s.PGSQL.5432").unlink()
