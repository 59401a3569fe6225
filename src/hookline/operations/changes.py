"""Changing a row on behalf of somebody: locked, recorded, and in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.db.row import Row
from hookline.exceptions import NotFound

R = TypeVar("R", bound=Row)


@contextmanager
def changing(
    actor: Actor,
    action: str,
    row: R,
    audited: Callable[[R], Mapping[str, Any]],
    details: Mapping[str, Any] | None = None,
) -> Iterator[R]:
    """The row as it is now, locked. What the block changes is committed with an audit entry.

    `audited` gives the fields to compare. The caller's own object gets the new values. Raises NotFound.
    """
    model = type(row)
    with transaction.atomic(using=router.db_for_write(model)):
        locked = model._default_manager.select_for_update().filter(pk=row.pk).first()
        if locked is None:
            raise NotFound(f"{model._meta.verbose_name} {row.public_id} not found")
        before = audited(locked)
        yield locked
        tenant_id = getattr(locked, "tenant_id", None)
        record(actor, action, row.public_id, tenant_id=tenant_id, before=before, after=audited(locked), details=details)
    row.refresh_from_db()
