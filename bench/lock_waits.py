"""The noun LockWaits: how long statements wait for each other's locks while something is measured on PostgreSQL.

PostgreSQL itself logs each that waits longer than MOST, and each deadlock (`log_lock_waits`). Beside that a thread asks
`pg_locks` and `pg_stat_activity` again and again, and keeps the longest wait that it sees.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

#: Seconds.
MOST = 0.5
#: Settings of the server that is watched.
SETTINGS = {"log_lock_waits": "on", "deadlock_timeout": f"{MOST * 1000:.0f}ms"}
#: Seconds between two looks.
_LOOK = 0.02
_WAITING = """
SELECT extract(epoch FROM clock_timestamp() - waitstart)::float, query
FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND waitstart IS NOT NULL
ORDER BY waitstart LIMIT 1
"""
_TOO_LONG = re.compile(r"still waiting for|deadlock detected")


class LockWaits(threading.Thread):
    """Watches while it is entered. Without PostgreSQL it sees nothing."""

    def __init__(self, kind: str) -> None:
        super().__init__(name="lock-waits", daemon=True)
        self.watches = kind == "postgresql"
        #: The longest wait that was seen, in seconds, and the statement that waited.
        self.longest, self.statement = 0.0, ""
        #: The lines of the log about statements that waited longer than MOST, or met a deadlock.
        self.too_long: list[str] = []
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        if self.watches:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self.watches:
            self.join()

    def run(self) -> None:
        with psycopg.connect(os.environ["HOOKLINE_DATABASE_URL"], autocommit=True) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
            log = Path(row[0] if row else "", "log")
            seen = log.stat().st_size
            while not self._stopping.wait(_LOOK):
                waiting = connection.execute(_WAITING).fetchone()
                if waiting and waiting[0] > self.longest:
                    self.longest, self.statement = waiting
        with log.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(seen)
            self.too_long = [line.rstrip() for line in lines if _TOO_LONG.search(line)]
