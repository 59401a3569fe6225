"""A thread's connections: kept good without asking the database before each piece of work, and their transactions."""

from __future__ import annotations

import select
import threading
import time
from contextlib import AbstractContextManager, nullcontext

from django.db import close_old_connections, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_thread = threading.local()


#: Seconds after which the database is asked.
EVERY = 1.0


def look_after() -> None:
    """Close those of this thread that are broken or too old. For a thread with no transaction open.

    Asking the database takes as long as a good part of a quick job, and what was used a moment ago is most likely still
    there. So it is asked if the last time is `EVERY` seconds ago, after an error, and when a server has said something
    that nobody asked for: when one ends a connection it says so, or at least closes it.
    """
    now = time.monotonic()
    suspicious = False
    for connection in connections.all(initialized_only=True):
        if _has_spoken(connection):
            connection.errors_occurred = True  # so that Django asks, whatever its settings say
        suspicious = suspicious or connection.errors_occurred
    if suspicious or now - getattr(_thread, "looked", float("-inf")) >= EVERY:
        close_old_connections()
        _thread.looked = now


def _has_spoken(connection: BaseDatabaseWrapper) -> bool:
    """Whether a connection to PostgreSQL that waits for nothing has something to read, or is closed."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    if connection.connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def one_transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """The caller's transaction, without a savepoint, or one of its own: what is written in it is written whole."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic(using=connection.alias)
