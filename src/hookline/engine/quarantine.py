"""Quarantine: lets a suspect run alone, so that if it crashes its process it harms no other job."""

from __future__ import annotations

import threading
import time


class Quarantine:
    """Of one process. Suspects run one at a time; while one begins, nothing else does.

    Neither side waits longer than `patience` seconds: a suspect then runs beside jobs that take long, and other jobs
    run beside a suspect that does. What crashes a process does so in its first seconds, or again the next time.
    """

    def __init__(self, patience: float = 5.0) -> None:
        self.patience = patience
        self._changed = threading.Condition()
        self._running = 0
        #: Since when a suspect waits or runs, in monotonic time; None when there is none.
        self._suspect: float | None = None

    def enter(self, *, suspect: bool) -> Place | None:
        """Wait for the turn of a batch of jobs. None for a suspect whose turn did not come."""
        with self._changed:
            if not suspect:
                while self._suspect is not None and (left := self._suspect + self.patience - time.monotonic()) > 0:
                    self._changed.wait(left)
                self._running += 1
            elif self._changed.wait_for(lambda: self._suspect is None, self.patience):
                self._suspect = time.monotonic()
                self._changed.wait_for(lambda: self._running == 0, self.patience)
                self._suspect = time.monotonic()
            else:
                return None
        return Place(self, suspect=suspect)

    def leave(self, *, suspect: bool) -> None:
        with self._changed:
            if suspect:
                self._suspect = None
            else:
                self._running -= 1
            self._changed.notify_all()


class Place:
    """The right of a batch to run. It may be given up by whoever comes first."""

    def __init__(self, quarantine: Quarantine, *, suspect: bool) -> None:
        self._quarantine: Quarantine | None = quarantine
        self._suspect = suspect

    def leave(self) -> None:
        quarantine, self._quarantine = self._quarantine, None
        if quarantine is not None:
            quarantine.leave(suspect=self._suspect)
