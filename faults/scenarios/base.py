"""Scenario: one way in which things break, for several rounds while load runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import ClassVar

from faults.stage import Stage


class Scenario(ABC):
    """A subclass for each fault. Its docstring is what the fault is."""

    name: ClassVar[str]
    #: PostgreSQL or SQLite.
    database: ClassVar[str] = "PostgreSQL"
    #: With workers of Celery and this broker, one of tests.brokers.brokers.BROKERS; empty: with `hookline worker`.
    broker: ClassVar[str] = ""
    #: A part of the bounded run in CI, too, and with how many rounds.
    short: ClassVar[int] = 0
    #: Rounds of the long run, where its number of rounds makes no sense.
    rounds: ClassVar[int] = 0
    #: How many workers may have to repeat all that their senders have under way, in each round.
    repeaters: ClassVar[int] = 0
    #: No such bound in all: attempts fail, or go unrecorded, one after the other, and the consumer may have seen each.
    bounded_by_attempts: ClassVar[bool] = False

    #: HOOKLINE_HANDLER_TIMEOUT, in seconds.
    handler_timeout: ClassVar[float] = 300.0
    #: HOOKLINE_EVENTS_PER_TRANSACTION of every second worker.
    together: ClassVar[int] = 10

    #: Whether events and deliveries of one customer are ordered, and each event has a follow-up.
    ordered: ClassVar[bool] = False
    #: Whether the message of an event is what the gateway makes of it, and not what its handler dispatches.
    forwarded: ClassVar[bool] = False

    #: Whether there is one command, `hookline serve` as it starts by default, and no worker besides.
    one_command: ClassVar[bool] = False

    #: The next round follows at once, and recovering counts from the last one; otherwise each round waits for it.
    continuous: ClassVar[bool] = False

    def opened(self, stage: Stage) -> None:  # noqa: B027  # most change nothing
        """Change the stage once everything runs, before the first window is measured."""

    @abstractmethod
    def break_once(self, stage: Stage, number: int) -> float:
        """Break one thing, and heal it. Returns the Unix time from which recovering counts.

        That is when a process was killed, whose restart is part of recovering; or when the database, the disk or the
        network was there again.
        """

    def caught(self, stage: Stage) -> int:
        """How many things the fault has met so far. One that has met nothing has tested nothing.

        Jobs that had to be claimed again, for most. Raises DATABASE_ERRORS.
        """
        return stage.facts.jobs_caught()

    def violations(self, stage: Stage) -> list[str]:
        """What else was not as it must be. Called once everything is settled."""
        return []

    def heal(self, stage: Stage) -> None:  # noqa: B027  # most heal at the end of each round
        """Put back everything, after the last round and also when a round failed."""


def pause_at_random(stage: Stage, most: float = 1.5) -> None:
    """So that the fault meets whatever happens to be going on."""
    time.sleep(stage.random.uniform(0.1, most))
