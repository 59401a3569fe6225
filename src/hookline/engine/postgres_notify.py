"""Carrying wake-ups between processes through PostgreSQL's NOTIFY.

NOTIFY takes a lock on the whole database while it commits, so it is sent outside the transaction with the jobs. The
first one is sent at once. When more follow within `WINDOW`, a thread sends one for all of each window, so that a
commit never waits for a window to end. If one is lost, with a connection for example, polling finds the jobs.

Processes of one group tell each other in a quicker way (see `runtime/siblings.py`). They notify others only once in
`GROUP_WINDOW`, since others are only needed when there are more jobs than the group can do; and a listener ignores
notifications from its own group.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import DatabaseError, connections, router

from hookline.db.binary import fetch_prepared
from hookline.engine import notifier
from hookline.engine.job import Job

logger = logging.getLogger("hookline.engine")

CHANNEL = "hookline"
# There is nothing here that a crash could lose, so nobody need wait for the disk.
_SEND = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%b::text, %b::text)"
#: Seconds between two notifications from one process.
WINDOW = 0.01
#: Seconds without a notification after which the thread of a storm ends and closes its connection.
LINGER = 0.1
#: The same two for a process of a group.
GROUP_WINDOW, GROUP_LINGER = 0.05, 10.0
#: Seconds between attempts to reconnect, at first and at most.
_FIRST_RETRY, _LAST_RETRY = 0.5, 10.0

#: What sends on this thread once it is free; None where nobody waits for what it does.
_later: ContextVar[Callable[[Callable[[], None]], object] | None] = ContextVar("hookline_notify_later", default=None)


@contextmanager
def notifying_later(submit: Callable[[Callable[[], None]], object]) -> Iterator[None]:
    """Within, what would be sent at once is handed to `submit`, to be called on this thread when nobody waits."""
    token = _later.set(submit)
    try:
        yield
    finally:
        _later.reset(token)


#: The name of this process's group; empty where it has none. See `join_group`.
_group = ""


def join_group(name: str) -> None:
    """From now on this process belongs to a group whose members tell each other themselves."""
    global _group  # noqa: PLW0603  # one fact about the process, which never changes again
    _group = name


class PostgresNotify:
    """Tells other processes about jobs of one kind: on the connection of the thread that committed them, or in a storm
    on one of its own."""

    def __init__(self, model: type[Job]) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._next = 0.0
        self._waiting = threading.Event()
        self._storm: threading.Thread | None = None

    def __call__(self) -> None:
        """Notify, now or at the end of the window; not on SQLite. Raises nothing."""
        storm = self._storm
        if storm is not None and self._waiting.is_set() and storm.is_alive():
            return  # it sends after this, for all of them
        connection = connections[router.db_for_write(self._model)]
        if connection.vendor != "postgresql" or connection.in_atomic_block:
            return
        with self._lock:
            now = time.monotonic()
            # A thread does not live on in a process that was forked.
            if self._storm is not None and self._storm.is_alive():
                self._waiting.set()
                return
            if _group or now < self._next:
                self._waiting.set()
                self._storm = threading.Thread(target=self._bundle, name="hookline-notify", daemon=True)
                self._storm.start()
                return
            self._next = now + WINDOW
        if (submit := _later.get()) is None:
            self._send()
        else:
            submit(self._send)

    def _bundle(self) -> None:
        """Send one notification for all of each window, until there is quiet."""
        pause = threading.Event()
        window, linger = (GROUP_WINDOW, GROUP_LINGER) if _group else (WINDOW, LINGER)
        pause.wait(window if _group else max(0.0, self._next - time.monotonic()))
        try:
            while self._storm_goes_on(linger):
                self._send()
                pause.wait(window)
        finally:
            connections.close_all()

    def _storm_goes_on(self, linger: float) -> bool:
        self._waiting.wait(linger)
        with self._lock:
            goes_on = self._waiting.is_set()
            self._waiting.clear()
            if not goes_on:
                self._storm = None
            return goes_on

    def _send(self) -> None:
        try:
            said = f"{self._model._meta.db_table} {_group}".rstrip()
            fetch_prepared(connections[router.db_for_write(self._model)], _SEND, (CHANNEL, said))
        except Exception:  # it is a hint: whatever keeps it from being sent must end nobody's thread
            logger.warning("cannot notify other processes; they find the job by polling", exc_info=True)


class Listener(threading.Thread):
    """Notifies the subscribers of this process when another one notifies. Reconnects for as long as it runs."""

    def __init__(self, models: Iterable[type[Job]]) -> None:
        super().__init__(name="hookline-listen", daemon=True)
        self._models = {model._meta.db_table: model for model in models}
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        import psycopg

        retry = _FIRST_RETRY
        while not self._stopping.is_set():
            try:
                self._listen()
                retry = _FIRST_RETRY
            except (psycopg.Error, DatabaseError) as error:
                logger.warning("not listening for notifications, polling until reconnected: %s", error)
                self._stopping.wait(retry)
                retry = min(retry * 2, _LAST_RETRY)

    def _listen(self) -> None:
        import psycopg

        alias = router.db_for_write(next(iter(self._models.values())))
        parameters = connections[alias].get_connection_params()
        parameters.pop("cursor_factory", None)
        with psycopg.connect(**{**parameters, "autocommit": True}) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._notify(self._models)  # whatever was committed before we listened
            while not self._stopping.is_set():
                for notice in connection.notifies(timeout=0.5, stop_after=1):
                    table, _, group = notice.payload.partition(" ")
                    if not group or group != _group:
                        self._notify([table])

    def _notify(self, tables: Iterable[str]) -> None:
        for table in tables:
            if table in self._models:
                notifier.of(self._models[table]).notify_here()
