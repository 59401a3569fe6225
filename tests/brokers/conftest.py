"""One installation for each broker. These tests are run by `make test-brokers`, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from tests.brokers.brokers import BROKERS
from tests.brokers.site import Ledger, Site
from tests.databases import POSTGRES_URL
from tests.outgoing.consumer import running_consumer
from tests.processes import Processes
from tests.waiting import wait_until


@pytest.fixture(scope="session")
def database(django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A test database that several tests share. pytest-django's own is set up only for tests that do not."""
    assert POSTGRES_URL, "these tests need PostgreSQL: make test-brokers"
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        yield
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session", params=BROKERS)
def site(
    request: pytest.FixtureRequest,
    database: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Shared by all tests with one broker, since its processes take seconds to start. Each test has its own tenant."""
    directory = tmp_path_factory.mktemp(request.param)
    broker, processes = BROKERS[request.param](directory), Processes(directory)
    with running_consumer() as consumer:
        try:
            broker.start()
            yield Site(broker, consumer, processes)
        finally:
            processes.kill_all()
            broker.close()
            wait_until(lambda: others_connected() == 0)
            call_command("flush", verbosity=0, interactive=False)
            connection.close()


def others_connected() -> int:
    """How many connections of killed processes PostgreSQL has not noticed yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        count: int = cursor.fetchone()[0]
    return count


@pytest.fixture
def ledger(site: Site, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """Of a tenant of its own. When the test fails, pytest shows what the processes wrote meanwhile."""
    with site.output_shown():
        yield Ledger(site, request.node.originalname[:60])
