"""The noun Maintenance: the thread that keeps a worker's leases and returns those of workers that are gone."""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db import close_old_connections, connections

from hookline.engine.claim import release_expired
from hookline.engine.desk import Desk

logger = logging.getLogger("hookline.engine")


class Maintenance(threading.Thread):
    """Runs beside a worker until `stop()`, three times per lease."""

    def __init__(self, desk: Desk[Any], max_attempts: int) -> None:
        super().__init__(name=f"hookline-maintenance-{desk.model.__name__.lower()}", daemon=True)
        self._desk = desk
        self._max_attempts = max_attempts
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                close_old_connections()
                self._desk.heartbeat()
                if released := release_expired(self._desk.model, self._max_attempts):
                    logger.warning("took back %d jobs whose worker is gone", released)
            except Exception:  # without this thread, every job of the worker would run a second time elsewhere
                logger.exception("cannot keep leases; trying again")
            self._stopping.wait(self._desk.lease / 3)
        connections.close_all()

    def stop(self) -> None:
        self._stopping.set()
        self.join()
