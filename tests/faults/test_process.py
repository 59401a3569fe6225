"""The driver kills exactly what it says. Each process here forks another one, as Celery's workers do."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.process import Process
from tests.waiting import wait_until

FORK = "import os, time; os.fork() or print('forked', os.getpid(), flush=True); time.sleep(60)"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process([sys.executable, "-c", FORK], {}, tmp_path / "log")
    yield started
    started.kill()


def forked(process: Process) -> int:
    return int(process.wait_for("forked"))


def gone(pid: int) -> bool:
    """Whether there is no such process, or nothing is left of it but its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_process_is_killed_with_all_that_it_forked(process: Process) -> None:
    other = forked(process)
    process.kill()
    assert process.ended == -9
    wait_until(lambda: gone(other))


def test_a_process_that_is_killed_alone_leaves_what_it_forked_until_it_is_killed_as_a_whole(process: Process) -> None:
    other = forked(process)
    process.kill_alone()
    assert process.ended == -9
    assert not gone(other)
    process.kill()
    wait_until(lambda: gone(other))


def test_a_process_outlives_what_it_forked(process: Process) -> None:
    other = forked(process)
    process.kill_child(random.Random(0))
    wait_until(lambda: gone(other))
    assert process.ended is None


def test_a_process_that_ended_by_itself_is_known_by_its_code_and_killing_it_does_nothing(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "raise SystemExit(3)"], {}, tmp_path / "log")
    wait_until(lambda: process.ended is not None)
    assert process.ended == 3
    process.kill()
    assert process.ended == 3
