"""Finding rows and choosing which to list."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from hookline.exceptions import HooklineError

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from hookline.engine.row import Row

R = TypeVar("R", bound="Row")


def find(rows: QuerySet[R], public_id: str) -> R:
    """The row with this public id. Raises HooklineError or ValueError, saying which is missing."""
    model = rows.model
    row = rows.filter(pk=model.id_of(public_id)).first()
    if row is None:
        raise HooklineError(f"there is no {model._meta.verbose_name} {public_id}")
    return row


def newest(rows: QuerySet[R], since: datetime | None, limit: int) -> list[R]:
    """The newest rows, at most `limit`. Ids sort by time, so their index serves both the order and `since`."""
    if since is not None:
        rows = rows.filter(id__gte=first_id_at(since))
    return list(rows.order_by("-id")[:limit])


def first_id_at(moment: datetime) -> str:
    """The lowest id that a row made at this time can have."""
    from hookline.core.ids import uuid7

    return str(uuid7(int(moment.timestamp() * 1000) * 1_000_000, bytes(8)))


def age(moment: datetime, now: float | None = None) -> float:
    """Seconds since a time."""
    return (time.time() if now is None else now) - moment.timestamp()
