"""A thread's connections: kept good without asking the database before each piece of work, and their transactions."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

R = TypeVar("R")

_thread = threading.local()

#: Seconds of pause after the database failed, so that its return is not met by a storm, nor the log filled.
DATABASE_PAUSE = 1.0

#: How often something is tried while one connection after the other breaks. Where none can be opened it ends at once.
TRIES = 2

#: Seconds without work after which the database is asked.
IDLE = 10.0
#: Seconds after which it is looked whether a connection is too old; with Django's CONN_MAX_AGE of 0 it always is.
EVERY = 1.0


def look_after() -> None:
    """Close those of this thread that are broken or too old. For a thread with no transaction open.

    Asking the database takes as long as a good part of a quick job, and what was used a moment ago is most likely still
    there. So it is asked after a pause, in which something between it and us may have forgotten the connection; after
    an error; and when a server has said something that nobody asked for: when one ends a connection it says so, or at
    least closes it.
    """
    now = time.monotonic()
    due = now - getattr(_thread, "used", float("-inf")) >= IDLE
    may_be_old = now - getattr(_thread, "looked", float("-inf")) >= EVERY
    for connection in connections.all(initialized_only=True):
        if _has_spoken(connection):
            connection.errors_occurred = True  # so that Django asks, whatever its settings say
        is_old = may_be_old and connection.close_at is not None and now >= connection.close_at
        due = due or connection.errors_occurred or is_old
    if due:
        close_old_connections()
    _thread.used = now
    if may_be_old:
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


def opened(connection: BaseDatabaseWrapper) -> Any:
    """The driver's own connection. Raises DatabaseError."""
    connection.ensure_connection()
    return connection.connection


def may_lose_answer(connection: BaseDatabaseWrapper) -> bool:
    """Whether what is done now commits itself, over a connection that may break before the answer comes.

    A transaction that is open is its caller's, and lost as a whole.
    """
    return connection.vendor == "postgresql" and not connection.in_atomic_block and connection.get_autocommit()


def until_answered(connection: BaseDatabaseWrapper, work: Callable[[], R], again: Callable[[], R] | None = None) -> R:
    """What `work` returns, which is done again on another connection, by `again` if there is one, if this one breaks.

    Nobody knows then what was committed, so a later try must find that. Only where it `may_lose_answer`. Raises what
    the last try raises.
    """
    for _ in range(TRIES - 1):
        raw = opened(connection)
        try:
            return work()
        except (OperationalError, InterfaceError):
            if not is_lost(raw):
                raise
        connection.close()
        work = again or work
    return work()


def is_lost(raw: Any) -> bool:
    """Whether a connection that was `opened` has broken since, so that nobody knows what of the last work is committed.

    The work may be done again, on another connection, if it finds what it has committed already.
    """
    return bool(getattr(raw, "closed", False))


def one_transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """The caller's transaction, without a savepoint, or one of its own: what is written in it is written whole."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic(using=connection.alias)


def is_untouched(connection: BaseDatabaseWrapper) -> bool:
    """Whether the open transaction was not begun yet: psycopg does so with the first statement.

    Only where one statement that commits itself is the same as BEGIN, that statement and COMMIT: on PostgreSQL, with
    Django's own classes and the server's isolation level.
    """
    raw: Any = connection.connection
    if connection.vendor != "postgresql" or raw is None or raw.closed:
        return False
    return (
        connection.in_atomic_block
        and connection.commit_on_exit
        and not connection.savepoint_ids
        and not connection.needs_rollback
        and raw.pgconn.transaction_status == _IDLE
        and raw.isolation_level is None
        and raw.read_only is None
        and raw.deferrable is None
        and _package(connection) == "django"
        and _package(raw) == "psycopg"
    )


def _package(value: object) -> str:
    return type(value).__module__.partition(".")[0]


#: PQTRANS_IDLE: https://www.postgresql.org/docs/current/libpq-status.html
_IDLE = 0


@contextmanager
def committing_itself(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """The one statement that is run within commits itself, though a transaction `is_untouched` open.

    Django's COMMIT then finds nothing to do.
    """
    raw: Any = connection.connection
    raw.autocommit = True
    try:
        yield
    finally:
        if not raw.closed:
            raw.autocommit = False
