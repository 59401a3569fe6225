"""Fixtures for all tests."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import TransactionTestCase

from tests.databases import POSTGRES_URL, empty_database, empty_tables, migrate, template_database
from tests.processes import Processes, unused_port


def pytest_report_header() -> str:
    return f"database: {'PostgreSQL' if POSTGRES_URL else 'SQLite'}"


#: Fixtures that lead to a database; in this process, pytest-django lets no other test reach it.
_LEADING_THERE = frozenset({"db", "transactional_db", "database_url", "migrated_url", "processes"})
#: So does what a module starts by itself.
_STARTS_PROCESSES = re.compile(r"subprocess|Processes|empty_database|POSTGRES_URL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With HOOKLINE_TEST_DATABASE_ONLY, leave out what touches no database: it ran with another one already."""
    if not os.environ.get("HOOKLINE_TEST_DATABASE_ONLY"):
        return
    starting = {item.path: bool(_STARTS_PROCESSES.search(item.path.read_text())) for item in items}
    kept = [item for item in items if _touches_database(item, starts_processes=starting[item.path])]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _touches_database(item: pytest.Item, *, starts_processes: bool) -> bool:
    if item.get_closest_marker("own_database") is not None:
        return False
    fixtures: list[str] = getattr(item, "fixturenames", [])
    marked = item.get_closest_marker("django_db") is not None
    return starts_processes or marked or not _LEADING_THERE.isdisjoint(fixtures)


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


@pytest.fixture(scope="session")
def template_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with template_database(tmp_path_factory.mktemp("template"), migrate) as url:
        yield url


@pytest.fixture
def migrated_url(tmp_path: Path, template_url: str) -> Iterator[str]:
    """The URL of a new database with Hookline's tables, for tests that are not about a first start: those take long."""
    with empty_database(tmp_path, template_url) as url:
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
