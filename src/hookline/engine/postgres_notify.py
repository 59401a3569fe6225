"""Carrying wake-ups between processes through PostgreSQL's NOTIFY.

NOTIFY takes a lock on the whole database while it commits, so it is sent outside the transaction that it is about, and
by one process at most once in `PAUSE`. A listener therefore looks a second time when the pause is over. What is lost
all the same, with a connection for example, is found by polling.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from django.db import DatabaseError, connections, router

from hookline.engine import notifier
from hookline.engine.job import Job

logger = logging.getLogger("hookline.engine")

CHANNEL = "hookline"
#: Seconds between two notifications from one process.
PAUSE = 0.05
#: Seconds between attempts to reconnect, at first and at most.
_FIRST_RETRY, _LAST_RETRY = 0.5, 10.0


class PostgresNotify:
    """Tells other processes about jobs of one kind, on the connection of the thread that committed them."""

    def __init__(self, model: type[Job]) -> None:
        self._model = model
        self._next = 0.0

    def __call__(self) -> None:
        """Notify, unless this process did a moment ago or is on SQLite. Raises nothing."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        connection = connections[router.db_for_write(self._model)]
        if connection.vendor != "postgresql" or connection.in_atomic_block:
            return
        try:
            with connection.cursor() as cursor:
                # There is nothing here that a crash could lose, so nobody need wait for the disk.
                cursor.execute(
                    "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)",
                    [CHANNEL, self._model._meta.db_table],
                )
        except DatabaseError:
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
                heard = {notice.payload for notice in connection.notifies(timeout=0.5, stop_after=1)}
                if heard:
                    self._notify(heard)
                    # More may have been committed within the pause, without a notification of its own.
                    heard |= {notice.payload for notice in connection.notifies(timeout=PAUSE)}
                    self._notify(heard)

    def _notify(self, tables: Iterable[str]) -> None:
        for table in tables:
            if table in self._models:
                notifier.of(self._models[table]).notify_here()
