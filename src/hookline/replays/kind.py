"""Replays as a kind of job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hookline import conf
from hookline.engine.kind import JobKind, register
from hookline.replays.models import Replay

if TYPE_CHECKING:
    from hookline.engine.worker import OnStuck
    from hookline.replays.worker import ReplayWorker


@dataclass(frozen=True)
class Replaying:
    """Runs replays on one thread: what takes time is what they make due."""

    def worker(self, kind: JobKind[Replay], on_stuck: OnStuck | None) -> ReplayWorker:
        from hookline.replays.worker import ReplayWorker  # only who runs replays needs it, and a start is to be short

        return ReplayWorker(kind.leases())

    def share(self, kind: JobKind[Replay], on_more: Callable[[], None]) -> None:
        """See Runner."""
        from hookline.replays.worker import run_share  # as above

        run_share(kind.leases(), on_more)


def make(settings: conf.Settings) -> JobKind[Replay]:
    from hookline.engine.prune import Pruner  # as above
    from hookline.replays.run import SCHEDULE

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
