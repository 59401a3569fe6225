"""Replays as a kind of job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import close_old_connections, connections

from hookline import conf
from hookline.engine import notifier
from hookline.engine.kind import JobKind, register
from hookline.engine.leases import Leases
from hookline.engine.prune import Pruner
from hookline.engine.worker import OnStuck
from hookline.replays.models import Replay
from hookline.replays.run import SCHEDULE, run_next

logger = logging.getLogger("hookline.replays")

#: Seconds between two looks for replays while there are none: few are ever made, and making one wakes a worker.
IDLE = 10.0
#: ... and while one waits for its next portion.
SOON = 0.25
#: Seconds without one after which the connection is closed.
QUIET = 30.0
#: How long one task of Celery's goes on, in seconds.
SHARE = 2.0


class ReplayWorker(threading.Thread):
    """Runs portions of replays, one after the other, until `stop()`."""

    def __init__(self, leases: Leases[Replay]) -> None:
        super().__init__(name="hookline-replays", daemon=True)
        self._leases = leases
        self._stopping = threading.Event()
        self._wake = threading.Event()

    def start(self) -> None:
        notifier.of(Replay).subscribe(self._wake.set)
        super().start()

    def stop(self, timeout: float) -> None:
        self._stopping.set()
        notifier.of(Replay).unsubscribe(self._wake.set)
        self._wake.set()
        self.join(timeout)

    def run(self) -> None:
        worked = float("-inf")
        while not self._stopping.is_set():
            try:
                close_old_connections()
                ran = run_next(self._leases)
            except Exception:
                logger.exception("cannot run replays; retrying")
                ran = False
            if ran:
                worked = time.monotonic()
                continue
            busy = time.monotonic() - worked < QUIET
            if not busy:
                connections.close_all()
            self._wake.wait(SOON if busy else IDLE)
            self._wake.clear()
        connections.close_all()


@dataclass(frozen=True)
class Replaying:
    """Runs replays on one thread: what takes time is what they make due."""

    def worker(self, kind: JobKind[Replay], on_stuck: OnStuck | None) -> ReplayWorker:
        return ReplayWorker(kind.leases())

    def share(self, kind: JobKind[Replay], on_more: Callable[[], None]) -> None:
        """See Runner."""
        leases, end = kind.leases(), time.monotonic() + SHARE
        worked = False
        while time.monotonic() < end:
            if run_next(leases):
                worked = True
            elif not worked or not Replay.objects.filter(state="pending", held_until=None).exists():
                return
            else:
                time.sleep(SOON)
        on_more()


def make(settings: conf.Settings) -> JobKind[Replay]:
    return JobKind(
        model=Replay,
        lease=settings.LEASE,
        per_lane=1,
        longest_run=settings.LEASE,
        retry=SCHEDULE,
        runner=Replaying(),
        prune=lambda: [Pruner(Replay, settings.RETENTION)] if settings.RETENTION else [],
    )


register(Replay, make, direction="both", task="hookline.run_replays")
