"""The database breaks."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress

import psycopg

from faults.database import Postgres
from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class PostgresRestarted(Scenario):
    """`pg_ctl restart -m immediate`: every connection is cut, and PostgreSQL recovers from its log."""

    name, short, repeaters = "PostgreSQL crashes and restarts", 2, 2

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        postgres_of(stage).restart("immediate")
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed() + stage.facts.jobs_caught()


class PostgresRestartedInOrder(PostgresRestarted):
    """The same, and in every second round an orderly restart (`-m fast`), while customers' events and messages keep an
    order, and each event has a follow-up."""

    name, short, ordered = "PostgreSQL restarts while an order is kept", 1, True

    def break_once(self, stage: Stage, number: int) -> float:
        if number % 2:
            return super().break_once(stage, number)
        pause_at_random(stage)
        postgres_of(stage).restart("fast")
        return time.time()


class PostgresAway(Scenario):
    """PostgreSQL crashes and stays away for 20 seconds."""

    name, rounds, repeaters = "PostgreSQL away for 20 s", 2, 2
    seconds = 20.0

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        postgres_of(stage).stop()
        time.sleep(self.seconds)
        postgres_of(stage).start()
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed() + stage.facts.jobs_caught()


class PoolExhausted(Scenario):
    """Somebody else takes every connection that PostgreSQL has, and Hookline's are terminated, for 8 seconds."""

    name = "no connection left"
    # A worker may have the connection that claims and not the one that records, and sends on in vain meanwhile.
    bounded_by_attempts = True
    seconds = 8.0

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        with ExitStack() as held:
            until = time.monotonic() + self.seconds
            while time.monotonic() < until:
                with suppress(psycopg.OperationalError):
                    while True:
                        held.enter_context(closing(postgres_of(stage).connect("hog")))
                with suppress(psycopg.OperationalError):  # those who end may fill what is reserved for us, too
                    stage.database.rows(  # all are taken; those of Hookline's that are left, one by one
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hookline' LIMIT 3"
                    )
                time.sleep(0.05)
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed() + stage.facts.jobs_caught()


def postgres_of(stage: Stage) -> Postgres:
    assert isinstance(stage.database, Postgres)
    return stage.database
