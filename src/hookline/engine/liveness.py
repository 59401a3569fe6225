"""Liveness: a sign that this process is alive, which ends with it, so that others need not wait for its leases.

Every worker process has a number, which its claims write into the rows, and a lock on that number: in PostgreSQL an
advisory lock of a session, beside an SQLite database a byte of a file. The system releases both when the process
dies, however it dies. A worker that sees a number without its lock for a while returns the jobs of that process. Every
job still has a lease: for processes that cannot have a lock, behind a connection pooler for example, and for processes
that hang but are alive.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.engine import notifier
from hookline.engine.job import Job
from hookline.engine.kind import JobKind
from hookline.engine.settle import release_of, workers_of
from hookline.engine.worker_process import Presence

logger = logging.getLogger("hookline.engine")

#: Seconds between two looks at who lives.
LOOK = 1.0
#: ... and before it is tried again after an error: what is claimed meanwhile has no number.
SOON = 0.1
#: A number must be without its lock for this many seconds: a worker whose connection broke takes it again meanwhile.
GRACE = 2.0
#: The first half of PostgreSQL's advisory locks that are numbers of workers: the letters "hook".
_CLASS = int.from_bytes(b"hook")


class Locks(Protocol):
    """Where numbers are locked. Each method raises DatabaseError."""

    def hold(self, number: int) -> bool:
        """Have this process hold the lock of its number, if it does not yet. Returns whether it does now."""

    def held(self, numbers: Collection[int]) -> set[int]:
        """Which of these numbers are locked by anybody."""


class PostgresLocks:
    """Advisory locks of the session of the calling thread."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        #: The session in which the lock was taken.
        self._session: object = None

    def hold(self, number: int) -> bool:
        self._connection.ensure_connection()
        session = self._connection.connection
        if session is self._session:
            return True
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            if cursor.fetchone() != (session.info.backend_pid,):
                return False  # a pooler is in between, and sessions are not ours
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_CLASS, number])
            [taken] = cursor.fetchone()
        if taken:
            self._session = session
        return bool(taken)

    def held(self, numbers: Collection[int]) -> set[int]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [_CLASS],
            )
            return {number for (number,) in cursor.fetchall()}.intersection(numbers)


class FileLocks:
    """Bytes of a file beside an SQLite database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: int | None = None

    @cached_property
    def _file(self) -> int:
        """Never closed: closing any descriptor of a file gives up all of a process's locks on it."""
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def hold(self, number: int) -> bool:
        fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        self._own = number
        return True

    def held(self, numbers: Collection[int]) -> set[int]:
        return {number for number in numbers if number == self._own or self._is_held(number)}

    def _is_held(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return True
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
        return False


class Liveness(threading.Thread):
    """Holds the lock of this process, and returns the jobs of processes that are gone, until `stop()`."""

    def __init__(self, kinds: Sequence[JobKind[Any]], works: Sequence[str] = ()) -> None:
        """`works`: the names of the kinds that this process works on."""
        super().__init__(name="hookline-liveness", daemon=True)
        self._kinds = kinds
        self._presence = Presence(works)
        self._number = secrets.randbelow(2**31 - 1) + 1
        self._holds = False
        self._stopping = threading.Event()
        #: Numbers that hold jobs and are without their lock, and since when.
        self._absent: dict[int, float] = {}

    def number(self) -> int | None:
        """What claims write into the rows; None while there is no lock."""
        return self._number if self._holds else None

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        connection = connections[router.db_for_write(self._kinds[0].model)]
        locks = locks_of(connection)
        while not self._stopping.is_set():
            pause = LOOK
            try:
                if locks is not None:
                    self._holds = locks.hold(self._number)
                    self.look(locks, time.monotonic())
                self._presence.tell()
            except Exception:
                # Whatever it is: if this thread ended, our claims would go on to name a number that nobody locks, and
                # others would return them. They do so only when this lasts; we lock again as soon as we can.
                logger.warning("cannot say that this worker lives; its leases do", exc_info=True)
                pause = SOON if self._holds else LOOK
                self._holds = False
                connection.close()
            self._stopping.wait(pause)
        self._holds = False
        self._presence.end()
        connection.close()

    def look(self, locks: Locks, now: float) -> None:
        """Return the jobs of those that have been without their lock for long enough. Raises DatabaseError."""
        holding = {number for kind in self._kinds for number in workers_of(kind.model)}
        absent = holding - locks.held(holding) if holding else holding
        self._absent = {number: self._absent.get(number, now) for number in absent}
        if gone := [number for number, since in self._absent.items() if now - since >= GRACE]:
            for kind in self._kinds:
                if released := release_of(kind.model, gone, kind.max_attempts):
                    logger.warning("recovered %d %s of a worker that died", released, kind.name)
                    model: type[Job] = kind.model
                    notifier.of(model).notify()


def locks_of(connection: BaseDatabaseWrapper) -> Locks | None:
    """None where there is nothing to lock: a database in memory."""
    if connection.vendor == "postgresql":
        return PostgresLocks(connection)
    path = Path(str(connection.settings_dict["NAME"]))
    if not path.is_file():
        return None
    return FileLocks(path.with_name(f"{path.name}-workers"))
