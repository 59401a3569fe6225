"""One process of the server: HTTP in this thread, workers in others."""

from __future__ import annotations

import socket
from collections.abc import Callable

from hookline import conf
from hookline.runtime import http_server
from hookline.runtime.fleet import Fleet
from hookline.runtime.stopping import Stopping
from hookline.telemetry.courier import courier


def run(listener: socket.socket, worker: bool, stopping: Stopping, on_ready: Callable[[], None]) -> None:
    """Serve on the socket until told to stop, and with `worker` work meanwhile. Accepting stops before the workers."""
    settings = conf.get()
    application = http_server.application()
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
