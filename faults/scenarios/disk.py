"""The disk is full."""

from __future__ import annotations

import time
from pathlib import Path

from faults.database import Database, Postgres
from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class DiskFull(Scenario):
    """The file system of PostgreSQL's data directory (a small one of its own) is full for 8 seconds. Where PostgreSQL
    gives up over it, it is started again once there is room."""

    name, database, rounds, repeaters = "disk full", "PostgreSQL on a small disk", 3, 2
    seconds = 8.0

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        ballast = small_disk_of(stage.database) / "ballast"
        until = time.monotonic() + self.seconds
        with ballast.open("wb", buffering=0) as file:
            while time.monotonic() < until:  # what the database gives up meanwhile is taken, too
                try:
                    while time.monotonic() < until:
                        file.write(bytes(65536))
                except OSError:
                    time.sleep(0.02)
        ballast.unlink()
        if isinstance(stage.database, Postgres) and not stage.database.running:
            stage.database.start()
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed()


class DiskFullSqlite(DiskFull):
    """The file system of the SQLite file (a small one of its own) is full for 8 seconds."""

    name, database = "disk full", "SQLite on a small disk"


def small_disk_of(database: Database) -> Path:
    """The mount point."""
    return database.directory.parent
