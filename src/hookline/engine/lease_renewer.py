"""The noun LeaseRenewer: the thread that keeps a worker's leases and returns those of workers that are gone."""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db import close_old_connections, connections

from hookline.engine.claim import release_expired
from hookline.engine.leases import Leases

logger = logging.getLogger("hookline.engine")


class LeaseRenewer(threading.Thread):
    """Runs beside a worker until `stop()`, three times per lease."""

    def __init__(self, leases: Leases[Any], max_attempts: int) -> None:
        super().__init__(name=f"hookline-leases-{leases.model.__name__.lower()}", daemon=True)
        self._leases = leases
        self._max_attempts = max_attempts
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                close_old_connections()
                self._leases.heartbeat()
                if released := release_expired(self._leases.model, self._max_attempts):
                    logger.warning("took back %d jobs whose worker is gone", released)
            except Exception:  # without this thread, every job of the worker would run a second time elsewhere
                logger.exception("cannot keep leases; trying again")
            self._stopping.wait(self._leases.lease / 3)
        connections.close_all()

    def stop(self) -> None:
        self._stopping.set()
        self.join()
