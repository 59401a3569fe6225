"""Pruner: deletes what is older than its retention from one table, a few rows at a time.

Ids are UUIDv7, so the primary key is in the order of time. A Pruner walks it from the oldest row on, remembers its
position, and in each step looks at no more than `WINDOW` rows, in a transaction of their own. Rows that must stay, such
as pending jobs, are skipped, and looked at again when the walk starts over a day later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from django.db import close_old_connections, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.core import ids
from hookline.db import clock
from hookline.db.row import Row
from hookline.engine.claim import FIRST
from hookline.engine.job import Job
from hookline.engine.sql import dialect_of
from hookline.telemetry.emit import emit
from hookline.telemetry.records import RowsPruned

logger = logging.getLogger("hookline.engine")

#: How many rows a step looks at. On SQLite nobody else writes while they are deleted: some tens of milliseconds.
WINDOW = 500
#: Seconds after which a walk that reached its end starts over.
_AGAIN = 86400.0

#: A model, and its foreign key to the table that is pruned.
Reference = tuple[type[Row], str]


class Pruner:
    """Deletes the rows of one model that are older than `retention` seconds; of jobs, those that ended so long ago.

    Rows of `parts` go with the row that they refer to; they have no parts themselves. A row to which one of `keepers`
    still refers stays. Several Pruners, in any processes, may work on one table.
    """

    def __init__(
        self, model: type[Row], retention: float, *, parts: Sequence[Reference] = (), keepers: Sequence[Reference] = ()
    ) -> None:
        self.model = model
        self.retention = retention
        self._parts = parts
        self._keepers = keepers
        self._after = FIRST
        self._began: float | None = None

    def step(self) -> Step:
        """Look at the next rows and delete those that may go. Raises DatabaseError."""
        now = clock.now(self.model)
        if self._began is None:
            self._began = now
        cutoff = now - self.retention
        last = self._last_of_window(ids.first_at(cutoff))
        deleted = self._delete(last or ids.first_at(cutoff), cutoff)
        self._after = last or ids.first_at(cutoff)
        if last is None and now - self._began >= _AGAIN:
            self._after, self._began = FIRST, None
        return Step(deleted, more=last is not None)

    def _last_of_window(self, before: UUID) -> UUID | None:
        """The last id of a whole window; None when there are fewer rows up to `before`."""
        rows = self.model._default_manager.using(router.db_for_write(self.model)).order_by("id")
        window = rows.filter(id__gt=self._after, id__lt=before).values_list("id", flat=True)
        return next(iter(window[WINDOW - 1 : WINDOW]), None)

    def _delete(self, last: UUID, cutoff: float) -> Counter[str]:
        connection = connections[router.db_for_write(self.model)]
        table = self.model._meta.db_table
        condition, params = self._may_go(connection, last, cutoff)
        deleted: Counter[str] = Counter()
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            # Locked, so that a job which is made due again at this moment either stays or was gone before.
            cursor.execute(f"SELECT id FROM {table} WHERE {condition} {dialect_of(connection).lock}", params)
            if gone := [row[0] for row in cursor.fetchall()]:
                marks = ", ".join(["%s"] * len(gone))
                for model, name in self._parts:
                    part = model._meta.db_table
                    cursor.execute(f"DELETE FROM {part} WHERE {_column(model, name)} IN ({marks})", gone)
                    deleted[model.nouns] += cursor.rowcount
                cursor.execute(f"DELETE FROM {table} WHERE id IN ({marks})", gone)
                deleted[self.model.nouns] += cursor.rowcount
        return deleted

    def _may_go(self, connection: BaseDatabaseWrapper, last: UUID, cutoff: float) -> tuple[str, list[Any]]:
        """The SQL condition on the rows of this step that are to be deleted, and its parameters."""
        table = self.model._meta.db_table
        conditions = ["id > %s", "id <= %s"]
        params: list[Any] = [_adapt(connection, self._after), _adapt(connection, last)]
        if issubclass(self.model, Job):
            # Only of jobs that ended is there such a time. The state is not named, or SQLite would take its index.
            # One that parks its key waits for a person, and others for it.
            conditions.append("finished_at < %s AND has_turn IS NULL")
            params.append(connection.ops.adapt_datetimefield_value(clock.moment(cutoff)))
        for model, name in self._keepers:
            keeper = f"SELECT 1 FROM {model._meta.db_table} WHERE {_column(model, name)} = {table}.id"
            conditions.append(f"NOT EXISTS ({keeper})")
        return " AND ".join(conditions), params


@dataclass(frozen=True, slots=True)
class Step:
    """What was deleted, as nouns -> number of rows, and whether there is more to look at."""

    deleted: Counter[str] = field(default_factory=Counter)
    more: bool = False


class Steps(Protocol):
    """What deletes a little at a time, as a Pruner does."""

    def step(self) -> Step: ...


def prune(pruners: Iterable[Steps], seconds: float | None = None) -> Step:
    """Let each make a step in turn until nothing is left to look at, or for about `seconds`. Raises DatabaseError."""
    end = None if seconds is None else time.monotonic() + seconds
    left = list(pruners)
    deleted: Counter[str] = Counter()
    while left and (end is None or time.monotonic() < end):
        for pruner in tuple(left):
            step = pruner.step()
            deleted.update(step.deleted)
            if not step.more:
                left.remove(pruner)
    if deleted:
        emit(RowsPruned(deleted))
    return Step(deleted, more=bool(left))


class Pruning(threading.Thread):
    """Prunes beside a worker until `stop()`, and at most for a quarter of the time, so that work goes on."""

    #: Seconds of pruning without a pause.
    SLICE = 0.1
    #: Seconds until the next look when nothing is left.
    PAUSE = 60.0

    def __init__(self, pruners: Sequence[Steps]) -> None:
        super().__init__(name="hookline-prune", daemon=True)
        self._pruners = pruners
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            began, pause = time.monotonic(), self.PAUSE
            try:
                close_old_connections()
                step = prune(self._pruners, self.SLICE)
                if step.deleted:
                    logger.debug("pruned %s", dict(step.deleted))
                if step.more:
                    pause = 3 * (time.monotonic() - began)
            except Exception:
                logger.exception("cannot prune history; retrying in %.0f s", pause)
            if pause == self.PAUSE:
                connections.close_all()
            self._stopping.wait(pause)
        connections.close_all()

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def _adapt(connection: BaseDatabaseWrapper, value: UUID) -> Any:
    return value if connection.features.has_native_uuid_field else value.hex


def _column(model: type[Row], name: str) -> str:
    return str(model._meta.get_field(name).column)  # type: ignore[union-attr]  # a foreign key has one
