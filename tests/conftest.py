"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import TransactionTestCase

from tests.databases import POSTGRES_URL, empty_database, empty_tables
from tests.processes import Processes, unused_port


def pytest_report_header() -> str:
    return f"database: {'PostgreSQL' if POSTGRES_URL else 'SQLite'}"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """pytest-django's hook before it creates the test database: SQLite gets a file, so that threads share it."""
    if not POSTGRES_URL:
        path = tmp_path_factory.mktemp("database") / "test.db"
        connections["default"].settings_dict["TEST"]["NAME"] = str(path)


@pytest.fixture(scope="session", autouse=True)
def quick_teardown() -> Iterator[None]:
    """See `empty_tables`."""

    def empty(test: type[TransactionTestCase]) -> None:
        for alias in test._databases_names(include_mirrors=False):  # type: ignore[attr-defined]  # not in the stubs
            empty_tables(connections[alias])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", classmethod(empty))
        yield


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a new database without tables, for the servers and workers that the test starts."""
    with empty_database(tmp_path) as url:
        yield url


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts processes and kills them after the test. When the test fails, pytest shows what they wrote."""
    started = Processes(tmp_path)
    yield started
    started.kill_all()


@pytest.fixture
def free_port() -> int:
    return unused_port()
