"""One process that works, without HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable

from hookline import conf
from hookline.runtime.fleet import Fleet
from hookline.runtime.metrics_server import MetricsServer
from hookline.runtime.stopping import Stopping


def run(
    stopping: Stopping,
    on_ready: Callable[[], None],
    only: str | None = None,
    concurrency: int | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Process events and send deliveries until told to stop. `only` and `concurrency` as Fleet has them.

    Answers `GET /metrics` on the `listener`, if there is one.
    """
    fleet = Fleet(conf.get(), only, concurrency, stopping.fail)
    metrics = None if listener is None else MetricsServer(listener)
    fleet.start()
    if metrics is not None:
        metrics.start()
    on_ready()
    stopping.wait()
    fleet.stop()
    if metrics is not None:
        metrics.stop()
