"""Deferred: what is to be written in an open transaction, kept until its end and then written together.

A handler that dispatches a message waits for the database, and a batch of handlers waits for it again and again.
Whoever opens their transaction says `with deferring(alias)`, and whoever writes asks `current(connection)`, so that the
two need not know each other. Nobody sees a difference: a rollback, also to a savepoint, takes away what was kept within
it, and a query that names a table for which something is kept finds it written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.binary import is_direct
from hookline.db.change import Change
from hookline.db.connections import is_untouched

#: More is written at once, so that what is kept stays small.
MAX_ITEMS, MAX_BYTES = 1000, 4 * 1024 * 1024

Write = Callable[[Sequence[Any]], object]
#: Writes all of them and makes a change by one statement, which also commits itself if it is `alone`. Returns the ids
#: of the change; None where it takes more than one statement, and then nothing was done.
WriteWith = Callable[[Sequence[Any], Change, bool], set[UUID] | None]


class _Mark:
    """Stays among what is to be called after COMMIT until the savepoint in which it was put there is rolled back."""

    def __call__(self) -> None:
        """Nothing; Django's own bookkeeping is all that is wanted."""


@dataclass(slots=True, eq=False)
class _Kept:
    item: Any
    write: Write
    write_with: WriteWith | None
    kept: _Mark
    written: _Mark | None = None


class Deferred:
    """What waits to be written by one transaction of one thread."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self._kept: list[_Kept] = []
        self._facts: dict[Hashable, tuple[Any, _Mark]] = {}
        self._assumed: dict[Hashable, Any] = {}
        self._tables: set[str] = set()
        self._bytes = self._waiting = 0
        self._writing = False

    def keep(
        self, item: Any, write: Write, tables: Collection[str], size: int, write_with: WriteWith | None = None
    ) -> None:
        """Have `write([item, ...])` called at the end, or before a query names one of the tables.

        At the end `write_with` may be called instead.
        """
        self.connection.validate_no_broken_transaction()
        self._kept.append(_Kept(item, write, write_with, self._mark()))
        self._tables.update(tables)
        self._bytes += size
        self._waiting += 1
        if self._waiting >= MAX_ITEMS or self._bytes >= MAX_BYTES:
            self.write()

    def write(self) -> None:
        """Write what is kept, except what was rolled back. Raises what writing raises."""
        if not self._kept or self._writing or self.connection.needs_rollback:
            return
        due, remaining = self._sift()
        self._kept, self._bytes, self._waiting = remaining, 0, 0
        if not remaining:
            self._tables.clear()
        self._writing = True
        try:
            for write, those in due.items():
                write([kept.item for kept in those])
                mark = self._mark()
                for kept in those:
                    kept.written = mark
        finally:
            self._writing = False

    def write_with(self, change: Change, *, alone: bool) -> set[UUID] | None:
        """At the end: write what is kept and make a change by one statement, which commits itself if it is `alone`.

        Returns the ids of the change; None where there is nothing to write or where it takes more than one statement,
        and then nothing was done. Raises what writing raises.
        """
        if not self._kept:
            return None
        due, remaining = self._sift()
        if remaining or len(due) != 1:
            return None
        [those] = due.values()
        if (write_with := those[0].write_with) is None:
            return None
        self._writing = True
        try:
            changed = write_with([kept.item for kept in those], change, alone)
        finally:
            self._writing = False
        if changed is not None:
            self._kept, self._bytes, self._waiting = [], 0, 0
            self._tables.clear()
        return changed

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._kept

    @property
    def may_commit_itself(self) -> bool:
        """Whether the transaction may be ended by one statement that commits itself: nothing was said in it yet.

        Through a pooler, and where a project watches what is said, it is begun and committed as usual.
        """
        connection = self.connection
        return connection.execute_wrappers == [self.before_query] and is_untouched(connection) and is_direct(connection)

    def _sift(self) -> tuple[dict[Write, list[_Kept]], list[_Kept]]:
        """What has to be written, and what may have to be written again if the open savepoint is rolled back."""
        # What is to be called after COMMIT, and within which savepoints that was said.
        alive = {id(entry[1]): entry[0] for entry in self.connection.run_on_commit}
        savepoints = set(self.connection.savepoint_ids)
        due: dict[Write, list[_Kept]] = {}
        remaining = []
        for kept in self._kept:
            if id(kept.kept) not in alive:
                continue
            # Written, unless that was within a savepoint that was rolled back since.
            if kept.written is None or id(kept.written) not in alive:
                due.setdefault(kept.write, []).append(kept)
            if not savepoints <= alive[id(kept.kept)]:
                remaining.append(kept)
        return due, remaining

    def remember(self, fact: Hashable, value: Any) -> None:
        """Remember what the database said, until it is rolled back."""
        self._facts[fact] = value, self._mark()

    def assume(self, fact: Hashable, value: Any) -> None:
        """Take this for true, whatever is rolled back: the database said so before the transaction."""
        self._assumed[fact] = value

    def recall(self, fact: Hashable) -> Any:
        """What was assumed or remembered; None where nothing was, or where it was rolled back since."""
        if (assumed := self._assumed.get(fact)) is not None:
            return assumed
        value, mark = self._facts.get(fact, (None, None))
        return value if any(entry[1] is mark for entry in self.connection.run_on_commit) else None

    def before_query(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """An execute_wrapper of Django's."""
        if self._tables and any(table in sql for table in self._tables):
            self.write()
        return execute(sql, params, many, context)

    def _mark(self) -> _Mark:
        mark = _Mark()
        transaction.on_commit(mark, using=self.connection.alias)
        return mark


_current: ContextVar[Deferred | None] = ContextVar("hookline_deferred", default=None)


@contextmanager
def deferring(alias: str) -> Iterator[Deferred]:
    """Within, writes may be kept; at the end, or by `write()`, they are written. For a thread's open transaction.

    Where the block ends with an error nothing is written: the transaction is rolled back.
    """
    connection = connections[alias]
    deferred = Deferred(connection)
    token = _current.set(deferred)
    try:
        with connection.execute_wrapper(deferred.before_query):
            yield deferred
            deferred.write()
    finally:
        _current.reset(token)


def current(connection: BaseDatabaseWrapper) -> Deferred | None:
    """What keeps the writes of this connection's transaction, if anything does."""
    deferred = _current.get()
    # A context may be copied into another thread, which has a connection of its own, and outlive the transaction.
    if deferred is None or deferred.connection is not connection or not connection.in_atomic_block:
        return None
    return deferred
