"""The database breaks."""

from __future__ import annotations

import time

import psycopg

from faults.database import Postgres
from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class PostgresRestarted(Scenario):
    """`pg_ctl restart -m immediate`: every connection is cut, and PostgreSQL recovers from its log."""

    name, short, repeaters = "PostgreSQL crashes and restarts", 2, 2

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        postgres_of(stage).restart_immediately()
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed() + stage.facts.jobs_caught()


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
        held: list[psycopg.Connection[object]] = []
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            try:
                while True:
                    held.append(postgres_of(stage).connect("hog"))
            except psycopg.OperationalError:  # all taken; those of Hookline's that are left, one by one
                stage.database.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hookline' LIMIT 3"
                )
                time.sleep(0.05)
        for connection in held:
            connection.close()
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed() + stage.facts.jobs_caught()


def postgres_of(stage: Stage) -> Postgres:
    assert isinstance(stage.database, Postgres)
    return stage.database
