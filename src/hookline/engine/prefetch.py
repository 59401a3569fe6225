"""Prefetch: how many jobs a worker should hold, from how fast it gets rid of them. Pure."""

from __future__ import annotations

#: Seconds of work that a worker holds. A claim costs as much as several quick jobs, so it should bring many of those;
#: but what waits here for a slow job to end could run at once in another worker.
HOLD = 0.1
#: However fast they go.
MOST = 1000


class Prefetch:
    """Starts with `least` jobs and at most doubles with each claim."""

    def __init__(self, least: int) -> None:
        self.capacity = self._least = least
        self._held = 0
        self._since = 0.0

    def enough(self, held: int) -> bool:
        """Whether a claim can wait: they are made by the half, since one for each job that ends would cost too much."""
        return held * 2 > self.capacity

    def room(self, held: int) -> int:
        """How many may be held besides, so that a claim for others is still due."""
        return max(0, self.capacity // 2 - held)

    def added(self, count: int) -> None:
        """Tell of jobs that came without a claim, so that those which end are counted right."""
        self._held += count

    def wanted(self, held: int, now: float) -> int:
        """How many jobs to claim when `held` are left at the time `now`, in seconds of any clock."""
        if self.enough(held):
            return 0
        elapsed = now - self._since
        in_hold = round((self._held - held) * HOLD / elapsed) if elapsed > 0 else 0
        self.capacity = max(self._least, min(in_hold, self.capacity * 2, MOST))
        return max(0, self.capacity - held)

    def claimed(self, held: int, now: float) -> None:
        """Tell how many jobs are held after a claim."""
        self._held, self._since = held, now
