"""What a process held when it died is returned at once, whatever its leases say."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import InterfaceError, OperationalError, connection

from hookline import conf
from hookline.engine import liveness as module
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.kind import kind_of
from hookline.engine.liveness import GRACE, FileLocks, Liveness
from hookline.engine.settle import DIED_UNBEGUN
from hookline.models import Event
from tests.engine.other_processes import databases_as_json
from tests.engine.rows import make_event, make_source
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class SomeLocks:
    """Locks of processes that exist in the test's mind only."""

    def __init__(self, *alive: int) -> None:
        self.alive = set(alive)

    def hold(self, number: int) -> bool:
        return True

    def held(self, numbers: Collection[int]) -> set[int]:
        return self.alive & set(numbers)


def add_events(count: int) -> None:
    source = make_source()
    for _ in range(count):
        make_event(source)


def liveness() -> Liveness:
    return Liveness([kind_of(Event, conf.get())])


def test_the_jobs_of_a_worker_without_its_lock_are_returned_after_a_while_and_those_of_others_stay() -> None:
    add_events(2)
    [dead] = claim(Event, 1, lease=600, worker=7)
    [alive] = claim(Event, 1, lease=600, worker=8)
    watcher, locks = liveness(), SomeLocks(8)
    watcher.look(locks, 100.0)
    watcher.look(locks, 100.0 + GRACE - 0.1)
    assert Event.objects.get(pk=dead.pk).state == State.RUNNING
    watcher.look(locks, 100.0 + GRACE)
    returned = Event.objects.get(pk=dead.pk)
    assert (returned.state, returned.note, returned.attempts, returned.crashes) == (State.PENDING, DIED_UNBEGUN, 0, 1)
    assert Event.objects.get(pk=alive.pk).state == State.RUNNING


def test_what_is_given_to_a_worker_after_its_death_was_noticed_is_returned_too() -> None:
    add_events(1)
    claim(Event, 1, lease=600, worker=7)
    watcher, locks = liveness(), SomeLocks()
    watcher.look(locks, 100.0)
    watcher.look(locks, 100.0 + GRACE)
    assert not Event.objects.exclude(state=State.PENDING).exists()
    claim(Event, 1, lease=600, worker=7)  # as whoever makes a job does that does not know it yet
    watcher.look(locks, 103.0)
    watcher.look(locks, 103.0 + GRACE)
    assert not Event.objects.exclude(state=State.PENDING).exists()


def test_a_worker_that_takes_its_lock_again_in_time_keeps_its_jobs() -> None:
    add_events(1)
    [job] = claim(Event, 1, lease=600, worker=7)
    watcher, locks = liveness(), SomeLocks()
    watcher.look(locks, 100.0)
    locks.alive = {7}
    watcher.look(locks, 101.0)
    locks.alive = set()
    watcher.look(locks, 102.5)
    assert Event.objects.get(pk=job.pk).state == State.RUNNING


def test_jobs_of_a_process_without_a_number_wait_for_their_lease() -> None:
    add_events(1)
    [job] = claim(Event, 1, lease=600)
    watcher = liveness()
    for now in (100.0, 200.0, 300.0):
        watcher.look(SomeLocks(), now)
    assert Event.objects.get(pk=job.pk).state == State.RUNNING


def test_what_a_killed_process_held_is_returned_in_seconds_though_its_lease_is_ten_minutes() -> None:
    add_events(3)
    with claiming() as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        assert set(Event.objects.values_list("state", "worker")) == {(State.RUNNING, number)}
        watcher = liveness()
        watcher.start()
        try:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            wait_until(lambda: Event.objects.filter(state=State.PENDING).count() == 3, timeout=20)
        finally:
            watcher.stop()


def test_what_a_process_that_lives_holds_stays_there() -> None:
    add_events(3)
    with claiming() as process:
        assert process.stdout is not None
        process.stdout.readline()
        watcher = liveness()
        watcher.start()
        try:
            wait_until(lambda: watcher.number() is not None)
            locks = _locks_of(watcher)
            watcher.look(locks, 100.0)
            watcher.look(locks, 100.0 + 2 * GRACE)
        finally:
            watcher.stop()
    assert set(Event.objects.values_list("state", flat=True)) == {State.RUNNING}


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("closed"), RuntimeError("surprise")])
def test_no_error_ends_the_thread_and_claims_name_no_number_until_it_is_locked_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = liveness()
    held: list[int | None] = []

    class Failing(SomeLocks):
        def hold(self, number: int) -> bool:
            held.append(watcher.number())
            if len(held) == 2:
                raise error
            return True

    monkeypatch.setattr(module, "locks_of", lambda _: Failing())
    monkeypatch.setattr(module, "LOOK", 0.01)
    watcher.start()
    try:
        wait_until(lambda: len(held) > 3 and watcher.number() is not None)
    finally:
        watcher.stop()
    assert held[2] is None


def test_a_number_in_a_file_is_held_until_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    code = (
        "import sys, pathlib; from hookline.engine.liveness import FileLocks; "
        f"locks = FileLocks(pathlib.Path({str(path)!r})); locks.hold(7); print('held', flush=True); sys.stdin.read()"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    program = f"import os; os.environ.update({environment!r}); import django; django.setup(); {code}"
    mine = FileLocks(path)
    assert mine.hold(1)
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert mine.held({1, 7, 9}) == {1, 7}
        process.kill()
    assert mine.held({1, 7, 9}) == {1}
    assert (path.stat().st_mode & 0o777) == 0o600


def test_the_settings_say_how_many_processes_work_beside_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from hookline.runtime.server import worker_processes

    settings = conf.get()
    assert worker_processes(replace(settings, WORKER_PROCESSES=3), cores=1) == 3
    assert worker_processes(replace(settings, WORKER_PROCESSES=0), cores=8) == 0
    several = connection.vendor == "postgresql"
    assert [worker_processes(settings, cores) for cores in (1, 2, 4, 32)] == ([0, 1, 3, 4] if several else [0, 0, 0, 0])


def _locks_of(watcher: Liveness) -> SomeLocks:
    """The real locks, asked from this thread."""
    from hookline.engine.liveness import locks_of

    locks = locks_of(connection)
    assert locks is not None
    if connection.vendor == "sqlite":
        assert isinstance(locks, FileLocks)
        locks.hold(2**31 - 1)
    return locks  # type: ignore[return-value]


@contextmanager
def claiming() -> Iterator[subprocess.Popen[str]]:
    """A process that holds all events that are due, and says its number."""
    command = [sys.executable, "-m", "tests.engine.holding_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            print(databases_as_json(), file=process.stdin, flush=True)
            yield process
        finally:
            process.kill()
