"""The processes of the server: those that answer HTTP, and those that work."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial

from django.db import connections, router

from hookline import conf
from hookline.engine.kind import declared
from hookline.models import Event
from hookline.runtime import http_server, worker
from hookline.runtime.fleet import Fleet
from hookline.runtime.garbage import spare_what_is_loaded
from hookline.runtime.siblings import Siblings
from hookline.runtime.stopping import Stopping
from hookline.runtime.supervisor import Work
from hookline.telemetry.courier import courier

#: More worker processes than these are started only where WORKER_PROCESSES says so: each takes some 70 MB.
MOST_BY_ITSELF = 4


def works(listener: socket.socket, servers: int, workers: int | None) -> list[Work]:
    """What each process of the server does, for a supervisor. `workers` None: nothing is processed or sent here.

    With 0 workers each server works, too, in threads of its own.
    """
    if not workers:
        return [partial(run, listener, workers is not None)] * servers
    siblings = Siblings(workers, [one.model for one in declared()])
    answering: Work = partial(_with_siblings, siblings, None, partial(run, listener, False))
    working: list[Work] = [partial(_with_siblings, siblings, place, worker.run) for place in range(workers)]
    return [answering] * servers + working


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


def _with_siblings(
    siblings: Siblings, place: int | None, work: Work, stopping: Stopping, on_ready: Callable[[], None]
) -> None:
    siblings.join(place)
    work(stopping, on_ready)


def run(listener: socket.socket, worker: bool, stopping: Stopping, on_ready: Callable[[], None]) -> None:
    """Serve on the socket until told to stop, and with `worker` work meanwhile. Accepting stops before the workers."""
    settings = conf.get()
    application = http_server.application()
    spare_what_is_loaded()
    # With Celery as the engine, its workers are the fleet.
    fleet = Fleet(settings, on_stuck=stopping.fail) if worker and settings.ENGINE == "worker" else None
    if fleet is not None:
        fleet.start()
    try:
        http_server.serve(application, listener, stopping, on_ready, settings.STOP_TIMEOUT)
    finally:
        if fleet is not None:
            fleet.stop()
        courier.drain(settings.STOP_TIMEOUT)
