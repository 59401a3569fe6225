"""Finding rows, and choosing which to list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet

from hookline.core import ids
from hookline.db.row import Row
from hookline.exceptions import NotFound

R = TypeVar("R", bound=Row)

#: No list is longer.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a history are meant: the newest `limit` of those with these values. None does not narrow."""

    status: str | int | None = None
    #: Made at this time or later, and before that one.
    since: datetime | None = None
    until: datetime | None = None
    type: str | None = None
    #: A tenant's key or public id.
    tenant: str | None = None
    #: Public ids.
    source: str | None = None
    endpoint: str | None = None
    reason: str | None = None
    limit: int = 50

    def given(self) -> dict[str, Any]:
        """The fields that narrow, by name."""
        fields = ("status", "since", "until", "type", "tenant", "source", "endpoint", "reason")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}


#: Everything, newest first.
ALL = Selection()


def find(rows: QuerySet[R], public_id: str) -> R:
    """The row with this public id. Raises NotFound, or ValueError for what is no such id."""
    row = rows.filter(pk=rows.model.id_of(public_id)).first()
    if row is None:
        raise not_found(rows.model, public_id)
    return row


def not_found(model: type[Row], name: str) -> NotFound:
    return NotFound(f"{model._meta.verbose_name} {name} not found")


def newest(rows: QuerySet[R], selection: Selection, only: Mapping[str, object], *, by_key: bool = False) -> list[R]:
    """The newest rows of a selection; `only` says which values it wants, as lookups of the model.

    Ids sort by time, so the primary key serves a list of all rows, and `by_key` one that no index narrows. The others
    have an index on the field and `created_at`, and are found before they are joined to others: with statistics that
    are out of date, PostgreSQL may join a million rows to sort them.
    """
    if by_key or not only:
        rows = rows.filter(**only)
        for lookup, moment in (("id__gte", selection.since), ("id__lt", selection.until)):
            rows = rows if moment is None else rows.filter(**{lookup: ids.first_at(moment.timestamp())})
        return list(rows.order_by("-id")[: selection.limit])
    found = rows.model._default_manager.filter(**only)
    for lookup, moment in (("created_at__gte", selection.since), ("created_at__lt", selection.until)):
        found = found if moment is None else found.filter(**{lookup: moment})
    keys = found.order_by("-created_at", "-id").values_list("pk", flat=True)[: selection.limit]
    return list(rows.filter(pk__in=list(keys)).order_by("-created_at", "-id"))
