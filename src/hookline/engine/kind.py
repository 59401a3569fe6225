"""JobKind: all differences between kinds of jobs, in one place.

Code for every kind (workers, Celery's tasks and sweep, wake-ups, pruning, `stats`, `doctor`) walks
`kinds(settings)`, so a new kind is one file that calls `register`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from hookline import conf
from hookline.core.retry import RetrySchedule
from hookline.db.rows import Parts
from hookline.engine import notifier
from hookline.engine.job import Job
from hookline.engine.leases import MARK_AFTER, Leases, no_number
from hookline.engine.settle import release_expired

if TYPE_CHECKING:
    from hookline.engine.prune import Steps
    from hookline.engine.worker import OnStuck

J = TypeVar("J", bound=Job)

logger = logging.getLogger("hookline.engine")


class Worker(Protocol):
    """Claims and runs jobs in threads of its own."""

    def start(self) -> None: ...

    def stop(self, timeout: float) -> None: ...


class Runner(Protocol[J]):
    """How jobs of a kind are run."""

    def worker(self, kind: JobKind[J], on_stuck: OnStuck | None) -> Worker:
        """A worker that is not started yet."""

    def share(self, kind: JobKind[J], on_more: Callable[[], None]) -> None:
        """Run what is due until nothing is, or for about two seconds: one task of Celery's. Raises DatabaseError.

        `on_more` is called when there is, or may be, work for another task.
        """


def always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class JobKind(Generic[J]):
    """Durations are seconds."""

    model: type[J]
    lease: float
    #: How many jobs of one lane a worker holds at most.
    per_lane: int
    #: A job that runs longer loses its lease: its worker may hang.
    longest_run: float
    retry: RetrySchedule
    runner: Runner[J]
    #: Makes what prunes the history of these jobs, and of what belongs to them, and what else is done to old rows.
    prune: Callable[[], Sequence[Steps]]
    #: A run that takes longer is marked as begun, so that a crash counts.
    mark_after: float = MARK_AFTER
    #: Whether this process can run such jobs at all; asked when it starts.
    runs_here: Callable[[], bool] = always
    #: What is read with jobs that are given to a worker as they are made: see `engine.giving`.
    parts: Parts | None = None
    #: What claims write into the rows: see Liveness.
    worker_number: Callable[[], int | None] = no_number

    @property
    def name(self) -> str:
        """In the plural, such as `events`."""
        return self.model.nouns

    @property
    def max_attempts(self) -> int:
        return self.retry.max_attempts

    def leases(self, per_lane: int | None = None) -> Leases[J]:
        """For one worker."""
        return Leases(
            self.model,
            lease=self.lease,
            per_lane=per_lane or self.per_lane,
            longest_run=self.longest_run,
            mark_after=self.mark_after,
            worker_number=self.worker_number,
            parts=self.parts,
        )

    def worker(self, on_stuck: OnStuck | None = None) -> Worker:
        return self.runner.worker(self, on_stuck)

    def share(self, on_more: Callable[[], None]) -> None:
        self.runner.share(self, on_more)

    def take_back(self) -> int:
        """Return jobs whose worker is gone, and how many there were. Raises DatabaseError."""
        if released := release_expired(self.model, self.max_attempts):
            logger.warning("recovered %d %s whose worker is gone", released, self.name)
        return released


@dataclass(frozen=True)
class Declaration:
    """What is known of a kind without settings."""

    model: type[Job]
    #: What it belongs to: `incoming` or `outgoing`, as in `hookline worker --only`, or `both`.
    direction: str
    #: The name of its Celery task.
    task: str
    make: Callable[[conf.Settings], JobKind[Any]]


_declared: dict[type[Job], Declaration] = {}


def register(model: type[J], make: Callable[[conf.Settings], JobKind[J]], *, direction: str, task: str) -> None:
    """Declare a kind of job. Called while Django starts."""
    _declared[model] = Declaration(model, direction, task, make)


def forget(model: type[Job]) -> None:
    """The reverse of `register`, for tests."""
    _declared.pop(model, None)


def declared() -> tuple[Declaration, ...]:
    """In the order in which they were declared."""
    return tuple(_declared.values())


def kinds(settings: conf.Settings, direction: str | None = None) -> list[JobKind[Any]]:
    """All kinds of a direction with those that belong to both, or all kinds."""
    return [one.make(settings) for one in declared() if direction in (None, one.direction) or one.direction == "both"]


def notify_all() -> None:
    """Notify of every kind: something was committed, and nobody knows what it made."""
    for one in declared():
        notifier.of(one.model).notify()


def declaration_of(model: type[Job]) -> Declaration:
    return _declared[model]


def kind_of(model: type[J], settings: conf.Settings) -> JobKind[J]:
    return _declared[model].make(settings)
