"""LeaseRenewer: the thread beside whoever runs jobs, that keeps their leases."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from django.db import close_old_connections, connections

from hookline.db.connections import DATABASE_PAUSE
from hookline.engine import notifier
from hookline.engine.job import Job
from hookline.engine.leases import Leases
from hookline.engine.settle import release_expired

logger = logging.getLogger("hookline.engine")


class LeaseRenewer(threading.Thread):
    """Until `stop()`, or while it is entered: marks jobs that have begun, and extends leases three times per lease.

    With `max_attempts` it also returns the jobs of workers that are gone. `checks` are called with every look.
    """

    def __init__(
        self, leases: Leases[Any], max_attempts: int | None = None, *, checks: Sequence[Callable[[], object]] = ()
    ) -> None:
        super().__init__(name=f"hookline-leases-{leases.model.__name__.lower()}", daemon=True)
        self._leases = leases
        self._max_attempts = max_attempts
        self._checks = (leases.mark_begun, *checks)
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self) -> None:
        pause = self._leases.lease / 3
        # A look that finds nothing new asks no database.
        look = min(self._leases.mark_after, pause, max(0.01, self._leases.longest_run / 4))
        # A task that is quick never sees this thread at work.
        kept = time.monotonic() if self._max_attempts is None else float("-inf")
        while not self._stopping.wait(look if kept > float("-inf") else 0):
            close_old_connections()
            done = [self._try(check) for check in self._checks]
            if self._max_attempts is not None:
                done.append(self._try(partial(self._return_missed, self._max_attempts)))
            if not all(done):
                self._stopping.wait(min(DATABASE_PAUSE, pause))
            if time.monotonic() - kept >= pause:
                kept = time.monotonic()
                self._try(self._leases.heartbeat)
                if self._max_attempts is not None:
                    self._try(partial(self._release, self._max_attempts))
        connections.close_all()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def _release(self, max_attempts: int) -> None:
        if released := release_expired(self._leases.model, max_attempts):
            logger.warning("recovered %d jobs whose worker is gone", released)

    def _return_missed(self, max_attempts: int) -> None:
        if returned := self._leases.return_missed(max_attempts):
            model: type[Job] = self._leases.model
            logger.warning("recovered %d jobs that nobody told this worker of", returned)
            notifier.of(model).notify()

    def _try(self, duty: Callable[[], object]) -> bool:
        """Returns whether it was done."""
        try:
            duty()
        except Exception:  # without this thread, every job of the worker would run a second time elsewhere
            logger.exception("cannot keep leases; retrying")
            return False
        return True
