"""Settlement: the decision about a running job."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hookline.core.retry import RetrySchedule
from hookline.engine.job import State

#: As `due_in`: the job stays due when it is, and keeps its place before others. For one whose lane is held meanwhile.
ITS_TIME = -1.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """The decision about a running job, not yet recorded."""

    state: State
    note: str = ""
    #: Seconds until a pending job is due again, or ITS_TIME.
    due_in: float = 0.0
    #: The try did not count: nothing was attempted.
    refund: bool = False

    @classmethod
    def succeed(cls, note: str = "") -> Settlement:
        return cls(State.SUCCEEDED, note) if note else _SUCCEEDED

    @classmethod
    def retry(cls, due_in: float, note: str) -> Settlement:
        return cls(State.PENDING, note, due_in)

    @classmethod
    def give_back(cls, due_in: float, note: str = "") -> Settlement:
        return cls(State.PENDING, note, due_in, refund=True)

    @classmethod
    def die(cls, note: str) -> Settlement:
        return cls(State.DEAD, note)

    @classmethod
    def cancel(cls, note: str) -> Settlement:
        return cls(State.CANCELLED, note)


#: The settlement of most jobs.
_SUCCEEDED = Settlement(State.SUCCEEDED)


def after_failure(
    schedule: RetrySchedule, attempts: int, note: str, *, asked: float | None = None, at_least: float = 0.0
) -> Settlement:
    """The settlement of a job whose try failed, given how many it had: pending until its next try, or dead.

    `asked`: when the next one is wanted instead of when the schedule says; `at_least`: not before that.
    """
    delay = schedule.next_delay(attempts, random.random(), at_least=at_least)  # noqa: S311  # jitter is no secret
    if delay is None:
        return Settlement.die(f"{note}; no tries left")
    return Settlement.retry(delay if asked is None else asked, note)
