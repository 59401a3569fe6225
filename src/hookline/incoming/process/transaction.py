"""The transaction in which handlers run, and when it takes SQLite's one write lock."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.connections import is_lost
from hookline.incoming.process.handlers import Handlers

logger = logging.getLogger("hookline.incoming")

#: For this many runs, handlers that met a conflict take the lock first.
EAGER_RUNS = 50

#: The handlers of an event -> for how many more runs they take the lock first.
_eager: dict[Handlers, int] = {}


class HandlersTransaction:
    """An open transaction.

    On SQLite it takes the write lock with its first write. So a handler that waits for another system, or hangs, before
    it writes does not keep others from writing: without the lock no webhook can be stored. The price is that SQLite
    refuses a write after a read if another transaction has written in between (see `is_conflict`). Then everything runs
    again with the lock from the beginning, and so do the next runs of the same handlers.
    """

    def __init__(self, connection: BaseDatabaseWrapper, *, waits_for_lock: bool) -> None:
        self._connection = connection
        self._waits_for_lock = waits_for_lock
        self._changes = connection.connection.total_changes if waits_for_lock else 0
        self._raw = connection.connection
        #: What is to be done after the COMMIT, once nothing but that is left.
        self._hooks: list[Any] | None = None

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Within is its end, behind which there is nothing but the COMMIT."""
        try:
            yield
        finally:
            self._hooks = self._connection.run_on_commit

    @property
    def is_unknown(self) -> bool:
        """Whether its connection broke at the end, so that it may be committed."""
        return self._hooks is not None and is_lost(self._raw)

    def run_hooks(self) -> None:
        """It was committed though Django does not know it: do what is to be done then. Raises what that raises."""
        self._connection.run_on_commit = self._hooks or []
        self._connection.run_and_clear_commit_hooks()

    def finish_reading(self) -> None:
        """Handlers have come to their end. If they wrote nothing, it does not matter that what they read is old."""
        if self._waits_for_lock and self._connection.connection.total_changes == self._changes:
            with self._connection.cursor() as cursor:
                cursor.execute("COMMIT")
                cursor.execute("BEGIN IMMEDIATE")


@contextmanager
def handlers_transaction(
    database: str, *, immediate: bool, is_committed: Callable[[], bool]
) -> Iterator[HandlersTransaction]:
    """A transaction of its own; `immediate`: with SQLite's write lock from the beginning.

    If its connection breaks at the end, nobody knows what became of it. If it `is_committed` then, it ends without an
    error.
    """
    connection = transaction.get_connection(database)
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with _begins(connection, "IMMEDIATE" if immediate else "DEFERRED"):
            yield HandlersTransaction(connection, waits_for_lock=not immediate)
        return
    opened = None
    try:
        with transaction.atomic(using=database, durable=True):
            opened = HandlersTransaction(connection, waits_for_lock=False)
            yield opened
    except Error:
        if opened is None or not opened.is_unknown or not is_committed():
            raise
        opened.run_hooks()


@contextmanager
def _begins(connection: BaseDatabaseWrapper, mode: str) -> Iterator[None]:
    """A block of Django's whose BEGIN is of this mode; the settings say another one for all the others."""
    connection.ensure_connection()  # which takes the mode from the settings
    block = transaction.atomic(using=connection.alias, durable=True)
    usual = vars(connection)["transaction_mode"]
    vars(connection)["transaction_mode"] = mode
    try:
        block.__enter__()
    finally:
        vars(connection)["transaction_mode"] = usual
    try:
        yield
    except BaseException as error:
        block.__exit__(type(error), error, error.__traceback__)
        raise
    block.__exit__(None, None, None)


def is_conflict(error: BaseException | None) -> bool:
    """Whether SQLite refused a write because somebody else writes, or has written since the transaction read.

    https://www.sqlite.org/rescode.html#busy_snapshot
    """
    for _ in range(20):  # a chain of causes may be long, or go in a circle
        if error is None:
            break
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return True
        error = error.__cause__ or error.__context__
    return False


def takes_lock_at_once(sets: Iterable[Handlers]) -> bool:
    """Whether one of these sets of handlers met a conflict not long ago."""
    eager = False
    for handlers in sets:
        if left := _eager.get(handlers):
            _eager[handlers] = left - 1
            eager = True
    return eager


def met_conflict(sets: Iterable[Handlers]) -> None:
    """These handlers read and then wrote while others did."""
    _eager.update(dict.fromkeys(sets, EAGER_RUNS))


def part_commit_hooks(connection: BaseDatabaseWrapper) -> None:
    """Have what one event's handlers leave to do after the commit done, though what those of another left fails."""
    # Django's own `robust` cannot call a functools.partial that fails (5.2).
    hooks: list[Any] = connection.run_on_commit  # three values each, whatever the stubs say
    parted: list[Any] = [(savepoints, partial(_call_robustly, hook), robust) for savepoints, hook, robust in hooks]
    connection.run_on_commit = parted


def _call_robustly(hook: Callable[[], object]) -> None:
    try:
        hook()
    except Exception:
        logger.exception("what was to be done after the commit of several events failed: %r", hook)
