"""The processes of the server: those that answer HTTP, and those that work."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.db import connections, router

from hookline import conf
from hookline.engine.kind import declared
from hookline.models import Event
from hookline.runtime import http_server
from hookline.runtime.interpreter import spare_what_is_loaded, switch_sooner
from hookline.runtime.siblings import Siblings
from hookline.runtime.stopping import Stopping
from hookline.runtime.supervisor import Work
from hookline.telemetry.courier import courier

if TYPE_CHECKING:
    from hookline.runtime.fleet import Fleet

logger = logging.getLogger("hookline.server")

#: More worker processes than these are started only where WORKER_PROCESSES says so: each takes some 70 MB.
MOST_BY_ITSELF = 4
#: How far those that work stand back, in steps of `nice`, while there is not processor time enough for all: what comes
#: in is acknowledged first, and the backlog is worked off in larger batches, which cost less.
YIELDING = 10


def works(listener: socket.socket, servers: int, workers: int | None) -> list[Work]:
    """What each process of the server does, for a supervisor. `workers` None: nothing is processed or sent here.

    With 0 workers each server works, too, in threads of its own.
    """
    if not workers:
        return [partial(run, listener, workers is not None)] * servers
    siblings = Siblings(workers, servers, [one.model for one in declared()])
    answering: list[Work] = [partial(_answer, siblings, place, listener) for place in range(servers)]
    working: list[Work] = [_Working(siblings, place) for place in range(workers)]
    return answering + working


def worker_processes(settings: conf.Settings, cores: int) -> int:
    """How many processes work beside those that answer, as the setting or else the machine says.

    One less than it has cores: handlers and deliveries in the interpreter that acknowledges make it several times
    slower. None on SQLite, whose one write lock is passed on faster between the threads of one process.
    """
    if settings.WORKER_PROCESSES is not None:
        return settings.WORKER_PROCESSES
    if connections[router.db_for_write(Event)].vendor == "sqlite":
        return 0
    return min(cores - 1, MOST_BY_ITSELF)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _answer(
    siblings: Siblings, place: int, listener: socket.socket, stopping: Stopping, on_ready: Callable[[], None]
) -> None:
    siblings.join_as_server(place)
    run(listener, False, stopping, on_ready)


class _Working:
    """What a process does that works."""

    def __init__(self, siblings: Siblings, place: int) -> None:
        self._siblings = siblings
        self._place = place

    def __call__(self, stopping: Stopping, on_ready: Callable[[], None]) -> None:
        from hookline.runtime import worker  # loaded beside the server, which listens meanwhile

        self._siblings.join_as_worker(self._place)
        os.nice(YIELDING)
        worker.run(stopping, on_ready)

    def ended(self) -> None:
        """See supervisor.Work."""
        self._siblings.worker_ended(self._place)


def run(listener: socket.socket, worker: bool, stopping: Stopping, on_ready: Callable[[], None]) -> None:
    """Serve on the socket until told to stop, and with `worker` work meanwhile. Accepting stops before the workers."""
    settings = conf.get()
    application = http_server.application()
    # With Celery as the engine, its workers are the fleet.
    fleet = FleetBeside(settings, stopping) if worker and settings.ENGINE == "worker" else None
    if fleet is None:
        switch_sooner()  # so that what connects does not make the server wait, either
    application.receiver.prepare()
    spare_what_is_loaded()

    def ready() -> None:
        application.receiver.begin()
        on_ready()
        if fleet is not None:
            fleet.start()

    try:
        http_server.serve(application, listener, stopping, ready, settings.STOP_TIMEOUT)
    finally:
        if fleet is not None:
            fleet.stop()
        courier.drain(settings.STOP_TIMEOUT)


class FleetBeside:
    """A fleet in the process of a server. It starts on a thread of its own, so that the server answers meanwhile."""

    def __init__(self, settings: conf.Settings, stopping: Stopping) -> None:
        self._settings = settings
        self._stopping = stopping
        self._fleet: Fleet | None = None
        self._starting = threading.Thread(target=self._start, name="hookline-start", daemon=True)

    def start(self) -> None:
        self._starting.start()

    def stop(self) -> None:
        """Take no more jobs, finish those in progress, release the rest."""
        if self._starting.ident is not None:
            self._starting.join()
        if self._fleet is not None:
            self._fleet.stop()

    def _start(self) -> None:
        from hookline.runtime.fleet import Fleet  # takes a while

        try:
            fleet = Fleet(self._settings, on_stuck=self._stopping.fail)
            fleet.start()
            self._fleet = fleet
        except Exception as error:
            logger.exception("the workers cannot start")
            self._stopping.fail(f"the workers cannot start: {error}", False)
        finally:
            connections.close_all()
