"""Running replays: on one thread, or as one task of Celery's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connections

from hookline.engine import notifier
from hookline.engine.leases import Leases
from hookline.replays.models import Replay
from hookline.replays.run import run_next

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


def run_share(leases: Leases[Replay], on_more: Callable[[], None]) -> None:
    """One task of Celery's. See `Runner.share`."""
    end = time.monotonic() + SHARE
    worked = False
    while time.monotonic() < end:
        if run_next(leases):
            worked = True
        elif not worked or not Replay.objects.filter(state="pending", held_until=None).exists():
            return
        else:
            time.sleep(SOON)
    on_more()
