"""The noun Keeper: keeps the leases of what one task has claimed."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

from django.db import close_old_connections, connections

from hookline.engine.job import Job, Settlement
from hookline.engine.leases import Leases

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.celery")

#: A job that was claimed and has not begun after so many seconds is given back: what is before it takes its time.
PATIENCE = 2.0


class Keeper(threading.Thread, Generic[J]):
    """While it is entered: extends the leases of the leases, and gives back what is still in `unbegun` after a while.

    `on_given_back` is called then, so that somebody else takes it. A task that is quick never sees this thread at work.
    """

    def __init__(self, leases: Leases[J], unbegun: deque[J], on_given_back: Callable[[], None]) -> None:
        super().__init__(name=f"hookline-keeper-{leases.model.__name__.lower()}", daemon=True)
        self._leases = leases
        self._unbegun = unbegun
        self._on_given_back = on_given_back
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        pause = min(PATIENCE, self._leases.lease / 3)
        while not self._done.wait(pause):
            try:
                close_old_connections()
                self._give_back_unbegun()
                self._leases.heartbeat()
            except Exception:  # without this thread, every job of the task would run a second time elsewhere
                logger.exception("cannot keep leases; trying again")
            pause = self._leases.lease / 3
        connections.close_all()

    def _give_back_unbegun(self) -> None:
        jobs: list[J] = []
        with suppress(IndexError):  # not asked beforehand: the task may take the last one in between
            while True:
                jobs.append(self._unbegun.popleft())
        if jobs:
            note = "claimed together with another one that took long"
            self._leases.release([(job, Settlement.give_back(0, note)) for job in jobs])
            self._on_given_back()
