"""Finding rows and choosing which to list."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from hookline.core import ids
from hookline.exceptions import HooklineError

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from hookline.db.row import Row

R = TypeVar("R", bound="Row")


def find(rows: QuerySet[R], public_id: str) -> R:
    """The row with this public id. Raises HooklineError or ValueError, saying which is missing."""
    model = rows.model
    row = rows.filter(pk=model.id_of(public_id)).first()
    if row is None:
        raise HooklineError(f"there is no {model._meta.verbose_name} {public_id}")
    return row


def newest(rows: QuerySet[R], since: datetime | None, limit: int, **only: object) -> list[R]:
    """The newest rows, at most `limit`; `only` those whose one field has this value, if one is named.

    Ids sort by time, so the primary key serves a list of all rows. The others have an index on the field and
    `created_at`, and are found before they are joined to others: with statistics that are out of date, PostgreSQL may
    join a million rows to sort them.
    """
    if only:
        found = rows.model._default_manager.filter(**only).order_by("-created_at", "-id")
        found = found if since is None else found.filter(created_at__gte=since)
        return list(rows.filter(pk__in=list(found.values_list("pk", flat=True)[:limit])).order_by("-created_at", "-id"))
    rows = rows.order_by("-id")
    return list(rows[:limit] if since is None else rows.filter(id__gte=ids.first_at(since.timestamp()))[:limit])


def age(moment: datetime, now: float | None = None) -> float:
    """Seconds since a time."""
    return (time.time() if now is None else now) - moment.timestamp()
