"""The tests' own tools do what the other tests rely on."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import dj_database_url
import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.utils import ConnectionHandler

from tests.databases import POSTGRES_URL
from tests.processes import Processes
from tests.waiting import wait_until


@pytest.mark.django_db
def test_the_tests_run_on_the_database_that_was_asked_for() -> None:
    assert connection.vendor == ("postgresql" if POSTGRES_URL else "sqlite")


@pytest.mark.django_db(transaction=True)
def test_threads_share_the_database_and_wait_for_each_other_to_write() -> None:
    def write(name: str) -> None:
        try:
            with transaction.atomic():
                Group.objects.count()  # a read first is what makes SQLite's default transactions fail
                Group.objects.create(name=name)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(f"group {number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Group.objects.count() == 20


@pytest.mark.django_db  # only for the permission to open a connection
def test_a_database_url_names_an_empty_database_that_can_be_written(database_url: str) -> None:
    fresh = ConnectionHandler({"default": dj_database_url.parse(database_url)})["default"]
    try:
        assert fresh.introspection.table_names() == []
        with fresh.cursor() as cursor:
            cursor.execute("CREATE TABLE written (id integer)")
        assert fresh.introspection.table_names() == ["written"]
    finally:
        fresh.close()


def test_a_process_is_waited_for_by_its_output_and_ends_with_its_group(processes: Processes) -> None:
    child = "import time; print('child', flush=True); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = processes.start(sys.executable, "-c", parent)
    process.wait_for_output("child")
    process.kill()
    assert process.wait() == -9


def test_a_process_that_ends_early_is_reported_at_once(processes: Processes) -> None:
    process = processes.start(sys.executable, "-c", "print('no'); raise SystemExit(3)")
    with pytest.raises(AssertionError, match="ended with 3 before it wrote 'ready'"):
        process.wait_for_output("ready")
    assert process.output == "no\n"


def test_a_process_gets_the_environment_that_was_asked_for(processes: Processes, tmp_path: Path) -> None:
    code = "import os; print(os.environ['ASKED'], os.getcwd())"
    process = processes.start(sys.executable, "-c", code, environment={"ASKED": "yes"})
    assert process.wait() == 0
    assert process.output == f"yes {tmp_path}\n"


def test_waiting_returns_the_value_or_says_what_was_waited_for() -> None:
    values = iter([None, 0, "done"])
    assert wait_until(lambda: next(values)) == "done"
    with pytest.raises(AssertionError, match=r"waited 0.01 s in vain: the moon \(last: False\)"):
        wait_until(lambda: False, timeout=0.01, message="the moon")
