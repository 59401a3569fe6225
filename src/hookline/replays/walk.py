"""Walking over a part of a history, a page at a time, in the order in which it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, models, router
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from hookline.core import ids
from hookline.db.clock import boundary
from hookline.db.row import Row

#: Lookups that an index on the column and `created_at` serves. Other walks go along the primary key.
_INDEXED = frozenset({"state", "source", "endpoint", "unhandled", "tenant"})


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a table are meant."""

    model: type[Row]
    lookups: Mapping[str, Any]
    since: datetime | None
    until: datetime

    @property
    def by_time(self) -> bool:
        return not _INDEXED.isdisjoint(self.lookups)

    @property
    def rows(self) -> QuerySet[Any]:
        found = self.model._default_manager.using(router.db_for_write(self.model)).filter(**self.lookups)
        if self.by_time:
            found = found.filter(created_at__lt=boundary(self.model, self.until))
            return found if self.since is None else found.filter(created_at__gte=boundary(self.model, self.since))
        found = found.filter(id__lt=ids.first_at(self.until.timestamp()))
        return found if self.since is None else found.filter(id__gte=ids.first_at(self.since.timestamp()))


@dataclass(frozen=True, slots=True)
class Place:
    """A row that was looked at. The time is text, as the database has it: SQLite compares times as text."""

    time: str
    id: UUID


def page(part: Part, after: Place | None, limit: int) -> list[Place]:
    """The next rows behind a place."""
    model, connection = part.model, connections[router.db_for_write(part.model)]
    # As an expression, because the driver of SQLite makes a time of the column itself.
    text = connection.vendor != "postgresql"
    column = f"{model._meta.db_table}.created_at" + (" || ''" if text else "")
    stored: Any = RawSQL(column, (), output_field=models.TextField())  # noqa: S611  # no word of a stranger
    found = part.rows
    if part.by_time:
        if after is not None:
            time: Any = RawSQL("%s", (after.time,)) if text else datetime.fromisoformat(after.time)
            found = found.filter(Q(created_at__gt=time) | Q(created_at=time, id__gt=after.id), created_at__gte=time)
        found = found.order_by("created_at", "id")
    else:
        found = (found if after is None else found.filter(id__gt=after.id)).order_by("id")
    rows = found.values_list("pk", stored)[:limit]
    return [Place(time.isoformat() if isinstance(time, datetime) else str(time), pk) for pk, time in rows]
